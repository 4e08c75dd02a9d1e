"""One picture of a result: the surfaces in 3D on the left, an axial slice of the CT on the right."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import vtk
from vtk.util import numpy_support

from ..errors import InputError
from ..sentences import texts_of
from ..volumes.volume import LabelMap, Volume
from .offscreen import offscreen_window, png_bytes
from .render_3d import add_surfaces, look_from_anterior
from .render_slice import axial_slice, draw_slice
from .render_text import DARK, LEGEND_ROWS, LIGHT, ROW_PIXELS, add_directions, add_legend, add_text
from .scene import create_scene
from .segmentation import create_segmentation_node

_ = texts_of(__name__)

PANEL = 800
LEGEND_HEIGHT = LEGEND_ROWS * ROW_PIXELS + 16


def render_png(volume: Volume, label_map: LabelMap, path: str | Path) -> None:
    """Write a PNG of 1600 x 800 pixels that shows `label_map` in 3D and on a slice of `volume`.

    The 3D view is from anterior and the slice is axial in radiological convention, so that the patient's right is on
    the left of both. Raises InputError if OpenGL is missing or `path` cannot be written.
    """
    window = offscreen_window(2 * PANEL, PANEL)
    window.SetNumberOfLayers(2)
    window.SetMultiSamples(0)
    window.SetAlphaBitPlanes(True)
    overlay = _add_renderer(window, (0.0, 0.0, 1.0, 1.0), layer=1)
    _draw_3d_panel(window, overlay, label_map)
    _draw_slice_panel(window, overlay, volume, label_map)
    _write_at_once(Path(path), png_bytes(window))


def _draw_3d_panel(window: vtk.vtkRenderWindow, overlay: vtk.vtkRenderer, label_map: LabelMap) -> None:
    renderer = _add_renderer(window, (0.0, LEGEND_HEIGHT / PANEL, 0.5, 1.0), layer=0)
    _add_renderer(window, (0.0, 0.0, 0.5, LEGEND_HEIGHT / PANEL), layer=0)
    environment = create_scene()
    node = create_segmentation_node(environment.scene, label_map)
    if not node.GetSegmentation().GetNumberOfSegments():
        add_text(overlay, "No structure found", (PANEL / 2, PANEL / 2), DARK, size=28, anchor="centered")
        return
    add_surfaces(renderer, node)
    look_from_anterior(renderer, PANEL / (PANEL - LEGEND_HEIGHT))
    box = (0, LEGEND_HEIGHT, PANEL, PANEL - LEGEND_HEIGHT)
    add_directions(overlay, box, {"left": "R", "right": "L", "top": "S", "bottom": "I"}, DARK)
    add_legend(overlay, label_map, (24, 8, PANEL - 24, LEGEND_ROWS * ROW_PIXELS))


def _draw_slice_panel(
    window: vtk.vtkRenderWindow, overlay: vtk.vtkRenderer, volume: Volume, label_map: LabelMap
) -> None:
    renderer = _add_renderer(window, (0.5, 0.0, 1.0, 1.0), layer=0)
    plane = axial_slice(volume, label_map, PANEL)
    renderer.AddViewProp(_image_actor(draw_slice(plane, label_map)))
    add_directions(overlay, (PANEL, 0, PANEL, PANEL), {"left": "R", "right": "L"}, LIGHT)
    # Adding zero turns -0.0 into 0.0.
    level = round(plane.superior_mm, 1) + 0.0
    add_text(overlay, f"Axial, S {level:.1f} mm", (PANEL + 14, 18), LIGHT)
    add_text(overlay, "Research use only", (2 * PANEL - 14, 18), LIGHT, anchor="right")


def _add_renderer(window: vtk.vtkRenderWindow, viewport: tuple[float, ...], layer: int) -> vtk.vtkRenderer:
    renderer = vtk.vtkRenderer()
    renderer.SetViewport(*viewport)
    renderer.SetLayer(layer)
    renderer.SetBackground(*LIGHT)
    window.AddRenderer(renderer)
    return renderer


def _image_actor(rgb: np.ndarray) -> vtk.vtkActor2D:
    rows, columns = rgb.shape[:2]
    image = vtk.vtkImageData()
    image.SetDimensions(columns, rows, 1)
    # VTK's first row is the lowest one.
    upwards = np.ascontiguousarray(rgb[::-1]).reshape(-1, 3)
    image.GetPointData().SetScalars(numpy_support.numpy_to_vtk(upwards, deep=True))
    mapper = vtk.vtkImageMapper()
    mapper.SetInputData(image)
    mapper.SetColorWindow(255)
    mapper.SetColorLevel(127.5)
    actor = vtk.vtkActor2D()
    actor.SetMapper(mapper)
    return actor


def _write_at_once(path: Path, content: bytes) -> None:
    """A failed run must not leave half a picture, nor harm an older one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise InputError(
            _("Cannot write {path}: {reason}; choose another place.").format(path=path, reason=error.strerror)
        ) from error
