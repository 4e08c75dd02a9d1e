"""Words and colour swatches on a picture, in pixels from its lower left corner."""

from __future__ import annotations

import vtk

from ..volumes.volume import LabelMap

DARK = (0.13, 0.14, 0.17)
LIGHT = (0.96, 0.96, 0.97)
LEGEND_COLUMNS = 3
LEGEND_ROWS = 5
ROW_PIXELS = 30

Color = tuple[float, float, float]
Box = tuple[int, int, int, int]


def add_text(
    renderer: vtk.vtkRenderer,
    text: str,
    position: tuple[float, float],
    color: Color,
    size: int = 19,
    anchor: str = "left",
) -> None:
    """Write `text` at `position` (pixels), which is its vertical middle and its `anchor`: left, centered or right."""
    actor = vtk.vtkTextActor()
    actor.SetInput(text)
    actor.SetPosition(*position)
    style = actor.GetTextProperty()
    style.SetFontSize(size)
    style.SetColor(color)
    style.SetShadow(color == LIGHT)
    style.SetVerticalJustificationToCentered()
    getattr(style, f"SetJustificationTo{anchor.capitalize()}")()
    renderer.AddViewProp(actor)


def add_directions(renderer: vtk.vtkRenderer, box: Box, letters: dict[str, str], color: Color) -> None:
    """Write letters at the edges of a `box` (x, y, width, height): `letters` maps left, right, top, bottom to them."""
    x, y, width, height = box
    inset = 18
    places = {
        "left": (x + inset, y + height / 2),
        "right": (x + width - inset, y + height / 2),
        "top": (x + width / 2, y + height - inset),
        "bottom": (x + width / 2, y + inset),
    }
    for edge, letter in letters.items():
        add_text(renderer, letter, places[edge], color, size=22, anchor="centered")


def add_legend(renderer: vtk.vtkRenderer, label_map: LabelMap, box: Box) -> None:
    """List the segments that have voxels, with colour and volume, column by column in a `box` (x, y, width, height)."""
    entries = [(s, ml) for s, ml in zip(label_map.segments, label_map.volumes_ml().values()) if ml > 0]
    hidden = len(entries) - LEGEND_COLUMNS * LEGEND_ROWS
    if hidden > 0:
        entries = entries[: -hidden - 1]
    for number, (segment, ml) in enumerate(entries):
        place = _legend_place(number, box)
        _add_swatch(renderer, place, segment.structure.color)
        add_text(renderer, f"{segment.name}  {_volume_text(ml)}", (place[0] + 26, place[1]), DARK)
    if hidden > 0:
        add_text(renderer, f"and {hidden + 1} more", _legend_place(len(entries), box), DARK)


def _legend_place(number: int, box: Box) -> tuple[float, float]:
    x, y, width, height = box
    column, row = divmod(number, LEGEND_ROWS)
    return x + column * width / LEGEND_COLUMNS, y + height - (row + 0.5) * ROW_PIXELS


def _volume_text(ml: float) -> str:
    if ml < 0.1:
        return "< 0.1 ml"
    return f"{ml:.0f} ml" if ml >= 100 else f"{ml:.1f} ml"


def _add_swatch(renderer: vtk.vtkRenderer, place: tuple[float, float], color: tuple[int, int, int]) -> None:
    square = vtk.vtkPlaneSource()
    square.SetOrigin(0.0, -8.0, 0.0)
    square.SetPoint1(16.0, -8.0, 0.0)
    square.SetPoint2(0.0, 8.0, 0.0)
    mapper = vtk.vtkPolyDataMapper2D()
    mapper.SetInputConnection(square.GetOutputPort())
    actor = vtk.vtkActor2D()
    actor.SetMapper(mapper)
    actor.SetPosition(*place)
    actor.GetProperty().SetColor([channel / 255 for channel in color])
    renderer.AddViewProp(actor)
