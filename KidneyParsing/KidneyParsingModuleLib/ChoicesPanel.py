"""The panel's choices for a run: system, structures, quality, device."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import qt

from KidneyParsingLib.inference.options import QUALITIES

from .Graphics import GraphicsQuery
from .HardwareNotes import GraphicsCard, freeMemoryGB, notesFor, totalMemoryGB
from .Labels import showText
from .RunChoices import DEVICES, GPU, RunChoices
from .Texts import cardText, deviceText, modelName, modelScores, modelText, processorText, qualityText, structureText

COLUMNS = 3


class ChoicesPanel:
    """Shows RunChoices in the widgets of `ui` and calls `onChanged` with new ones when the user changes them.

    `models` are ModelInfo of KidneyParsingLib.inference.registry.
    """

    def __init__(self, ui: Any, models: Sequence[Any], onChanged: Callable[[RunChoices], None]) -> None:
        self._ui = ui
        self._models = {model.name: model for model in models}
        self._onChanged = onChanged
        self._choices = RunChoices()
        self._boxes: dict[str, qt.QCheckBox] = {}
        self._fill(ui.modelComboBox, [(modelName(model), model.name) for model in models], "model")
        self._fill(ui.qualityComboBox, [(qualityText(name), name) for name in QUALITIES], "quality")
        self._fill(ui.deviceComboBox, [(deviceText(name), name) for name in DEVICES], "device")
        showText(ui.deviceNoteLabel, "")
        self._graphics = GraphicsQuery(self._showGraphics)

    @property
    def structuresOf(self) -> dict[str, tuple[str, ...]]:
        """The models that there are, with the structures that each knows."""
        return {name: model.structures for name, model in self._models.items()}

    def askForGraphics(self) -> None:
        """Look for memory that is free, and for a graphics card in the background; the list of devices shows both."""
        combo = self._ui.deviceComboBox
        combo.setItemText(combo.findData("cpu"), processorText(freeMemoryGB(), totalMemoryGB()))
        self._graphics.start()

    def close(self) -> None:
        """Stop looking for a graphics card."""
        self._graphics.close()

    def show(self, choices: RunChoices) -> None:
        """Show these choices without calling `onChanged`."""
        self._choices = choices
        for combo, value in (
            (self._ui.modelComboBox, choices.model),
            (self._ui.qualityComboBox, choices.quality),
            (self._ui.deviceComboBox, choices.device),
        ):
            combo.setCurrentIndex(combo.findData(value))
        model = self._models.get(choices.model)
        if model:
            self._ui.modelInfoLabel.setText(modelText(model))
            self._ui.modelInfoLabel.setToolTip("\n".join(modelScores(model)))
            self._showStructures(model.structures)

    def setEnabled(self, enabled: bool) -> None:
        """Whether choices can be changed; during a run they cannot."""
        widgets = (self._ui.modelComboBox, self._ui.structuresWidget, self._ui.qualityComboBox, self._ui.deviceComboBox)
        for widget in widgets:
            widget.setEnabled(enabled)

    def _fill(self, combo: qt.QComboBox, entries: list[tuple[str, str]], field: str) -> None:
        for text, value in entries:
            combo.addItem(text, value)
        # A function with any number of arguments: Qt 5 sends both an index and a text.
        combo.activated.connect(lambda *_arguments: self._choose(combo, field))

    def _choose(self, combo: qt.QComboBox, field: str) -> None:
        value = combo.itemData(combo.property("currentIndex"))
        # Another model knows other structures: all of them to begin with.
        others = {"structures": None} if field == "model" and value != self._choices.model else {}
        self._change(replace(self._choices, **{field: value}, **others))

    def _change(self, choices: RunChoices) -> None:
        self.show(choices)
        self._onChanged(choices)

    def _showStructures(self, names: tuple[str, ...]) -> None:
        if tuple(self._boxes) != names:
            self._createBoxes(names)
        chosen = names if self._choices.structures is None else self._choices.structures
        for name, box in self._boxes.items():
            box.blockSignals(True)
            box.setChecked(name in chosen)
            box.blockSignals(False)

    def _createBoxes(self, names: tuple[str, ...]) -> None:
        layout = self._ui.structuresWidget.layout()
        for box in self._boxes.values():
            layout.removeWidget(box)
            box.hide()
            box.deleteLater()
        self._boxes = {}
        for number, name in enumerate(names):
            box = qt.QCheckBox(structureText(name))
            box.toggled.connect(partial(self._toggle, name))
            layout.addWidget(box, number // COLUMNS, number % COLUMNS)
            self._boxes[name] = box

    def _toggle(self, name: str, checked: bool) -> None:
        names = tuple(self._boxes)
        chosen = set(names if self._choices.structures is None else self._choices.structures)
        chosen.symmetric_difference_update({name} if (name in chosen) != checked else ())
        kept = tuple(entry for entry in names if entry in chosen)
        self._change(replace(self._choices, structures=None if kept == names else kept))

    def _showGraphics(self, card: GraphicsCard | None) -> None:
        combo = self._ui.deviceComboBox
        if card:
            combo.setItemText(combo.findData(GPU), cardText(card))
        showText(self._ui.deviceNoteLabel, "\n".join(notesFor(card)))
