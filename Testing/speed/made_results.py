"""Results as a benchmark would have measured them, with round numbers."""

from __future__ import annotations

from typing import Any

MACHINE = {
    "cpu": "Some CPU", "cores": 2, "memory_gib": 16.0, "system": "Linux", "python": "3.11", "date": "2026-01-01",
    "versions": {"torch": "2.13.0"},
}  # fmt: skip
NETWORK = {
    "parameters": 6_100_000, "ct_size": [512, 512, 256], "ct_mm": [0.78, 0.78, 1.0], "grid": [171, 267, 267],
    "patch": [96, 128, 128], "windows": 48, "gflop_per_window": 100.0,
}  # fmt: skip


def run(seconds: float, peak: float = 1.0, windows: int | None = None) -> dict[str, Any]:
    """A run of which the network took all but two seconds."""
    phases = {"start": 1.0, "network": seconds - 2, "write": 1.0}
    made = {"process_seconds": seconds, "seconds": seconds, "cpu_seconds": 2 * seconds, "peak_gib": peak}
    return made | {"phases": phases} | ({} if windows is None else {"windows": windows})


def results() -> dict[str, Any]:
    """Three rounds of nnU-Net and ours, none of MONAI."""
    rounds = [{"nnunet": run(peer, 3.0, 48), "whole": run(ours, 1.25, 48)} for peer, ours in
              ((300.0, 102.0), (90.0, 100.0), (310.0, 98.0))]  # fmt: skip
    export = [{"torch": {"seconds": 10.0, "extra_gib": 2.0, "differing": 0, "voxels": 1000},
               "nnunet": {"seconds": 40.0, "extra_gib": 1.8, "differing": 3, "voxels": 1000},
               "ours": {"seconds": 0.5, "extra_gib": 0.1, "differing": 0, "voxels": 1000}}]  # fmt: skip
    point = {"preset": "default", "slices": 128, "slice_mm": 1.0, "curves": ["length", "spacing"], "length_mm": 128.0}
    return {
        "settings": {}, "machine": MACHINE, "network": NETWORK, "rounds": rounds, "export": export,
        "ceiling": [{"torch": 80.0}, {"torch": 98.0, "openvino": 97.0}],
        "agreement": {"whole": {"equal": 0.99951, "dice": {"kidney": 0.9876}}},
        "first": {"default": 12.34},
        "scaling": {"a": point | {"seconds": 5.0, "peak_gib": 0.9}},
    }  # fmt: skip
