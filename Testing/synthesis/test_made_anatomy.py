"""Made anatomy: plausible volumes, sides, connected vessels (needs the atlas folders)."""

from __future__ import annotations

from pathlib import Path

import cc3d
import numpy as np
import pytest

from KidneyParsingLib.anatomy import LEFT, RIGHT, structure
from KidneyParsingLib.errors import InputError
from KidneyParsingLib.networks.configs import config
from KidneyParsingLib.synthesis.anatomy_builder import Atlases, make_anatomy
from KidneyParsingLib.synthesis.atlas import kidney_cases, kidney_shapes, spl_labels
from KidneyParsingLib.synthesis.renal.variants import RenalPlan, draw_renal_plan
from KidneyParsingLib.synthesis.samples import MadeSamples
from KidneyParsingLib.synthesis.scans.scan import ScanPlan, make_scan
from KidneyParsingLib.synthesis.store import fill_store, stored_anatomies
from KidneyParsingLib.synthesis.tissues import Tissue, structure_lookup

SPACING = 3.0


@pytest.fixture(scope="module")
def atlases(shared_data: Path) -> Atlases:
    return Atlases(shared_data / "spl_atlas", shared_data / "kidney_atlas")


@pytest.fixture(scope="module")
def ordinary_seed() -> int:
    """Of a patient with two kidneys in their places, without large lesions or wide pelves."""
    return next(seed for seed in range(100) if is_ordinary(draw_renal_plan(np.random.default_rng(seed))))


def is_ordinary(plan: RenalPlan) -> bool:
    kidneys = plan.kidneys.values()
    usual = all(k.state == "normal" and k.collecting.width != "dilated" and not k.turn_deg for k in kidneys)
    return usual and not any(k.lesions.tumor or k.lesions.cysts_mm for k in kidneys)


@pytest.fixture(scope="module")
def an_anatomy(atlases: Atlases, ordinary_seed: int) -> np.ndarray:
    return make_anatomy(atlases, np.random.default_rng(ordinary_seed), SPACING)


def ml(mask: np.ndarray) -> float:
    return float(mask.sum()) * SPACING**3 / 1000


def test_volumes_are_those_of_an_adult(an_anatomy: np.ndarray) -> None:
    labels = structure_lookup()[an_anatomy]
    assert 120 < ml(labels == structure("kidney").label) < 700
    assert 30 < ml(labels == structure("artery").label) < 300
    assert 30 < ml(labels == structure("vein").label) < 300
    assert 2 < ml(labels == structure("ureter").label) < 80
    assert 700 < ml(an_anatomy == Tissue.LIVER) < 3500


def test_the_liver_is_on_the_right_and_the_spine_behind(an_anatomy: np.ndarray) -> None:
    """x runs to the patient's left, y to the back, z up."""
    center = {
        t: np.argwhere(an_anatomy == t).mean(0) for t in (Tissue.LIVER, Tissue.SPLEEN, Tissue.MARROW, Tissue.ARTERY)
    }
    assert center[Tissue.LIVER][2] < center[Tissue.MARROW][2] < center[Tissue.SPLEEN][2]
    assert center[Tissue.MARROW][1] > center[Tissue.ARTERY][1]


def test_kidneys_lie_beside_the_spine_and_touch_no_bone(an_anatomy: np.ndarray) -> None:
    kidney = np.isin(an_anatomy, (Tissue.CORTEX, Tissue.MEDULLA))
    middle = np.argwhere(an_anatomy == Tissue.MARROW)[:, 2].mean()
    x = np.argwhere(kidney)[:, 2]
    assert 0.2 < (x < middle).mean() < 0.8
    assert not (kidney & np.isin(an_anatomy, (Tissue.BONE, Tissue.MARROW))).any()


@pytest.mark.parametrize("tissue", [Tissue.ARTERY, Tissue.VEIN])
def test_renal_vessels_hang_on_the_great_vessels(an_anatomy: np.ndarray, tissue: Tissue) -> None:
    mask = an_anatomy == tissue
    parts = cc3d.connected_components(mask, connectivity=26)
    assert np.bincount(parts[mask]).max() > 0.85 * mask.sum()


def test_the_same_seed_makes_the_same_anatomy(atlases: Atlases, an_anatomy: np.ndarray, ordinary_seed: int) -> None:
    assert np.array_equal(make_anatomy(atlases, np.random.default_rng(ordinary_seed), SPACING), an_anatomy)


def test_atlas_kidneys_have_their_volume_and_side(atlases: Atlases) -> None:
    """case_00000 has 331 ml kidney in all (cases.csv)."""
    shapes = kidney_shapes(kidney_cases(atlases.kidneys)[0], 2.0)
    assert sorted(s.side for s in shapes) == [LEFT, RIGHT]
    assert sum((s.array == 1).sum() for s in shapes) * 8 / 1000 == pytest.approx(331, rel=0.05)


def test_spl_kidneys_have_adult_size(atlases: Atlases) -> None:
    assert 120 < float((spl_labels(atlases.spl, 2.0) == 51).sum()) * 8 / 1000 < 200


def test_a_missing_atlas_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"seg\.nrrd"):
        make_anatomy(Atlases(tmp_path), np.random.default_rng(0))
    with pytest.raises(InputError, match="case_"):
        kidney_cases(tmp_path)
    with pytest.raises(InputError, match="synthesize"):
        stored_anatomies(tmp_path)


def test_samples_fit_the_network_and_come_again_for_the_same_index(atlases: Atlases, tmp_path: Path) -> None:
    fill_store(tmp_path, atlases, range(1), spacing=4.0)
    for model in ("locator", "ba_net"):
        samples = MadeSamples(tmp_path, config(model), length=3, seed=1)
        image, labels = (samples[2][name] for name in ("image", "labels"))
        assert image.shape == (1, *config(model).patch) and labels.shape == config(model).patch
        assert image.isfinite().all() and int(labels.max()) < len(config(model).classes)
        assert (image == samples[2]["image"]).all()


def test_a_made_scan_s_truth_lies_on_its_ct_with_sides(atlases: Atlases) -> None:
    volume, truth = make_scan(atlases, ScanPlan(3, "portal", (4.0, 2.0, 2.0), anatomy_mm=3.0))
    assert volume.array.shape == truth.array.shape and volume.array.dtype == np.int16
    kidney = truth.structure_labels() == structure("kidney").label
    assert 80 < volume.array[kidney].mean() < 240
    x = {s.id: np.argwhere(truth.mask(s))[:, 2].mean() for s in truth.segments}
    assert x["kidney_right"] < x["kidney_left"]
