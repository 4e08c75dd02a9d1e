"""A real engine process whose network is replaced by a parser that takes small steps:
`python fake_engine.py [steps] [speaking]`; with the second word it says what the library says.

The name of the requested model says how the parser behaves. A model, a CT or an output whose name begins with "slow"
makes loading, reading or writing one long call; "stubborn" ones keep Python's lock (the GIL) meanwhile, so that the
engine cannot even read its requests.
"""

import ctypes
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from KidneyParsingLib.anatomy import segment, structure  # noqa: E402
from KidneyParsingLib.engine.server import main  # noqa: E402
from KidneyParsingLib.inference.options import Options  # noqa: E402
from KidneyParsingLib.progress import Log, Progress  # noqa: E402
from KidneyParsingLib.review import ReviewPlace  # noqa: E402
from KidneyParsingLib.sentences import texts_of  # noqa: E402
from KidneyParsingLib.volumes import reading, writing  # noqa: E402
from KidneyParsingLib.volumes.volume import LabelMap, Volume  # noqa: E402

STEPS = int(sys.argv[1]) if len(sys.argv) > 1 else 5
SPEAKS = "speaking" in sys.argv
STEP_SECONDS = 0.06
SLOW_SECONDS = 30
# As the library says them.
REGION = texts_of("inference.parser")("Parsing region {number} of {count}")
ONE_KIDNEY = texts_of("inference.parser")("Only a right kidney was found.")
MEMORY = texts_of("inference.network_pass")("Not enough memory on {device}; going on with the CPU.")
GAP = texts_of("inference.review_tubes")("The {structure} may go on here: two parts end {mm:.0f} mm apart.")
HOLDS_THE_LOCK = ctypes.PyDLL(None)


class OutOfMemoryError(RuntimeError):
    """Has the name of torch's error."""


def linger(name: str) -> None:
    """Do nothing for long if the name says so."""
    if name.startswith("slow"):
        time.sleep(SLOW_SECONDS)
    elif name.startswith("one second"):
        time.sleep(1)
    elif name.startswith("stubborn"):
        HOLDS_THE_LOCK.sleep(SLOW_SECONDS)


class FakeParser:
    """Finds a right kidney where the CT is brighter than water."""

    count = 0

    def __init__(self, options: Options, threads: int | None, log: Log) -> None:
        self.options, self.log = options, log
        FakeParser.count += 1
        print("loading", options.model)
        if options.model.endswith("loading"):
            linger(options.model)

    def parse(self, volume: Volume, progress: Progress) -> LabelMap:
        self.log(MEMORY.format(device="cuda") if SPEAKS else "a line for the log")
        for step in range(STEPS):
            region = REGION.format(number=min(2, 1 + 2 * step // STEPS), count=2)
            progress(step / STEPS, "Predicting" if step < 2 else region)
            self._misbehave(progress)
            time.sleep(STEP_SECONDS)
        progress(1.0, "Done")
        kidney = segment("kidney_right")
        array = ((volume.array > 0) * kidney.value).astype("uint8")
        place = ReviewPlace("kidney", "The contour is vague.", (1.5, -2.0, 30.0), 0.25, np.float32(0.5), "surface")
        if SPEAKS:
            reason = GAP.format(structure=structure("vein").word, mm=np.float32(12.4))
            return LabelMap(array, volume.affine, (kidney,), (ONE_KIDNEY,), (replace(place, reason=reason),))
        return LabelMap(array, volume.affine, (kidney,), ("a note", f"parser {self.count}"), (place,))

    def _misbehave(self, progress: Progress) -> None:
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
        elif model == "torch":
            multiply(progress)
        elif model == "deaf":
            time.sleep(SLOW_SECONDS)
        elif model == "stubborn predicting":
            linger(model)


def multiply(progress: Progress) -> None:
    """One call of torch that takes many seconds."""
    import torch

    matrix = torch.ones(8000, 8000)
    progress(0.1, "Multiplying")
    matrix @ matrix


def read_ct(path: str, read: Callable[[str], Volume] = reading.read_ct) -> Volume:
    linger(Path(path).name)
    return read(path)


def write_label_map(label_map: LabelMap, path: Path, write: Callable[..., None] = writing.write_label_map) -> None:
    if path.name.startswith(("slow", "stubborn")):
        path.with_name("half").write_text("half of it")
    linger(path.name)
    write(label_map, path)


reading.read_ct, writing.write_label_map = read_ct, write_label_map
main(FakeParser)
