"""Two sources of samples in one training, and voxels that no loss looks at."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny_scans
import torch

from KidneyParsingLib.errors import InputError
from KidneyParsingLib.inference.grid import Grid
from KidneyParsingLib.networks.ba_net import BANetOutput
from KidneyParsingLib.networks.checkpoint import save_network
from KidneyParsingLib.networks.configs import (
    LOCATOR_CLASSES,
    MAYBE_NEIGHBOUR,
    NEIGHBOUR_LABELS,
    STRUCTURE_CLASSES,
    NetworkConfig,
    config,
)
from KidneyParsingLib.networks.registry import build
from KidneyParsingLib.synthesis.samples import MadeSamples
from KidneyParsingLib.synthesis.tissues import Tissue
from KidneyParsingLib.training.augmentation import NONE
from KidneyParsingLib.training.cases import StoredCase, stored_cases
from KidneyParsingLib.training.data.case import IGNORED, NO_LESION
from KidneyParsingLib.training.data.label_grid import labels_on_grid
from KidneyParsingLib.training.data.layouts import find_cases
from KidneyParsingLib.training.losses.ba_net import ba_net_loss
from KidneyParsingLib.training.losses.plain import plain_loss
from KidneyParsingLib.training.mixture import Mixture
from KidneyParsingLib.training.patches import PatchSamples, class_lookup, unknown_labels
from KidneyParsingLib.training.restyle import rephased, with_pasted_lesion
from KidneyParsingLib.training.schemas import SCHEMAS
from KidneyParsingLib.training.session import (
    Session,
    make_trainer,
    require_neighbours,
    require_unknown_allowed,
)

PATCH = (16, 16, 16)


class Constant:
    """A source whose images hold one value."""

    def __init__(self, value: float, **extras: torch.Tensor) -> None:
        self.value, self.extras = value, extras

    def __len__(self) -> int:
        return 400

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        labels = torch.zeros((2, 2, 2), dtype=torch.int64)
        return {"image": torch.full((1, 2, 2, 2), self.value), "labels": labels, **self.extras}


def a_network() -> NetworkConfig:
    return replace(config("ba_net", "tiny"), spacing_mm=(2.0,) * 3, patch=PATCH)


def partly_labelled(folder: Path, unknown: int = IGNORED) -> list[StoredCase]:
    """One scan with a kidney; nobody knows what its last six slices show."""
    labels = tiny_scans.tiny_labels((1,))
    labels[-6:] = unknown
    tiny_scans.write(tiny_scans.tiny_hu(), folder / "imagesTr" / "a_0000.nii.gz")
    tiny_scans.write(labels, folder / "labelsTr" / "a.nii.gz")
    return stored_cases(find_cases("ours", folder), a_network(), folder / "scans")


def test_a_share_of_the_samples_is_the_other_source_s() -> None:
    mixture = Mixture(Constant(0.0), Constant(1.0), 0.25)
    values = [float(mixture[i]["image"].mean()) for i in range(400)]
    assert np.mean(values) == pytest.approx(0.25, abs=0.06)
    assert values == [float(Mixture(Constant(0.0), Constant(1.0), 0.25)[i]["image"].mean()) for i in range(400)]


def test_all_voxels_of_a_source_that_leaves_none_out_count() -> None:
    unknown = Constant(1.0, keep=torch.zeros((2, 2, 2)))
    keeps = [float(Mixture(Constant(0.0), unknown, share)[3]["keep"].mean()) for share in (0.0, 1.0)]
    assert keeps == [1.0, 0.0]


def test_labels_fill_their_voxels_where_the_other_source_tells_shares(tmp_path: Path) -> None:
    tissues = np.full((32, 32, 32), Tissue.CORTEX, np.uint8)
    np.savez_compressed(tmp_path / "anatomy_00001.npz", tissues=tissues, spacing=np.float32(1.0))
    made = MadeSamples(tmp_path, a_network(), 4, soft=True)
    mixture = Mixture(made, Constant(1.0), 1.0)
    background = torch.zeros((len(a_network().classes), 2, 2, 2))
    background[0] = 1
    assert torch.equal(mixture[0]["shares"], background)
    assert torch.equal(Mixture(made, Constant(1.0), 0.0)[0]["shares"], made[0]["shares"])


def test_voxels_that_nobody_knows_are_marked(tmp_path: Path) -> None:
    (case,) = partly_labelled(tmp_path)
    samples = PatchSamples([case], replace(a_network(), patch=tiny_scans.SHAPE), SCHEMAS["kidneys"], NONE, 4)
    sample = samples[0]
    unknown = np.asarray(case.labels) == IGNORED
    assert 0 < unknown.mean() < 0.5 and sum(case.voxels) == (~unknown).sum()
    assert torch.equal(sample["keep"] == 0, torch.from_numpy(unknown))
    assert not sample["labels"][sample["keep"] == 0].any()


def test_voxels_that_are_known_to_be_no_lesion_are_marked(tmp_path: Path) -> None:
    """Unknown to all but losses that ask; made samples beside them have none."""
    (case,) = partly_labelled(tmp_path, NO_LESION)
    samples = PatchSamples([case], replace(a_network(), patch=tiny_scans.SHAPE), SCHEMAS["kidneys"], NONE, 4)
    sample = samples[0]
    free = np.asarray(case.labels) == NO_LESION
    assert 0 < free.mean() < 0.5
    assert torch.equal(sample["no_lesion"], torch.from_numpy(free).float())
    assert torch.equal(sample["keep"], 1 - sample["no_lesion"])
    keys = [set(Mixture(Constant(0.0), samples, share)[0]) for share in (0.0, 1.0)]
    assert keys[0] == keys[1]
    assert not Mixture(Constant(0.0), samples, 0.0)[0]["no_lesion"].any()


def test_losses_do_not_look_at_unknown_voxels() -> None:
    """Whatever is predicted there, the loss is the same and its gradient zero."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 7, (1, *PATCH), generator=generator)
    keep = torch.ones(1, *PATCH)
    keep[:, :8] = 0
    logits = torch.randn((1, 7, *PATCH), generator=generator, requires_grad=True)
    other = logits.detach().clone()
    other[:, :, :8] = torch.randn((1, 7, 8, 16, 16), generator=generator)
    batch = {"labels": labels, "keep": keep}
    for loss in (lambda x: plain_loss(x, batch), lambda x: ba_net_loss(BANetOutput([x], [x]), batch)):
        (gradient,) = torch.autograd.grad(loss(logits), logits)
        assert loss(other).item() == pytest.approx(loss(logits).item(), rel=1e-6)
        assert not gradient[:, :, :8].any() and gradient[:, :, 8:].any()


