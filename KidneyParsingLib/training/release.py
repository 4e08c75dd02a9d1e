"""From a training's checkpoint to released weights: float16 safetensors and the manifest's entry with its SHA256."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from ..networks.checkpoint import load_tensors, save_network
from ..networks.configs import config
from ..networks.registry import build

# The kidney shapes behind all made CT come from KiTS23's masks.
LICENCE = "CC BY-NC-SA 4.0"
DESCRIPTIONS = {
    "locator": "Finds the kidneys in the whole scan; runs before every model.",
    "ba_net": "BA-Net (arXiv 2208.13338): kidney, tumor, artery, vein, ureter, cyst.",
}


def release(model: str, run: Path, weights: Path, config_name: str = "small", scores: dict | None = None) -> Path:
    """Writes `<model>-<config>.safetensors` from the checkpoint in `run` and updates `manifest.json` in `weights`."""
    tensors, notes = load_tensors(Path(run) / "checkpoint.safetensors")
    network_config = config(model, config_name)
    network = build(network_config)
    network.load_state_dict({k[8:]: v for k, v in tensors.items() if k.startswith("network.")})
    path = Path(weights) / f"{model}-{config_name}.safetensors"
    save_network(path, network, network_config, {"licence": LICENCE, "steps": notes["step"]})
    entry = {
        "name": model,
        "description": f"{DESCRIPTIONS[model]} Configuration {config_name}.",
        "structures": [c for c in network_config.classes if c != "background"],
        "weights": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "licence": LICENCE,
        "scores": scores or {},
        "selectable": model != "locator",
    }
    _update_manifest(Path(weights) / "manifest.json", entry)
    return path


def _update_manifest(path: Path, entry: dict) -> None:
    entries = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    entries = sorted([e for e in entries if e["name"] != entry["name"]] + [entry], key=lambda e: e["name"])
    unfinished = path.with_suffix(".part")
    unfinished.write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")
    os.replace(unfinished, path)
