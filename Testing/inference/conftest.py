"""The released model, loaded once, and the sample CTA with its truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from KidneyParsingLib.inference.options import Options
from KidneyParsingLib.inference.parser import KidneyParser
from KidneyParsingLib.volumes.reading import read_ct
from KidneyParsingLib.volumes.volume import LabelMap, Volume

RESOURCES = Path(__file__).resolve().parents[2] / "Resources"


@pytest.fixture(scope="session")
def a_parser() -> KidneyParser:
    return KidneyParser(Options(device="cpu"))


@pytest.fixture(scope="session")
def sample_ct() -> Volume:
    return read_ct(RESOURCES / "sample_cta.nii.gz")


@pytest.fixture(scope="session")
def sample_truth() -> np.ndarray:
    return sitk.GetArrayFromImage(sitk.ReadImage(str(RESOURCES / "sample_cta_truth.nii.gz")))


@pytest.fixture(scope="session")
def sample_result(a_parser: KidneyParser, sample_ct: Volume) -> LabelMap:
    return a_parser.parse(sample_ct)
