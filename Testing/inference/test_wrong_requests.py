"""What a run is asked for, or finds in its surroundings, that cannot be right: one sentence, or it goes on without."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest

from KidneyParsingLib.cache import CACHE_VARIABLE, cache_folder, remember, remembered
from KidneyParsingLib.errors import InputError, is_out_of_memory
from KidneyParsingLib.inference import speeds
from KidneyParsingLib.inference.options import Options
from KidneyParsingLib.inference.parser import NO_KIDNEY, KidneyParser
from KidneyParsingLib.inference.registry import WEIGHTS_VARIABLE, list_models
from KidneyParsingLib.volumes.volume import Volume


@pytest.mark.parametrize(
    ("structures", "words"), [(("kidney",), "kid_net does not segment kidney"), ((), "No structure was asked for")]
)
def test_structures_that_a_model_lacks_are_refused(structures: tuple[str, ...], words: str) -> None:
    """By Python and the engine too, not by the command line alone."""
    with pytest.raises(InputError, match=words):
        KidneyParser(Options(model="kid_net", structures=structures))


@pytest.mark.parametrize("text", ["{}", "[]", '{"networks": 1, "scores": {}}', "{"])
def test_a_manifest_that_is_none_is_a_sentence(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "manifest.json").write_text(text)
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(tmp_path))
    with pytest.raises(InputError, match="missing or damaged"):
        list_models()


def test_a_user_without_a_home_has_a_cache_in_the_temporary_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(cls: type) -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in (CACHE_VARIABLE, "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", classmethod(fail))
    assert cache_folder() == Path(tempfile.gettempdir()) / "kidneyparsing"


def test_a_speed_that_is_no_number_is_as_if_it_were_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    monkeypatch.setattr(speeds, "_key", lambda predictor: "a network")
    usual = speeds.expected_seconds(None, 1000, speeds.PassPlan())
    remember("speeds", {"a network": None})
    assert remembered("speeds") == {"a network": None}
    assert speeds.expected_seconds(None, 1000, speeds.PassPlan()) == usual > 0


def test_openvino_s_words_for_lack_of_memory_are_known() -> None:
    text = "Exception from src/inference: [CPU] Convolution node with name 'x' can't alloc"
    assert is_out_of_memory(RuntimeError(text)) and not is_out_of_memory(RuntimeError("can't open"))


def test_a_result_with_nothing_in_it_has_no_places_to_look_at() -> None:
    """Noise in a few thick slices, in which the network finds this and that."""
    noise = np.random.default_rng(0).normal(30, 60, (8, 200, 200)).astype(np.int16)
    volume = Volume(noise, np.diag([1.0, 1.0, 20.0, 1.0]))
    result = KidneyParser(Options(review=True, device="cpu", backend="torch")).parse(volume)
    assert NO_KIDNEY in result.notes and not result.segments
    assert not result.places and result.uncertainty is None
