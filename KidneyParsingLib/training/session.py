"""From what was asked for (a model, a data set, a folder) to a trainer that is ready to run."""

from __future__ import annotations

import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from ..anatomy import NUM_CLASSES
from ..errors import InputError
from ..inference.systems import model_of
from ..networks.configs import NEIGHBOUR_LABELS, NESTED, NetworkConfig, config
from ..networks.devices import choose_device
from ..networks.registry import build
from ..progress import Progress, silent
from ..synthesis.samples import MadeSamples
from .cases import StoredCase, stored_cases
from .data.case import Case
from .data.layouts import find_cases, labelled_structures
from .distributed import gathered, local_device, rank
from .mixture import Mixture
from .patches import PatchSamples
from .plan import PLATEAU, POLY, TrainingPlan
from .recipes import LOSSES, LOSSES_WITH_SHARES, LOSSES_WITH_UNKNOWN, REAL_SCANS, RECIPES
from .schemas import SCHEMAS, Schema
from .splits import k_fold
from .trainer import Trainer
from .transfer import load_initial
from .validation import CaseValidation

# The name of the "data set" of made anatomies, whose scans are painted anew for every sample.
ANATOMIES = "anatomies"
# Anatomies know more of what their patches should be centred on than a schema can name.
_CENTERED_BY_TISSUE = ("ba_net", "locator", "second_look")
_STATISTICS_VOXELS = 20_000


@dataclass(frozen=True)
class Session:
    """What a training was asked to be.

    `data` is a layout's name, or ANATOMIES, and `folder` where it lies; of `folds` parts the one numbered `fold`
    validates (None: all train, nothing validates). `steps`, `batch` and `rate` replace the recipe's. `output` is the
    run's folder; resampled scans are kept in `scans` (default: in `output`), which networks of one system share.

    With made anatomies, a share `mixed_share` of the samples comes from the real scans in `mixed` (our layout). A new
    run starts from the weights in the file `initial`, if there is one.
    """

    network: str
    size: str
    data: str
    folder: Path
    output: Path
    folds: int = 5
    fold: int | None = 0
    steps: int | None = None
    batch: int | None = None
    device: str = "cpu"
    scans: Path | None = None
    mixed: Path | None = None
    mixed_share: float = 0.25
    initial: Path | None = None
    rate: float | None = None

    @property
    def model(self) -> str:
        """The model whose recipe is followed."""
        return model_of(self.network)

    def _workers(self) -> int:
        """Processes that make samples: a GPU waits for one alone."""
        return min(8, os.cpu_count() or 1) if choose_device(self.device).type == "cuda" else 1

    @property
    def seed(self) -> int:
        """Members of an ensemble differ in their first weights and the order of samples."""
        number = self.network.removeprefix(self.model + "_")
        return int(number) if number.isdigit() else 0

    @property
    def sample_seed(self) -> int:
        """The order and the looks of samples. A run that goes on from weights draws others than the run that made them,
        which began with the same seed."""
        return self.seed + (zlib.crc32(self.initial.read_bytes()) if self.initial and self.initial.is_file() else 0)

    def plan(self) -> TrainingPlan:
        """The recipe's plan with what was asked for in its place. Raises InputError if the model has none of this
        size."""
        plan = RECIPES[self.model].plan(self.size)
        if plan is None:
            raise InputError(f"The {self.model} has no configuration {self.size!r}; leave --config out.")
        wanted = {"steps": self.steps, "batch": self.batch, "rate": self.rate, "device": self.device}
        wanted["workers"] = self._workers()
        return replace(plan, **{name: value for name, value in wanted.items() if value is not None})


def schema_of(model: str, size: str) -> Schema:
    """The model's schema; some have one of their own for the paper's large patches."""
    return SCHEMAS.get(f"{model}_{size}", SCHEMAS[model])


def make_trainer(session: Session, show: Progress = silent) -> Trainer:
    """The trainer of a session; resampled scans are kept in `output`/scans, an unfinished run there is gone on with.

    Raises InputError if the data cannot be used for the model.
    """
    if session.data == ANATOMIES:
        return _on_anatomies(session, show)
    return _on_cases(session, show)


def _on_anatomies(session: Session, show: Progress) -> Trainer:
    network_config, plan = config(session.model, session.size), without_validation(session.plan())
    schema = None if session.model in _CENTERED_BY_TISSUE else SCHEMAS.get(session.model)
    on_gpu = local_device(session.device).type == "cuda"
    length = plan.steps * plan.batch
    soft = RECIPES[session.model].loss_of(session.size) in LOSSES_WITH_SHARES
    close_up = session.model == "second_look"
    samples: Dataset = MadeSamples(
        session.folder, network_config, length, session.sample_seed, schema, on_gpu, soft, close_up
    )
    if session.mixed:
        plan = replace(plan, real_share=session.mixed_share)
        real = _real_samples(session, network_config, length, show)
        samples = Mixture(samples, real, session.mixed_share, session.sample_seed)
    return _trainer(session, network_config, plan, samples, None, show)


def _real_samples(session: Session, network_config: NetworkConfig, length: int, show: Progress) -> PatchSamples:
    """Patches of the real scans to mix in, in their own order."""
    require_unknown_allowed(session.model)
    cases = find_cases("ours", session.mixed)
    stored = _stored(cases, network_config, session.scans or session.output / "scans", show)
    require_neighbours(stored, network_config)
    return PatchSamples(stored, network_config, SCHEMAS["kidneys"], REAL_SCANS, length, session.sample_seed + 1)


