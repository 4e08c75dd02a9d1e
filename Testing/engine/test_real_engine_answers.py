"""Defined answers of the real engine to odd CT and bad weights: one process, networks of a few weights."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from KidneyParsingLib.engine.client import EngineClient
from KidneyParsingLib.errors import Cancelled, InputError
from KidneyParsingLib.inference.options import Options
from KidneyParsingLib.inference.parser import KidneyParser
from KidneyParsingLib.inference.registry import WEIGHTS_VARIABLE
from KidneyParsingLib.networks.checkpoint import save_network
from KidneyParsingLib.networks.configs import config
from KidneyParsingLib.networks.registry import build
from KidneyParsingLib.sentences import record
from KidneyParsingLib.volumes.reading import read_ct

TORCH = Options(backend="torch")
NO_KIDNEY = "No kidney was found in this volume."


def save_networks(folder: Path) -> None:
    """A locator and a BA-Net that see background everywhere, with their manifest."""
    networks = {}
    for name in ("locator", "ba_net"):
        small = replace(config(name), features=(2, 2), spacing_mm=(4.0, 4.0, 4.0))
        network = build(small)
        for parameter in network.parameters():
            parameter.data.zero_()
        path = folder / f"{name}.safetensors"
        save_network(path, network, small)
        structures = [c for c in small.classes if c != "background"]
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        networks[name] = {"structures": structures, "weights": path.name, "sha256": sha256, "licence": "none"}
    (folder / "manifest.json").write_text(json.dumps({"networks": networks, "scores": {}}))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("weights")
    save_networks(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(WEIGHTS_VARIABLE, str(folder))
        yield folder


@pytest.fixture(scope="module")
def logged() -> list[str]:
    return []


@pytest.fixture(scope="module")
def engine(weights: Path, logged: list[str]) -> Iterator[EngineClient]:
    with EngineClient(log=logged.append) as engine:
        yield engine


@pytest.fixture
def options(tmp_path: Path) -> Options:
    """Other options in every test, so that the network is loaded anew."""
    return replace(TORCH, overlap=0.1 + int(hashlib.sha256(str(tmp_path).encode()).hexdigest()[:8], 16) / 2**33)


def write_ct(path: Path, array: np.ndarray) -> Path:
    image = sitk.GetImageFromArray(array)
    image.SetSpacing([4.0] * 3)
    sitk.WriteImage(image, str(path))
    return path


@pytest.fixture
def ct_path(tmp_path: Path) -> Path:
    return write_ct(tmp_path / "ct.nii.gz", np.random.default_rng(1).integers(-900, 900, (24, 28, 32)).astype(np.int16))


def test_ct_without_kidneys_is_a_result_with_a_note(engine: EngineClient, ct_path: Path, tmp_path: Path) -> None:
    result = engine.segment(ct_path, tmp_path / "out.seg.nrrd", TORCH)
    assert result.volumes_ml == {} and NO_KIDNEY in result.notes and result.places == ()
    assert (tmp_path / "out.seg.nrrd").is_file()
    assert list(result.phases)[:3] == ["Reading the CT", "Loading the network", "Locating the kidneys"]


def test_notes_are_the_sentences_that_the_parser_makes(engine: EngineClient, ct_path: Path, tmp_path: Path) -> None:
    there = engine.segment(ct_path, tmp_path / "out.seg.nrrd", TORCH).notes
    here = KidneyParser(TORCH).parse(read_ct(ct_path)).notes
    assert [record(note) for note in there] == [record(note) for note in here] and len(here) > 1


def test_voxels_without_a_number_are_air_and_said_so(engine: EngineClient, tmp_path: Path) -> None:
    array = np.random.default_rng(1).uniform(-900, 900, (24, 28, 32)).astype(np.float32)
    array[3, 4, 5:8] = np.nan
    result = engine.segment(write_ct(tmp_path / "holes.nrrd", array), tmp_path / "out.seg.nrrd", TORCH)
    assert result.notes[0].startswith("3 voxels without a number were taken as air") and NO_KIDNEY in result.notes


def test_ct_of_nothing_but_nan_is_refused(engine: EngineClient, tmp_path: Path) -> None:
    path = write_ct(tmp_path / "nan.nrrd", np.full((24, 28, 32), np.nan, np.float32))
    with pytest.raises(InputError, match="holds a number"):
        engine.segment(path, tmp_path / "out.seg.nrrd", TORCH)
    assert os.listdir(tmp_path) == ["nan.nrrd"]


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def truncate_and_sign(path: Path) -> None:
    truncate(path)
    manifest = path.parent / "manifest.json"
    entries = json.loads(manifest.read_text())
    entries["networks"]["ba_net"]["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    manifest.write_text(json.dumps(entries))


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-50] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (truncate, "SHA256 differs"),
        (flip_a_bit, "SHA256 differs"),
        (truncate_and_sign, "is missing or damaged"),
        (Path.unlink, "is missing"),
        (lambda path: (path.parent / "manifest.json").write_text("{"), "manifest.json is missing or damaged"),
    ],
    ids=["truncated", "flipped bit", "truncated and signed", "missing", "manifest"],
)
def test_bad_weights_are_one_sentence_and_good_ones_work_in_the_same_process(
    engine: EngineClient, weights: Path, options: Options, ct_path: Path, tmp_path: Path, spoil, words: str
) -> None:
    spoil(weights / "ba_net.safetensors")
    output = tmp_path / "out.seg.nrrd"
    pid = engine.pid
    with pytest.raises(InputError, match=words):
        engine.segment(ct_path, output, options)
    assert os.listdir(tmp_path) == [ct_path.name]
    save_networks(weights)
    assert NO_KIDNEY in engine.segment(ct_path, output, options).notes and engine.pid == pid


def nothing_else_is_left(ct_path: Path) -> bool:
    """Whether a CT is soon alone in its folder: a writer that nobody waits for any more ends a moment later, and takes
    its folder with it."""
    for _ in range(100):
        if os.listdir(ct_path.parent) == [ct_path.name]:
            return True
        time.sleep(0.1)
    return False


def test_cancel_in_every_phase_keeps_the_process(
    engine: EngineClient, options: Options, ct_path: Path, tmp_path: Path
) -> None:
    pid = engine.pid
    output, cancelled = tmp_path / "out.seg.nrrd", []
    for phase in ("Reading the CT", "Loading the network", "Locating the kidneys", "Writing the segments"):

        def stop(fraction: float, now: str, phase: str = phase) -> None:
            if now == phase:
                raise Cancelled

        # A run as short as this may be over before the cancel arrives.
        try:
            engine.segment(ct_path, output, options, stop)
        except Cancelled:
            cancelled.append(phase)
            assert not output.exists()
        output.unlink(missing_ok=True)
        assert nothing_else_is_left(ct_path)
    assert cancelled
    assert engine.segment(ct_path, output, options).output == str(output) and engine.pid == pid


def test_threads_are_checked_and_taken(engine: EngineClient, ct_path: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="0 threads"):
        engine.segment(ct_path, tmp_path / "out.seg.nrrd", TORCH, threads=0)
    assert engine.segment(ct_path, tmp_path / "out.seg.nrrd", TORCH, threads=2).volumes_ml == {}


def test_parser_s_log_arrives_and_what_is_expected_needs_no_traceback(
    engine: EngineClient, ct_path: Path, tmp_path: Path, logged: list[str]
) -> None:
    engine.segment(ct_path, tmp_path / "out.seg.nrrd", TORCH)
    assert any("no kidney was located" in text for text in logged)
    assert not any("Traceback" in text for text in logged)
