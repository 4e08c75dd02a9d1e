"""What is trained and what is compared, as data."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ..networks.configs import NetworkConfig, config


@dataclass(frozen=True)
class Variant:
    """One kind of training: a model's recipe with changed configuration, loss or schema; repeated with several seeds.

    `loss` and `schema` are names in `training.recipes.LOSSES` and `training.schemas.SCHEMAS`; None: the model's own.
    `seeds` limits or extends the repeats (None: as many as asked for). `share` of the steps is trained: what only finds
    the kidneys, the same for all lines of a table, needs less.
    """

    name: str
    model: str
    changes: dict[str, object] = field(default_factory=dict)
    loss: str | None = None
    schema: str | None = None
    seeds: int | None = None
    share: float = 1.0

    def config(self, size: str) -> NetworkConfig:
        """The network's configuration at a size: tiny, small or paper."""
        return replace(config(self.model, size), **self.changes)


# KiPA22's structures; all its scans are cut out around a kidney.
_KIPA = {"classes": ("background", "kidney", "tumor", "artery", "vein")}
# The plain 3D U-Net that TuNet is compared with: L-Net's architecture, W-Net's and T-Net's task.
_PLAIN_3D = {"network": "l_net", "median": False}
VARIANTS: tuple[Variant, ...] = (
    Variant("plain_unet", "plain_unet", _KIPA, schema="kidneys"),
    Variant("res_unet", "res_unet", _KIPA, schema="kidneys"),
    Variant("ba_net", "ba_net", _KIPA, schema="kidneys"),
    Variant("sc_unet_rough", "sc_unet_rough", seeds=1, share=0.5),
    Variant("sc_unet_balanced", "sc_unet"),
    Variant("sc_unet_plain", "sc_unet", loss="sc_unet_plain"),
    Variant("kid_net_dw", "kid_net", schema="kid_net_dw"),
    Variant("kid_net_dw_rs", "kid_net"),
    Variant("boundary_stream", "boundary_stream", seeds=5),
    Variant("l_net", "l_net", seeds=1, share=0.5),
    Variant("unet_3d", "tu_net", _PLAIN_3D),
    Variant("unet_3d_median", "tu_net", {"network": "l_net"}),
    Variant("tu_net", "tu_net", {"median": False}),
    Variant("tu_net_median", "tu_net"),
    Variant("tu_net_se", "tu_net", {"median": False, "squeeze": True}),
    Variant("tu_net_se_median", "tu_net", {"squeeze": True}),
)


@dataclass(frozen=True)
class Run:
    """One training: a variant with a seed."""

    variant: Variant
    seed: int

    @property
    def name(self) -> str:
        """The name of its folder."""
        return f"{self.variant.name}-{self.seed}"


def runs(seeds: int) -> list[Run]:
    """All trainings: first those that everything needs, then seed by seed, so that early results cover every claim; the
    members of an ensemble count as one seed's."""
    counts = {v.name: seeds if v.seeds is None else v.seeds for v in VARIANTS}
    planned = [Run(v, seed) for seed in range(max(counts.values())) for v in VARIANTS if seed < counts[v.name]]
    return sorted(planned, key=_turn)


def _turn(run: Run) -> tuple[int, int]:
    if run.variant.seeds is None:
        return run.seed, 1
    return 0, 0 if run.variant.seeds == 1 else 2


@dataclass(frozen=True)
class Arm:
    """One line of the table: variants whose maps are averaged (of one seed, or with `pooled` of all their seeds), and
    how.

    `mirrored`: flips along all axes; `finder`: the variant that finds the kidneys; `gated`, `growing`: TuNet's; `roi`:
    only boxes around the true kidneys are predicted and scored, as KiPA22's scans are cut out around them; `islands`:
    of the slices that the truth shows, only predicted islands that overlap true ones count (Kid-Net, section 3).
    """

    name: str
    variants: tuple[str, ...]
    pooled: bool = False
    mirrored: bool = False
    finder: str | None = None
    gated: bool = False
    growing: bool = False
    roi: bool = False
    islands: bool = False


_TUNETS = ("tu_net", "tu_net_median", "tu_net_se", "tu_net_se_median")


def _tu_net(name: str, *variants: str, growing: bool = False) -> Arm:
    return Arm(name, variants, finder="l_net", gated=True, growing=growing)


@dataclass(frozen=True)
class Statement:
    """`better` beats `worse` in a column; `paper` holds the paper's two values of them (Dice as a fraction)."""

    better: str
    worse: str
    column: str
    paper: tuple[float, float]


@dataclass(frozen=True)
class Claim:
    """A paper's comparison: its lines (`arms`), the `columns` that are measured, and what the paper says of them.

    Columns: "dice X" and "hd X" (mm) of a structure, of "whole" (kidney with lesions), or their "mean"; "box X": Dice
    within the kidneys' bounding box; "composite": mean Dice of whole and tumor.
    """

    title: str
    source: str
    arms: tuple[Arm, ...]
    columns: tuple[str, ...]
    statements: tuple[Statement, ...]


