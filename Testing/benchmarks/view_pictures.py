"""The four views of a label file side by side, as docs/pictures/views.png.

    python Testing/benchmarks/view_pictures.py Resources/sample_cta_truth.nii.gz docs/pictures/views.png

Sides are told apart by the middle of the scan where the file does not hold them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import vtk

from KidneyParsingLib.anatomy import SEGMENTS
from KidneyParsingLib.mrml.offscreen import offscreen_window, png_bytes
from KidneyParsingLib.mrml.render_3d import add_surfaces, look_from_anterior
from KidneyParsingLib.mrml.render_text import DARK, LIGHT, add_text
from KidneyParsingLib.mrml.review_views import VIEWS, applyView
from KidneyParsingLib.mrml.scene import create_scene
from KidneyParsingLib.mrml.segmentation import create_segmentation_node
from KidneyParsingLib.volumes.volume import LabelMap
from KidneyParsingLib.volumes.writing import read_label_map, read_structure_labels

WIDTH, HEIGHT = 262, 380


def label_map_of(path: Path) -> LabelMap:
    """The segments of a .seg.nrrd of ours or of a file of structure labels 1..6."""
    if path.name.endswith(".seg.nrrd"):
        return read_label_map(path)
    array, affine = read_structure_labels(path)
    middle = array.shape[2] // 2
    # LPS: the patient's left is at larger x.
    left = array[..., middle:] if affine[0, 0] > 0 else array[..., :middle]
    for segment in SEGMENTS:
        if segment.side == "left":
            left[left == segment.structure.label] = segment.value
    return LabelMap(array, affine, SEGMENTS)


def picture(label_map: LabelMap) -> bytes:
    """PNG of the views from left to right, all seen from anterior at one scale."""
    environment = create_scene()
    node = create_segmentation_node(environment.scene, label_map)
    window = offscreen_window(WIDTH * len(VIEWS), HEIGHT)
    window.SetMultiSamples(0)
    window.SetAlphaBitPlanes(True)
    camera = vtk.vtkCamera()
    for number, view in enumerate(VIEWS):
        renderer = vtk.vtkRenderer()
        renderer.SetViewport(number / len(VIEWS), 0.0, (number + 1) / len(VIEWS), 1.0)
        renderer.SetBackground(*LIGHT)
        window.AddRenderer(renderer)
        applyView(node, view.name)
        add_surfaces(renderer, node)
        renderer.SetActiveCamera(camera)
        if number == 0:
            # The first view shows all that there is; the others share its camera, so that they compare.
            look_from_anterior(renderer, WIDTH / HEIGHT)
        add_text(renderer, view.name, (12, HEIGHT - 20), DARK)
    return png_bytes(window)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labels", type=Path)
    parser.add_argument("output", type=Path)
    options = parser.parse_args()
    label_map = label_map_of(options.labels)
    if not np.any(label_map.array):
        parser.error(f"{options.labels} holds no segment")
    options.output.write_bytes(picture(label_map))


if __name__ == "__main__":
    main()
