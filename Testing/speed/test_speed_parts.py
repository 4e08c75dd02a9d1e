"""What the benchmark measures with: arithmetic, scans, the export step, the reference, agreement, and peers."""

from __future__ import annotations

import importlib
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from torch.utils.flop_counter import FlopCounterMode

from KidneyParsingLib.cli import main
from KidneyParsingLib.networks.checkpoint import load_network, save_network
from KidneyParsingLib.networks.configs import NetworkConfig
from KidneyParsingLib.networks.registry import build
from KidneyParsingLib.speed.agreement import agreement
from KidneyParsingLib.speed.ceiling import ceiling, conv_flops
from KidneyParsingLib.speed.export_step import labels_by_nnunet, labels_by_ours, labels_by_torch, made_logits
from KidneyParsingLib.speed.flops import window_flops
from KidneyParsingLib.speed.reference import ExactNetwork, PlainBackend, raw_labels
from KidneyParsingLib.speed.reference_network import reference_config, release_reference
from KidneyParsingLib.speed.scans import ScanGrid, on_scan_grid
from KidneyParsingLib.volumes.reading import read_ct
from KidneyParsingLib.volumes.volume import Volume
from KidneyParsingLib.volumes.writing import write_volume

TINY = replace(reference_config(quick=True), features=(4, 8), patch=(16, 16, 16))


