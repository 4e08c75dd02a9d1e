"""The published systems as data: which networks they are made of and how these work together. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass

from ..sentences import texts_of

_ = texts_of(__name__)

LOCATOR = "locator"
ENSEMBLE_SIZE = 5


@dataclass(frozen=True)
class System:
    """A way from a CT to structures.

    `members` are networks whose probability maps are averaged. `finder` finds the kidneys in the whole CT: our locator,
    or a network of the system's own. `gated` multiplies the maps by the finder's mask and `growing` applies TuNet's
    algorithm 1 to them. `mirrored` systems always average mirror images, others when asked to; with `all_axes` along
    every axis, else right and left only. `second_look` is a network, no paper's, that looks at each kidney again;
    the system also works without it. `summary` is for people who choose, `reference` is the paper.
    """

    name: str
    summary: str
    reference: str
    members: tuple[str, ...]
    finder: str = LOCATOR
    gated: bool = False
    growing: bool = False
    mirrored: bool = False
    all_axes: bool = False
    second_look: str = ""

    @property
    def networks(self) -> tuple[str, ...]:
        """All networks that are run, the locator too: its spine tells right from left."""
        return tuple(dict.fromkeys((LOCATOR, *self.trained_for, *([self.second_look] if self.second_look else []))))

    @property
    def trained_for(self) -> tuple[str, ...]:
        """The networks that training the system means."""
        return tuple(dict.fromkeys(n for n in (self.finder, *self.members) if n != LOCATOR))


SYSTEMS: tuple[System, ...] = (
    System(
        "ba_net",
        _("BA-Net, boundary-aware network: all structures in one run, what is small in a second look. The default."),
        "Hu et al. 2022, arXiv 2208.13338",
        ("ba_net",),
        second_look="second_look",
    ),
    System(
        "plain_unet", _("nnU-Net's plain U-Net, BA-Net's comparator."), "10.1038/s41592-020-01008-z", ("plain_unet",)
    ),
    System(
        "res_unet",
        _("nnU-Net's residual-encoder U-Net, BA-Net's comparator."),
        "Isensee and Maier-Hein 2019, arXiv 1908.02182",
        ("res_unet",),
    ),
    System(
        "rb_ensemble",
        _("RB-Ensemble: mean of residual U-Net and BA-Net."),
        "Hu et al. 2022, arXiv 2208.13338",
        # A BA-Net of the residual U-Net's size, as the two share a grid; the default's is larger.
        ("res_unet", "ba_net_1"),
    ),
    System(
        "boundary_stream",
        _("Boundary-stream network, mean of five and of mirror images: kidney and tumor; slow."),
        "Myronenko and Hatamizadeh 2019, arXiv 1909.06684",
        tuple(f"boundary_stream_{i + 1}" for i in range(ENSEMBLE_SIZE)),
        mirrored=True,
        all_axes=True,
    ),
    System(
        "bisc_unet",
        _("BiSC-UNet: a rough SC-UNet finds the kidneys, a fine one parses kidney and tumor."),
        "Wang et al. 2019, 10.24926/548719.013",
        ("sc_unet",),
        finder="sc_unet_rough",
    ),
    System("kid_net", _("Kid-Net: artery, vein and ureter."), "Taha et al. 2018, arXiv 1806.06769", ("kid_net",)),
    System(
        "tu_net",
        _("TuNet: cascaded L-, W- and T-Net for kidney and tumor."),
        "Vu et al. 2019, arXiv 1910.07521",
        ("tu_net",),
        finder="l_net",
        gated=True,
        growing=True,
    ),
)


def model_of(network: str) -> str:
    """The model whose configuration a network has: members of an ensemble are numbered (`boundary_stream_3`)."""
    stem, _, number = network.rpartition("_")
    return stem if number.isdigit() else network
