"""The table of segments: eye, colour and name, opacity, volume, status."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import qt
from slicer.i18n import tr as _

from .Texts import formatVolume, statusText

NAME, OPACITY, VOLUME, STATUS = range(4)
MOST_ROWS = 12
FRAME_PIXELS = 4


class SegmentTable:
    """Fills a QTableWidget with rows (`mrml.review_views.SegmentRow`) and tells of what the user changes in it.

    Rows are updated in place, so that a slider survives being dragged.
    """

    def __init__(
        self,
        table: Any,
        onVisible: Callable[[str, bool], None],
        onOpacity: Callable[[str, float], None],
        onSelected: Callable[[str], None],
    ) -> None:
        self._table = table
        self._onSelected = onSelected
        self._onVisible = onVisible
        self._onOpacity = onOpacity
        self._ids: list[str] = []
        self._selected = ""
        self._sliders: list[qt.QSlider] = []
        header = table.horizontalHeader()
        header.setSectionResizeMode(NAME, qt.QHeaderView.Stretch)
        for column in (OPACITY, VOLUME, STATUS):
            header.setSectionResizeMode(column, qt.QHeaderView.ResizeToContents)
        table.cellChanged.connect(self._onCellChanged)
        # By a key in the table; and by a click, also on the row that was chosen before none was.
        table.currentCellChanged.connect(self._onCell)
        table.cellClicked.connect(self._onCell)
        self._fitHeight(0)

    def show(self, rows: Sequence[Any]) -> None:
        """Show these rows and no others."""
        self._table.blockSignals(True)
        ids = [row.id for row in rows]
        if ids != self._ids:
            self._create(ids)
        for number, row in enumerate(rows):
            self._update(number, row)
        self._table.blockSignals(False)

    def select(self, segmentID: str) -> None:
        """Highlight this segment's row, or none; `onSelected` is not called."""
        self._selected = segmentID
        self._table.blockSignals(True)
        self._highlight()
        self._table.blockSignals(False)

    def _highlight(self) -> None:
        if self._selected in self._ids:
            self._table.selectRow(self._ids.index(self._selected))
        else:
            self._table.clearSelection()

    def _create(self, ids: list[str]) -> None:
        self._ids = ids
        self._table.setRowCount(0)
        self._table.setRowCount(len(ids))
        self._fitHeight(len(ids))
        self._sliders = [self._createSlider(segmentID) for segmentID in ids]
        for number, slider in enumerate(self._sliders):
            for column in (NAME, VOLUME, STATUS):
                self._table.setItem(number, column, qt.QTableWidgetItem())
            self._table.setCellWidget(number, OPACITY, slider)
        self._highlight()

    def _fitHeight(self, count: int) -> None:
        """As high as its rows and the header; an empty table takes no room."""
        self._table.setVisible(bool(count))
        if count:
            sizeHint = self._table.horizontalHeader().property("sizeHint")
            rows = min(count, MOST_ROWS) * self._table.rowHeight(0)
            self._table.setFixedHeight(rows + sizeHint.height() + FRAME_PIXELS)

    def _createSlider(self, segmentID: str) -> qt.QSlider:
        slider = qt.QSlider(qt.Qt.Horizontal)
        slider.setRange(0, 100)
        slider.setToolTip(_("Opacity in 3D, in percent."))
        slider.valueChanged.connect(partial(self._onSlider, segmentID))
        return slider

    def _update(self, number: int, row: Any) -> None:
        name = self._table.item(number, NAME)
        name.setText(row.name)
        color = qt.QColor()
        color.setRgbF(*row.color)
        name.setData(qt.Qt.DecorationRole, color)
        name.setCheckState(qt.Qt.Checked if row.visible else qt.Qt.Unchecked)
        slider = self._sliders[number]
        slider.blockSignals(True)
        slider.setValue(round(100 * row.opacity))
        slider.blockSignals(False)
        volume = self._table.item(number, VOLUME)
        volume.setText("" if row.ml is None else formatVolume(row.ml))
        volume.setTextAlignment(qt.Qt.AlignRight | qt.Qt.AlignVCenter)
        self._table.item(number, STATUS).setText(statusText(row.status))

    def _onCellChanged(self, number: int, column: int) -> None:
        if column == NAME:
            self._onVisible(self._ids[number], self._table.item(number, NAME).checkState() == qt.Qt.Checked)

    def _onCell(self, number: int, column: int, numberBefore: int = -1, columnBefore: int = -1) -> None:
        if 0 <= number < len(self._ids) and self._ids[number] != self._selected:
            self._onSelected(self._ids[number])

    def _onSlider(self, segmentID: str, percent: int) -> None:
        self._onOpacity(segmentID, percent / 100)
