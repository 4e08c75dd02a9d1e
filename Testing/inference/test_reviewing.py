"""A review comes out of the same run: places, and the uncertainty of every voxel on the network's grid."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from KidneyParsingLib.anatomy import ORGAN_LABELS
from KidneyParsingLib.inference.cleanup import disfavour_other_organs
from KidneyParsingLib.inference.maps import label_of_class, scores_of
from KidneyParsingLib.inference.options import Options
from KidneyParsingLib.inference.parser import KidneyParser
from KidneyParsingLib.inference.reviewing import probabilities_of
from KidneyParsingLib.networks.configs import config
from KidneyParsingLib.volumes.volume import LabelMap, Volume


@pytest.fixture(scope="module")
def a_review(sample_ct: Volume) -> LabelMap:
    return KidneyParser(Options(device="cpu", backend="torch", review=True)).parse(sample_ct)


def test_a_review_changes_no_label(a_review: LabelMap, sample_result: LabelMap) -> None:
    assert (a_review.array != sample_result.array).mean() < 1e-5
    assert sample_result.places == () and sample_result.uncertainty is None


def test_places_lie_in_the_scan_and_are_ranked(a_review: LabelMap, sample_ct: Volume) -> None:
    scores = [place.score for place in a_review.places]
    assert scores and scores == sorted(scores, reverse=True)
    to_index = np.linalg.inv(sample_ct.affine)
    for place in a_review.places:
        lps = np.multiply(place.center_ras, (-1, -1, 1))
        index = (to_index @ [*lps, 1])[:3][::-1]
        assert (index > -1).all() and (index < sample_ct.array.shape).all()


def test_uncertainty_is_percent_and_lies_around_the_kidneys(a_review: LabelMap) -> None:
    uncertainty = a_review.uncertainty
    assert uncertainty.array.min() == 0 and 20 < uncertainty.array.max() <= 100
    assert (uncertainty.array > 20).mean() < 0.1


def test_only_wanted_structures_have_places(sample_ct: Volume) -> None:
    options = Options(device="cpu", backend="torch", review=True, structures=("ureter",))
    assert {p.structure for p in KidneyParser(options).parse(sample_ct).places} == {"ureter"}


@pytest.mark.parametrize("name", ["ba_net", "boundary_stream"])
def test_probabilities_are_the_maps_that_the_scores_came_from(name: str) -> None:
    of_network = replace(config(name, "tiny"))
    rng = np.random.default_rng(0)
    maps = rng.dirichlet(np.ones(of_network.outputs), (4, 5, 6)).transpose(3, 0, 1, 2).astype(np.float32)
    maps = maps.clip(1e-4, 1 - 1e-4)
    seen = np.ones((4, 5, 6), bool)
    seen[0] = False
    found = probabilities_of(scores_of(maps.copy(), of_network), of_network, seen)
    assert not found[:, 0].any() and found[:, 1:] == pytest.approx(maps[:, 1:], abs=1e-3)


@pytest.mark.parametrize("name", ["ba_net", "boundary_stream"])
def test_what_the_locator_takes_for_spleen_is_sure_background_not_doubtful(name: str) -> None:
    """Kidney and lesions become less likely, and softmax maps sum to 1 all the same; of nested ones none rises."""
    of_network = config(name, "tiny")
    maps = np.full((of_network.outputs, 2, 2, 2), 0.02, np.float32)
    maps[0] = 1 - 0.02 * (of_network.outputs - 1) if of_network.outputs > 2 else 0.05
    scores, seen = scores_of(maps.copy(), of_network), np.ones((2, 2, 2), bool)
    disfavour_other_organs(scores, label_of_class(of_network), seen)
    found = probabilities_of(scores, of_network, seen).astype(np.float32)
    organs = [index for index, label in enumerate(label_of_class(of_network)) if label in ORGAN_LABELS]
    organs = organs if of_network.outputs > 2 else [0, 1]
    assert (found[organs] <= maps[organs] + 1e-3).all() and (found[organs[0]] < maps[organs[0]] / 10).all()
    assert of_network.outputs == 2 or found.sum(0) == pytest.approx(np.ones((2, 2, 2)), abs=2e-3)
