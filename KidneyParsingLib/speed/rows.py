"""What is compared, as data: our presets and the peers."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from .measuring import module_command

# Names of the reference's label maps (see `reference`).
RAW, WHOLE, AUTO = "raw", "whole", "auto"
MODEL = "plain_unet"
WEIGHTS_NAME = f"{MODEL}-reference.safetensors"
NNUNET, MONAI = "nnunet", "monai"
PEERS = (NNUNET, MONAI)
OURS = "whole"
_PIP = "pip install nnunetv2 monai matplotlib"


@dataclass(frozen=True)
class Row:
    """One engine: key in results, title in tables, the reference its labels are compared with, our program's
    `arguments` (None: it is no run of our program), packages it `needs`, and whether it runs exactly the windows that
    cover the whole scan."""

    key: str
    title: str
    reference: str
    arguments: tuple[str, ...] | None = None
    needs: tuple[str, ...] = ()
    covers_scan: bool = False

    @property
    def is_peer(self) -> bool:
        """Whether it is not ours."""
        return self.key in PEERS

    def command(self, ct: Path, output: Path, weights: Path) -> list[str]:
        """The command line that writes `output` (.nii.gz)."""
        if self.is_peer:
            return module_command("speed.peers", self.key, ct, weights / WEIGHTS_NAME, output)
        if self.arguments is None:
            return module_command("speed.warm", ct, output)
        return segment_command(ct, output, self.arguments)

    @property
    def missing(self) -> str | None:
        """A sentence that says what is not installed and how to get it; None if all is there."""
        if all(find_spec(name) for name in self.needs):
            return None
        return f"{self.title} is not installed; {_PIP} brings it."


def segment_command(ct: Path, output: Path, arguments: tuple[str, ...]) -> list[str]:
    """The command line of our program on the reference network."""
    return module_command("", "segment", ct, "-o", output, "--model", MODEL, "--json-progress", *arguments)


# Peers clean nothing up either.
SAME_WINDOWS = ("--region", "whole", "--overlap", "0.5", "--quality", "default", "--raw")
_SCAN = {"reference": WHOLE, "covers_scan": True}
ROWS = (
    Row(NNUNET, "nnU-Net v2", RAW, needs=("nnunetv2",), covers_scan=True),
    Row(MONAI, "MONAI", RAW, needs=("monai", "nibabel"), covers_scan=True),
    Row(OURS, "ours, whole scan, same windows", arguments=(*SAME_WINDOWS, "--backend", "auto"), **_SCAN),
    Row("whole_torch", "the same, torch only", arguments=(*SAME_WINDOWS, "--backend", "torch"), **_SCAN),
    Row("default", "ours, default", AUTO, ("--backend", "auto")),
    Row("fast", "ours, fast", AUTO, ("--quality", "fast", "--backend", "auto")),
    Row("warm", "ours, default, second run of a living engine", AUTO),
)
# Whose first run on a machine, with nothing kept of earlier ones, is told apart: in float32 and in half precision.
FIRST_RUNS = ("default", "fast")


def chosen_rows(peers: tuple[str, ...]) -> list[Row]:
    """Our rows and those of the wanted peers."""
    return [row for row in ROWS if not row.is_peer or row.key in peers]
