"""Small CT series written with pydicom, oblique and with a known value in every voxel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

ROWS, COLUMNS = 20, 24
SPACING = (1.6, 1.5)
AXES = np.linalg.qr(np.array([[1, 0.2, 0.1], [-0.2, 1, 0.3], [0, -0.3, 1]]))[0].T
NORMAL = np.cross(AXES[0], AXES[1])
ORIGIN = np.array([10.0, -20.0, -300.0])


def plane_of(height: float) -> np.ndarray:
    """HU that grow linearly with height, so that interpolation between slices has a known result."""
    rows, columns = np.mgrid[:ROWS, :COLUMNS]
    return np.rint(rows * 3 + columns + 10 * height - 400).astype(np.int16)


def write_slice(path: Path, series: str, height: float, number: int = 1, **changes: object) -> None:
    """One uncompressed CT slice, stored as HU * 2 + 2048 with the rescale that undoes it."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CTImageStorage, generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image = FileDataset(str(path), {}, file_meta=meta, preamble=bytes(128))
    image.SOPClassUID, image.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
    image.Modality, image.SeriesInstanceUID, image.InstanceNumber = "CT", series, number
    image.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    image.Rows, image.Columns, image.PixelSpacing = ROWS, COLUMNS, list(SPACING)
    image.ImageOrientationPatient = [f"{value:.8f}" for value in AXES[:2].ravel()]
    image.ImagePositionPatient = [f"{value:.6f}" for value in ORIGIN + height * NORMAL]
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 16, 15, 0
    image.RescaleSlope, image.RescaleIntercept = "0.5", "-1024"
    image.PixelData = (plane_of(height).astype(int) * 2 + 2048).astype(np.uint16).tobytes()
    for name, value in changes.items():
        setattr(image, name, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save_as(path, enforce_file_format=True)


def write_series(folder: Path, heights: list[float], **changes: object) -> str:
    """Slices in an order that neither names nor numbers betray; returns the series' UID."""
    series = generate_uid()
    for number, index in enumerate(np.random.default_rng(0).permutation(len(heights))):
        write_slice(folder / f"IM{number:03}", series, heights[index], 100 - number, **changes)
    return series


def even(count: int, distance: float = 2.5) -> list[float]:
    return [distance * index for index in range(count)]


def pack(path: Path, syntax: str, scratch: Path) -> None:
    """Compress the slice at `path` in place, with the voxels that GDCM packs from its HU."""
    writer = sitk.ImageFileWriter()
    writer.SetImageIO("GDCMImageIO")
    writer.UseCompressionOn()
    writer.SetCompressor(syntax)
    writer.SetFileName(str(scratch))
    writer.Execute(sitk.Cast(sitk.ReadImage(str(path)), sitk.sitkInt16))
    image, packed = pydicom.dcmread(path), pydicom.dcmread(scratch)
    image.file_meta.TransferSyntaxUID = packed.file_meta.TransferSyntaxUID
    for name in ("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelData"):
        image[name] = packed[name]
    image.RescaleSlope, image.RescaleIntercept = packed.get("RescaleSlope", 1), packed.get("RescaleIntercept", 0)
    image.save_as(path)
