"""A label map with every segment, on an oblique grid."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from KidneyParsingLib.anatomy import SEGMENTS, further_segment
from KidneyParsingLib.volumes.geometry import affine_of_image
from KidneyParsingLib.volumes.volume import LabelMap


@pytest.fixture
def a_label_map(a_ct: sitk.Image) -> LabelMap:
    """Every segment as a box of its own size on the oblique grid of `a_ct`; the cyst is empty."""
    segments = (*SEGMENTS[:3], further_segment("tumor", 2, 0), *SEGMENTS[3:])
    array = np.zeros(a_ct.GetSize()[::-1], np.uint8)
    for index, item in enumerate(segments[:-1]):
        array[2 * index + 1 : 2 * index + 3, 3 : 5 + index, 6 : 8 + 2 * index] = item.value
    return LabelMap(array, affine_of_image(a_ct), segments)
