"""From a request to a trainer: which classes, which statistics, which plan, which scans."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from KidneyParsingLib.errors import InputError
from KidneyParsingLib.networks.configs import CONFIGS, config
from KidneyParsingLib.training.recipes import RECIPES, trainable
from KidneyParsingLib.training.schemas import SCHEMAS
from KidneyParsingLib.training.session import Session, restricted, with_statistics, without_validation

KIPA = ("kidney", "tumor", "artery", "vein")
KITS = ("kidney", "tumor")


class Scan:
    """What `with_statistics` sees of a stored case."""

    def __init__(self, hu: list[float], labels: list[int]) -> None:
        self.hu, self.labels = np.array(hu, np.int16), np.array(labels, np.uint8)


def session(network: str, size: str = "tiny", **changes: object) -> Session:
    return replace(Session(network, size, "ours", Path("data"), Path("run")), **changes)


def test_a_network_learns_the_classes_that_the_data_label() -> None:
    assert restricted(config("ba_net", "paper"), KIPA, "KiPA22").classes == ("background", *KIPA)
    assert restricted(config("kid_net", "paper"), KIPA, "KiPA22").classes == ("background", "artery", "vein")
    assert restricted(config("tu_net", "paper"), KITS, "KiTS19").classes == ("background", *KITS)


@pytest.mark.parametrize(("model", "structures"), [("kid_net", KITS), ("tu_net", ("kidney", "artery"))])
def test_a_network_that_could_learn_nothing_is_refused(model: str, structures: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match="this model needs"):
        restricted(config(model, "tiny"), structures, "data")


def test_statistics_are_those_of_the_clipped_foreground() -> None:
    """BA-Net clips to [-106, 372]: foreground 100, 400 -> 372, and 200 of two scans; background does not count."""
    scans = [Scan([-500, 100, 400], [0, 1, 3]), Scan([0, 200], [0, 2])]
    fitted = with_statistics(config("ba_net", "paper"), scans)
    assert fitted.mean_hu == pytest.approx(np.mean([100, 372, 200]))
    assert fitted.std_hu == pytest.approx(np.std([100, 372, 200]))
    thousandths = config("boundary_stream", "paper")
    assert with_statistics(thousandths, scans) == thousandths


def test_the_plan_is_the_recipe_s_with_what_was_asked_for() -> None:
    plan = session("tu_net", "paper", steps=7, batch=2).plan()
    assert (plan.steps, plan.batch, plan.schedule, plan.rate) == (7, 2, "plateau", 1e-4)
    alone = without_validation(plan)
    assert (alone.validate_every, alone.schedule) == (0, "poly")
    with pytest.raises(InputError, match="locator"):
        session("locator", "paper").plan()


def test_members_of_an_ensemble_share_a_recipe_and_differ_in_their_seed() -> None:
    members = [session(name) for name in trainable("boundary_stream", "paper")]
    assert {m.model for m in members} == {"boundary_stream"} and len({m.seed for m in members}) == 5
    assert session("kid_net").seed == 0


@pytest.mark.parametrize(
    ("system", "networks"),
    [
        ("ba_net", ("ba_net",)),
        ("bisc_unet", ("sc_unet_rough", "sc_unet")),
        ("tu_net", ("l_net", "tu_net")),
        ("rb_ensemble", ("res_unet", "ba_net_1")),
    ],
)
def test_a_system_is_trained_as_the_networks_it_is_made_of(system: str, networks: tuple[str, ...]) -> None:
    assert trainable(system, "paper") == networks


def test_every_configuration_has_a_plan_and_every_model_a_schema() -> None:
    for model, size in CONFIGS:
        assert RECIPES[model].plan(size) is not None
        assert model in SCHEMAS or model == "locator"


@pytest.mark.parametrize(
    ("model", "batch", "rate", "optimizer", "schedule"),
    [
        ("ba_net", 2, 0.01, "sgd", "poly"),
        ("boundary_stream", 8, 5e-5, "adam", "poly"),
        ("sc_unet", 8, 1e-4, "adam", "constant"),
        ("tu_net", 1, 1e-4, "adam", "plateau"),
    ],
)
def test_paper_plans_have_the_papers_numbers(
    model: str, batch: int, rate: float, optimizer: str, schedule: str
) -> None:
    plan = RECIPES[model].plan("paper")
    assert (plan.batch, plan.rate, plan.optimizer, plan.schedule) == (batch, rate, optimizer, schedule)
