"""Lesions set into patches: where they may lie, how often and how large they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from KidneyParsingLib.networks.configs import config
from KidneyParsingLib.synthesis.implants import implant_lesions
from KidneyParsingLib.synthesis.samples import MadeSamples
from KidneyParsingLib.synthesis.tissues import TUMOR_TISSUES, Tissue

SPACING = 2.0
SHAPE = (48, 48, 48)


def a_kidney() -> np.ndarray:
    """A ball of 48 mm in fat with an artery through it that goes on outside, between bone and a sheet of muscle with
    fat behind; a ureter apart from it."""
    z, y, x = np.ogrid[tuple(slice(n) for n in SHAPE)]
    tissues = np.full(SHAPE, Tissue.FAT, np.uint8)
    tissues[(z - 24) ** 2 + (y - 24) ** 2 + (x - 24) ** 2 < 12**2] = Tissue.CORTEX
    tissues[24, 24, :] = Tissue.ARTERY
    tissues[:, 38:40] = Tissue.MUSCLE
    tissues[:, 30, 4] = Tissue.URINE
    tissues[:, :4] = Tissue.BONE
    return tissues


def implanted(seed: int | np.random.Generator) -> np.ndarray:
    tissues = a_kidney()
    implant_lesions(tissues, SPACING, np.random.default_rng(seed))
    return tissues


def ml(mask: np.ndarray) -> float:
    return float(mask.sum() * SPACING**3 / 1000)


def test_a_third_of_patches_gets_a_tumor_and_of_the_others_half_a_cyst() -> None:
    """Where a tumor fills the kidney a cyst finds no place."""
    rng = np.random.default_rng(0)
    patches = [implanted(rng) for _ in range(400)]
    tumors, cysts = (np.array([np.isin(p, kinds).any() for p in patches]) for kinds in (TUMOR_TISSUES, (Tissue.CYST,)))
    assert tumors.mean() == pytest.approx(0.35, abs=0.07) and cysts[~tumors].mean() == pytest.approx(0.5, abs=0.07)


def test_lesions_never_grow_in_what_must_stay() -> None:
    before = a_kidney()
    stays = np.isin(before, (Tissue.MUSCLE, Tissue.BONE, Tissue.URINE))
    stays[:, 40:] = True  # fat behind the muscle
    stays |= (before == Tissue.ARTERY) & (np.abs(np.arange(48) - 24) > 16)  # not a branch: 8 mm from parenchyma
    for seed in range(40):
        after = implanted(seed)
        changed = after != before
        assert not changed[stays].any()
        assert set(np.unique(after[changed])) <= {*TUMOR_TISSUES, Tissue.CYST}


def test_each_tumor_is_in_one_piece_that_touches_the_kidney_and_at_most_6_cm_wide() -> None:
    """Its uneven surface may add a third to the ball's 113 ml."""
    from scipy import ndimage

    parenchyma = ndimage.binary_dilation(a_kidney() == Tissue.CORTEX)
    volumes = []
    for seed in range(60):
        tumor = np.isin(implanted(seed), TUMOR_TISSUES)
        if tumor.any():
            assert ndimage.label(tumor, np.ones((3, 3, 3)))[1] == 1 and (tumor & parenchyma).any()
            volumes.append(ml(tumor))
    assert 0.3 < min(volumes) < 10 and 20 < max(volumes) < 150


def test_without_parenchyma_nothing_is_set_in() -> None:
    tissues = np.full(SHAPE, Tissue.FAT, np.uint8)
    tissues[20:25, 20:25, 20:25] = Tissue.CORTEX
    before = tissues.copy()
    for seed in range(10):
        implant_lesions(tissues, SPACING, np.random.default_rng(seed))
    assert np.array_equal(tissues, before)


def test_the_second_look_alone_is_shown_more_lesions_than_its_anatomies_have(tmp_path: Path) -> None:
    """This one has none: half of the patches are given some, of these about two thirds a lesion."""
    np.savez_compressed(tmp_path / "anatomy_00001.npz", tissues=a_kidney(), spacing=np.float32(SPACING))
    shares = {}
    for model, side in (("second_look", 64), ("ba_net", 32)):
        network = replace(config(model), patch=(side, side, side))
        tumor, cyst = (network.classes.index(name) for name in ("tumor", "cyst"))
        samples = MadeSamples(tmp_path, network, 40, seed=3, close_up=model == "second_look")
        labels = [samples[i]["labels"] for i in range(40)]
        shares[model] = np.mean([bool(((one == tumor) | (one == cyst)).any()) for one in labels])
    assert shares["ba_net"] == 0 and shares["second_look"] == pytest.approx(0.33, abs=0.15)


def test_samples_with_implants_come_again_and_leave_their_anatomy_as_it_was(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "anatomy_00001.npz", tissues=a_kidney(), spacing=np.float32(SPACING))
    samples = MadeSamples(tmp_path, replace(config("second_look"), patch=(16, 16, 16)), 12, close_up=True)
    first, again = ([samples[i] for i in range(12)] for _ in range(2))
    assert all(torch.equal(one[name], other[name]) for one, other in zip(first, again, strict=True) for name in one)
