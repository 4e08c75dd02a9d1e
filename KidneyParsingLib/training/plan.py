"""How a run is trained: steps, batch, rate, optimizer and schedule, as data; what does not fit is refused at once."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import InputError

OPTIMIZERS = ("adamw", "adam", "sgd")
CONSTANT = "constant"
POLY = "poly"
PLATEAU = "plateau"
SCHEDULES = (POLY, PLATEAU, CONSTANT)
_DECISIVE = ("steps", "batch", "rate", "optimizer", "schedule", "weight_decay", "real_share")
_DECISIVE_FOR_PLATEAU = ("patience", "stop_after", "validate_every")


@dataclass(frozen=True)
class TrainingPlan:
    """`steps` of `batch` samples, shared by all processes. A plan that cannot work raises InputError.

    `optimizer`: adamw, adam, or sgd (Nesterov momentum 0.99); `weight_decay` None is the optimizer's usual one. Of
    samples made from anatomies `real_share` are replaced by real ones (None: no real scans are mixed in).
    `schedule`: constant; poly, `rate * (1 - t/T)^0.9`; or plateau, TuNet's: times 0.2 after `patience` validations
    without a better score, the end after `stop_after`. Every `validate_every` steps (0: never) and after the last one
    the network is validated. `mixed` trains in half precision where the processor has it. A checkpoint is written every
    `checkpoint_seconds`. `workers` processes make the samples, 0: the training process itself.
    """

    steps: int
    batch: int = 1
    rate: float = 1e-3
    optimizer: str = "adamw"
    schedule: str = POLY
    weight_decay: float | None = None
    real_share: float | None = None
    patience: int = 6
    stop_after: int = 15
    validate_every: int = 0
    mixed: bool = True
    device: str = "cpu"
    checkpoint_seconds: float = 180.0
    workers: int = 1

    def __post_init__(self) -> None:
        _require_known("optimizer", self.optimizer, OPTIMIZERS)
        _require_known("schedule", self.schedule, SCHEDULES)
        for name in ("steps", "batch", "patience", "stop_after"):
            _require_least(name, getattr(self, name), 1)
        for name in ("validate_every", "workers"):
            _require_least(name, getattr(self, name), 0)
        if self.schedule == PLATEAU and not self.validate_every:
            raise InputError(
                "The plateau schedule follows the validation score: hold cases out and set validate_every."
            )

    def decisive(self) -> dict[str, object]:
        """The values on which the weights depend; a run must go on with the same ones.

        Device, precision and the number of processes may change, say on another machine.
        """
        names = _DECISIVE + (_DECISIVE_FOR_PLATEAU if self.schedule == PLATEAU else ())
        return {name: getattr(self, name) for name in names}


def _require_known(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise InputError(f"There is no {name} {value!r}; choose from: {', '.join(known)}.")


def _require_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise InputError(f"{name} cannot be {value} in a training plan; it must be {least} or more.")
