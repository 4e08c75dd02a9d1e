"""Enough of Slicer to run the module's real panel without Slicer: PySide6 for PythonQt, slicer-core for MRML.

`start.install()` puts the stand-ins in place, `panel.open_panel()` opens the module as Slicer does. Each stand-in says
which documented behaviour it follows. They prove control flow, signals, nodes and processes; what only PythonQt and
Slicer's own widgets do, they cannot show (docs/testing.md has the list).
"""
