"""How fast networks ran here before, so that progress can be told in time."""

from __future__ import annotations

from ..cache import remember, remembered
from .network_pass import PassPlan, Predictor

_KEPT = "speeds"
# Seconds a voxel on two cores, for a network that was never run here.
_USUAL = 1.2e-6


def expected_seconds(predictor: Predictor, voxels: int, plan: PassPlan) -> float:
    """Seconds that a network is expected to take for so many voxels of its grid."""
    kept = remembered(_KEPT).get(_key(predictor))
    return voxels * _work_per_voxel(plan) * (kept if isinstance(kept, float) and kept > 0 else _USUAL)


def note_seconds(predictor: Predictor, voxels: int, plan: PassPlan, seconds: float) -> None:
    """Remembers how long a network took."""
    remember(_KEPT, remembered(_KEPT) | {_key(predictor): seconds / max(voxels * _work_per_voxel(plan), 1)})


def _work_per_voxel(plan: PassPlan) -> float:
    """How often a voxel is computed: once a view, and again where windows overlap."""
    overlap = plan.overlap or 0.0
    return len(plan.views) * (1 / (1 - overlap) ** 3 if plan.windows else 1.0)


def _key(predictor: Predictor) -> str:
    config, backend = predictor.config, predictor.backend
    return f"{config.network} {config.features} on {backend.name} {backend.device}"
