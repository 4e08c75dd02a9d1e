"""A small CT, a folder for results, and fake engines behind bare pipes or behind the client."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from raw_engine import FAKE_ENGINE, RawEngine

from KidneyParsingLib.engine.client import EngineClient
from KidneyParsingLib.engine.messages import ReadyReply
from KidneyParsingLib.volumes.geometry import image_from_array


@pytest.fixture
def start_engine() -> Iterator[Callable[..., RawEngine]]:
    engines = []

    def start(steps: int = 5) -> RawEngine:
        engines.append(RawEngine(steps))
        assert isinstance(engines[-1].reply(), ReadyReply)
        return engines[-1]

    yield start
    for engine in engines:
        engine.end()


@pytest.fixture
def client() -> Iterator[EngineClient]:
    with EngineClient([sys.executable, str(FAKE_ENGINE)], log=lambda text: None) as engine:
        yield engine


@pytest.fixture
def ct(tmp_path: Path) -> Path:
    import SimpleITK as sitk

    array = np.full((20, 24, 28), -100, np.int16)
    array[5:10, 5:10, 5:10] = 60
    path = tmp_path / "ct.nrrd"
    sitk.WriteImage(image_from_array(array, np.diag([2.0, 2.0, 2.0, 1.0])), str(path))
    return path


@pytest.fixture
def output(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    folder.mkdir()
    return folder / "out.seg.nrrd"
