"""Which models there are follows from the manifest, the package's or that of a folder of one's own."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from KidneyParsingLib.errors import InputError
from KidneyParsingLib.inference.registry import WEIGHTS_VARIABLE, find_model, find_network, list_models
from KidneyParsingLib.networks.checkpoint import load_network, save_tensors
from KidneyParsingLib.networks.configs import config
from KidneyParsingLib.networks.registry import build
from KidneyParsingLib.training.release import release, update_manifest


@pytest.fixture
def own_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to which a locator and a BA-Net for two structures were released, from runs of one step."""
    weights = tmp_path / "weights"
    weights.mkdir()
    for name, classes in (("locator", None), ("ba_net", ("background", "kidney", "artery"))):
        small = replace(config(name), features=(2, 2))
        small = small if classes is None else replace(small, classes=classes)
        for file, value in (("checkpoint", 0.0), *([("best", 1.0)] if name == "ba_net" else [])):
            network = build(small)
            tensors = {f"network.{key}": torch.full_like(v, value) for key, v in network.state_dict().items()}
            (tmp_path / name).mkdir(exist_ok=True)
            save_tensors(tmp_path / name / f"{file}.safetensors", tensors, {"config": small.to_json(), "step": "1"})
        release(name, tmp_path / name, weights)
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(weights))
    return weights


def test_a_folder_of_one_s_own_takes_the_place_of_the_released_weights(own_weights: Path) -> None:
    update_manifest(own_weights / "manifest.json", "scores", "ba_net", {"my scans": {"kidney": 0.5}})
    (model,) = list_models()
    assert model.name == "ba_net" and model.structures == ("kidney", "artery")
    assert model.scores == {"my scans": {"kidney": 0.5}}
    assert find_network("ba_net").path.parent == own_weights
    with pytest.raises(InputError, match="no model 'kid_net'"):
        find_model("kid_net")


def test_a_system_goes_without_its_second_look_but_not_without_its_locator(own_weights: Path) -> None:
    manifest = own_weights / "manifest.json"
    assert find_model("ba_net").network_names == ("locator", "ba_net")
    update_manifest(manifest, "networks", "second_look", json.loads(manifest.read_text())["networks"]["ba_net"])
    assert find_model("ba_net").network_names == ("locator", "ba_net", "second_look")
    manifest.write_text(manifest.read_text().replace('"locator"', '"another"'))
    assert list_models() == []


def test_the_network_of_the_best_validation_is_released(own_weights: Path) -> None:
    entry = find_network("ba_net")
    network, _ = load_network(entry.path, entry.sha256)
    assert all((p == 1).all() for p in network.parameters())
    locator, _ = load_network(find_network("locator").path)
    assert all((p == 0).all() for p in locator.parameters())


def test_a_model_s_facts_are_those_of_its_networks() -> None:
    model = find_model("ba_net")
    assert model.structures == ("kidney", "tumor", "artery", "vein", "ureter", "cyst")
    assert "demonstration" not in model.description and "demonstration" in find_model("tu_net").description
    assert model.network_names == ("locator", "ba_net", "second_look") and len(model.weights) == 3
    assert model.licence == "CC BY-NC-SA 4.0"
    assert model.megabytes == pytest.approx(sum(n.path.stat().st_size for n in model.networks) / 1e6)


def test_a_missing_manifest_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match=f"missing or damaged; set {WEIGHTS_VARIABLE}"):
        list_models()
