"""`python -m KidneyParsingLib` is the program `kidneyparsing`."""

from __future__ import annotations

from .cli import program

if __name__ == "__main__":
    program()