CLAIMS: tuple[Claim, ...] = (
    Claim(
        "BA-Net",
        "Hu et al. 2022, tables 1 and 2 (KiPA22; means over kidney, tumor, artery, vein; HD in voxels, ours in mm)",
        (
            Arm("nnU-Net", ("plain_unet",), roi=True),
            Arm("ResUNet", ("res_unet",), roi=True),
            Arm("BA-Net", ("ba_net",), roi=True),
            Arm("RB-Ensemble", ("res_unet", "ba_net"), roi=True),
        ),
        ("dice kidney", "dice tumor", "dice artery", "dice vein", "dice mean", "hd mean"),
        (
            Statement("BA-Net", "nnU-Net", "dice mean", (0.8924, 0.8867)),
            Statement("BA-Net", "nnU-Net", "hd mean", (2.93, 4.01)),
            Statement("BA-Net", "ResUNet", "dice mean", (0.8924, 0.8901)),
            Statement("BA-Net", "ResUNet", "hd mean", (2.93, 4.50)),
            Statement("RB-Ensemble", "BA-Net", "dice mean", (0.8951, 0.8928)),
            Statement("RB-Ensemble", "ResUNet", "dice mean", (0.8951, 0.8931)),
        ),
    ),
    Claim(
        "Boundary stream",
        "Myronenko and Hatamizadeh 2019, arXiv 1909.06684, table 1 (KiTS19, own split)",
        (
            Arm("single model", ("boundary_stream",), roi=True),
            Arm("TTA + ensemble of 5", ("boundary_stream",), pooled=True, mirrored=True, roi=True),
        ),
        ("dice whole", "dice tumor", "composite"),
        (
            Statement("TTA + ensemble of 5", "single model", "composite", (0.902, 0.889)),
            Statement("TTA + ensemble of 5", "single model", "dice tumor", (0.834, 0.821)),
        ),
    ),
    Claim(
        "BiSC-UNet",
        "Wang et al. 2019, 10.24926/548719.013, table 1 (KiTS19, 42 cases)",
        (
            Arm("balanced cross-entropy", ("sc_unet_balanced",), finder="sc_unet_rough"),
            Arm("cross-entropy", ("sc_unet_plain",), finder="sc_unet_rough"),
        ),
        ("dice kidney", "dice tumor"),
        (
            Statement("balanced cross-entropy", "cross-entropy", "dice kidney", (0.954, 0.942)),
            Statement("balanced cross-entropy", "cross-entropy", "dice tumor", (0.741, 0.736)),
        ),
    ),
    Claim(
        "Kid-Net",
        "Taha et al. 2018, table 1 (whole ROI and kidney bounding box; 107 cases)",
        (Arm("DW", ("kid_net_dw",), islands=True), Arm("DW+RS", ("kid_net_dw_rs",), islands=True)),
        ("dice artery", "dice vein", "dice ureter", "box artery", "box vein", "box ureter"),
        (
            Statement("DW+RS", "DW", "dice artery", (0.88, 0.86)),
            Statement("DW", "DW+RS", "dice vein", (0.59, 0.57)),
            Statement("DW+RS", "DW", "dice ureter", (0.62, 0.32)),
            Statement("DW+RS", "DW", "box vein", (0.67, 0.60)),
            Statement("DW+RS", "DW", "box ureter", (0.63, 0.41)),
        ),
    ),
    Claim(
        "TuNet",
        "Vu et al. 2019, arXiv 1910.07521, table 1 (KiTS19, 5-fold; mean of whole and tumor)",
        (
            Arm("3D U-Net", ("unet_3d",)),
            Arm("3D U-Net + median", ("unet_3d_median",)),
            _tu_net("TuNet", "tu_net"),
            _tu_net("TuNet + median", "tu_net_median"),
            _tu_net("TuNet + SE", "tu_net_se"),
            _tu_net("TuNet + SE + median", "tu_net_se_median"),
            _tu_net("ensemble", *_TUNETS),
            _tu_net("ensemble + algorithm 1", *_TUNETS, growing=True),
        ),
        ("dice whole", "dice tumor", "composite"),
        (
            Statement("TuNet", "3D U-Net", "composite", (0.582, 0.474)),
            Statement("TuNet + median", "3D U-Net + median", "composite", (0.612, 0.501)),
            Statement("3D U-Net + median", "3D U-Net", "composite", (0.501, 0.474)),
            Statement("TuNet + median", "TuNet", "composite", (0.612, 0.582)),
            Statement("TuNet + SE", "TuNet", "dice whole", (0.868, 0.857)),
            Statement("TuNet", "TuNet + SE", "dice tumor", (0.308, 0.302)),
            Statement("ensemble", "TuNet", "composite", (0.612, 0.582)),
            Statement("ensemble + algorithm 1", "ensemble", "composite", (0.655, 0.612)),
            Statement("ensemble + algorithm 1", "TuNet + median", "composite", (0.655, 0.612)),
        ),
    ),
)
