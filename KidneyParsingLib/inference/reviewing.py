"""What an annotator is shown of a network's doubts, out of the same pass that made the labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..networks.configs import NESTED, NetworkConfig
from ..review import ReviewPlace
from ..volumes.volume import Volume
from .passes import ParsedMaps

# Half precision's rounding leaves sums of probabilities above this, and no sum below the second number.
_WHOLE, _TINY = 0.99, 1e-4


@dataclass(frozen=True)
class Review:
    """Places worth a look, and the uncertainty in percent on the network's grid."""

    places: tuple[ReviewPlace, ...] = ()
    uncertainty: Volume | None = None


def reviewed(
    scores: np.ndarray, labels: np.ndarray, config: NetworkConfig, parsed: ParsedMaps, wanted: tuple[str, ...] | None
) -> Review:
    """The review of scores (C, z, y, x) whose structure labels (z, y, x) are cleaned up; places of the `wanted`
    structures only."""
    # Needed only here; what they import takes a third of a second.
    from .review_places import review_places
    from .uncertainty import uncertainty_of

    maps, grid = probabilities_of(scores, config, parsed.seen), parsed.grid
    places = review_places(
        maps, labels, config.classes, grid.spacing, grid.affine, parsed.boundary, seen=parsed.seen, wanted=wanted
    )
    percent = (100 * uncertainty_of(maps, labels, parsed.boundary)).astype(np.int16)
    return Review(places, Volume(percent, grid.affine))


def probabilities_of(scores: np.ndarray, config: NetworkConfig, seen: np.ndarray) -> np.ndarray:
    """Probabilities (C, z, y, x) float16 of scores, 0 where nothing was seen; of nested scores (0, a, a + b) the two
    maps (2, z, y, x) of a and b."""
    if config.activation == NESTED:
        logits = np.stack([scores[1], scores[2] - scores[1]])
        maps = (1 / (1 + np.exp(-logits))).astype(np.float16)
    else:
        maps = np.empty(scores.shape, np.float16)
        for of_class, values in zip(maps, scores, strict=True):
            np.exp(np.minimum(values, 0), out=of_class, casting="same_kind")
        _normalise(maps)
    maps[:, ~seen] = 0
    return maps


def _normalise(maps: np.ndarray) -> None:
    """Lets maps (C, z, y, x) sum to 1, in place; they do but where a class was made less likely afterwards."""
    total = maps.sum(0, dtype=np.float32)
    short = total < _WHOLE
    maps[:, short] /= np.maximum(total[short], np.float32(_TINY))
