"""Draw the pictures of the extension from the sample CTA: `python Utilities/make_pictures.py`.

    Resources/screenshot.png                          of the extension's page, as `segment --render` draws it
    KidneyParsing/Resources/Icons/KidneyCTA*.png      thumbnails of the sample data, 260 x 280
    docs/pictures/tutorial_*.png                      what the tutorial shows besides the panel

To run again when the sample, the released networks or the colours change. Takes a minute on two CPU cores.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import vtk

from KidneyParsingLib import segment
from KidneyParsingLib.mrml.offscreen import offscreen_window, png_bytes
from KidneyParsingLib.mrml.render import render_png
from KidneyParsingLib.mrml.render_3d import add_surfaces, look_from_anterior
from KidneyParsingLib.mrml.render_slice import axial_slice, draw_slice
from KidneyParsingLib.mrml.review_views import VIEWS
from KidneyParsingLib.mrml.scene import create_scene
from KidneyParsingLib.mrml.segmentation import create_segmentation_node
from KidneyParsingLib.volumes.meshes import export_meshes
from KidneyParsingLib.volumes.reading import read_ct
from KidneyParsingLib.volumes.volume import LabelMap, Volume
from KidneyParsingLib.volumes.writing import read_label_map

ROOT = Path(__file__).resolve().parents[1]
RESOURCES = ROOT / "Resources"
ICONS = ROOT / "KidneyParsing" / "Resources" / "Icons"
TUTORIAL = ROOT / "docs" / "pictures"
THUMBNAIL = (260, 280)
PICTURE = (620, 560)
LIGHT = (0.96, 0.96, 0.97)


def surfaces_picture(label_map: LabelMap, opacity: Mapping[str, float], size: tuple[int, int], path: Path) -> None:
    """Draw the segments of the structures in `opacity` in 3D from anterior, as a PNG of `size` (width, height)."""
    shown = replace(label_map, segments=tuple(s for s in label_map.segments if s.structure.name in opacity))
    environment = create_scene()
    node = create_segmentation_node(environment.scene, shown)
    for item in shown.segments:
        node.GetDisplayNode().SetSegmentOpacity3D(item.id, opacity[item.structure.name])
    window, renderer = _window(size)
    add_surfaces(renderer, node)
    look_from_anterior(renderer, size[0] / size[1])
    path.write_bytes(png_bytes(window))


def slice_picture(volume: Volume, label_map: LabelMap, size: tuple[int, int], path: Path, outlined: bool) -> None:
    """Draw the middle of the axial slice that `label_map` makes most interesting as a PNG of `size` (width, height)."""
    width, height = size
    plane = axial_slice(volume, label_map, max(size))
    pixels = draw_slice(plane if outlined else replace(plane, labels=np.zeros_like(plane.labels)), label_map)
    left, top = (pixels.shape[1] - width) // 2, (pixels.shape[0] - height) // 2
    part = np.ascontiguousarray(pixels[top : top + height, left : left + width])
    sitk.WriteImage(sitk.GetImageFromArray(part, isVector=True), str(path))


def meshes_picture(label_map: LabelMap, names: tuple[str, ...], size: tuple[int, int], path: Path) -> None:
    """Export the segments of some structures as STL, read the files again and draw them, as a PNG of `size`."""
    wanted = replace(label_map, segments=tuple(s for s in label_map.segments if s.structure.name in names))
    colors = {s.id: s.structure.color for s in wanted.segments}
    window, renderer = _window(size)
    with tempfile.TemporaryDirectory() as folder:
        for file in export_meshes(wanted, Path(folder) / "stl", "stl"):
            renderer.AddActor(_stl_actor(file, colors[file.stem]))
    vtk.vtkLightKit().AddLightsToRenderer(renderer)
    look_from_anterior(renderer, size[0] / size[1])
    path.write_bytes(png_bytes(window))


def _window(size: tuple[int, int]) -> tuple[vtk.vtkRenderWindow, vtk.vtkRenderer]:
    window = offscreen_window(*size)
    window.SetMultiSamples(0)
    window.SetAlphaBitPlanes(True)
    renderer = vtk.vtkRenderer()
    renderer.SetBackground(*LIGHT)
    window.AddRenderer(renderer)
    return window, renderer


def _stl_actor(file: Path, color: tuple[int, int, int]) -> vtk.vtkActor:
    reader = vtk.vtkSTLReader()
    reader.SetFileName(str(file))
    # STL has corners and triangles only.
    normals = vtk.vtkPolyDataNormals()
    normals.SetInputConnection(reader.GetOutputPort())
    mapper = vtk.vtkPolyDataMapper()
    mapper.SetInputConnection(normals.GetOutputPort())
    # Read before the file goes.
    mapper.Update()
    actor = vtk.vtkActor()
    actor.SetMapper(mapper)
    actor.GetProperty().SetColor([channel / 255 for channel in color])
    # The files are in LPS, the camera in RAS.
    actor.RotateZ(180)
    return actor


def make_thumbnails(cta: Volume, truth: LabelMap) -> None:
    """The two pictures in Sample Data: the CTA alone, and its true segments."""
    slice_picture(cta, truth, THUMBNAIL, ICONS / "KidneyCTA.png", outlined=False)
    opacity = {view.name: view.opacity for view in VIEWS}["Surgeon"]
    surfaces_picture(truth, opacity, THUMBNAIL, ICONS / "KidneyCTAwithtruth.png")


def make_tutorial(cta: Volume, result: LabelMap) -> None:
    """The pictures of the tutorial."""
    views = {view.name: view.opacity for view in VIEWS}
    slice_picture(cta, result, (560, 560), TUTORIAL / "tutorial_slice.png", outlined=True)
    surfaces_picture(result, views["Surgeon"], PICTURE, TUTORIAL / "tutorial_surgeon.png")
    surfaces_picture(result, views["Tumor"], PICTURE, TUTORIAL / "tutorial_tumor.png")
    meshes_picture(result, ("tumor", "artery"), PICTURE, TUTORIAL / "tutorial_stl.png")


if __name__ == "__main__":
    sample = read_ct(RESOURCES / "sample_cta.nii.gz")
    parsed = segment(RESOURCES / "sample_cta.nii.gz")
    render_png(sample, parsed, RESOURCES / "screenshot.png")
    make_thumbnails(sample, read_label_map(RESOURCES / "sample_cta_truth.seg.nrrd"))
    make_tutorial(sample, parsed)
