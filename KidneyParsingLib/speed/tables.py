"""Results as a page of Markdown tables, and the one line that says it all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..anatomy import STRUCTURES
from .phases import PHASES
from .results import best_gflops, middle, middle_phase, network_gflops, ratio, runs_of
from .rows import MONAI, NNUNET, OURS, Row

_EXPORT_TITLES = {
    "nnunet": "nnU-Net v2 (resampling, argmax)",
    "torch": "torch (interpolate everything, argmax)",
    "ours": "ours",
}
_NOTE = (
    "Seconds are medians over the rounds. Ours hold the whole run of the program (start of Python, loading of the "
    "network); those of the peers begin when their network is loaded, and their start is not counted. CPU seconds and "
    "peak memory (resident set) are those of the whole process."
)
_AGREEMENT_NOTE = (
    "The reference is the same network in plain torch float32, window by window: for the peers its labels over the "
    "whole scan, for ours the parser's result made with it (over the whole scan without clean-up, as peers do none; "
    "around the kidneys with it). The weights are random, so labels "
    "are speckled and all that peers do otherwise shows: nnU-Net resamples the CT cubically and blends in float16, "
    "MONAI places windows otherwise, and both blend logits where ours blends probabilities."
)


def page(data: dict, rows: Sequence[Row]) -> str:
    """The whole page."""
    parts = [_head(data), _time_table(data, rows), _NOTE, _first_runs(data, rows)]
    parts += [_ceiling_table(data, rows), _agreement_table(data, rows)]
    parts += [_AGREEMENT_NOTE, _export_table(data), _scaling_table(data)]
    return "\n\n".join(part for part in parts if part) + "\n"


def last_line(data: dict) -> str:
    """How many times faster ours is over the whole scan with the same windows, and its peak memory."""
    to_nnunet, to_monai = (_times(ratio(data, peer, OURS)) for peer in (NNUNET, MONAI))
    return f"ratio nnU-Net {to_nnunet}, MONAI {to_monai}, peak {_number(middle(data, OURS, 'peak_gib'), 2)} GiB"


def _head(data: dict) -> str:
    machine, network = data["machine"], data["network"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    lines = [
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB; {machine['system']}; "
        f"Python {machine['python']}, {versions}; {machine['date']}; {len(data['rounds'])} rounds."
    ]
    if network:
        size, mm = (" x ".join(map(str, network[key])) for key in ("ct_size", "ct_mm"))
        lines.append(
            f"CT of {size} voxels of {mm} mm; network of {network['parameters'] / 1e6:.1f} M parameters, "
            f"{network['gflop_per_window']:.1f} GFLOP a window of {' x '.join(map(str, network['patch']))} voxels, "
            f"{network['windows']} windows over the scan."
        )
    return "\n".join(lines)


def _time_table(data: dict, rows: Sequence[Row]) -> str:
    titles = ["engine", "seconds", "vs nnU-Net", "vs MONAI", *PHASES.values(), "CPU s", "peak GiB"]
    return _table(titles, (_time_cells(data, row, len(titles) - 2) for row in rows))


def _time_cells(data: dict, row: Row, empty: int) -> list[str]:
    if not runs_of(data, row.key):
        return [row.title, row.missing or "not measured yet", *[""] * empty]
    phases = [_number(middle_phase(data, row.key, phase)) for phase in PHASES]
    ratios = [_times(ratio(data, peer, row.key)) for peer in (NNUNET, MONAI)]
    used, peak = middle(data, row.key, "cpu_seconds"), middle(data, row.key, "peak_gib")
    seconds = _number(middle(data, row.key, "seconds"))
    return [row.title, seconds, *ratios, *phases, _number(used), _number(peak, 2)]


def _first_runs(data: dict, rows: Sequence[Row]) -> str:
    """How long runs take that find nothing kept; empty if none was measured."""
    runs = [f"{row.title} {data['first'][row.key]:.1f} s" for row in rows if row.key in data["first"]]
    start = "The first run on a machine, which writes networks in other formats and probes the backends"
    return f"{start}: {', '.join(runs)}." if runs else ""


def _ceiling_table(data: dict, rows: Sequence[Row]) -> str:
    ceiling = best_gflops(data)
    if ceiling is None:
        return ""
    best = {name: max(entry.get(name, 0.0) for entry in data["ceiling"]) for name in data["ceiling"][0]}
    text = ", ".join(f"{name} {value:.1f}" for name, value in best.items())
    lines = []
    for row in rows:
        if found := network_gflops(data, row.key):
            windows, gflops = found
            lines.append([row.title, str(windows), f"{gflops:.1f}", f"{gflops / ceiling:.0%}"])
    head = f"The machine's fastest 3x3x3 convolution, measured in the same rounds: {ceiling:.1f} GFLOP/s ({text})."
    return f"{head}\n\n" + _table(["engine", "windows", "GFLOP/s of the network phase", "share of the ceiling"], lines)


def _agreement_table(data: dict, rows: Sequence[Row]) -> str:
    found = [(row.title, data["agreement"][row.key]) for row in rows if row.key in data["agreement"]]
    if not found:
        return ""
    names = [s.name for s in STRUCTURES if any(s.name in entry["dice"] for _, entry in found)]
    lines = [
        [title, f"{entry['equal']:.4%}", *(_number(entry["dice"].get(name), 4) for name in names)]
        for title, entry in found
    ]
    return _table(["engine", "equal voxels", *(f"Dice {name}" for name in names)], lines)


def _export_table(data: dict) -> str:
    lines = []
    for method, title in _EXPORT_TITLES.items():
        if runs := runs_of(data, method, "export"):
            seconds = middle(data, method, "seconds", "export")
            extra = middle(data, method, "extra_gib", "export")
            differing = f"{max(run['differing'] for run in runs):,} of {runs[0]['voxels']:,}"
            times = _times(ratio(data, NNUNET, method, "export"))
            lines.append([title, _number(seconds, 2), times, _number(extra, 2), differing])
    titles = ["export", "seconds", "vs nnU-Net", "GiB above the logits", "voxels that differ from torch"]
    return _table(titles, lines) if lines else ""


def _scaling_table(data: dict) -> str:
    lines = [
        [point["preset"], str(point["slices"]), f"{point['slice_mm']:g}", _number(point["seconds"]),
         _number(point["peak_gib"], 2)]
        for point in data["scaling"].values()
    ]  # fmt: skip
    return _table(["ours", "slices", "mm between slices", "seconds", "peak GiB"], lines) if lines else ""


def _table(titles: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rows = [titles, ["---"] * len(titles), *lines]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def _number(value: float | None, digits: int = 1) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _times(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}x"
