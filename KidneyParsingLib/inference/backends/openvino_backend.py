"""Networks run by OpenVINO on the CPU."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import openvino

from .backend import Tick, no_tick

_WAIT_MILLISECONDS = 50


class OpenVinoBackend:
    """An ONNX file compiled for the CPU with `threads` threads; with `half` in bfloat16 where the processor has it."""

    name = "openvino"
    device = "cpu"

    def __init__(self, path: Path, threads: int, half: bool = False) -> None:
        core = openvino.Core()
        half = half and "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        hints = {
            "INFERENCE_NUM_THREADS": threads,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "bf16" if half else "f32",
        }
        self._model = core.compile_model(core.read_model(str(path)), "CPU", hints)
        self._request = self._model.create_infer_request()

    def __call__(self, image: np.ndarray, tick: Tick = no_tick) -> np.ndarray:
        """See Backend; `tick` is called while OpenVINO computes, always with 0, as it does not say how far it is."""
        self._request.start_async([np.ascontiguousarray(image)[None, None]], share_inputs=True)
        try:
            tick(0.0)
            while not self._request.wait_for(_WAIT_MILLISECONDS):
                tick(0.0)
        except BaseException:
            self._request.cancel()
            with suppress(RuntimeError):  # OpenVINO's word for a cancelled request
                self._request.wait()
            raise
        # The tensor is written over by the next pass.
        return self._request.get_output_tensor(0).data[0].copy()

    def release(self) -> None:
        """Lets OpenVINO give back its buffers, where it can (since 2024.5)."""
        if hasattr(self._model, "release_memory"):
            self._model.release_memory()
