"""Releases the mean of two released networks, of which one was trained on from the other (docs/experiments.md, 17).

python Utilities/average_weights.py ba_net FIRST.safetensors SECOND.safetensors WEIGHTS_FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

from KidneyParsingLib.training.release import release_mean

if __name__ == "__main__":
    name, *paths = sys.argv[1:]
    print(release_mean(name, *map(Path, paths)))