def test_surfaces_beside_unknown_voxels_do_not_count() -> None:
    """A kidney that goes on into the unknown has no surface there: a boundary predicted at the border costs nothing."""
    labels, keep = torch.ones((1, *PATCH), dtype=torch.int64), torch.ones(1, *PATCH)
    labels[:, :8], keep[:, :8] = 0, 0
    quiet = torch.zeros(1, 7, *PATCH)
    quiet[:, 0] = 8.0
    loud = quiet.clone()
    loud[:, 1, 8] = 16.0
    batch = {"labels": labels, "keep": keep}
    losses = [ba_net_loss(BANetOutput([quiet], [x]), batch).item() for x in (quiet, loud)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


def test_where_all_voxels_count_the_losses_are_what_they_were() -> None:
    logits = torch.randn((1, 7, *PATCH), generator=torch.Generator().manual_seed(1))
    labels = torch.randint(0, 7, (1, *PATCH), generator=torch.Generator().manual_seed(2))
    known = {"labels": labels, "keep": torch.ones(1, *PATCH)}
    output = BANetOutput([logits], [logits])
    assert ba_net_loss(output, known).item() == pytest.approx(ba_net_loss(output, {"labels": labels}).item(), rel=1e-6)
    assert plain_loss(logits, known).item() == pytest.approx(plain_loss(logits, {"labels": labels}).item(), rel=1e-6)


def kidney_in_fat() -> tuple[torch.Tensor, torch.Tensor]:
    """A ball of 150 HU, radius 10 voxels, in fat of -100."""
    axes = np.ogrid[tuple(slice(-16, 16) for _ in range(3))]
    ball = torch.from_numpy(sum(a**2 for a in axes) < 100)
    return torch.where(ball, 150.0, -100.0), ball.long()


def test_another_phase_moves_the_structure_s_mean_and_nothing_far_from_it() -> None:
    hu, labels = kidney_in_fat()
    means = []
    for seed in range(20):
        moved = rephased(hu, labels, np.random.default_rng(seed))
        assert torch.equal(moved[:4], hu[:4])
        means.append(float(moved[12:20, 12:20, 12:20].mean()))
    assert min(means) < 41 and max(means) > 130
    assert all(24 <= mean <= 221 for mean in means)


def test_neighbours_change_phase_too() -> None:
    """A liver of 150 HU is plain in some samples and enhanced in others."""
    hu, labels = kidney_in_fat()
    liver = torch.where(labels == 1, NEIGHBOUR_LABELS["liver"], 0)
    means = [float(rephased(hu, liver, np.random.default_rng(seed))[12:20, 12:20, 12:20].mean()) for seed in range(20)]
    assert all(34 <= mean <= 136 for mean in means) and min(means) < 68 and max(means) > 100


def test_neighbours_are_classes_of_the_locator_alone() -> None:
    labels = torch.tensor([0, 1, 2, NEIGHBOUR_LABELS["liver"], NEIGHBOUR_LABELS["spine"], IGNORED])
    assert class_lookup(LOCATOR_CLASSES)[labels].tolist() == [0, 1, 1, 3, 2, 0]
    assert class_lookup(STRUCTURE_CLASSES)[labels].tolist() == [0, 1, 2, 0, 0, 0]


def test_only_networks_of_neighbours_leave_out_what_may_be_one() -> None:
    labels = torch.tensor([0, NEIGHBOUR_LABELS["spleen"], MAYBE_NEIGHBOUR, IGNORED, NO_LESION])
    assert unknown_labels(LOCATOR_CLASSES)[labels].tolist() == [False, False, True, True, True]
    assert unknown_labels(STRUCTURE_CLASSES)[labels].tolist() == [False, False, False, True, True]


def test_a_structure_s_target_is_the_same_whatever_lies_beside_it() -> None:
    """Voxels of 1 mm on a grid of 2 mm, between whose points kidney and liver meet."""
    labels = np.zeros((8, 8, 9), np.uint8)
    labels[:, :, :3] = 1
    beside = labels.copy()
    beside[:, :, 3:7] = NEIGHBOUR_LABELS["liver"]
    grid = Grid(np.array([0.4, 0.4, 0.4]), (2.0, 2.0, 2.0), (3, 3, 4))
    plain, with_liver = (labels_on_grid(array, np.eye(4), grid) for array in (labels, beside))
    np.testing.assert_array_equal(with_liver == 1, plain == 1)
    assert (with_liver[:, :, 2] == NEIGHBOUR_LABELS["liver"]).all() and (plain == 1).any()


def test_the_locator_refuses_real_scans_without_its_neighbours(tmp_path: Path) -> None:
    case = StoredCase("a", tmp_path, (4.0, 4.0, 4.0), (7, 1))
    for neighbour in (0, NEIGHBOUR_LABELS["spine"]):
        np.save(tmp_path / "labels.npy", np.array([[[1, 0, neighbour]]], np.uint8))
        require_neighbours([case], config("ba_net", "tiny"))
        if neighbour:
            require_neighbours([case], config("locator"))
        else:
            with pytest.raises(InputError, match="label_real_scans"):
                require_neighbours([case], config("locator"))


def test_a_pasted_lesion_lies_in_the_kidney_or_its_fat_and_looks_other_than_it() -> None:
    hu, labels = kidney_in_fat()
    found = set()
    for seed in range(12):
        painted, target = with_pasted_lesion(hu, labels, np.random.default_rng(seed), (2.0,) * 3)
        lesion = target > 1
        assert lesion.any() and set(target.unique().tolist()) <= {0, 1, 2, 6}
        inner = lesion & (torch.nn.functional.avg_pool3d(lesion[None].float(), 3, 1, 1)[0] > 0.99)
        found |= set(target[lesion].unique().tolist())
        if inner.any() and (target[inner] == 6).all():
            assert -20 < float(painted[inner].mean()) < 30
    assert found == {2, 6}
    hidden = torch.where(labels == 0, NO_LESION, labels)
    target = with_pasted_lesion(hu, hidden, np.random.default_rng(0), (2.0,) * 3)[1]
    beside = torch.nn.functional.max_pool3d(((target[None] > 1) & (target[None] < 7)).float(), 3, 1, 1)[0] > 0
    assert set(target[beside].unique().tolist()) <= {1, 2, 6, IGNORED} and (target == NO_LESION).any()
    nothing = torch.zeros_like(labels)
    assert with_pasted_lesion(hu, nothing, np.random.default_rng(0), (2.0,) * 3)[1] is nothing


def test_painting_later_gives_the_same_sample(tmp_path: Path) -> None:
    """As a GPU would do it, here on the CPU: same labels, same image; a sample of another source stays as it is."""
    tissues = np.full((32, 32, 32), Tissue.FAT, np.uint8)
    tissues[10:20, 10:20, 10:20] = Tissue.CORTEX
    np.savez_compressed(tmp_path / "anatomy_00001.npz", tissues=tissues, spacing=np.float32(2.0))
    now, later = (MadeSamples(tmp_path, a_network(), 5, paint_later=p) for p in (False, True))
    mixed = [{"image": torch.full((1, *PATCH), 7.0), "labels": now[0]["labels"], **later.nothing_to_paint()}]
    batch = torch.utils.data.default_collate([later[1], later[4], *mixed])
    finished = later.finished(batch)
    assert set(finished) == {"image", "labels"}
    for row, index in enumerate((1, 4)):
        torch.testing.assert_close(finished["image"][row], now[index]["image"])
        assert torch.equal(finished["labels"][row], now[index]["labels"])
    assert (finished["image"][2] == 7).all()


@pytest.mark.parametrize("model", ["boundary_stream", "tu_net", "sc_unet"])
def test_a_loss_that_looks_at_all_voxels_refuses_unknown_ones(model: str) -> None:
    with pytest.raises(InputError, match="unknown"):
        require_unknown_allowed(model)
    require_unknown_allowed("ba_net")
    require_unknown_allowed("kid_net")


def test_real_scans_are_mixed_into_made_anatomies_only(tmp_path: Path) -> None:
    tiny_scans.ours(tmp_path)
    session = Session("ba_net", "tiny", "ours", tmp_path, tmp_path / "run", fold=None, mixed=tmp_path)
    with pytest.raises(InputError, match="--mix"):
        make_trainer(session)


def test_a_run_that_goes_on_from_weights_sees_other_samples_than_the_run_that_made_them(tmp_path: Path) -> None:
    first = Session("plain_unet", "tiny", "ours", tmp_path, tmp_path / "run")
    save_network(tmp_path / "w.safetensors", build(config("plain_unet", "tiny")), config("plain_unet", "tiny"))
    second = replace(first, initial=tmp_path / "w.safetensors")
    assert second.sample_seed != first.sample_seed == 0 and second.sample_seed == replace(second, steps=9).sample_seed
