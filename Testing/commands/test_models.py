"""`models`: the list for people and for programs."""

from __future__ import annotations

import json

import pytest

from KidneyParsingLib.cli import main


def test_models_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    text = capsys.readouterr().out
    assert all(
        word in text for word in ("ba_net", "CC BY-NC-SA", "kidney, tumor, artery, vein", "made CT: kidney 0.960")
    )
    assert main(["models", "--json"]) == 0
    (model,) = json.loads(capsys.readouterr().out)
    assert model["name"] == "ba_net" and model["scores"] == {"made CT": {"kidney": 0.96}}
    assert model["megabytes"] == 0 and model["weights"] == ["none.safetensors"]
