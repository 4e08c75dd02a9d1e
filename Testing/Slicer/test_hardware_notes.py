"""What a user is told about graphics card, driver and memory before a run."""

from __future__ import annotations

import subprocess
from types import SimpleNamespace

import pytest

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

import module_helpers  # noqa: E402

HardwareNotes = module_helpers.import_helper("HardwareNotes")

CARD = "NVIDIA RTX 4070, 551.23, 12282, 11000"


@pytest.fixture
def computer(monkeypatch) -> SimpleNamespace:
    """A computer on which all is well: what nvidia-smi says (None: there is none), torch's build, memory, system."""
    state = SimpleNamespace(card=CARD, build="cu126", memory=16.0, platform="linux")

    def run(command, **options):
        assert command[0] == "nvidia-smi" and options["timeout"] > 0
        if state.card is None:
            raise FileNotFoundError(command[0])
        if state.card == "fails":
            raise subprocess.CalledProcessError(9, command)
        return SimpleNamespace(stdout=state.card + "\n")

    monkeypatch.setattr(HardwareNotes.subprocess, "run", run)
    monkeypatch.setattr(HardwareNotes, "torchBuild", lambda: state.build)
    monkeypatch.setattr(HardwareNotes, "totalMemoryGB", lambda: state.memory)
    monkeypatch.setattr(HardwareNotes.sys, "platform", state.platform)
    return state


def note() -> str:
    (text,) = HardwareNotes.hardwareNotes()
    return text


def test_nothing_is_said_when_all_is_well(computer):
    assert HardwareNotes.hardwareNotes() == []


@pytest.mark.parametrize("card", [None, "fails", "", "No devices were found"])
def test_no_card(computer, card):
    computer.card = card
    assert "No NVIDIA graphics card" in note() and "processor computes" in note()


@pytest.mark.parametrize(
    "driver, build, oldest",
    [
        ("470.57", "cu126", "525.60"),
        ("535.104", "cu130", "580.65"),
        ("440.33", "cu118", "450.80"),
        ("470.57", "cpu", "525.60"),
    ],
)
def test_old_driver(computer, driver, build, oldest):
    computer.card, computer.build = CARD.replace("551.23", driver), build
    assert driver in note() and oldest in note() and "too old" in note()


def test_driver_that_suits_windows_only_on_linux(computer, monkeypatch):
    computer.card = CARD.replace("551.23", "526.98")
    assert HardwareNotes.hardwareNotes() == []
    monkeypatch.setattr(HardwareNotes.sys, "platform", "win32")
    assert "528.33" in note()


def test_macs_have_cards_of_their_own(computer, monkeypatch):
    computer.card = None
    monkeypatch.setattr(HardwareNotes.sys, "platform", "darwin")
    assert HardwareNotes.hardwareNotes() == []


def test_torch_for_the_processor_beside_a_card(computer):
    computer.build = "cpu"
    assert "PyTorch Utils" in note() and "NVIDIA RTX 4070" in note()


@pytest.mark.parametrize("build", ["", "rocm6.1", "cu140"])
def test_builds_that_say_nothing_are_not_judged(computer, build):
    computer.build = build
    assert HardwareNotes.hardwareNotes() == []


def test_little_memory_on_the_card(computer):
    computer.card = CARD.replace("11000", "1500")
    assert "1.5 GB" in note() and "processor" in note()


def test_little_memory(computer):
    computer.memory = 3.8
    assert "4 GB" in note() and "quality fast" in note()


@pytest.mark.parametrize("memory", [None, 7.7])
def test_memory_that_is_unknown_or_all_but_8_gb(computer, memory):
    computer.memory = memory
    assert HardwareNotes.hardwareNotes() == []


def test_this_computer_can_be_asked():
    assert all(isinstance(text, str) for text in HardwareNotes.hardwareNotes())
    assert HardwareNotes.totalMemoryGB() > 0.5
