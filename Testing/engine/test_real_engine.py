"""The engine as Slicer starts it, with the released networks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from KidneyParsingLib.engine.client import EngineClient
from KidneyParsingLib.errors import Cancelled, InputError
from KidneyParsingLib.evaluation.metrics import dice_by_structure
from KidneyParsingLib.inference.options import Options
from KidneyParsingLib.volumes.writing import read_label_map

RESOURCES = Path(__file__).resolve().parents[2] / "Resources"
SAMPLE = str(RESOURCES / "sample_cta.nii.gz")


def test_two_runs_of_one_engine_a_bad_input_and_a_cancel(tmp_path: Path) -> None:
    def cancel(fraction: float, phase: str) -> None:
        if fraction > 0.1:
            raise Cancelled("stop")

    with EngineClient(log=lambda text: None) as engine:
        engine.segment(SAMPLE, str(tmp_path / "first.seg.nrrd"))
        pid = engine.pid
        with pytest.raises(InputError, match="nowhere"):
            engine.segment("nowhere.nrrd", str(tmp_path / "bad.seg.nrrd"))
        result = engine.segment(SAMPLE, str(tmp_path / "second.seg.nrrd"), Options(structures=("kidney",)))
        assert engine.pid == pid
        with pytest.raises(Cancelled):
            engine.segment(SAMPLE, str(tmp_path / "cancelled.seg.nrrd"), progress=cancel)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first.seg.nrrd", "second.seg.nrrd"]
    assert set(result.volumes_ml) == {"kidney_right", "kidney_left"}
    truth = sitk.GetArrayFromImage(sitk.ReadImage(str(RESOURCES / "sample_cta_truth.nii.gz")))
    first, second = (read_label_map(tmp_path / f"{name}.seg.nrrd") for name in ("first", "second"))
    assert dice_by_structure(first.structure_labels(), truth)["kidney"] > 0.85
    kidneys = np.isin(first.array, [s.value for s in second.segments])
    assert np.array_equal(kidneys, second.array > 0)


def test_one_kidney_is_said_so(tmp_path: Path) -> None:
    image = sitk.ReadImage(SAMPLE)
    # The patient's right is where x is small.
    sitk.WriteImage(image[: image.GetWidth() // 2 + 10], str(tmp_path / "half.nrrd"))
    with EngineClient(log=lambda text: None) as engine:
        options = Options(structures=("kidney",), quality="fast", backend="torch")
        result = engine.segment(tmp_path / "half.nrrd", tmp_path / "half.seg.nrrd", options)
    assert set(result.volumes_ml) == {"kidney_right"} and "Only a right kidney was found." in result.notes
