"""Pictures of the panel in its states, for people to look at: KIDNEYPARSING_PICTURES=FOLDER pytest THIS_FILE."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from harness import start

start.install()

from harness.qt_module import QtGui  # noqa: E402
from harness.start import run_until  # noqa: E402


@pytest.fixture
def shoot(panel, tmp_path):
    """Take a picture of the panel, and check that something is in it."""
    folder = Path(os.environ.get("KIDNEYPARSING_PICTURES", tmp_path))
    folder.mkdir(exist_ok=True)

    def take(name: str) -> None:
        path = str(folder / f"panel_{name}.png")
        panel.picture(path)
        image = QtGui.QImage(path)
        colors = {image.pixel(x, y) for x in range(0, image.width(), 7) for y in range(0, image.height(), 7)}
        assert image.height() > 800 and len(colors) > 20

    return take


def test_pictures(panel, segment, shoot, engine):
    shoot("ready")
    engine.steps = 100
    panel.ui.applyButton.click()
    run_until(lambda: "left" in panel.ui.statusLabel.text())
    shoot("running")
    panel.ui.applyButton.click()
    run_until(lambda: not panel.widget.logic.isRunning)
    shoot("cancelled")
    panel.widget.logic.close()
    engine.steps = 5
    segment()
    panel.ui.acceptButton.click()
    panel.ui.nextPlaceButton.click()
    panel.ui.clipCheckBox.setChecked(True)
    panel.ui.correctCollapsibleButton.setProperty("collapsed", False)
    shoot("result")
    engine.program = "/nowhere"
    panel.widget.logic.close()
    segment()
    shoot("failed")
