"""The extension as Slicer's build and the Extensions Index will see it, judged from its files."""

import ast
import importlib.util
import re
import struct
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULE = ROOT / "KidneyParsing"
MAIN_FILE = MODULE / "KidneyParsing.py"
HELPER_FILES = sorted((MODULE / "KidneyParsingModuleLib").glob("*.py"))
UI_FILE = MODULE / "Resources" / "UI" / "KidneyParsing.ui"
OWN_PACKAGES = {"KidneyParsingModuleLib", "KidneyParsingLib"}
# What the helpers take from the library when Slicer starts; test_server.py shows that it costs nothing.
LIGHT_MODULES = {"KidneyParsingLib.engine.messages", "KidneyParsingLib.inference.options"}
# Widgets whose binding to a parameter Slicer supports (slicer.parameterNodeWrapper.guiConnectors), as used here.
BINDABLE = {"qMRMLNodeComboBox", "QComboBox", "QCheckBox"}


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def parameter_fields() -> dict[str, str]:
    classes = [node for node in tree_of(MAIN_FILE).body if isinstance(node, ast.ClassDef)]
    (node,) = [node for node in classes if node.name == "KidneyParsingParameterNode"]
    return {item.target.id: ast.unparse(item.annotation) for item in node.body if isinstance(item, ast.AnnAssign)}


def ui_widgets() -> dict[str, ElementTree.Element]:
    return {widget.get("name"): widget for widget in ElementTree.parse(UI_FILE).iter("widget")}


def ui_parameters() -> dict[str, str]:
    found = {}
    for name, widget in ui_widgets().items():
        for entry in widget.findall("property[@name='SlicerParameterName']"):
            assert entry.get("stdset") == "0", name
            found[name] = entry.findtext("string")
    return found


def list_files():
    spec = importlib.util.spec_from_file_location("list_files", ROOT / "Utilities" / "list_files.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("folder", ["KidneyParsing", "KidneyParsingLib"])
def test_cmake_lists_are_the_files(folder):
    text = (ROOT / folder / "CMakeLists.txt").read_text(encoding="utf-8")
    for name, expected in list_files().files_of(folder).items():
        listed = re.search(rf"set\({name}\n(.*?)  \)", text, re.DOTALL).group(1).split()
        assert sorted(listed) == sorted(expected), "run: python Utilities/list_files.py"


def test_no_file_of_another_kind_is_left_out():
    kinds = {".py", ".pyc", *list_files().RESOURCE_SUFFIXES}
    for folder in ("KidneyParsing", "KidneyParsingLib"):
        paths = [path for path in (ROOT / folder).rglob("*") if path.is_file()]
        assert [path for path in paths if path.suffix not in kinds] == []


@pytest.mark.parametrize("key", ["HOMEPAGE", "CONTRIBUTORS", "DESCRIPTION", "ICONURL", "SCREENSHOTURLS", "DEPENDS"])
def test_extension_metadata_is_on_one_quoted_line(key):
    text = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    (value,) = re.findall(rf'^set\(EXTENSION_{key} "([^"\n]+)"\)$', text, re.MULTILINE)
    if key.endswith(("URL", "URLS", "HOMEPAGE")):
        assert value.startswith("https://")
    if key.endswith(("URL", "URLS")):
        assert value.endswith(".png") and "/blob/" not in value


def test_extension_project_and_line_endings():
    content = (ROOT / "CMakeLists.txt").read_bytes()
    assert b"\nproject(KidneyParsing)\n" in content and b"\r" not in content
    assert b'set(EXTENSION_DEPENDS "PyTorch")' in content


def test_only_the_module_lies_in_the_module_folder():
    assert [path.name for path in MODULE.glob("*.py")] == ["KidneyParsing.py"]


@pytest.mark.parametrize("path", [MAIN_FILE, *HELPER_FILES], ids=lambda path: path.name)
def test_file_scope_imports_are_there_in_every_slicer(path):
    allowed = set(sys.stdlib_module_names) | {"qt", "ctk", "vtk", "slicer"} | OWN_PACKAGES
    for node in tree_of(path).body:
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module]
        for name in names:
            assert name.split(".")[0] in allowed, name
            assert name.split(".")[0] != "KidneyParsingLib" or name in LIGHT_MODULES, name


def test_classes_that_slicer_looks_for():
    names = {node.name for node in tree_of(MAIN_FILE).body if isinstance(node, ast.ClassDef)}
    assert {f"KidneyParsing{kind}" for kind in ("", "Widget", "Logic", "Test", "ParameterNode")} <= names


@pytest.mark.parametrize("path", [MAIN_FILE, *HELPER_FILES], ids=lambda path: path.name)
def test_widgets_used_in_code_are_in_the_ui_file(path):
    used = {
        node.attr
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("self.ui", "self._ui")
    }
    assert used <= set(ui_widgets())


def test_bound_widgets_are_parameters_of_a_bindable_type():
    bound = ui_parameters()
    assert set(bound.values()) <= set(parameter_fields())
    assert {ui_widgets()[name].get("class") for name in bound} <= BINDABLE
    for name, field in bound.items():
        if ui_widgets()[name].get("class") == "QComboBox":
            assert "Choice" in parameter_fields()[field]


def test_node_selectors_get_the_scene_and_show_the_parameters_class():
    top = ElementTree.parse(UI_FILE).getroot().find("widget")
    assert top.get("class") == "qMRMLWidget"
    connected = {c.findtext("receiver") for c in ElementTree.parse(UI_FILE).iter("connection")}
    for name, widget in ui_widgets().items():
        if widget.get("class") == "qMRMLNodeComboBox":
            (node_type,) = [entry.text for entry in widget.findall("property[@name='nodeTypes']/stringlist/string")]
            assert name in connected and parameter_fields()[ui_parameters()[name]] == node_type


def test_first_line_of_the_panel_and_tooltips():
    labels = [widget for widget in ui_widgets().values() if widget.get("class") == "QLabel"]
    assert labels[0].findtext("property[@name='text']/string") == "Research use only. Not a medical device."
    plain = ("QLabel", "qMRMLWidget", "ctkCollapsibleButton")
    for name, widget in ui_widgets().items():
        assert widget.get("class") in plain or widget.findtext("property[@name='toolTip']/string"), name


def test_icon_is_a_png_of_128_pixels():
    content = (MODULE / "Resources" / "Icons" / "KidneyParsing.png").read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n" and struct.unpack(">II", content[16:24]) == (128, 128)


def test_requirements_spare_what_slicer_brings():
    lines = (MODULE / "Resources" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    names = {re.split(r"[<>=!~ ]", line)[0].lower() for line in lines if line and not line.startswith("#")}
    assert names and not names & {"torch", "numpy", "scipy", "simpleitk", "pydicom", "requests", "vtk"}
    assert all(">=" in line for line in lines if not line.startswith("#"))
