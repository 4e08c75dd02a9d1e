"""The comparison's data are sound, its tables add up, and a tiny campaign runs through and is gone on with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from KidneyParsingLib.claims import experiment
from KidneyParsingLib.claims.campaign import Campaign, train_all
from KidneyParsingLib.claims.experiment import CLAIMS, VARIANTS, Statement, runs
from KidneyParsingLib.claims.predictions import predictors, without_specks
from KidneyParsingLib.claims.results import write_page
from KidneyParsingLib.claims.scoring import measures
from KidneyParsingLib.claims.table import cell, verdict
from KidneyParsingLib.cli import main
from KidneyParsingLib.errors import InputError
from KidneyParsingLib.networks.configs import config
from KidneyParsingLib.networks.registry import NETWORKS
from KidneyParsingLib.training.recipes import LOSSES, RECIPES
from KidneyParsingLib.training.schemas import SCHEMAS


def test_every_arm_and_statement_names_what_there_is() -> None:
    variants = {variant.name for variant in VARIANTS}
    for claim in CLAIMS:
        arms = {arm.name for arm in claim.arms}
        for arm in claim.arms:
            assert set(arm.variants) <= variants and (arm.finder is None or arm.finder in variants)
        for statement in claim.statements:
            assert {statement.better, statement.worse} <= arms and statement.column in claim.columns
            lower = statement.column.startswith("hd")
            assert (statement.paper[0] < statement.paper[1]) == lower, "the paper itself must say so"


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda v: v.name)
def test_every_variant_has_a_recipe_a_loss_and_a_schema(variant: experiment.Variant) -> None:
    assert variant.model in RECIPES and (variant.schema or variant.model) in SCHEMAS
    assert variant.loss is None or variant.loss in LOSSES
    for size in ("tiny", "small", "paper"):
        assert variant.config(size).network in NETWORKS


def test_compared_networks_differ_in_nothing_else() -> None:
    """Grid, patch, widths, classes and scaling of the lines of one table are the same."""
    by_name = {variant.name: variant.config("tiny") for variant in VARIANTS}
    for claim in CLAIMS:
        keys = ("spacing_mm", "patch", "features", "classes", "clip_hu", "mean_hu", "std_hu", "resize")
        configs = [by_name[name] for arm in claim.arms for name in arm.variants]
        assert len({tuple(getattr(c, key) for key in keys) for c in configs}) == 1, claim.title


def test_runs_come_seed_by_seed_after_what_all_need() -> None:
    order = runs(3)
    assert len(order) == len({run.name for run in order})
    assert {run.variant.name for run in order[:2]} == {"sc_unet_rough", "l_net"}
    repeats = [run.seed for run in order if run.variant.seeds is None]
    assert repeats == sorted(repeats) and set(repeats) == {0, 1, 2}
    members = [index for index, run in enumerate(order) if run.variant.name == "boundary_stream"]
    second = min(index for index, run in enumerate(order) if run.seed == 1 and run.variant.seeds is None)
    assert len(members) == 5 and max(members) < second


def test_groups_of_runs_are_those_that_are_done() -> None:
    ensemble = next(arm for claim in CLAIMS for arm in claim.arms if arm.name == "RB-Ensemble")
    groups = predictors(ensemble, runs(3), {"res_unet-0", "ba_net-0", "res_unet-1", "ba_net-2"})
    assert [[run.name for run in group] for group in groups] == [["res_unet-0", "ba_net-0"]]
    pooled = next(arm for claim in CLAIMS for arm in claim.arms if arm.pooled)
    (group,) = predictors(pooled, runs(3), {f"boundary_stream-{i}" for i in range(5)})
    assert len(group) == 5
    assert predictors(pooled, runs(3), set()) == []


def test_specks_go_by_their_own_structure() -> None:
    labels = np.zeros((1, 1, 40), np.uint8)
    labels[0, 0, :20], labels[0, 0, 25:27], labels[0, 0, 29] = 1, 1, 1
    labels[0, 0, 33] = 3
    kept = without_specks(labels)
    assert (kept == 1).sum() == 22 and kept[0, 0, 33] == 3


def test_measures_by_hand() -> None:
    """Kidney 4 of 4 voxels found with 1 too many, tumor missed: Dice 8/9 and 0; of the whole 4 of 6: 8/11. HD of the
    missed tumor is the scan's diagonal. The cyst is kidney to this network."""
    labels = np.zeros((8, 8, 8), np.uint8)
    labels[2, 2, 1:4], labels[2, 2, 4], labels[2, 3, 3:5] = 1, 6, 2
    predicted = np.zeros_like(labels)
    predicted[2, 2, 1:6] = 1
    scores = measures(predicted, labels, config("tu_net", "tiny"), (2.0, 2.0, 2.0))
    assert scores["dice kidney"] == pytest.approx(8 / 9)
    assert scores["dice tumor"] == 0 and scores["hd tumor"] == pytest.approx(16 * np.sqrt(3))
    assert scores["hd kidney"] == pytest.approx(2.0)
    assert scores["dice whole"] == pytest.approx(8 / 11)
    assert scores["composite"] == pytest.approx(4 / 11)
    assert scores["dice mean"] == pytest.approx(4 / 9)


