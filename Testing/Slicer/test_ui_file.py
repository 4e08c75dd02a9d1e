"""The panel's .ui file, judged from its text; test_extensions_index.py has the rules for all extensions."""

from __future__ import annotations

import ast
import xml.etree.ElementTree as ElementTree
from pathlib import Path

MODULE = Path(__file__).resolve().parents[2] / "KidneyParsing"
UI = ElementTree.parse(MODULE / "Resources" / "UI" / "KidneyParsing.ui").getroot()
PLAIN = ("QLabel", "qMRMLWidget", "ctkCollapsibleButton")


def widgets() -> list[ElementTree.Element]:
    return list(UI.iter("widget"))


def main_classes() -> dict[str, ast.ClassDef]:
    tree = ast.parse((MODULE / "KidneyParsing.py").read_text(encoding="utf-8"))
    return {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}


def test_first_line_says_research_use_only():
    labels = [widget for widget in widgets() if widget.get("class") == "QLabel"]
    assert labels[0].findtext("property[@name='text']/string") == "Research use only. Not a medical device."


def test_sections_come_in_the_order_of_the_work():
    sections = [w.findtext("property/string") for w in widgets() if w.get("class") == "ctkCollapsibleButton"]
    assert [text for text in sections if text != "Log"] == [
        "1. Scan",
        "2. Parse",
        "3. Review",
        "4. Correct",
        "5. Export",
    ]


def test_everything_to_press_has_a_tooltip():
    for widget in widgets():
        tip = widget.findtext("property[@name='toolTip']/string")
        assert widget.get("class") in PLAIN or tip, widget.get("name")


def test_nothing_is_styled():
    assert not UI.findall(".//property[@name='styleSheet']") and not UI.findall(".//property[@name='palette']")


def test_node_selectors_get_the_scene_and_show_the_parameters_class():
    fields = {
        item.target.id: ast.unparse(item.annotation)
        for item in main_classes()["KidneyParsingParameterNode"].body
        if isinstance(item, ast.AnnAssign)
    }
    assert UI.find("widget").get("class") == "qMRMLWidget"
    connected = {connection.findtext("receiver") for connection in UI.iter("connection")}
    for widget in widgets():
        if widget.get("class") == "qMRMLNodeComboBox":
            (node_class,) = [entry.text for entry in widget.findall("property[@name='nodeTypes']/stringlist/string")]
            parameter = widget.findtext("property[@name='SlicerParameterName']/string")
            assert widget.get("name") in connected and fields[parameter] == node_class


def test_the_file_has_the_classes_that_slicer_looks_for():
    assert {f"KidneyParsing{kind}" for kind in ("", "Widget", "Logic", "Test", "ParameterNode")} <= set(main_classes())


def test_the_widget_stays_thin():
    widget = main_classes()["KidneyParsingWidget"]
    assert widget.end_lineno - widget.lineno < 220
