"""What a user may choose for one run."""

from __future__ import annotations

from dataclasses import dataclass

from ..anatomy import STRUCTURES
from ..errors import InputError
from ..sentences import texts_of

_ = texts_of(__name__)

DEFAULT_MODEL = "ba_net"
QUALITIES = ("fast", "default", "best")
AUTO = "auto"
WHOLE = "whole"
REGIONS = (AUTO, WHOLE)
BACKENDS = (AUTO, "torch", "compiled", "openvino", "onnxruntime")
_MOST_OVERLAP = 0.9


@dataclass(frozen=True)
class Options:
    """`model` is a name of `kidneyparsing models`; `device` auto, cpu, cuda, cuda:N or mps; `structures` those to keep
    (None: all of the model; what nobody asks for is not looked for); `tta` averages with a second view (mirrored, or
    shifted by half a stride for models that tell artery from vein, which a mirror image would confuse).

    `quality` is one of QUALITIES, from fast to thorough (docs/performance.md says what each costs and brings).
    `region`: auto, around the located kidneys, or the whole scan where the locator is in doubt; or the whole scan
    always. `overlap` of neighbouring windows (0 to 0.9), which then replace the single pass (None: windows only where a
    region does not go in one pass, with the model's own overlap). `backend` computes the networks: one of
    BACKENDS; auto is torch on a GPU and the fastest of what is installed on a CPU; compiled is torch.compile, which
    takes a minute for every new size of a region and pays for many scans on a GPU only. `review` also looks for the
    places that are worth a look, and keeps the uncertainty of every voxel. Without `cleanup` labels are as the network
    gives them, with whatever specks and implausible parts.
    """

    model: str = DEFAULT_MODEL
    device: str = AUTO
    structures: tuple[str, ...] | None = None
    tta: bool = False
    quality: str = "default"
    region: str = AUTO
    overlap: float | None = None
    backend: str = AUTO
    review: bool = False
    cleanup: bool = True

    def __post_init__(self) -> None:
        """Raises InputError for a value that does not exist."""
        known = tuple(entry.name for entry in STRUCTURES)
        for name in self.structures or ():
            _require_known(_("structure"), name, known)
        _require_known(_("quality"), self.quality, QUALITIES)
        _require_known(_("region"), self.region, REGIONS)
        _require_known(_("backend"), self.backend, BACKENDS)
        if self.overlap is not None and not 0 <= self.overlap <= _MOST_OVERLAP:
            raise InputError(
                _("Windows cannot overlap by {overlap}; choose 0 to {most}.").format(
                    overlap=self.overlap, most=_MOST_OVERLAP
                )
            )


def _require_known(what: str, name: str, known: tuple[str, ...]) -> None:
    if name not in known:
        raise InputError(
            _("There is no {what} {name!r}; choose from {known}.").format(what=what, name=name, known=", ".join(known))
        )
