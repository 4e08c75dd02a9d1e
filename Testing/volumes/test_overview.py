"""What a scan is told to be, on made bodies in any orientation, and its phase from made and real HU."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from KidneyParsingLib.anatomy import STRUCTURES
from KidneyParsingLib.volumes.geometry import make_affine
from KidneyParsingLib.volumes.overview import measure_contrast, scan_overview
from KidneyParsingLib.volumes.reading import read_ct
from KidneyParsingLib.volumes.volume import Volume

SPACING = (1.6, 1.6, 2.0)
SHAPE = (100, 160, 200)
LABELS = {entry.name: entry.label for entry in STRUCTURES}


def a_body(shape=SHAPE, lung_slices=0, wide=0.8):
    """HU (z from feet to head, y, x) of an elliptic body of muscle and fat in air; lungs in the upper slices."""
    z, y, x = (np.linspace(-1, 1, n) for n in shape)
    radius = np.sqrt((x[None, None] / wide) ** 2 + (y[None, :, None] / 0.7) ** 2) + 0 * z[:, None, None]
    hu = np.select([radius < 0.7, radius < 1.0], [50, -100], -1000).astype(np.int16)
    if lung_slices:
        hu[-lung_slices:][radius[-lung_slices:] < 0.55] = -850
    return hu


def a_scan(hu, spacing=SPACING, direction=None):
    return Volume(hu, make_affine(spacing, (-160.0, -120.0, 30.0), np.eye(3) if direction is None else direction))


def turned(degrees):
    a = np.radians(degrees)
    return np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])


def test_figures_of_a_sound_scan():
    overview = scan_overview(a_scan(a_body()))
    assert overview.spacing_mm == pytest.approx(SPACING)
    assert overview.shape == (200, 160, 100)
    assert overview.extent_mm == pytest.approx((320.0, 256.0, 200.0))
    assert overview.slices == 100
    assert overview.covers == "20 cm along the body, from below the lungs"
    assert overview.warnings == ()


def test_says_how_much_lung_there_is():
    overview = scan_overview(a_scan(a_body(lung_slices=30)))
    assert overview.covers == "20 cm along the body, with 6 cm of lungs at its upper end"


def test_knows_the_head_end_whatever_way_the_slices_are_stacked():
    upside_down = np.diag([1.0, -1.0, -1.0])
    overview = scan_overview(a_scan(a_body(lung_slices=30)[::-1], direction=upside_down))
    assert overview.covers.endswith("with 6 cm of lungs at its upper end")
    chest = scan_overview(a_scan(a_body(lung_slices=30)[::-1]))
    assert chest.warnings == ("The scan ends within the lungs; kidneys lie below them.",)
    assert chest.covers.endswith("lungs below its upper end")


def test_a_coronal_stack_is_the_same_patient():
    coronal = np.array([[1.0, 0, 0], [0, 0, 1], [0, 1, 0]])
    hu = np.ascontiguousarray(a_body(lung_slices=30).transpose(1, 0, 2))
    overview = scan_overview(a_scan(hu, (1.6, 2.0, 1.6), coronal))
    assert overview.extent_mm == pytest.approx((320.0, 256.0, 200.0))
    assert overview.covers.endswith("with 6 cm of lungs at its upper end")
    assert overview.warnings == ()


@pytest.mark.parametrize("degrees", [0, 8])
def test_a_small_tilt_is_no_warning(degrees):
    assert scan_overview(a_scan(a_body(), direction=turned(degrees))).warnings == ()


def with_gap(first, last):
    hu = a_body()
    hu[first:last] = -1024
    return hu


CASES = {
    "gap": (lambda: a_scan(with_gap(50, 51)), "between others are empty"),
    "narrow": (lambda: a_scan(a_body((100, 160, 90))), "only 14 cm wide"),
    "nothing": (lambda: a_scan(np.zeros((100, 160, 200), np.int16)), "are alike"),
    "thick": (lambda: a_scan(a_body((40, 160, 200)), (1.6, 1.6, 5.0)), "5.0 mm apart"),
    "few": (lambda: a_scan(a_body((20, 160, 200)), (1.6, 1.6, 7.0)), "only 20 slices"),
    "short": (lambda: a_scan(a_body((50, 160, 200))), "only 10 cm of the body"),
    "cut": (lambda: a_scan(a_body(wide=1.4)), "ends within the body"),
    "oblique": (lambda: a_scan(a_body(), direction=turned(20)), "tilted by 20 degrees"),
    "shifted": (lambda: a_scan(a_body() + np.int16(1024)), "HU + 1024"),
    "gray values": (lambda: a_scan(np.clip((a_body() + 1000) // 8, 0, 255).astype(np.int16)), "from 0 to 255"),
    "another modality": (lambda: a_scan((a_body() + np.int16(1000)) // np.int16(3)), "No value is below 0"),
}


@pytest.mark.parametrize("case", CASES)
def test_warns_of(case):
    make, words = CASES[case]
    warnings = scan_overview(make()).warnings
    assert any(words in warning for warning in warnings)
    assert all(warning.endswith(".") for warning in warnings)
    assert len(warnings) <= 2


def test_an_empty_rim_is_no_gap():
    hu = a_body()
    hu[:5] = hu[-5:] = -1024
    assert scan_overview(a_scan(hu)).warnings == ()


def test_a_table_with_foam_is_neither_a_cut_body_nor_lung():
    hu = a_body()
    hu[:, -12:-9] = 100
    hu[:, -30:-9, :6] = hu[:, -30:-9, -6:] = 100
    foam = hu[:, -26:-12]
    foam[foam == -1000] = -850
    overview = scan_overview(a_scan(hu))
    assert overview.warnings == () and overview.covers.endswith("from below the lungs")


def test_leaves_the_voxels_alone_and_takes_any_type():
    for kind in (np.int16, np.int32, np.float32):
        hu = a_body().astype(kind)
        before = hu.copy()
        assert scan_overview(a_scan(hu)).warnings == ()
        np.testing.assert_array_equal(hu, before)


def test_real_scans_are_described(shared_data):
    thick = scan_overview(read_ct(shared_data / "ct" / "crlm-ct-1006.nii.gz"))
    assert thick.spacing_mm[2] == pytest.approx(5.0) and any("5.0 mm apart" in w for w in thick.warnings)
    assert not any("HU" in warning for warning in thick.warnings)
    assert "lungs at its upper end" in thick.covers


# Median HU of artery, vein, cortex, medulla and urine inside the ranges of docs/appearance.md, or of the papers there.
PHASES = {
    "no contrast": (42, 42, 34, 34, 8),
    "arterial": (330, 70, 150, 45, 5),
    "corticomedullary": (230, 160, 210, 70, 5),
    "portal / nephrographic": (145, 130, 180, 160, 10),
    "excretory": (95, 90, 130, 140, 600),
}


def painted(artery, vein, cortex, medulla, urine, noise=15):
    """HU and labels (z, y, x) of boxes, a third of the kidney medulla, with noise."""
    labels = np.zeros((20, 40, 60), np.uint8)
    hu = np.full(labels.shape, -80.0)
    boxes = {"kidney": slice(5, 15), "artery": slice(18, 22), "vein": slice(25, 30), "ureter": slice(35, 38)}
    for (name, box), value in zip(boxes.items(), (cortex, artery, vein, urine), strict=True):
        labels[2:18, box, 5:55] = LABELS[name]
        hu[2:18, box, 5:55] = value
    hu[2:18, 8:12, 5:46] = medulla
    return hu + np.random.default_rng(3).normal(0, noise, hu.shape), labels


@pytest.mark.parametrize("phase", PHASES)
def test_phase_of_made_numbers(phase):
    assert measure_contrast(*painted(*PHASES[phase])).phase == phase


def test_tells_the_hu_that_it_was_told_by():
    hu = measure_contrast(*painted(*PHASES["corticomedullary"])).hu
    assert hu == {
        "artery": pytest.approx(230, abs=2),
        "vein": pytest.approx(160, abs=2),
        "cortex": pytest.approx(210, abs=15),
        "medulla": pytest.approx(70, abs=15),
        "ureter": pytest.approx(5, abs=2),
    }


def test_hu_of_what_was_not_found_are_left_out():
    hu, labels = painted(*PHASES["arterial"])
    labels[np.isin(labels, [LABELS["vein"], LABELS["ureter"]])] = 0
    assert set(measure_contrast(hu, labels).hu) == {"artery", "cortex", "medulla"}


def test_values_that_are_no_numbers_are_passed_over():
    hu, labels = painted(*PHASES["arterial"])
    hu[:5] = np.nan
    hu[labels == LABELS["ureter"]] = np.inf
    contrast = measure_contrast(hu, labels)
    assert contrast.phase == "arterial" and set(contrast.hu) == {"artery", "vein", "cortex", "medulla"}


def test_phase_counts_both_sides_of_a_label_map():
    hu, labels = painted(*PHASES["portal / nephrographic"])
    labels[labels == LABELS["kidney"]] = 7
    assert measure_contrast(hu, labels).phase == "portal / nephrographic"


def test_an_early_phase_without_a_vein():
    hu, labels = painted(*PHASES["no contrast"])
    labels[labels == LABELS["vein"]] = 0
    assert measure_contrast(hu, labels).phase == "no contrast"


@pytest.mark.parametrize("missing", [("kidney",), ("artery", "vein"), ("kidney", "artery", "vein", "ureter")])
def test_phase_is_unknown_where_structures_are_missing(missing):
    hu, labels = painted(*PHASES["arterial"])
    labels[np.isin(labels, [LABELS[name] for name in missing])] = 0
    assert measure_contrast(hu, labels).phase == "unknown"


@pytest.mark.parametrize(
    ("name", "phase"), [("crlm-ct-1006", "portal / nephrographic"), ("cptac-c3n-00249", "corticomedullary")]
)
def test_phase_of_real_scans(shared_data, name, phase):
    reference = sitk.GetArrayFromImage(sitk.ReadImage(str(shared_data / "ct" / f"{name}_ref.nii.gz")))
    assert measure_contrast(read_ct(shared_data / "ct" / f"{name}.nii.gz").array, reference).phase == phase
