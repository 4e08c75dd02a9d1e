"""The extension keeps the rules of Slicer's Extensions Index, and each rule's check fails on a tree that breaks it."""

from __future__ import annotations

import importlib.util
import json
import struct
from collections.abc import Callable
from pathlib import Path

import index_rules
import numpy as np
import pytest

from KidneyParsingLib.anatomy import structure

ROOT = Path(__file__).resolve().parents[2]
ADDRESS = "https://github.com/Someone/SlicerKidneyParsing"
RAW = "https://raw.githubusercontent.com/Someone/SlicerKidneyParsing/main"
ICON = "KidneyParsing/Resources/Icons/KidneyParsing.png"
ENTRY = "Resources/KidneyParsing.json"
UI = "KidneyParsing/Resources/UI/KidneyParsing.ui"
MAIN = "KidneyParsing/KidneyParsing.py"
REQUIREMENTS = "KidneyParsing/Resources/requirements.txt"
CMAKE = "CMakeLists.txt"

MAIN_TEXT = '''"""A module."""
import slicer
from slicer.parameterNodeWrapper import parameterNodeWrapper

@parameterNodeWrapper
class KidneyParsingParameterNode:
    inputVolume: vtkMRMLScalarVolumeNode
    device: Annotated[str, Choice(["cpu"])] = "cpu"

class KidneyParsingWidget:
    def setup(self):
        self.ui.deviceComboBox.enabled = True
'''
UI_TEXT = """<ui><widget class="qMRMLWidget" name="KidneyParsing"><layout class="QVBoxLayout" name="verticalLayout">
<widget class="QComboBox" name="deviceComboBox">
<property name="SlicerParameterName" stdset="0"><string>device</string></property></widget>
<widget class="qMRMLNodeComboBox" name="inputSelector">
<property name="SlicerParameterName" stdset="0"><string>inputVolume</string></property></widget>
</layout></widget></ui>
"""
CMAKE_TEXT = f"""project(KidneyParsing)
set(EXTENSION_HOMEPAGE "{ADDRESS}")
set(EXTENSION_CONTRIBUTORS "Someone")
set(EXTENSION_DESCRIPTION "Segments kidneys.")
set(EXTENSION_ICONURL "{RAW}/{ICON}")
set(EXTENSION_SCREENSHOTURLS "{RAW}/Resources/screenshot.png")
set(EXTENSION_DEPENDS "PyTorch") # Specified as a list
set(SAMPLE_DATA_FILES
  sample.nii.gz
  )
"""
MODULE_CMAKE_TEXT = """set(MODULE_PYTHON_SCRIPTS
  KidneyParsing.py
  KidneyParsingModuleLib/__init__.py
  )
set(MODULE_PYTHON_RESOURCES
  Resources/Icons/KidneyParsing.png
  Resources/UI/KidneyParsing.ui
  Resources/requirements.txt
  )
"""
ENTRY_TEXT = json.dumps(
    {
        "$schema": "https://example.org/slicer-extension-catalog-entry-schema-v1.0.1.json#",
        "build_dependencies": ["PyTorch"],
        "category": "Segmentation",
        "scm_url": ADDRESS,
        "tier": 1,
    }
)
README_TEXT = """# KidneyParsing
![Kidneys](Resources/screenshot.png)
The module Kidney Parsing segments kidneys. Research use only. Apache-2.0. How to cite: Someone. Load Sample Data.
[Tutorial](docs/tutorial.md)
"""
PYPROJECT_TEXT = """[project]
dependencies = [
    "numpy>=1.26",
    "torch>=2.3,<3",
    "safetensors>=0.4",
]
"""


def _png(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height)


