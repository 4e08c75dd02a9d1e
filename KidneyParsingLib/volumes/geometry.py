"""Where voxels lie in the patient: the only place that knows LPS from RAS and (x, y, z) from (z, y, x).

Arrays are indexed (z, y, x) as SimpleITK and Slicer give them. An *affine* is 4x4 float64 and maps homogeneous voxel
indices in (x, y, z) order to patient coordinates in mm, LPS (x to the Left, y to the Posterior, z to the Superior),
as DICOM and ITK use them. Slicer's and NIfTI's RAS appears only behind `lps_to_ras`.
"""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

_LPS_RAS_FLIP = np.diag([-1.0, -1.0, 1.0, 1.0])


def make_affine(spacing: tuple[float, ...], origin: tuple[float, ...], direction: np.ndarray) -> np.ndarray:
    """Affine from spacing (x, y, z in mm), origin (LPS mm) and a 3x3 direction whose columns are the index axes."""
    affine = np.eye(4)
    affine[:3, :3] = np.asarray(direction, float).reshape(3, 3) * np.asarray(spacing, float)
    affine[:3, 3] = origin
    return affine


def affine_of_image(image: sitk.Image) -> np.ndarray:
    """Affine of a 3D SimpleITK image."""
    return make_affine(image.GetSpacing(), image.GetOrigin(), np.array(image.GetDirection()).reshape(3, 3))


def spacing_of(affine: np.ndarray) -> np.ndarray:
    """Voxel spacing in mm along the index axes (x, y, z)."""
    return np.linalg.norm(affine[:3, :3], axis=0)


def direction_of(affine: np.ndarray) -> np.ndarray:
    """3x3 direction cosines: column i is the unit vector (LPS) of index axis i."""
    return affine[:3, :3] / spacing_of(affine)


def lps_to_ras(affine: np.ndarray) -> np.ndarray:
    """The same affine with patient coordinates in RAS (and back: the flip is its own inverse)."""
    return _LPS_RAS_FLIP @ affine


def image_from_array(array: np.ndarray, affine: np.ndarray) -> sitk.Image:
    """SimpleITK image of an array (z, y, x) with the given affine."""
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing_of(affine).tolist())
    image.SetOrigin(affine[:3, 3].tolist())
    image.SetDirection(direction_of(affine).ravel().tolist())
    return image


def voxel_ml(affine: np.ndarray) -> float:
    """Volume of one voxel in ml."""
    return float(abs(np.linalg.det(affine[:3, :3]))) / 1000.0