def test_cells_and_verdicts_by_hand() -> None:
    better, worse = [[{"hd mean": 3.0}, {"hd mean": 5.0}], [{"hd mean": 6.0}]], [[{"hd mean": 4.5}], [{"hd mean": 7.5}]]
    assert cell(better, "hd mean") == "5.0 ± 1.4" and cell(better, "dice mean") == "-"
    assert verdict(Statement("a", "b", "hd mean", (1, 2)), better, worse) == ("-1.0", "yes (2 of 2)")
    assert verdict(Statement("a", "b", "hd mean", (1, 2)), worse, better)[1] == "no (0 of 2)"
    assert verdict(Statement("a", "b", "hd mean", (1, 2)), [], worse) == ("-", "not measured")
    nearly = [[{"hd mean": 3.5}, {"hd mean": 6.0}], [{"hd mean": 6.5}]]
    assert verdict(Statement("a", "b", "hd mean", (1, 2)), better, nearly) == ("-0.6", "level")


def write_scan(folder: Path, index: int) -> None:
    """A dull body with a bright "kidney" that has a "tumor"."""
    rng = np.random.default_rng(index)
    labels = np.zeros((16, 32, 32), np.uint8)
    labels[4:12, 8:20, 6 + index : 18 + index], labels[6:9, 10:14, 8 + index : 12 + index] = 1, 2
    hu = (rng.normal(40, 10, labels.shape) + 120 * (labels == 1) + 60 * (labels == 2)).astype(np.int16)
    for kind, array, end in (("imagesTr", hu, "_0000"), ("labelsTr", labels, "")):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        image = sitk.GetImageFromArray(array)
        image.SetSpacing((6.0, 6.0, 6.0))
        sitk.WriteImage(image, str(folder / kind / f"made_{index:05d}{end}.nii.gz"))


def test_a_small_campaign_trains_scores_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of the claims with one step each, in this process; the second call finds everything done."""
    for index in range(3):
        write_scan(tmp_path / "scans", index)
    names = ("unet_3d", "tu_net", "l_net")
    monkeypatch.setattr(experiment, "VARIANTS", tuple(v for v in VARIANTS if v.name in names))
    campaign = Campaign(tmp_path, steps=1, seeds=1, train=2, test=1)
    assert [run.name for run in campaign.runs] == ["l_net-0", "unet_3d-0", "tu_net-0"]
    train_all(campaign, jobs=1)
    text = write_page(campaign).read_text()
    assert "3 of 3 trainings done" in text and "| 3D U-Net | 1 |" in text and "not measured" in text
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "scores").iterdir()}
    train_all(campaign, jobs=1)
    write_page(campaign)
    assert stamps == {path: path.stat().st_mtime_ns for path in (tmp_path / "scores").iterdir()}


def test_what_was_made_with_another_budget_is_refused(tmp_path: Path) -> None:
    campaign = Campaign(tmp_path, steps=7)
    (campaign.run_folder(campaign.runs[0])).mkdir(parents=True)
    (campaign.run_folder(campaign.runs[0]) / "done").write_text(Campaign(tmp_path, steps=8).budget)
    with pytest.raises(InputError, match="another budget"):
        campaign.is_done(campaign.runs[0])


def test_too_few_scans_and_no_jobs_are_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "scans").mkdir()
    write_scan(tmp_path / "scans", 0)
    assert main(["benchmark", "claims", str(tmp_path)]) == 2
    assert "--spl" in capsys.readouterr().err
    assert main(["benchmark", "claims", str(tmp_path), "--jobs", "0"]) == 2
