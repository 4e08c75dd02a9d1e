"""Things that tests in several folders need: real data, a made CT, and CT files that must be refused."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Tests use small tensors, where threads cost more than they bring, above all on a busy machine."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def a_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nothing of the user's is read or written."""
    os.environ["KIDNEYPARSING_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real CT volumes and atlases (docs/testing.md), kept beside the repository or where the environment
    says."""
    folder = Path(os.environ.get("KIDNEYPARSING_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"needs the real CT volumes in {folder}")
    return folder


def ct_array(shape: tuple[int, ...] = (20, 24, 28)) -> np.ndarray:
    """int16 noise in the range of a CT, other in every voxel, so that no slip of axes goes unseen."""
    return np.random.default_rng(1).integers(-1000, 1500, shape).astype(np.int16)


@pytest.fixture
def a_ct() -> sitk.Image:
    """A small CT with unequal sides and spacings, oblique and left-handed."""
    image = sitk.GetImageFromArray(ct_array())
    image.SetSpacing((1.5, 1.6, 2.5))
    image.SetOrigin((-31.5, 42.25, -500.0))
    turn = sitk.Euler3DTransform((0, 0, 0), 0.3, -0.2, 0.5).GetMatrix()
    image.SetDirection((np.reshape(turn, (3, 3)) @ np.diag([1, -1, 1])).ravel().tolist())
    return image


@pytest.fixture
def ct_path(a_ct: sitk.Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A CT file in a folder of its own; the current folder is another, empty one."""
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "out")
    path = tmp_path / "in" / "scan.nii.gz"
    sitk.WriteImage(a_ct, str(path))
    return path


def _text(folder: Path) -> Path:
    path = folder / "text.nii.gz"
    path.write_text("patient, date, dose\n" * 100)
    return path


def _empty(folder: Path) -> Path:
    path = folder / "empty.nii.gz"
    path.touch()
    return path


def _image(array: np.ndarray, vector: bool = False, suffix: str = ".nii.gz") -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / f"image{suffix}"
        image = sitk.GetImageFromArray(array, isVector=vector)
        image.SetSpacing([2.0] * image.GetDimension())
        sitk.WriteImage(image, str(path))
        return path

    return write


def _truncated(suffix: str, part: float) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = _image(ct_array(), suffix=suffix)(folder)
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
        return path

    return write


def _short_inside(folder: Path) -> Path:
    """A sound gzip stream around half a NIfTI file."""
    path = _image(ct_array())(folder)
    content = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(content[: len(content) // 2]))
    return path


def _flipped_bit(folder: Path) -> Path:
    path = _image(ct_array())(folder)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)
    return path


def _skewed(folder: Path) -> Path:
    path = folder / "skewed.nrrd"
    sizes, directions = "sizes: 20 20 20", "space directions: (2,0,0) (0.5,2,0) (0,0,2)"
    header = ["NRRD0004", "type: short", "dimension: 3", "space: left-posterior-superior", sizes, directions]
    header += ["kinds: domain domain domain", "endian: little", "encoding: raw", "space origin: (0,0,0)", "", ""]
    path.write_bytes("\n".join(header).encode() + ct_array((20, 20, 20)).tobytes())
    return path


def _folder_without_ct(folder: Path) -> Path:
    path = folder / "letters"
    path.mkdir()
    (path / "letter.txt").write_text("Dear colleague")
    return path


_EMPTY_FLOATS = np.full((20, 24, 28), np.nan, np.float32)
# How to make the file, and words that the one sentence must contain.
BAD_INPUTS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "missing file": (lambda folder: folder / "missing.nii.gz", "no file or folder"),
    "empty file": (_empty, "is empty"),
    "text renamed": (_text, "not a .nii.gz image"),
    "unknown suffix": (lambda folder: _text(folder).rename(folder / "table.csv"), "no CT file that we read"),
    "single dicom file": (lambda folder: _text(folder).rename(folder / "a.dcm"), "give the folder"),
    "truncated .nii.gz": (_truncated(".nii.gz", 0.5), "damaged"),
    "last byte of .nii.gz missing": (_truncated(".nii.gz", 0.9999), "damaged"),
    "short .nii inside .nii.gz": (_short_inside, "damaged"),
    "flipped bit in .nii.gz": (_flipped_bit, "damaged"),
    "truncated .nii": (_truncated(".nii", 0.9), "damaged"),
    "truncated .nrrd": (_truncated(".nrrd", 0.9), "damaged"),
    "truncated .mha": (_truncated(".mha", 0.9), "damaged"),
    "2D": (_image(ct_array((40, 40))), "2D image"),
    "2D as one slice": (_image(ct_array((1, 40, 40))), "2D image"),
    "4D": (_image(ct_array((3, 20, 20, 20))), "4D image"),
    "RGB": (_image(ct_array((20, 20, 20, 3)).astype(np.uint8), vector=True), "colours or vectors"),
    "all NaN": (_image(_EMPTY_FLOATS), "holds a number"),
    "constant": (_image(np.full((20, 20, 20), -3000, np.int16)), "same value"),
    "3 voxels": (_image(ct_array((3, 3, 3))), "too small"),
    "24 mm": (_image(ct_array((12, 20, 20))), "too small"),
    "axes not at right angles": (_skewed, "right angles"),
    "folder without CT": (_folder_without_ct, "no CT series"),
}


@pytest.fixture(params=BAD_INPUTS)
def a_bad_ct(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, str]:
    """The path of a CT that cannot be used, and words that say why."""
    make, words = BAD_INPUTS[request.param]
    folder = tmp_path / "bad input"
    folder.mkdir()
    return make(folder), words