def _on_cases(session: Session, show: Progress) -> Trainer:
    cases = find_cases(session.data, session.folder)
    wanted = restricted(config(session.model, session.size), labelled_structures(cases), session.data)
    stored = _stored(cases, wanted, session.scans or session.output / "scans", show)
    training, held_out = _split(stored, session)
    fitted = with_statistics(wanted, training) if session.size == "paper" else wanted
    if session.mixed:
        raise InputError("Real scans are mixed into made anatomies only; leave --mix out, or give --data anatomies.")
    plan = session.plan() if held_out else without_validation(session.plan())
    recipe = RECIPES[session.model]
    samples = PatchSamples(
        training,
        fitted,
        schema_of(session.model, session.size),
        recipe.augmentation_of(session.size),
        plan.steps * plan.batch,
        session.sample_seed,
    )
    if samples.has_unknown:
        require_unknown_allowed(session.model)
    validation = CaseValidation(held_out, fitted, local_device(session.device)) if plan.validate_every else None
    return _trainer(session, fitted, plan, samples, validation, show)


def _stored(cases: list[Case], wanted: NetworkConfig, folder: Path, show: Progress) -> list[StoredCase]:
    """The scans on the network's grid; of several processes the first one makes them while the others wait."""
    if rank() > 0:
        gathered(torch.zeros(1))
    stored = stored_cases(cases, wanted, folder, partial(show, 0.0))
    if rank() == 0:
        gathered(torch.zeros(1))
    return stored


def _trainer(
    session: Session,
    network_config: NetworkConfig,
    plan: TrainingPlan,
    samples: Dataset,
    validation: CaseValidation | None,
    show: Progress,
) -> Trainer:
    torch.manual_seed(session.seed)
    loss = LOSSES[RECIPES[session.model].loss_of(session.size)](network_config)
    network = build(network_config)
    if session.initial:
        load_initial(network, network_config, session.initial)
    return Trainer(network, loss, samples, plan, session.output, network_config.to_json(), validation, show)


def require_unknown_allowed(model: str) -> None:
    """Raises InputError if the model's loss cannot leave out voxels whose label nobody knows."""
    if RECIPES[model].loss not in LOSSES_WITH_UNKNOWN:
        raise InputError(
            f"The loss of {model} looks at all voxels, and these labels hold 255 or 254 (unknown); train ba_net, "
            "plain_unet, res_unet, kid_net, second_look or the locator on them."
        )


def require_neighbours(stored: list[StoredCase], network_config: NetworkConfig) -> None:
    """Raises InputError if the network finds kidneys' neighbours and a scan has no label of any: to learn from it would
    be to learn that they are background."""
    if NEIGHBOUR_LABELS.keys().isdisjoint(network_config.classes):
        return
    for case in stored:
        if not np.isin(case.labels, list(NEIGHBOUR_LABELS.values())).any():
            raise InputError(
                f"The labels of {case.name} have no spine, liver or spleen, which this network finds; label the scans "
                "anew with Utilities/label_real_scans.py, in another folder."
            )


def without_validation(plan: TrainingPlan) -> TrainingPlan:
    """The plan for training where nothing validates; a plateau schedule, which follows validation, becomes poly."""
    return replace(plan, validate_every=0, schedule=POLY if plan.schedule == PLATEAU else plan.schedule)


def _split(stored: list[StoredCase], session: Session) -> tuple[list[StoredCase], list[StoredCase]]:
    if session.fold is None:
        return stored, []
    training, held_out = k_fold([case.name for case in stored], session.folds)[session.fold]
    return [c for c in stored if c.name in training], [c for c in stored if c.name in held_out]


def restricted(network_config: NetworkConfig, structures: Sequence[str], data: str) -> NetworkConfig:
    """The configuration with those of its classes that the data labels.

    Raises InputError if that leaves nothing to learn, or less than the two maps of a network that nests tumor in
    kidney.
    """
    classes = tuple(c for c in network_config.classes if c == "background" or c in structures)
    if len(classes) == 1 or (network_config.activation == NESTED and classes != network_config.classes):
        needed = ", ".join(network_config.classes[1:])
        raise InputError(f"The data set {data} labels {', '.join(structures)}; this model needs {needed}.")
    return replace(network_config, classes=classes)


def with_statistics(network_config: NetworkConfig, stored: Sequence[StoredCase]) -> NetworkConfig:
    """The configuration with mean and standard deviation of the clipped HU in the labelled structures of these scans
    (nnU-Net's; BA-Net takes "data statistics", TuNet each scan's own, which padding and field of view would change).

    HU clipped to [-1000, 1000] and divided by 1000 (boundary stream) are no statistics and stay.
    """
    if network_config.mean_hu == 0 and network_config.std_hu == 1000:
        return network_config
    rng = np.random.default_rng(0)
    values = np.concatenate([_some_foreground(case, rng) for case in stored]).clip(*network_config.clip_hu)
    return replace(network_config, mean_hu=float(values.mean()), std_hu=float(max(values.std(), 1.0)))


def _some_foreground(case: StoredCase, rng: np.random.Generator) -> np.ndarray:
    values = case.hu[(case.labels > 0) & (case.labels < NUM_CLASSES)].astype(np.float32)
    return values if len(values) <= _STATISTICS_VOXELS else rng.choice(values, _STATISTICS_VOXELS, replace=False)
