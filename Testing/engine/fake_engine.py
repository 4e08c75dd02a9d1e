"""A real engine process whose network is replaced by a parser that takes small steps: `python fake_engine.py [steps]`.

The name of the requested model says how the parser behaves.
"""

import ctypes
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from KidneyParsingLib.anatomy import segment  # noqa: E402
from KidneyParsingLib.engine.server import main  # noqa: E402
from KidneyParsingLib.inference.options import Options  # noqa: E402
from KidneyParsingLib.progress import Progress  # noqa: E402
from KidneyParsingLib.volumes.volume import LabelMap, Volume  # noqa: E402

STEPS = int(sys.argv[1]) if len(sys.argv) > 1 else 5
STEP_SECONDS = 0.06


class OutOfMemoryError(RuntimeError):
    """Has the name of torch's error."""


class FakeParser:
    """Finds a right kidney where the CT is brighter than water."""

    def __init__(self, options: Options) -> None:
        self.options = options
        print("loading", options.model)

    def parse(self, volume: Volume, progress: Progress) -> LabelMap:
        for step in range(STEPS):
            progress(step / STEPS, "Predicting")
            self._misbehave()
            time.sleep(STEP_SECONDS)
        kidney = segment("kidney_right")
        return LabelMap(((volume.array > 0) * kidney.value).astype("uint8"), volume.affine, (kidney,))

    def _misbehave(self) -> None:
        model = self.options.model
        if model == "noisy":
            print("a stray print", flush=True)
            os.write(1, b"and one from C\n")
        elif model == "broken":
            raise ValueError("no such thing")
        elif model == "greedy":
            raise OutOfMemoryError("CUDA says no")
        elif model == "crashing":
            ctypes.string_at(0)
        elif model == "deaf":
            time.sleep(30)


main(FakeParser)
