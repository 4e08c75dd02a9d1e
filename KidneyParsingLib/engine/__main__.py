"""`python -m KidneyParsingLib.engine`, or `python <path of this file>` where the library is not on Python's path."""

import sys
from pathlib import Path

if not __package__:
    # Run by its path, Python put this folder first, whose modules must not become top-level ones.
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from KidneyParsingLib.engine.server import main  # noqa: E402

main()
