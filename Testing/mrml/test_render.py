"""The picture of a result: right is left, every structure shows, and no half-written file is left behind."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from KidneyParsingLib.anatomy import structure
from KidneyParsingLib.errors import InputError
from KidneyParsingLib.mrml import offscreen
from KidneyParsingLib.mrml.render import render_png
from KidneyParsingLib.mrml.render_slice import axial_slice, draw_slice
from KidneyParsingLib.volumes.volume import LabelMap

KIDNEY_COLOR = structure("kidney").color
VEIN_COLOR = structure("vein").color
GRIDS = ["axial", "oblique", "mirrored", "coronal"]


def has_opengl() -> bool:
    try:
        offscreen.offscreen_window(8, 8)
    except InputError:
        return False
    return True


needs_opengl = pytest.mark.skipif(not has_opengl(), reason="OpenGL is missing (libegl1 libgl1 libgl1-mesa-dri)")


def pixels_of(path):
    return sitk.GetArrayFromImage(sitk.ReadImage(str(path))).astype(int)


def center_of_color(image, color, tolerance=3):
    rows, columns = np.nonzero((np.abs(image - color) <= tolerance).all(axis=-1))
    assert rows.size > 20
    return rows.mean(), columns.mean()


@pytest.fixture(scope="module")
def a_picture(tmp_path_factory, a_volume, a_label_map):
    path = tmp_path_factory.mktemp("render") / "result.png"
    render_png(a_volume("oblique"), a_label_map("oblique", ids=("kidney_right", "vein")), path)
    return pixels_of(path)


@needs_opengl
def test_is_a_picture_of_two_panels(a_picture):
    assert a_picture.shape == (800, 1600, 3)
    assert a_picture[:, :800].std() > 5
    assert a_picture[:, 800:].std() > 5


@needs_opengl
def test_the_right_kidney_is_on_the_left_of_the_3d_view(a_picture):
    view = a_picture[:630, 30:770]
    red, blue = view[..., 0], view[..., 2]
    kidney = np.nonzero((red > blue + 30) & (red > 120))[1]
    vein = np.nonzero(blue > red + 60)[1]
    assert kidney.size > 5000 and vein.size > 500
    assert kidney.mean() < 370 < vein.mean()


@needs_opengl
def test_the_slice_shows_outlines_in_the_same_colors(a_picture):
    slice_panel = a_picture[:, 800:]
    _, kidney_column = center_of_color(slice_panel, KIDNEY_COLOR)
    _, vein_column = center_of_color(slice_panel, VEIN_COLOR)
    assert kidney_column < vein_column


@needs_opengl
def test_the_legend_shows_the_colors_below_the_3d_view(a_picture):
    legend = a_picture[640:, :800]
    assert center_of_color(legend, KIDNEY_COLOR)[0] < center_of_color(legend, VEIN_COLOR)[0]


@needs_opengl
def test_nothing_found_still_makes_a_picture(tmp_path, a_volume, a_label_map):
    render_png(a_volume("axial"), a_label_map("axial", ids=()), tmp_path / "none.png")
    image = pixels_of(tmp_path / "none.png")
    assert image[350:450, 200:600].min() < 60
    assert image[:, 800:].std() > 5


@needs_opengl
def test_more_segments_than_the_legend_holds(tmp_path, monkeypatch, a_volume, a_label_map):
    monkeypatch.setattr("KidneyParsingLib.mrml.render_text.LEGEND_ROWS", 1)
    render_png(a_volume("axial"), a_label_map("axial"), tmp_path / "many.png")
    assert (tmp_path / "many.png").stat().st_size > 1000


@needs_opengl
def test_a_failed_write_names_the_file_and_leaves_nothing(tmp_path, a_volume, a_label_map):
    (tmp_path / "taken.png").mkdir()
    with pytest.raises(InputError, match="taken.png"):
        render_png(a_volume("axial"), a_label_map("axial"), tmp_path / "taken.png")
    assert [entry.name for entry in tmp_path.iterdir()] == ["taken.png"]


@pytest.mark.parametrize("grid", GRIDS)
def test_the_slice_is_axial_and_radiological_on_any_grid(a_volume, a_label_map, spheres, grid):
    plane = axial_slice(a_volume(grid), a_label_map(grid), 400)
    inside = plane.hu > -1000
    to_left, to_back = np.diff(plane.hu.astype(float), axis=1), np.diff(plane.hu.astype(float), axis=0)
    assert np.median(to_left[inside[:, 1:] & inside[:, :-1]]) > 0
    millimeters = plane.hu[plane.labels == 2].mean() / 10
    assert millimeters == pytest.approx(spheres["tumor"][0][0] + spheres["tumor"][0][1] / 10, abs=0.7)
    assert to_back[inside[1:] & inside[:-1]].mean() > 0


@pytest.mark.parametrize("ids", [("tumor", "kidney_right"), ("kidney_left", "vein"), ("vein",)])
def test_the_slice_goes_through_the_most_interesting_level(a_volume, a_label_map, spheres, ids):
    for grid in GRIDS:
        plane = axial_slice(a_volume(grid), a_label_map(grid, ids=ids), 100)
        assert plane.superior_mm == pytest.approx(spheres[ids[0]][0][2], abs=1.4)


def test_the_slice_looks_like_soft_tissue(a_volume, a_label_map):
    label_map = a_label_map("axial")
    plane = axial_slice(a_volume("axial"), LabelMap(label_map.array * 0, label_map.affine, ()), 200)
    gray = draw_slice(plane, label_map)[..., 0].astype(float)
    expected = np.clip((plane.hu.astype(float) + 150) / 400, 0, 1) * 255
    assert np.abs(gray - expected).max() <= 1


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux may lack OpenGL")
def test_missing_opengl_is_an_error_that_names_the_packages(monkeypatch, tmp_path, a_volume, a_label_map):
    def missing(name):
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", missing)
    with pytest.raises(InputError, match="libegl1 libgl1 libgl1-mesa-dri"):
        render_png(a_volume("axial"), a_label_map("axial"), tmp_path / "picture.png")
    assert not list(tmp_path.iterdir())


def test_missing_slicer_core_is_an_error_that_says_what_to_install():
    code = "import sys; sys.modules['slicer'] = None\nimport KidneyParsingLib.mrml.render"
    root = Path(__file__).parents[2]
    run = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert "InputError: Rendering needs slicer-core; install it with: pip install slicer-core" in run.stderr
