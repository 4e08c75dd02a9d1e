"""A label map as a DICOM Segmentation that refers to the CT series it came from, written with highdicom."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydicom.uid import generate_uid

from .. import __version__
from ..errors import InputError
from ..sentences import texts_of
from .ct_grid import on_grid
from .dicom_seg_segments import PRODUCT, segment_description
from .dicom_seg_source import SourceSeries, check_source, read_source
from .volume import LabelMap
from .writing import DICOM_SEG_SUFFIXES, check_writable, replacing

if TYPE_CHECKING:
    import highdicom

_ = texts_of(__name__)

CONTENT_LABEL = "KIDNEYPARSING"
CONTENT_DESCRIPTION = "Kidneys and their tumors, vessels, ureters. Research use only."
SERIES_DESCRIPTION = "KidneyParsing segments (research use only)"
# As Slicer numbers the series of its own segmentations: above that of the CT.
_SERIES_NUMBER_OFFSET = 100


def check_dicom_seg(source: str | Path | Sequence[str | Path]) -> SourceSeries:
    """The series that a segmentation of it would refer to, read without its voxels.

    Raises InputError, in one sentence, if highdicom is missing or the source cannot be referred to.
    """
    check_source(source)
    if find_spec("highdicom") is None:
        raise InputError(_("DICOM SEG needs highdicom; install it with: pip install highdicom"))
    return read_source(source)


def write_dicom_seg(
    label_map: LabelMap,
    source_folder: str | Path | Sequence[str | Path],
    path: str | Path,
    model: str | None = None,
    reviewed: Collection[str] = (),
) -> None:
    """Write `label_map` as a binary DICOM Segmentation, one segment for each of its segments that has voxels.

    `source_folder` holds the CT series that was segmented (or are its files, in any order); frames lie on its slices
    and refer to them. `model` is the system that was used; `reviewed` are the ids of segments that a person may have
    changed. A file at `path` is replaced. Raises InputError if the series and the label map do not fit together,
    nothing has voxels, or the file cannot be written.
    """
    path = Path(path)
    check_writable(path, DICOM_SEG_SUFFIXES)
    series = check_dicom_seg(source_folder)
    volumes = label_map.volumes_ml()
    found = [segment for segment in label_map.segments if volumes[segment.id]]
    if not found:
        raise InputError(_("There is no segment with voxels, and a DICOM SEG without segments is not allowed."))
    numbers = np.zeros(256, np.uint8)
    numbers[[segment.value for segment in found]] = np.arange(1, len(found) + 1)
    items = [segment_description(s, number, model, s.id in reviewed) for number, s in enumerate(found, 1)]
    array = numbers[on_grid(label_map, series.shape, series.affine)]
    with replacing(path, DICOM_SEG_SUFFIXES) as temporary, warnings.catch_warnings():
        # Of unusual values in the series, which are copied as they are.
        warnings.simplefilter("ignore")
        try:
            _dataset(series, array, items, model).save_as(temporary)
        except ValueError as error:
            reason = str(error).rstrip(".")
            raise InputError(
                _("The series has headers that do not follow DICOM ({reason}); export it again.").format(reason=reason)
            ) from None
        except OSError as error:
            raise InputError(
                _("{path} cannot be written ({reason}); choose another folder.").format(
                    path=path, reason=error.strerror
                )
            ) from None


def _dataset(
    series: SourceSeries, numbers: np.ndarray, items: list[highdicom.seg.SegmentDescription], model: str | None
) -> highdicom.seg.Segmentation:
    """The whole file, from an array (z, y, x) of segment numbers on the grid of the series."""
    import highdicom

    dataset = highdicom.seg.Segmentation(
        source_images=series.headers,
        pixel_array=numbers if series.is_even else _placed(numbers, series),
        segmentation_type=highdicom.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=items,
        series_instance_uid=generate_uid(prefix=None),
        series_number=int(series.headers[0].get("SeriesNumber") or 0) + _SERIES_NUMBER_OFFSET,
        sop_instance_uid=generate_uid(prefix=None),
        instance_number=1,
        manufacturer=PRODUCT,
        manufacturer_model_name=f"{PRODUCT} {model}" if model else PRODUCT,
        software_versions=__version__,
        # Required, and software has none.
        device_serial_number="none",
        content_label=CONTENT_LABEL,
        content_description=CONTENT_DESCRIPTION,
        series_description=SERIES_DESCRIPTION,
        content_qualification=highdicom.ContentQualificationValues.RESEARCH,
        omit_empty_frames=True,
    )
    # Required but may be empty, and highdicom leaves it out.
    dataset.ContentCreatorName = ""
    return dataset


def _placed(numbers: np.ndarray, series: SourceSeries) -> highdicom.Volume:
    """The numbers with a place of their own, for planes that are not the slices of the series."""
    import highdicom

    return highdicom.Volume(
        numbers,
        # highdicom counts indices in the order (z, y, x).
        affine=series.affine[:, [2, 1, 0, 3]],
        coordinate_system=highdicom.CoordinateSystemNames.PATIENT,
        frame_of_reference_uid=series.headers[0].FrameOfReferenceUID,
    )