TREE: dict[str, str | bytes] = {
    CMAKE: CMAKE_TEXT,
    "LICENSE": "Apache License",
    "README.md": README_TEXT,
    "docs/tutorial.md": "# Tutorial\n",
    "pyproject.toml": PYPROJECT_TEXT,
    ENTRY: ENTRY_TEXT,
    "Resources/sample.nii.gz": b"",
    "Resources/screenshot.png": _png(800, 600),
    "KidneyParsing/CMakeLists.txt": MODULE_CMAKE_TEXT,
    MAIN: MAIN_TEXT,
    "KidneyParsing/KidneyParsingModuleLib/__init__.py": "from .LibraryPath import *\naddLibraryToPath()\n",
    ICON: _png(128, 128),
    UI: UI_TEXT,
    REQUIREMENTS: "# Others come with Slicer.\nsafetensors>=0.4\n",
    "KidneyParsingLib/CMakeLists.txt": "set(LIBRARY_PYTHON_SCRIPTS\n  __init__.py\n  )\n",
    "KidneyParsingLib/__init__.py": "",
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small extension that keeps every rule."""
    for name, content in TREE.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return tmp_path


def write(name: str, content: str | bytes) -> Callable[[Path], None]:
    """A change: the file becomes `content`."""
    return lambda root: _written(root / name, content if isinstance(content, bytes) else content.encode())


def replace(name: str, old: str, new: str) -> Callable[[Path], None]:
    """A change: `old` becomes `new` in the file."""

    def change(root: Path) -> None:
        text = (root / name).read_text(encoding="utf-8")
        assert old in text
        (root / name).write_text(text.replace(old, new), encoding="utf-8", newline="\n")

    return change


def remove(name: str) -> Callable[[Path], None]:
    """A change: the file goes."""
    return lambda root: (root / name).unlink()


def _written(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


BROKEN: list[tuple[index_rules.Rule, Callable[[Path], None]]] = [
    (index_rules.cmake_lists_files, write("KidneyParsing/Resources/UI/Login.ui", "<ui/>")),
    (index_rules.cmake_lists_files, remove("KidneyParsingLib/__init__.py")),
    (index_rules.cmake_lists_files, remove("Resources/sample.nii.gz")),
    (index_rules.only_the_module_is_in_its_folder, write("KidneyParsing/helpers.py", "")),
    (index_rules.extension_metadata_is_filled, replace(CMAKE, '"Segments kidneys."', '""')),
    (index_rules.extension_metadata_is_filled, replace(CMAKE, '"Segments kidneys."', "Segments")),
    (index_rules.extension_metadata_is_filled, replace(CMAKE, f"{RAW}/Resources", f"{ADDRESS}/blob/main/Resources")),
    (index_rules.extension_metadata_is_filled, replace(CMAKE, "screenshot.png", "another.png")),
    (index_rules.project_has_the_name_of_its_entry, replace(CMAKE, "project(KidneyParsing)", "project(Kidneys)")),
    (index_rules.project_has_the_name_of_its_entry, remove(ENTRY)),
    (index_rules.catalogue_entry_fits_its_schema, replace(ENTRY, '"tier": 1', '"tier": "one"')),
    (index_rules.catalogue_entry_fits_its_schema, replace(ENTRY, '"tier": 1', '"level": 1')),
    (index_rules.catalogue_entry_fits_its_schema, replace(ENTRY, '"$schema"', '"schema"')),
    (index_rules.catalogue_entry_fits_its_schema, replace(ENTRY, '"Segmentation"', '"Kidneys"')),
    (index_rules.catalogue_entry_agrees_with_cmake, replace(ENTRY, '"PyTorch"', '"NNUNet"')),
    (index_rules.catalogue_entry_agrees_with_cmake, replace(ENTRY, "SlicerKidneyParsing", "KidneyParsing")),
    (index_rules.catalogue_entry_agrees_with_cmake, replace(CMAKE, f'"{ADDRESS}"', '"https://github.com/Other/It"')),
    (index_rules.licence_is_in_the_root, remove("LICENSE")),
    (index_rules.licence_is_in_the_root, replace("README.md", "Apache-2.0", "free")),
    (index_rules.readme_has_what_reviewers_look_for, replace("README.md", "How to cite: Someone", "")),
    (index_rules.readme_has_what_reviewers_look_for, replace("README.md", "![Kidneys]", "[Kidneys]")),
    (index_rules.readme_has_what_reviewers_look_for, write("README.md", README_TEXT + 130 * "\n")),
    (index_rules.links_lead_somewhere, remove("docs/tutorial.md")),
    (index_rules.links_lead_somewhere, write("docs/tutorial.md", "![Panel](pictures/panel.png)")),
    (index_rules.file_scope_imports_are_everywhere, replace(MAIN, "import slicer\n", "import slicer\nimport cc3d\n")),
    (index_rules.file_scope_imports_are_everywhere, write(MAIN, "from KidneyParsingLib.engine import server\n")),
    (
        index_rules.file_scope_imports_are_everywhere,
        write(MAIN, "try:\n    import monai\nexcept ImportError:\n    x = 1"),
    ),
    (index_rules.torch_is_not_imported, write(MAIN, "def run():\n    from torch.nn import Module\n")),
    (index_rules.nothing_runs_at_file_scope, write(MAIN, MAIN_TEXT + "print('loaded')\n")),
    (index_rules.nothing_runs_at_file_scope, write(MAIN, MAIN_TEXT + "for name in (1, 2):\n    pass\n")),
    (index_rules.requirements_spare_what_is_there, write(REQUIREMENTS, "safetensors>=0.4\nSimpleITK>=2.3\n")),
    (index_rules.requirements_spare_what_is_there, write(REQUIREMENTS, "safetensors==0.4\n")),
    (index_rules.requirements_spare_what_is_there, replace("pyproject.toml", '"numpy', '"cc3d>=1", "numpy')),
    (index_rules.widgets_in_code_are_in_the_ui, replace(UI, 'name="deviceComboBox"', 'name="deviceBox"')),
    (index_rules.bound_widgets_fit_their_parameters, replace(UI, "<string>device<", "<string>gpu<")),
    (index_rules.bound_widgets_fit_their_parameters, replace(UI, 'class="QComboBox"', 'class="QRadioButton"')),
    (index_rules.bound_widgets_fit_their_parameters, replace(UI, 'class="QComboBox"', 'class="QCheckBox"')),
    (index_rules.bound_widgets_fit_their_parameters, replace(MAIN, 'Annotated[str, Choice(["cpu"])]', "str")),
    (index_rules.bound_widgets_fit_their_parameters, replace(UI, 'class="QComboBox"', 'class="ctkSliderWidget"')),
    (index_rules.icons_have_their_sizes, write(ICON, _png(64, 64))),
    (index_rules.icons_have_their_sizes, write("KidneyParsing/Resources/Icons/KidneyCTA.png", _png(128, 128))),
    (index_rules.icons_have_their_sizes, remove(ICON)),
    (index_rules.tree_is_small, write("Resources/scan.nrrd", bytes(26 * index_rules.MB))),
    (index_rules.lines_end_in_lf, write(REQUIREMENTS, b"safetensors>=0.4\r\n")),
]


@pytest.mark.parametrize("rule", index_rules.RULES, ids=lambda rule: rule.__name__)
def test_the_extension_keeps_the_rule(rule: index_rules.Rule) -> None:
    assert rule(ROOT) == []


@pytest.mark.parametrize("rule", index_rules.RULES, ids=lambda rule: rule.__name__)
def test_the_toy_keeps_the_rule(rule: index_rules.Rule, tree: Path) -> None:
    assert rule(tree) == []


@pytest.mark.parametrize("rule, change", BROKEN, ids=[f"{rule.__name__}-{i}" for i, (rule, _) in enumerate(BROKEN)])
def test_a_broken_toy_is_noticed(rule: index_rules.Rule, change: Callable[[Path], None], tree: Path) -> None:
    change(tree)
    assert rule(tree)


def test_every_rule_can_fail() -> None:
    assert {rule for rule, _ in BROKEN} == set(index_rules.RULES)


def test_a_toy_of_many_files_is_too_large(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_rules, "MOST_TREE_MB", 0.0001)
    assert index_rules.tree_is_small(tree)


def test_a_number_in_a_slider_needs_a_range(tree: Path) -> None:
    replace(MAIN, 'device: Annotated[str, Choice(["cpu"])] = "cpu"', "device: float = 1.0")(tree)
    replace(UI, 'class="QComboBox"', 'class="ctkSliderWidget"')(tree)
    assert index_rules.bound_widgets_fit_their_parameters(tree)
    replace(MAIN, "device: float", "device: Annotated[float, WithinRange(0, 2)]")(tree)
    assert index_rules.bound_widgets_fit_their_parameters(tree) == []


def test_an_enum_may_be_in_a_combo_box(tree: Path) -> None:
    replace(MAIN, 'Annotated[str, Choice(["cpu"])] = "cpu"', "Device")(tree)
    assert index_rules.bound_widgets_fit_their_parameters(tree)
    replace(MAIN, "class KidneyParsingWidget", "class Device(enum.Enum):\n    CPU = 1\n\nclass KidneyParsingWidget")(
        tree
    )
    assert index_rules.bound_widgets_fit_their_parameters(tree) == []


def test_the_icon_is_drawn_from_its_svg(tmp_path: Path) -> None:
    pytest.importorskip("PySide6.QtSvg", reason="PySide6 is not installed", exc_type=ImportError)
    from PySide6.QtGui import QImage

    spec = importlib.util.spec_from_file_location("draw_icons", ROOT / "Utilities" / "draw_icons.py")
    draw_icons = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(draw_icons)
    draw_icons.draw((ROOT / ICON).with_suffix(".svg"), tmp_path / "icon.png")
    images = [QImage(str(path)) for path in (tmp_path / "icon.png", ROOT / ICON)]
    # Kept while their bits are looked at, which are freed with them.
    images = [image.convertToFormat(QImage.Format.Format_RGBA8888) for image in images]
    drawn, shipped = (np.array(image.constBits(), np.float32) for image in images)
    assert np.abs(drawn - shipped).mean() < 2, "run: python Utilities/draw_icons.py"


def test_the_icon_has_the_colours_of_the_structures() -> None:
    text = (ROOT / ICON).with_suffix(".svg").read_text(encoding="utf-8")
    for name in ("kidney", "tumor", "artery", "vein", "ureter"):
        assert "#{:02x}{:02x}{:02x}".format(*structure(name).color) in text, name
