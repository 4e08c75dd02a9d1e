"""What may cost a user a file, or give voxels of another one: full disks, neighbours, results named as what is read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from KidneyParsingLib.anatomy import segment
from KidneyParsingLib.cli import main
from KidneyParsingLib.errors import InputError
from KidneyParsingLib.volumes.reading import read_ct
from KidneyParsingLib.volumes.volume import LabelMap, Volume
from KidneyParsingLib.volumes.writing import check_apart, read_structure_labels, write_label_map, write_volume

SHAPE = (40, 50, 60)


def ct(seed: int = 0) -> Volume:
    array = np.random.default_rng(seed).integers(-100, 200, SHAPE).astype(np.int16)
    return Volume(array, np.eye(4))


def labels() -> LabelMap:
    """Noise of two labels, which no compression makes small."""
    array = np.random.default_rng(1).integers(0, 3, SHAPE).astype(np.uint8)
    return LabelMap(array, np.eye(4), (segment("kidney_right"), segment("tumor")))


# In a process of its own, as the limit holds for the log of the tests too.
ON_A_FULL_DISK = """
import resource, signal, sys
from KidneyParsingLib.errors import InputError
from KidneyParsingLib.volumes.reading import read_ct
from KidneyParsingLib.volumes.writing import read_label_map, write_label_map, write_volume

source, path = sys.argv[1:]
write, content = (write_label_map, read_label_map(source)) if "seg" in source else (write_volume, read_ct(source))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    write(content, path)
except InputError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit for the size of files")
@pytest.mark.parametrize("source", ["in.seg.nrrd", "ct.nii.gz"])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".seg.nrrd"])
def test_on_a_full_disk_nothing_is_written_and_the_old_file_stays(suffix: str, source: str, tmp_path: Path) -> None:
    """Files may have 10 kB: the writer is told what a full disk tells it."""
    if source.startswith("ct") and suffix == ".seg.nrrd":
        pytest.skip("no format for a CT")
    write_label_map(labels(), tmp_path / "in.seg.nrrd")
    write_volume(ct(), tmp_path / "ct.nii.gz")
    path = tmp_path / "out" / f"result{suffix}"
    path.parent.mkdir()
    path.write_bytes(b"old")
    command = [sys.executable, "-c", ON_A_FULL_DISK, str(tmp_path / source), str(path)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "cannot be written" in said
    assert path.read_bytes() == b"old" and list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_labels_without_their_end_are_refused(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"result{suffix}"
    write_label_map(labels(), path)
    assert np.array_equal(read_structure_labels(path)[0], labels().array)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 6 // 10])
    with pytest.raises(InputError):
        read_structure_labels(path)


def test_a_file_beside_a_compressed_one_is_not_read_in_its_place(tmp_path: Path) -> None:
    write_volume(ct(0), tmp_path / "ct.nii.gz")
    assert np.array_equal(read_ct(tmp_path / "ct.nii.gz").array, ct(0).array)
    write_volume(ct(5), tmp_path / "ct.nii")
    assert np.array_equal(read_ct(tmp_path / "ct.nii").array, ct(5).array)
    with pytest.raises(InputError, match=r"ct\.nii lies beside"):
        read_ct(tmp_path / "ct.nii.gz")
    with pytest.raises(InputError, match="lies beside"):
        read_structure_labels(tmp_path / "ct.nii.gz")


def test_results_replace_neither_the_ct_nor_each_other(tmp_path: Path) -> None:
    scan, folder = tmp_path / "ct.nii.gz", tmp_path / "series"
    folder.mkdir()
    for path in (scan, folder / "1.dcm"):
        path.write_bytes(b"ct")
    (tmp_path / "link.nii.gz").symlink_to(scan)
    for source, outputs in (
        (scan, [scan]),
        (scan, [tmp_path / "out.seg.nrrd", tmp_path / "link.nii.gz"]),
        (folder, [folder / "1.dcm"]),
    ):
        with pytest.raises(InputError, match="what is read"):
            check_apart([source], outputs)
    with pytest.raises(InputError, match="same name"):
        check_apart([scan], [tmp_path / "a.nii.gz", tmp_path / "series" / ".." / "a.nii.gz"])
    with pytest.raises(InputError, match="in place of"):
        check_apart([scan], [tmp_path / "ct.nii"])
    check_apart([scan, folder], [tmp_path / "new.nii.gz", folder / "2.dcm"])


def test_the_program_refuses_such_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scan = tmp_path / "ct.nii.gz"
    write_volume(ct(), scan)
    before = scan.read_bytes()
    results = tmp_path / "results"
    results.mkdir()
    (results / "ct.seg.nrrd").write_bytes(b"edited")
    for more in (
        ["-o", str(tmp_path / "out.nii.gz"), "--uncertainty", str(scan)],
        ["-o", str(tmp_path / "out.nii.gz"), "--uncertainty", str(tmp_path / "out.nii.gz")],
        ["-o", str(results)],
    ):
        assert main(["segment", str(scan), *more]) == 2
        assert "Traceback" not in capsys.readouterr().err
    write_label_map(labels(), tmp_path / "in.seg.nrrd")
    for output in (scan, tmp_path / "in.seg.nrrd"):
        assert main(["export", str(tmp_path / "in.seg.nrrd"), "--ct", str(scan), "-o", str(output)]) == 2
    assert scan.read_bytes() == before and (results / "ct.seg.nrrd").read_bytes() == b"edited"


def test_a_name_that_is_no_text_is_a_sentence(tmp_path: Path) -> None:
    """ITK would end the program."""
    folder = tmp_path / "pat\udce9"
    folder.mkdir()
    path = folder / "ct.nii.gz"
    with pytest.raises(InputError, match="no valid text"):
        write_volume(ct(), path)
    path.write_bytes(b"ct")
    for read in (read_ct, read_structure_labels):
        with pytest.raises(InputError, match="no valid text"):
            read(path)


def test_a_spacing_that_is_not_in_mm_is_refused(tmp_path: Path) -> None:
    """As large along every side as a patient is long."""
    write_volume(Volume(np.zeros((8, 8, 8), np.int16), np.diag([300.0, 300.0, 300.0, 1.0])), tmp_path / "ct.nii.gz")
    with pytest.raises(InputError, match="wider than any patient"):
        read_ct(tmp_path / "ct.nii.gz")


def test_an_nrrd_that_states_no_orientation_has_a_note(tmp_path: Path) -> None:
    header = "NRRD0004\ntype: short\ndimension: 3\nsizes: 40 40 40\nspacings: 2 2 2\nendian: little\nencoding: raw\n\n"
    (tmp_path / "ct.nrrd").write_bytes(header.encode() + np.arange(40**3).astype(np.int16).tobytes())
    assert any("right and left may be exchanged" in note for note in read_ct(tmp_path / "ct.nrrd").notes)
    space = "space: left-posterior-superior\nspace directions: (2,0,0) (0,2,0) (0,0,2)\nspace origin: (0,0,0)\n"
    header = header.replace("spacings: 2 2 2\n", space)
    (tmp_path / "ct.nrrd").write_bytes(header.encode() + np.arange(40**3).astype(np.int16).tobytes())
    assert not any("exchanged" in note for note in read_ct(tmp_path / "ct.nrrd").notes)
