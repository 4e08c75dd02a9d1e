"""Draw the icons of the extension from their SVG files: `python Utilities/draw_icons.py`.

Every SVG in the module's Resources/Icons becomes a PNG of 128 x 128 pixels beside it. Needs PySide6 (QtSvg), which
draws as Slicer does.
"""

from __future__ import annotations

import os
from pathlib import Path

ICONS = Path(__file__).resolve().parents[1] / "KidneyParsing" / "Resources" / "Icons"
PIXELS = 128


def draw(svg: Path, png: Path) -> None:
    """Draw an SVG file as a PNG of 128 x 128 pixels, its background transparent. Raises ValueError if it cannot be."""
    from PySide6.QtGui import QImage, QPainter
    from PySide6.QtSvg import QSvgRenderer

    renderer = QSvgRenderer(str(svg))
    image = QImage(PIXELS, PIXELS, QImage.Format.Format_ARGB32)
    image.fill(0)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    renderer.render(painter)
    painter.end()
    if not renderer.isValid() or not image.save(str(png)):
        raise ValueError(f"{svg} cannot be drawn as {png}.")


if __name__ == "__main__":
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtGui import QGuiApplication

    application = QGuiApplication([])
    for source in sorted(ICONS.glob("*.svg")):
        draw(source, source.with_suffix(".png"))
