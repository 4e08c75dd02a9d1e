"""Picture the module's panel after a run on the sample CTA: `python Utilities/picture_panel.py`.

Writes docs/pictures/tutorial_panel.png. The panel is the real one, with the real engine behind it, in the test harness
of Testing/Slicer (PySide6 and slicer-core); in Slicer it has Slicer's style and, under Correct, the Segment Editor.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "pictures" / "tutorial_panel.png"
RUN_SECONDS = 300.0

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
sys.path.insert(0, str(ROOT / "Testing" / "Slicer"))


def picture(path: Path) -> None:
    """Open the panel in a scene with the sample, press Apply, go to the first place, and draw the panel."""
    from harness import application, start

    start.install()
    with tempfile.TemporaryDirectory() as folder:
        application.install(folder, folder)
        _use_this_python()
        panel = _panel_with_sample()
        panel.ui.applyButton.click()
        start.run_until(lambda: not panel.widget.logic.isRunning, RUN_SECONDS)
        panel.ui.nextPlaceButton.click()
        panel.picture(str(path))
        panel.close()


def _panel_with_sample():
    import slicer
    from harness.panel import OpenPanel

    from KidneyParsingLib.mrml.scene import volume_node
    from KidneyParsingLib.volumes.reading import read_ct

    volume_node(slicer.mrmlScene, read_ct(ROOT / "Resources" / "sample_cta.nii.gz"), "Kidney CTA")
    return OpenPanel()


def _use_this_python() -> None:
    """The engine in this Python, as there is no PythonSlicer."""
    import qt
    from KidneyParsingModuleLib import EngineProcess
    from KidneyParsingModuleLib.EngineCommand import EngineCommand

    main = str(ROOT / "KidneyParsingLib" / "engine" / "__main__.py")
    environment = qt.QProcessEnvironment.systemEnvironment()
    command = EngineCommand(sys.executable, [main], environment)
    EngineProcess.EngineProcess.__init__.__defaults__ = (lambda: command,)


if __name__ == "__main__":
    picture(PICTURE)
