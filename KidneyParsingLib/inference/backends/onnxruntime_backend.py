"""Networks run by ONNX Runtime on the CPU."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import numpy as np
import onnxruntime

from .backend import Tick, no_tick
from .onnx_file import INPUT

_WAIT_SECONDS = 0.05


class OnnxRuntimeBackend:
    """An ONNX file run on the CPU with `threads` threads, in float32."""

    name = "onnxruntime"
    device = "cpu"

    def __init__(self, path: Path, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        # Threads that wait busily starve whoever else works on this machine.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def __call__(self, image: np.ndarray, tick: Tick = no_tick) -> np.ndarray:
        """See Backend; `tick` is called while ONNX Runtime computes, always with 0, as it does not say how far it
        is."""
        options = onnxruntime.RunOptions()
        array = np.ascontiguousarray(image)[None, None]
        with ThreadPoolExecutor(1) as pool:
            run = pool.submit(self._session.run, None, {INPUT: array}, options)
            try:
                tick(0.0)
                while not wait([run], _WAIT_SECONDS).done:
                    tick(0.0)
            except BaseException:
                options.terminate = True
                raise
            return run.result()[0][0]

    def release(self) -> None:
        """ONNX Runtime keeps its arena until the session ends."""
