"""`python -m KidneyParsingLib.speed.peers nnunet|monai CT WEIGHTS OUT`: writes OUT (.nii.gz) and OUT.json (seconds)."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path


def main(peer: str, ct: str, weights: str, output: str) -> None:
    """Run one peer on a CT file with the weights file."""
    module = importlib.import_module(f"KidneyParsingLib.speed.peers.{peer}")
    result = module.run(Path(ct), Path(weights), Path(output))
    Path(f"{output}.json").write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
