"""Made HU: right means, resolution and noise, and the same again for the same seed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from KidneyParsingLib.synthesis.appearance import PHASES, Appearance, draw_appearance, paint
from KidneyParsingLib.synthesis.tissues import NUM_TISSUES, Tissue


def plain(**changes: float) -> Appearance:
    mean = np.zeros(NUM_TISSUES)
    mean[Tissue.AIR], mean[Tissue.CORTEX] = -1000, 180
    still = Appearance(mean, np.zeros(NUM_TISSUES), -9.0, 0.1, 1.0, 0.0, 1.0)
    return replace(still, **changes)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def a_half_space() -> torch.Tensor:
    tissues = torch.full((32, 32, 32), int(Tissue.CORTEX), dtype=torch.uint8)
    tissues[16:] = Tissue.AIR
    return tissues


def test_without_blur_and_noise_every_voxel_has_its_tissue_s_hu(a_half_space: torch.Tensor) -> None:
    hu = paint(a_half_space, 2.0, plain(), seeded())
    assert hu[:16].unique().tolist() == [180]
    assert hu[16:].unique().tolist() == [-1000]


def test_noise_has_the_asked_standard_deviation(a_half_space: torch.Tensor) -> None:
    hu = paint(a_half_space, 2.0, plain(noise_hu=12.0), seeded())
    assert hu[2:14].std().item() == pytest.approx(12, rel=0.1)


def test_blur_keeps_the_mean_and_the_edge_s_half_height(a_half_space: torch.Tensor) -> None:
    hu = paint(a_half_space, 1.0, plain(blur_mm=2.0), seeded())
    profile = hu.mean((1, 2))
    assert profile[15:17].mean().item() == pytest.approx((180 - 1000) / 2, abs=1)
    assert -1000 < profile[17] < profile[16] < profile[15] < profile[14] < 180


def test_thick_slices_blur_along_z_only(a_half_space: torch.Tensor) -> None:
    across = a_half_space.movedim(0, 2)
    along = paint(a_half_space, 1.0, plain(slice_mm=5.0), seeded())
    assert paint(across, 1.0, plain(slice_mm=5.0), seeded()).unique().numel() == 2
    assert along.unique().numel() > 2


def test_a_coarser_grid_holds_the_block_means(a_half_space: torch.Tensor) -> None:
    odd = a_half_space.roll(1, 0)
    hu = paint(odd, 2.0, plain(), seeded(), factor=2)
    assert hu.shape == (16, 16, 16)
    assert hu[8, 0, 0].item() == pytest.approx((180 - 1000) / 2)


def test_the_same_seed_paints_the_same_scan(a_half_space: torch.Tensor) -> None:
    looks = [draw_appearance(np.random.default_rng(5)) for _ in range(2)]
    first, second = (paint(a_half_space, 2.0, look, seeded(3)) for look in looks)
    assert torch.equal(first, second)


def test_phases_enhance_what_they_should() -> None:
    """Means over many draws: cortex over medulla in the arterial phase, urine bright in the excretory one only."""
    mean = {
        phase: np.mean([draw_appearance(np.random.default_rng(s), phase).mean_hu for s in range(60)], 0)
        for phase in PHASES
    }
    assert mean["arterial"][Tissue.CORTEX] > mean["arterial"][Tissue.MEDULLA] + 40
    assert mean["arterial"][Tissue.ARTERY] > mean["arterial"][Tissue.VEIN] + 50
    assert mean["excretory"][Tissue.URINE] > 150 > 30 > mean["portal"][Tissue.URINE]
    assert 25 < mean["none"][Tissue.CORTEX] < 42
    assert mean["none"][Tissue.CORTEX] == mean["none"][Tissue.MEDULLA]
