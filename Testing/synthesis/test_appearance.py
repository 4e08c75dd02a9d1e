"""Made HU: right means, resolution, noise, enhancement and artifacts, and the same again for the same seed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from KidneyParsingLib.errors import InputError
from KidneyParsingLib.synthesis.look.appearance import (
    PHASES,
    Appearance,
    describe,
    draw_appearance,
    paint,
)
from KidneyParsingLib.synthesis.look.artifacts import Artifacts
from KidneyParsingLib.synthesis.look.enhancement import TUMOR_KINDS, Bolus, VeinHU, enhancement
from KidneyParsingLib.synthesis.look.hu_tables import ENHANCED_HU, PLAIN_HU
from KidneyParsingLib.synthesis.look.scanner import Scanner
from KidneyParsingLib.synthesis.tissues import NUM_TISSUES, Tissue

_NORMAL = Bolus(time_s=40, dose=1, output=1, kvp=120, medulla_s=52, function=1)


def plain(artifacts: Artifacts | None = None, **scanner: float) -> Appearance:
    mean = np.zeros(NUM_TISSUES)
    mean[Tissue.AIR], mean[Tissue.CORTEX], mean[Tissue.METAL] = -1000, 180, 2800
    mean[Tissue.BONE] = 700
    return Appearance(mean, scanner=Scanner(**scanner), artifacts=artifacts or Artifacts())


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def cube(tissue: Tissue, shape: tuple[int, int, int] = (32, 32, 32)) -> torch.Tensor:
    return torch.full(shape, int(tissue), dtype=torch.uint8)


def drawn(phase: str, count: int = 80) -> list[Appearance]:
    return [draw_appearance(np.random.default_rng(seed), phase) for seed in range(count)]


@pytest.fixture
def a_half_space() -> torch.Tensor:
    tissues = cube(Tissue.CORTEX)
    tissues[16:] = Tissue.AIR
    return tissues


def test_without_blur_and_noise_every_voxel_has_its_tissue_s_hu(a_half_space: torch.Tensor) -> None:
    hu = paint(a_half_space, 2.0, plain(), seeded())
    assert hu.dtype == torch.float32
    assert hu[:16].unique().tolist() == [180]
    assert hu[16:].unique().tolist() == [-1000]


@pytest.mark.parametrize("tissue", [Tissue.LIVER, Tissue.SPLEEN, Tissue.CORTEX, Tissue.CYST])
def test_a_homogeneous_tissue_has_its_mean_hu(tissue: Tissue) -> None:
    """With texture, kernel, slices and noise of a drawn scan; patches of texture average out over many scans."""
    errors = []
    for seed in range(12):
        look = draw_appearance(np.random.default_rng(seed), "portal")
        hu = paint(cube(tissue), 2.0, replace(look, artifacts=Artifacts()), seeded(seed))
        errors.append(hu.mean().item() - look.mean_hu[tissue])
    assert np.mean(errors) == pytest.approx(0, abs=3)


@pytest.mark.parametrize(
    "scanner", [{}, {"slice_mm": 5.0, "increment_mm": 5.0}, {"slice_mm": 5.0, "increment_mm": 2.5}]
)
def test_noise_has_the_asked_standard_deviation(scanner: dict[str, float]) -> None:
    hu = paint(cube(Tissue.CORTEX, (40, 32, 32)), 2.0, plain(noise_hu=12.0, **scanner), seeded())
    assert hu.std().item() == pytest.approx(12, rel=0.1)


def test_noise_on_a_coarser_grid_is_less_by_the_factor_s_root() -> None:
    """Between that of white noise, by the root of its third power, and that of noise which neighbours share."""
    hu = paint(cube(Tissue.CORTEX, (80, 64, 64)), 1.0, plain(noise_hu=12.0), seeded(), factor=2)
    assert hu.std().item() == pytest.approx(12 / 2**0.5, rel=0.1)


def test_noise_is_shared_along_z_by_thick_slices_only() -> None:
    def neighbours(**scanner: float) -> float:
        hu = paint(cube(Tissue.CORTEX, (40, 32, 32)), 1.0, plain(noise_hu=12.0, **scanner), seeded()) - 180
        return (hu[1:] * hu[:-1]).mean().item() / hu.var().item()

    assert abs(neighbours(slice_mm=1.0, increment_mm=1.0)) < 0.05
    assert neighbours(slice_mm=3.0, increment_mm=3.0) > 0.5
    assert neighbours(slice_mm=4.0, increment_mm=1.0) > 0.5


def peak_frequency(sharpness: float) -> float:
    """Of the noise power spectrum, per mm, averaged over slices and directions."""
    spacing, size = 0.7, 64
    look = plain(noise_hu=10.0, sharpness=sharpness, low_noise=0.2)
    hu = paint(cube(Tissue.CORTEX, (24, size, size)), spacing, look, seeded())
    power = torch.fft.fft2(hu - hu.mean()).abs().square().mean(0)
    f = torch.fft.fftfreq(size, spacing)
    radius = torch.hypot(f[:, None], f[None])
    width = 0.06
    means = [power[(radius - middle).abs() < width / 2].mean() for middle in np.arange(width, 0.7, width)]
    return float((1 + np.argmax(means)) * width)


def test_a_sharp_kernel_s_noise_peaks_at_a_higher_frequency() -> None:
    smooth, sharp = peak_frequency(0.0), peak_frequency(1.0)
    assert 0.06 < smooth < 0.25 < sharp


def test_noise_is_strongest_in_the_middle_of_a_body() -> None:
    tissues = cube(Tissue.AIR, (24, 80, 80))
    y, x = torch.meshgrid(torch.arange(80) - 39.5, torch.arange(80) - 39.5, indexing="ij")
    radius = torch.hypot(y, x)
    tissues[:, radius < 36] = Tissue.CORTEX
    hu = paint(tissues, 4.0, plain(noise_hu=10.0, center=0.005), seeded())
    assert hu[:, radius < 8].std() > 1.25 * hu[:, (radius > 28) & (radius < 35)].std()
    assert hu[:, radius < 36].std().item() == pytest.approx(10, rel=0.1)


def test_blur_keeps_the_mean_and_the_edge_s_half_height() -> None:
    tissues = cube(Tissue.CORTEX)
    tissues[..., 16:] = Tissue.AIR
    profile = paint(tissues, 1.0, plain(blur_mm=2.0), seeded()).mean((0, 1))
    assert profile[15:17].mean().item() == pytest.approx((180 - 1000) / 2, abs=1)
    assert -1000 < profile[17] < profile[16] < profile[15] < profile[14] < 180


def test_a_sharp_kernel_overshoots_at_an_edge() -> None:
    tissues = cube(Tissue.BONE)
    tissues[..., 16:] = Tissue.CORTEX
    hu = paint(tissues, 1.0, plain(blur_mm=0.6, overshoot=0.5), seeded())
    assert hu.max() > 705
    assert hu.min() < 175


@pytest.mark.parametrize("thickness", [3.0, 5.0])
def test_a_plate_thinner_than_a_slice_shows_in_proportion(thickness: float) -> None:
    """Partial volume: a plate of 1 or 2 mm keeps its HU integral along z and shows its share of the slice."""
    air = plain().mean_hu[Tissue.AIR]
    for plate in (1, 2):
        tissues = cube(Tissue.AIR, (60, 8, 8))
        tissues[30 : 30 + plate] = Tissue.CORTEX
        look = plain(slice_mm=thickness, increment_mm=0.0)
        contrast = paint(tissues, 1.0, look, seeded())[:, 4, 4] - air
        assert contrast.max().item() == pytest.approx((180 - air) * plate / thickness, rel=0.01)
        assert contrast.sum().item() == pytest.approx((180 - air) * plate, rel=0.01)


def test_thick_slices_blur_along_z_only(a_half_space: torch.Tensor) -> None:
    look = plain(slice_mm=5.0, increment_mm=5.0)
    assert paint(a_half_space.movedim(0, 2), 1.0, look, seeded()).round().unique().numel() == 2
    assert paint(a_half_space, 1.0, look, seeded()).round().unique().numel() > 2


def test_breathing_moves_edges_along_z(a_half_space: torch.Tensor) -> None:
    """A plane that is tilted along y shows steps along z where slices were taken at another breath."""
    tilted = cube(Tissue.CORTEX)
    for y in range(32):
        tilted[y:, y] = Tissue.AIR
    still = paint(tilted, 2.0, plain(), seeded())
    moved = paint(tilted, 2.0, plain(Artifacts(breathing_mm=6.0)), seeded())
    assert (moved - still).abs().max() > 200
    assert torch.equal(paint(a_half_space[:8], 2.0, plain(Artifacts(breathing_mm=6.0)), seeded()), still[:8] * 0 + 180)


def test_a_coarser_grid_holds_the_block_means(a_half_space: torch.Tensor) -> None:
    odd = a_half_space.roll(1, 0)
    hu = paint(odd, 2.0, plain(), seeded(), factor=2)
    assert hu.shape == (16, 16, 16)
    assert hu[8, 0, 0].item() == pytest.approx((180 - 1000) / 2)


@pytest.mark.parametrize("factor", [1, 2])
def test_every_drawn_scan_can_be_painted(a_half_space: torch.Tensor, factor: int) -> None:
    tissues = torch.from_numpy(np.random.default_rng(0).choice(list(Tissue), (24, 32, 28)).astype(np.uint8))
    for seed in range(15):
        hu = paint(tissues, 2.0, draw_appearance(np.random.default_rng(seed)), seeded(seed), factor)
        assert hu.shape == tuple(n // factor for n in tissues.shape)
        assert torch.isfinite(hu).all()
        assert hu.min() >= -1024


def test_the_same_seed_paints_the_same_scan(a_half_space: torch.Tensor) -> None:
    looks = [draw_appearance(np.random.default_rng(5)) for _ in range(2)]
    first, second = (paint(a_half_space, 2.0, look, seeded(3)) for look in looks)
    assert torch.equal(first, second)
    assert not torch.equal(first, paint(a_half_space, 2.0, looks[0], seeded(4)))


def test_phases_enhance_what_they_should() -> None:
    mean = {phase: np.mean([look.mean_hu for look in drawn(phase)], 0) for phase in PHASES}
    artery = {phase: mean[phase][Tissue.ARTERY] for phase in PHASES}
    assert artery["arterial"] > artery["corticomedullary"] > artery["portal"] > artery["excretory"] > artery["none"]
    contrast = {phase: mean[phase][Tissue.CORTEX] - mean[phase][Tissue.MEDULLA] for phase in PHASES}
    assert contrast["corticomedullary"] > 40
    assert contrast["portal"] == pytest.approx(0, abs=20)
    assert contrast["none"] == pytest.approx(0, abs=1)
    assert 120 < mean["corticomedullary"][Tissue.CORTEX] < 250
    assert mean["excretory"][Tissue.URINE] > 150 > 40 > mean["portal"][Tissue.URINE]
    assert mean["portal"][Tissue.LIVER] > mean["arterial"][Tissue.LIVER] + 20


def test_medulla_and_tumor_are_alike_in_some_corticomedullary_scans_and_not_in_others() -> None:
    gap = np.array([abs(look.mean_hu[Tissue.TUMOR] - look.mean_hu[Tissue.MEDULLA]) for look in drawn(PHASES[2])])
    assert 0.08 < (gap < 15).mean() < 0.6
    assert 0.1 < (gap > 60).mean()


def test_a_normal_bolus_meets_published_enhancement() -> None:
    """Multi-detector row CT of the kidney with bolus tracking, 10.1016/j.ejrad.2007.02.005: renal artery 240-288 HU
    and cortex 195-217 HU early, cortex over medulla by 110-140 HU, medulla about 145 HU in the nephrographic phase,
    then less than 30 HU below cortex. Its trigger comes about 18 s after the start of injection."""
    added = {
        seconds: enhancement(replace(_NORMAL, time_s=seconds + 18), TUMOR_KINDS[0]) for seconds in (10, 20, 25, 55)
    }
    assert 240 * 0.85 < added[10][Tissue.ARTERY] < 288 * 1.15
    assert 195 * 0.85 < added[25][Tissue.CORTEX] < 217 * 1.15
    assert 100 < added[20][Tissue.CORTEX] - added[20][Tissue.MEDULLA] < 170
    assert added[55][Tissue.MEDULLA] == pytest.approx(145, rel=0.15)
    assert abs(added[55][Tissue.CORTEX] - added[55][Tissue.MEDULLA]) < 30


def test_lower_tube_voltage_and_more_iodine_enhance_more() -> None:
    def artery(**change: float) -> float:
        return enhancement(replace(_NORMAL, **change), TUMOR_KINDS[0])[Tissue.ARTERY]

    assert artery(kvp=80) > artery(kvp=100) > artery() > artery(kvp=140)
    assert artery(dose=1.5) == pytest.approx(1.5 * artery())


def test_enhancement_of_one_patient_fits_together() -> None:
    """Aorta and renal vein of the same early bolus go up and down together."""
    looks = [look for look in drawn("corticomedullary", 200) if look.bolus]
    values = np.array([(look.mean_hu[Tissue.ARTERY], look.veins.renal) for look in looks if look.veins])
    assert len(values) > 100
    assert np.corrcoef(values.T)[0, 1] > 0.6


def test_a_quarter_is_drawn_from_wide_ranges_and_a_tenth_is_arbitrary() -> None:
    looks = [draw_appearance(np.random.default_rng(seed)) for seed in range(600)]
    assert np.mean([look.phase == "arbitrary" for look in looks]) == pytest.approx(0.1, abs=0.04)
    wide = [look.bolus is None for look in looks if look.phase in PHASES[1:]]
    assert np.mean(wide) == pytest.approx(0.25 / 0.9, abs=0.06)
    assert {look.phase for look in looks} == {*PHASES, "arbitrary"}


def a_cava_with_one_renal_vein() -> torch.Tensor:
    """Cava along z, a left renal vein at slice 40, and beside it a kidney over slices 25 to 54; 2 mm voxels."""
    tissues = cube(Tissue.FAT, (80, 24, 48))
    tissues[25:55, 8:16, 36:44] = Tissue.CORTEX
    tissues[:, 10:16, 4:10] = Tissue.VEIN
    tissues[38:42, 11:14, 10:36] = Tissue.VEIN
    return tissues


def test_blood_of_the_cava_mixes_at_the_renal_veins() -> None:
    look = replace(plain(), veins=VeinHU(infrarenal=50, renal=200, suprarenal=120))
    hu = paint(a_cava_with_one_renal_vein(), 2.0, look, seeded())
    cava = hu[:, 13, 7]
    assert cava[:20].numpy() == pytest.approx(50, abs=3)
    assert cava[60:].numpy() == pytest.approx(120, abs=3)
    assert hu[38:42, 12, 16:30].mean().item() == pytest.approx(200, abs=5)


def test_infrarenal_cava_is_darker_than_renal_veins_before_the_portal_phase() -> None:
    veins = [look.veins for phase in ("arterial", "corticomedullary") for look in drawn(phase) if look.bolus]
    rise = np.array([(v.suprarenal - v.infrarenal, v.renal - v.suprarenal) for v in veins if v])
    assert rise.min() > -3  # before the bolus has passed the kidneys all are alike
    assert (rise.mean(0) > 25).all()


def test_metal_casts_streaks_in_its_own_slices_only() -> None:
    tissues = cube(Tissue.CORTEX, (16, 48, 48))
    tissues[4:8, 20:25, 20:25] = Tissue.METAL
    hu = paint(tissues, 2.0, plain(Artifacts(metal=1.0)), seeded())
    around = tissues == Tissue.CORTEX
    assert hu[4:8][around[4:8]].std() > 10
    assert hu[10:].unique().tolist() == [180]


def test_beam_hardening_darkens_between_bones() -> None:
    tissues = cube(Tissue.CORTEX, (4, 48, 96))
    tissues[:, 16:32, 6:18] = Tissue.BONE
    tissues[:, 16:32, 78:90] = Tissue.BONE
    hu = paint(tissues, 2.0, plain(Artifacts(hardening=2.0)), seeded())
    assert hu[:, 24, 48].mean() < 180 - 5
    assert hu[:, 2, 48].mean().item() == pytest.approx(180, abs=1)


def test_rings_are_the_same_in_every_slice() -> None:
    hu = paint(cube(Tissue.CORTEX), 2.0, plain(Artifacts(ring_hu=10.0)), seeded())
    assert hu[0].std() > 1
    assert torch.equal(hu[0], hu[-1])


def test_a_spleen_is_banded_in_early_phases_alone() -> None:
    bands = {phase: np.mean([look.texture.spleen_bands_hu for look in drawn(phase)]) for phase in PHASES}
    assert bands["arterial"] > max(8, bands["corticomedullary"])
    assert bands["portal"] == bands["none"] == 0


def test_a_scan_is_described_in_words() -> None:
    texts = [describe(look) for phase in PHASES for look in drawn(phase, 4)]
    assert all("noise" in text and "slices" in text for text in texts)
    assert texts[0].startswith("no contrast")
    assert any("s after injection" in text for text in texts)


def test_an_unknown_phase_is_refused() -> None:
    with pytest.raises(InputError, match="none, arterial, corticomedullary, portal, excretory"):
        draw_appearance(np.random.default_rng(0), "venous")


def test_every_tissue_has_a_range_in_every_phase() -> None:
    assert set(PLAIN_HU) == set(Tissue)
    assert all(len(spans) == len(PHASES) - 1 for spans in ENHANCED_HU.values())
    assert all(low <= high for spans in [*ENHANCED_HU.values(), PLAIN_HU.values()] for low, high in spans)