def hand_count(config: NetworkConfig) -> int:
    """Multiply-adds of a plain U-Net, twice: every 3x3x3 convolution, transposed 2x2x2 one and the 1x1x1 head."""
    total, voxels = 0, np.prod(config.patch)
    sizes = [voxels // 8**level for level in range(len(config.features))]
    below = 1
    for width, size in zip(config.features, sizes, strict=True):
        total += 27 * size * width * (below + width)
        below = width
    for level in range(len(config.features) - 1):
        width, deeper = config.features[level : level + 2]
        total += sizes[level] * (deeper * width + 27 * width * (2 * width + width))
    return int(2 * (total + voxels * config.features[0] * config.outputs))


@pytest.mark.parametrize("config", [TINY, reference_config()], ids=["tiny", "reference"])
def test_flops_of_a_window_are_those_counted_by_hand(config: NetworkConfig) -> None:
    assert window_flops(config) == hand_count(config)


def test_reference_network_is_the_stated_one() -> None:
    network = build(reference_config())
    assert round(sum(p.numel() for p in network.parameters()) / 1e6, 1) == 6.1
    assert window_flops(reference_config()) / 1e9 == pytest.approx(179.0, abs=0.1)


def test_released_weights_are_the_same_every_time(tmp_path: Path) -> None:
    paths = [release_reference(tmp_path / name, quick=True) for name in "ab"]
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert {"manifest.json", paths[0].name} < {path.name for path in (tmp_path / "a").iterdir()}


def test_ceiling_counts_what_torch_counts() -> None:
    with FlopCounterMode(display=False) as counter:
        torch.nn.functional.conv3d(torch.ones(1, 8, 4, 5, 6), torch.ones(8, 8, 3, 3, 3), padding=1)
    assert counter.get_total_flops() == conv_flops(8, (4, 5, 6))
    assert all(value > 0 for value in ceiling(quick=True).values())


def test_scan_lies_around_the_centre_of_the_ct_and_is_air_beyond_it() -> None:
    z, y, x = np.meshgrid(*(np.arange(n) for n in (20, 24, 28)), indexing="ij")
    volume = Volume((10 * x + 3 * y - 5 * z).astype(np.int16), np.diag([2.0, 2.0, 3.0, 1.0]))
    made = on_scan_grid(volume, ScanGrid((40, 40, 30), (1.0, 1.0, 2.5)))
    assert made.array.shape == (30, 40, 40) and made.array.dtype == np.int16
    centers = [(v.affine @ [*(np.array(v.array.shape[::-1]) - 1) / 2, 1])[:3] for v in (volume, made)]
    assert centers[0] == pytest.approx(centers[1])
    corner = (made.affine @ [20, 20, 15, 1])[:3] / [2, 2, 3]
    assert made.array[15, 20, 20] == pytest.approx(corner @ [10, 3, -5], abs=0.51)
    assert made.array[0, 0, 0] == -1024
    assert (on_scan_grid(volume, ScanGrid((40, 40, 30), (1.0, 1.0, 2.5)), mirrored=True).array > -1024).all()


def test_our_export_step_is_exact() -> None:
    logits, shape = made_logits((64, 100, 100)), (90, 180, 180)
    exact = labels_by_torch(logits, shape)
    assert len(np.unique(exact)) == 6 and exact[0, 0, 0] == 0
    assert (labels_by_ours(logits, shape) != exact).sum() <= 1


def test_nnunets_export_step_is_nearly_exact() -> None:
    pytest.importorskip("nnunetv2", reason="nnU-Net is only compared with where it is installed")
    logits, shape = made_logits((20, 30, 30)), (30, 55, 55)
    assert (labels_by_nnunet(logits, shape) != labels_by_torch(logits, shape)).mean() < 1e-3


def test_agreement_of_a_worked_example() -> None:
    labels, reference = np.array([0, 1, 1, 3]), np.array([0, 1, 2, 3])
    found = agreement(labels, reference)
    assert found["equal"] == 0.75
    assert found["dice"] == {"kidney": pytest.approx(2 / 3), "tumor": 0.0, "artery": 1.0}


def write_case(folder: Path, blocks: tuple[int, int, int]) -> tuple[Path, Path, np.ndarray]:
    """A CT of blocks of 4 x 4 x 4 voxels on the tiny network's own grid, the network's file and the exact labels."""
    torch.manual_seed(1)
    weights, ct = folder / "weights.safetensors", folder / "ct.nii.gz"
    save_network(weights, build(TINY), TINY)
    array = np.kron(np.random.default_rng(2).integers(-150, 400, blocks), np.ones((4, 4, 4))).astype(np.int16)
    write_volume(Volume(array, np.diag([*TINY.spacing_mm[::-1], 1.0])), ct)
    network, config = load_network(weights)
    return ct, weights, raw_labels(ExactNetwork(PlainBackend(network), config), read_ct(ct))


def test_exact_network_is_the_network_itself_where_one_window_is_enough() -> None:
    torch.manual_seed(3)
    network = build(TINY).eval()
    hu = np.random.default_rng(4).integers(-150, 400, TINY.patch).astype(np.float32)
    with torch.inference_mode():
        image = (torch.from_numpy(hu).clamp(*TINY.clip_hu) - TINY.mean_hu) / TINY.std_hu
        expected = network.predict(image[None, None]).softmax(1)[0].numpy()
    assert np.allclose(ExactNetwork(PlainBackend(network), TINY).maps(hu), expected, atol=1e-5)


@pytest.mark.parametrize(("blocks", "windows", "least"), [((4, 4, 4), 1, 0.98), ((6, 7, 8), 2 * 3 * 3, 0.85)])
@pytest.mark.parametrize(("peer", "package"), [("nnunet", "nnunetv2"), ("monai", "monai")])
def test_peers_find_what_the_plain_network_does(
    peer: str, package: str, blocks: tuple[int, int, int], windows: int, least: float, tmp_path: Path
) -> None:
    """In one window nearly the same: nnU-Net weights it in float16. In several they blend logits, we probabilities,
    which shows with random weights."""
    pytest.importorskip(package, reason="peers are only run where they are installed")
    pytest.importorskip("nibabel", reason="MONAI reads files with nibabel")
    ct, weights, exact = write_case(tmp_path, blocks)
    output = tmp_path / "labels.nii.gz"
    result = importlib.import_module(f"KidneyParsingLib.speed.peers.{peer}").run(ct, weights, output)
    found = sitk.GetArrayFromImage(sitk.ReadImage(str(output)))
    assert found.shape == exact.shape and (found == exact).mean() > least and len(np.unique(exact)) > 3
    assert result["windows"] == windows and list(result["phases"]) == ["read", "locate", "network", "labels", "write"]


def test_a_quick_benchmark_of_ours_runs_through(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert main(["benchmark", "speed", "--quick", "--peers", "none", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"ratio nnU-Net -, MONAI -, peak \d+\.\d\d GiB", printed[-1])
    of_whole = [line.split("|") for line in printed if line.startswith("| ours, whole scan, same windows |")]
    assert any("%" in cells[2] and float(cells[2].strip(" %")) > 99.9 for cells in of_whole)
