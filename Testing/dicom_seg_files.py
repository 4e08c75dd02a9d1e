"""For tests in several folders: a made CT series as scanners write it, and a reader of DICOM SEG by plain pydicom."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid


def write_ct_series(folder: Path, array: np.ndarray, affine: np.ndarray, **changes: object) -> list[Path]:
    """Write an int16 HU array (z, y, x) as CT slices; `affine` is LPS. Returns the files in the order of z.

    Numbers run against z, names are shuffled, and `changes` are set on every slice (None removes an attribute).
    """
    folder.mkdir(parents=True)
    shared = {"SeriesInstanceUID": generate_uid(), "StudyInstanceUID": generate_uid()}
    shared |= {"FrameOfReferenceUID": generate_uid(), **changes}
    names = np.random.default_rng(0).permutation(len(array))
    paths = [folder / f"IM{name:04}" for name in names]
    for index, (path, plane) in enumerate(zip(paths, array, strict=True)):
        place = affine[:3, 3] + index * affine[:3, 2]
        _write_slice(path, plane, place, affine, {"InstanceNumber": len(array) - index, **shared})
    return paths


def _write_slice(
    path: Path, plane: np.ndarray, place: np.ndarray, affine: np.ndarray, values: dict[str, object]
) -> None:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CTImageStorage, generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image = FileDataset(str(path), {}, file_meta=meta, preamble=bytes(128))
    image.SOPClassUID, image.SOPInstanceUID, image.Modality = CTImageStorage, meta.MediaStorageSOPInstanceUID, "CT"
    image.PatientName, image.PatientID, image.PatientBirthDate, image.PatientSex = "Made^Up", "42", "19700101", "F"
    image.StudyDate, image.StudyTime, image.AccessionNumber, image.StudyID = "20250102", "101112", "7", "1"
    image.ImageType, image.SeriesNumber, image.KVP = ["ORIGINAL", "PRIMARY", "AXIAL"], 3, 120
    image.ReferringPhysicianName, image.PositionReferenceIndicator, image.AcquisitionNumber = "Dr^Who", "", 1
    image.Manufacturer, image.PatientAge = "Scanner", "055Y"
    column_axis, row_axis, _ = affine[:3, :3].T
    spacing = [np.linalg.norm(row_axis), np.linalg.norm(column_axis)]
    cosines = [*(column_axis / spacing[1]), *(row_axis / spacing[0])]
    image.PixelSpacing, image.SliceThickness = [f"{value:.8f}" for value in spacing], "3"
    image.ImageOrientationPatient = [f"{value:.10f}" for value in cosines]
    image.ImagePositionPatient = [f"{value:.8f}" for value in place]
    image.Rows, image.Columns = plane.shape
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 16, 15, 1
    image.RescaleSlope, image.RescaleIntercept = "1", "0"
    image.PixelData = plane.astype("<i2").tobytes()
    for name, value in values.items():
        setattr(image, name, value)
        if value is None:
            delattr(image, name)
    image.save_as(path, enforce_file_format=True)


@dataclass(frozen=True)
class PlainSegmentation:
    """What a reader finds in a DICOM SEG: the file, and a mask (z, y, x) for each segment number."""

    file: pydicom.Dataset
    masks: dict[int, np.ndarray]

    def items(self) -> dict[str, pydicom.Dataset]:
        """The segments' items by label."""
        return {item.SegmentLabel: item for item in self.file.SegmentSequence}

    def mask(self, label: str) -> np.ndarray:
        """The mask of the segment with this label."""
        return self.masks[int(self.items()[label].SegmentNumber)]


def read_plain_seg(path: Path, shape: tuple[int, ...], affine: np.ndarray) -> PlainSegmentation:
    """Frame by frame into arrays of `shape` (z, y, x) on the grid of `affine` (LPS).

    Every frame must lie exactly in a plane of the grid, with its spacing and orientation.
    """
    file = pydicom.dcmread(path)
    shared = file.SharedFunctionalGroupsSequence[0]
    count, size = int(file.NumberOfFrames), (int(file.Rows), int(file.Columns))
    bits = np.unpackbits(np.frombuffer(file.PixelData, np.uint8), bitorder="little")
    frames = bits[: count * size[0] * size[1]].reshape(count, *size).astype(bool)
    masks = {int(item.SegmentNumber): np.zeros(shape, bool) for item in file.SegmentSequence}
    for frame, groups in zip(frames, file.PerFrameFunctionalGroupsSequence, strict=True):
        first = _placed(_of("PlanePositionSequence", groups, shared).ImagePositionPatient, affine)
        cosines = np.reshape(_of("PlaneOrientationSequence", groups, shared).ImageOrientationPatient, (2, 3))
        row_spacing, column_spacing = _of("PixelMeasuresSequence", groups, shared).PixelSpacing
        np.testing.assert_allclose(cosines[0] * float(column_spacing), affine[:3, 0], atol=1e-4)
        np.testing.assert_allclose(cosines[1] * float(row_spacing), affine[:3, 1], atol=1e-4)
        number = int(_of("SegmentIdentificationSequence", groups, shared).ReferencedSegmentNumber)
        assert not masks[number][first[2]].any(), "two frames of one segment in one plane"
        masks[number][first[2]] = frame
    return PlainSegmentation(file, masks)


def _of(name: str, groups: pydicom.Dataset, shared: pydicom.Dataset) -> pydicom.Dataset:
    return (groups if name in groups else shared)[name][0]


def _placed(position: pydicom.multival.MultiValue, affine: np.ndarray) -> np.ndarray:
    exact = (np.linalg.inv(affine) @ [*map(float, position), 1])[:3]
    index = np.rint(exact).astype(int)
    np.testing.assert_allclose(exact, index, atol=0.02)
    assert tuple(index[:2]) == (0, 0)
    return index
