"""The released model, loaded once; the sample CTA with its truth; a patient of boxes, and what parses it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from stub_networks import BRIGHT, DIM, SPINE, TUMOR, Stub, locator_maps

from KidneyParsingLib.inference.options import Options
from KidneyParsingLib.inference.parser import KidneyParser
from KidneyParsingLib.inference.systems import LOCATOR, System
from KidneyParsingLib.networks.configs import config
from KidneyParsingLib.progress import Progress, silent
from KidneyParsingLib.volumes.reading import read_ct
from KidneyParsingLib.volumes.volume import LabelMap, Volume

RESOURCES = Path(__file__).resolve().parents[2] / "Resources"


@pytest.fixture(scope="session")
def a_parser() -> KidneyParser:
    return KidneyParser(Options(device="cpu", backend="torch"))


@pytest.fixture(scope="session")
def sample_ct() -> Volume:
    return read_ct(RESOURCES / "sample_cta.nii.gz")


@pytest.fixture(scope="session")
def sample_truth() -> np.ndarray:
    return sitk.GetArrayFromImage(sitk.ReadImage(str(RESOURCES / "sample_cta_truth.nii.gz")))


@pytest.fixture(scope="session")
def sample_result(a_parser: KidneyParser, sample_ct: Volume) -> LabelMap:
    return a_parser.parse(sample_ct)


@pytest.fixture
def a_patient() -> Volume:
    """Upright, 2 mm: a spine and two kidneys 48 x 48 x 80 mm, the left one with a dim part and a tumor."""
    array = np.full((100, 90, 140), -100, np.int16)
    array[:, 50:66, 62:78] = SPINE
    array[30:70, 30:54, 26:50] = BRIGHT
    array[30:70, 30:54, 90:114] = BRIGHT
    array[60:70, 30:54, 90:114] = DIM
    array[44:56, 36:48, 96:108] = TUMOR
    return Volume(array, np.diag([2.0, 2.0, 2.0, 1.0]))


@pytest.fixture
def parsed(a_patient: Volume, monkeypatch: pytest.MonkeyPatch) -> Callable[..., LabelMap]:
    """Parses the patient with a system of stubs."""

    def run(system: System, stubs: dict[str, Stub], progress: Progress = silent, **wanted: Any) -> LabelMap:
        everyone = {LOCATOR: Stub(config("locator"), locator_maps), **stubs}
        monkeypatch.setattr("KidneyParsingLib.inference.parser.load", lambda name, *how: everyone[name])
        model = SimpleNamespace(system=system, network_names=tuple(n for n in system.networks if n in everyone))
        monkeypatch.setattr("KidneyParsingLib.inference.parser.find_model", lambda name: model)
        return KidneyParser(Options(model="stub", device="cpu", **wanted)).parse(a_patient, progress)

    return run
