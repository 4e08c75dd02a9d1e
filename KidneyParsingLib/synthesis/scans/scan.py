"""A made scan with its truth, as a scanner would give it: for demos, tests and benchmarks."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import SimpleITK as sitk
import torch

from ...inference.locate import Midline
from ...inference.sides import to_segments
from ...volumes.geometry import affine_of_image, image_from_array
from ...volumes.volume import LabelMap, Volume
from ..anatomy_builder import Atlases, make_anatomy
from ..look.appearance import PHASES, Appearance, draw_appearance, paint
from ..tissues import VERTEBRA_TISSUES, structure_lookup
from .scan_geometry import ScanGeometry, Stack, draw_geometry, draw_voxel_mm, outside_field, stack_over

_AIR_HU = -1000.0
# So that what is drawn for a plan is independent of what its anatomy draws from the same seed.
_PLAN_STREAM, _PHASE_STREAM = 1, 2


@dataclass(frozen=True)
class ScanPlan:
    """What to make: `seed`, contrast `phase` (None: any), voxel size (z, y, x) in mm, the spacing of the anatomy that
    it is sampled from, and the geometry. Slices are as thick as they lie apart."""

    seed: int
    phase: str | None = None
    voxel_mm: tuple[float, float, float] = (3.0, 1.5, 1.5)
    anatomy_mm: float = 1.5
    geometry: ScanGeometry = ScanGeometry()

    @classmethod
    def drawn(cls, seed: int, phase: str | None = None, slices: str | None = None) -> ScanPlan:
        """The plan of a random scanner; `slices` is a class of `scan_geometry.SLICE_MM`, or None for any."""
        rng = np.random.default_rng([seed, _PLAN_STREAM])
        voxel_mm = draw_voxel_mm(rng, slices)
        return cls(seed, phase, voxel_mm, geometry=draw_geometry(rng, voxel_mm[1]))

    @property
    def contrast(self) -> str:
        """The phase of the scan: `phase`, or the one that the seed draws."""
        return self.phase or str(np.random.default_rng([self.seed, _PHASE_STREAM]).choice(PHASES))


def make_scan(atlases: Atlases, plan: ScanPlan) -> tuple[Volume, LabelMap]:
    """A made CT (int16 HU) and its truth on the same grid, with sides by the patient's midline."""
    rng = np.random.default_rng(plan.seed)
    return scan_of(make_anatomy(atlases, rng, plan.anatomy_mm), plan, rng)


def scan_of(tissues: np.ndarray, plan: ScanPlan, rng: np.random.Generator) -> tuple[Volume, LabelMap]:
    """`make_scan` of an anatomy that there is: uint8 `Tissue` (z, y, x; z superior, y posterior, x left) at the plan's
    `anatomy_mm`."""
    stack = stack_over(tissues, plan.anatomy_mm, plan.voxel_mm, plan.geometry)
    seen, corner = _seen(tissues, stack, plan.anatomy_mm)
    look = _with_slices(draw_appearance(rng, plan.contrast), plan.voxel_mm[0])
    hu = paint(torch.from_numpy(seen), plan.anatomy_mm, look, torch.Generator().manual_seed(plan.seed)).numpy()
    frame = np.diag([plan.anatomy_mm] * 3 + [1.0])
    frame[:3, 3] = (corner + 0.5) * plan.anatomy_mm
    array = _sampled(hu, frame, stack, sitk.sitkLinear, _AIR_HU)
    labels = _sampled(structure_lookup()[seen], frame, stack, sitk.sitkNearestNeighbor, 0)
    array = np.rint(array, out=array).astype(np.int16)
    _mask_field(array, labels, plan.geometry)
    return _stated(array, labels, _midline(tissues, plan.anatomy_mm), stack, plan.geometry)


def _with_slices(look: Appearance, slice_mm: float) -> Appearance:
    """The look of slices of this thickness at every height, for the stack to choose its own from."""
    return replace(look, scanner=replace(look.scanner, slice_mm=slice_mm, increment_mm=0.0))


def _seen(tissues: np.ndarray, stack: Stack, spacing: float) -> tuple[np.ndarray, np.ndarray]:
    """The part of the anatomy that the slices run through, and the index (x, y, z) of its first voxel.

    Where the field is wider than the anatomy, the outermost voxels (air, table, arms) repeat.
    """
    low, high = stack.bounds()
    first = np.floor(low / spacing + 1e-6).astype(int)
    last = np.ceil(high / spacing - 1e-6).astype(int)
    places = [
        np.arange(a, b).clip(0, size - 1)
        for a, b, size in zip(first[::-1], last[::-1], tissues.shape, strict=True)
    ]  # fmt: skip
    return np.ascontiguousarray(tissues[np.ix_(*places)]), first


def _sampled(array: np.ndarray, frame: np.ndarray, stack: Stack, interpolator: int, outside: float) -> np.ndarray:
    """Values (z, y, x) at the stack's voxels of an array whose affine is `frame`."""
    resample = sitk.ResampleImageFilter()
    target = image_from_array(np.zeros((1, 1, 1), np.uint8), stack.affine)
    resample.SetReferenceImage(target)
    resample.SetSize(stack.size)
    resample.SetInterpolator(interpolator)
    resample.SetDefaultPixelValue(outside)
    return sitk.GetArrayFromImage(resample.Execute(image_from_array(array, frame)))


def _mask_field(array: np.ndarray, labels: np.ndarray, geometry: ScanGeometry) -> None:
    """Padding outside the round field of view, in place; there is no truth either."""
    if geometry.matrix is None or geometry.padding_hu is None:
        return
    outside = outside_field(geometry.matrix)
    array[:, outside] = geometry.padding_hu
    labels[:, outside] = 0


def _midline(tissues: np.ndarray, spacing: float) -> Midline:
    """The spine's centre line, mm from the outer corner of the anatomy's array."""
    spine = np.isin(tissues, VERTEBRA_TISSUES)
    heights = np.flatnonzero(spine.any((1, 2)))
    columns = np.array([np.nonzero(plane)[1].mean() for plane in spine[heights]])
    return Midline((heights + 0.5) * spacing, (columns + 0.5) * spacing)


def _stated(
    array: np.ndarray, labels: np.ndarray, midline: Midline, stack: Stack, geometry: ScanGeometry
) -> tuple[Volume, LabelMap]:
    """Volume and truth in patient coordinates, their axes in the order of the file."""
    moved = np.array(geometry.origin_mm) - stack.affine[:3, 3]
    affine = stack.affine.copy()
    affine[:3, 3] = geometry.origin_mm
    here = Midline(midline.z + moved[2], midline.x + moved[0])
    image, truth = (sitk.DICOMOrient(image_from_array(a, affine), geometry.axes) for a in (array, labels))
    volume = Volume(sitk.GetArrayFromImage(image), affine_of_image(image))
    return volume, to_segments(sitk.GetArrayFromImage(truth), volume, here)
