"""Captions in a font of 3 x 5 pixels, for pictures that need no drawing library."""

from __future__ import annotations

import numpy as np

# Rows from top to bottom, three bits each, the left pixel first.
_GLYPHS = {
    "0": "75557", "1": "26227", "2": "71747", "3": "71317", "4": "55711", "5": "74717", "6": "74757", "7": "71122",
    "8": "75757", "9": "75717", "A": "25755", "B": "65656", "C": "34443", "D": "65556", "E": "74647", "F": "74644",
    "G": "34553", "H": "55755", "I": "72227", "J": "11152", "K": "55655", "L": "44447", "M": "57755", "N": "65555",
    "O": "25552", "P": "65644", "Q": "25563", "R": "65655", "S": "34216", "T": "72222", "U": "55557", "V": "55552",
    "W": "55775", "X": "55255", "Y": "55222", "Z": "71247", ".": "00002", ",": "00024", "-": "00700", "/": "11244",
    ":": "02020", " ": "00000",
}  # fmt: skip


def text_mask(text: str, scale: int = 2) -> np.ndarray:
    """Boolean (rows, columns): the text in capitals, a pixel of the font `scale` wide; unknown signs are blanks."""
    columns = [_glyph(sign) for sign in text.upper()] or [_glyph(" ")]
    return np.concatenate(columns, axis=1).repeat(scale, axis=0).repeat(scale, axis=1)


def _glyph(sign: str) -> np.ndarray:
    """(5, 4): the sign and a blank column behind it."""
    rows = [int(row) for row in _GLYPHS.get(sign, _GLYPHS[" "])]
    return np.array([[bool(row & bit) for bit in (4, 2, 1, 0)] for row in rows])
