"""Releases the mean of two released networks, of which one was trained on from the other (docs/experiments.md, 17).

python Utilities/average_weights.py ba_net FIRST.safetensors SECOND.safetensors WEIGHTS_FOLDER
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from KidneyParsingLib.errors import InputError
from KidneyParsingLib.training.release import release_mean


def main() -> None:
    """Release the mean, or say in one sentence why not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network")
    for name in ("first", "second", "weights"):
        parser.add_argument(name, type=Path)
    options = parser.parse_args()
    try:
        print(release_mean(options.network, options.first, options.second, options.weights))
    except InputError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
