"""Seconds from the engine's answer to the first picture: reading the file, segmentation node, closed surfaces, view.

CPU time, which on one core is what a clock shows on a machine that does nothing else; a clock's time beside it.

    taskset -c 0 python Testing/benchmarks/display_time.py

The sample CTA's truth is stretched over 512 x 512 x 300 voxels, so that every structure is there with the share of the
scan that it has in a patient, and written as the engine does. Without a GPU the view is drawn by software.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import vtk

from KidneyParsingLib.anatomy import SEGMENTS, STRUCTURES
from KidneyParsingLib.mrml.offscreen import offscreen_window
from KidneyParsingLib.mrml.render_3d import add_surfaces, look_from_anterior
from KidneyParsingLib.mrml.scene import create_scene, volume_node
from KidneyParsingLib.mrml.segmentation import create_segmentation_node
from KidneyParsingLib.mrml.surfaces import closed_surface
from KidneyParsingLib.volumes.geometry import make_affine
from KidneyParsingLib.volumes.volume import LabelMap, Volume
from KidneyParsingLib.volumes.writing import read_label_map, write_label_map

TRUTH = Path(__file__).parents[2] / "Resources" / "sample_cta_truth.nii.gz"


def stretched_truth(size: tuple[int, int, int]) -> LabelMap:
    """The sample's truth on a grid of `size` (x, y, z) of 0.8 x 0.8 x 1 mm, left kidney and ureter apart."""
    labels = sitk.GetArrayFromImage(sitk.ReadImage(str(TRUTH))).astype(np.uint8)
    index = [np.arange(n) * old // n for n, old in zip(size[::-1], labels.shape, strict=True)]
    array = np.ascontiguousarray(labels[np.ix_(*index)])
    left = array[..., size[0] // 2 :]
    for segment in SEGMENTS:
        if segment.side == "left":
            left[left == segment.structure.label] = segment.value
    missing = {entry.label for entry in STRUCTURES} - set(np.unique(labels).tolist())
    for label in missing:
        array[10:30, 40:60, 40:60] = label
    return LabelMap(array, make_affine((0.8, 0.8, 1.0), (-200.0, -200.0, 0.0), np.eye(3)), SEGMENTS)


@contextmanager
def timed(name: str, seconds: dict[str, np.ndarray]) -> Iterator[None]:
    """Adds the block's seconds to `seconds`: of the processor, and by the clock."""
    start = np.array((time.process_time(), time.perf_counter()))
    yield
    seconds[name] = np.array((time.process_time(), time.perf_counter())) - start


def show(path: Path, ct: Volume, draw: bool) -> tuple[dict[str, np.ndarray], int]:
    """Seconds of every step for one file, and the number of triangles in its surfaces."""
    seconds: dict[str, np.ndarray] = {}
    environment = create_scene()
    reference = volume_node(environment.scene, ct)
    with timed("read the file", seconds):
        label_map = read_label_map(path)
    with timed("volumes", seconds):
        label_map.volumes_ml()
    with timed("node with surfaces", seconds):
        node = create_segmentation_node(environment.scene, label_map, reference)
    ids = node.GetSegmentation().GetSegmentIDs()
    triangles = sum(closed_surface(node, segment_id).GetNumberOfPolys() for segment_id in ids)
    if draw:
        with timed("first frame, 800 x 800", seconds):
            _draw(node)
    return seconds, triangles


def _draw(node: object) -> None:
    window = offscreen_window(800, 800)
    window.SetMultiSamples(0)
    window.SetAlphaBitPlanes(True)
    renderer = vtk.vtkRenderer()
    window.AddRenderer(renderer)
    add_surfaces(renderer, node)
    look_from_anterior(renderer, 1.0)
    window.Render()


def _tell(step: str, times: list[np.ndarray]) -> None:
    cpu, clock = np.median(times, axis=0)
    print(f"{step:24} {cpu:6.2f} s CPU, {clock:6.2f} s by the clock")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, nargs=3, default=(512, 512, 300), metavar=("X", "Y", "Z"))
    parser.add_argument("--times", type=int, default=3, help="how often to measure; the median is told")
    parser.add_argument("--no-view", action="store_true", help="leave the picture out, where there is no OpenGL")
    options = parser.parse_args()
    label_map = stretched_truth(tuple(options.size))
    ct = Volume(np.zeros(label_map.array.shape, np.int16), label_map.affine)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "result.seg.nrrd"
        write_label_map(label_map, path)
        runs = [show(path, ct, not options.no_view) for _ in range(options.times)]
    for step in runs[0][0]:
        _tell(step, [seconds[step] for seconds, _ in runs])
    _tell("together", [sum(seconds.values()) for seconds, _ in runs])
    print(f"{runs[0][1]} triangles in {len(label_map.segments)} segments")


if __name__ == "__main__":
    main()
