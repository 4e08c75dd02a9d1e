"""Markdown tables of the scores of made (synthetic) scans."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from made_scan_scores import NEAR_MM, SIZE_CLASSES, size_class

from KidneyParsingLib.anatomy import TUBES

Record = dict[str, Any]
Column = tuple[str, Callable[[Record], float | None]]


def _column(title: str, kind: str, name: str) -> Column:
    return title, lambda record: record[kind].get(name)


def _tube_columns(kind: str) -> list[Column]:
    """Each tube over the whole scan and near the kidneys."""
    pairs = [((name, kind), (f"{name}, {NEAR_MM:.0f} mm", f"{kind}_near")) for name in TUBES]
    return [_column(title, where, name) for name, pair in zip(TUBES, pairs, strict=True) for title, where in pair]


def tables(model: str, records: list[Record]) -> str:
    """All tables of one model."""
    overlap = [_column(name, "dice", name) for name in ("kidney", "tumor", "cyst")] + _tube_columns("dice")
    return "\n".join(
        [
            f"## {model}: {len(records)} made (synthetic) scans",
            f'Mean over the scans that show the structure (how many); "{NEAR_MM:.0f} mm": no farther than that from',
            "the kidneys' bounding box. The prediction of vessels ends near the kidneys, the truth does not.",
            *_grouped("Dice", overlap, records),
            *_grouped("clDice", _tube_columns("cldice"), records),
            *_tumor_table(records),
            *_kidney_table(records),
            "",
        ]
    )


def _groups(records: list[Record]) -> dict[str, list[Record]]:
    """The records by phase, by slice thickness class and all."""
    found: dict[str, list[Record]] = {}
    for key, form in (("phase", "{}"), ("slices", "{} slices")):
        for record in records:
            found.setdefault(form.format(record[key]), []).append(record)
    return found | {"all": records}


def _grouped(title: str, columns: list[Column], records: list[Record]) -> list[str]:
    rows = [[name, *(_mean(map(value, group)) for _, value in columns)] for name, group in _groups(records).items()]
    return _table([title, *(heading for heading, _ in columns)], rows)


def _tumor_table(records: list[Record]) -> list[str]:
    scored = [record for record in records if "tumors" in record]
    tumors = [tumor for record in scored for tumor in record["tumors"]]
    rows = []
    for name in SIZE_CLASSES:
        group = [tumor for tumor in tumors if size_class(tumor["mm"]) == name]
        rows.append([name, str(len(group)), _mean(t["dice"] for t in group), _mean(float(t["found"]) for t in group)])
    if not scored:
        return []
    false = sum(record["false_tumors"] for record in scored)
    ml = sum(record["false_tumor_ml"] for record in scored) / len(scored)
    text = f"False tumors: {false} in {len(scored)} scans, {ml:.1f} ml a scan."
    return [*_table(["Tumor", "tumors", "Dice", "found"], rows), "", text]


def _kidney_table(records: list[Record]) -> list[str]:
    groups = _groups([record for record in records if "kidneys" in record])
    rows = [
        [
            name,
            str(sum(record["kidneys"] for record in group)),
            str(sum(record["missed_kidneys"] for record in group)),
            _mean((record["false_kidney_ml"] for record in group), digits=1),
        ]
        for name, group in groups.items()
    ]
    return _table(["Kidneys", "in truth", "missed", "false kidney, ml a scan"], rows) if groups["all"] else []


def _mean(values: Iterable[float | None], digits: int = 3) -> str:
    known = [value for value in values if value is not None]
    return f"{sum(known) / len(known):.{digits}f} ({len(known)})" if known else "-"


def _table(heading: list[str], rows: list[list[str]]) -> list[str]:
    lines = [heading, ["---"] * len(heading), *rows]
    return ["", *(f"| {' | '.join(line)} |" for line in lines)]
