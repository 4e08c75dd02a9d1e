"""What is drawn of a made patient's kidneys before anything is built: variants, lesions, vessels, collecting system.

Shares and calibres are our choice, rounded from what surgical anatomy of the kidney usually quotes; rare things are
drawn somewhat oftener than they are met, so that a network sees them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...anatomy import LEFT, RIGHT

SIDES = (RIGHT, LEFT)


@dataclass(frozen=True)
class TumorPlan:
    """A made tumor: `exophytic` is the distance of its centre from the surface in radii, negative inside."""

    diameter_mm: float
    exophytic: float
    lobulation: float


@dataclass(frozen=True)
class LesionPlan:
    """Lesions of one kidney. `real_tumor`, `real_cyst`: taken from a real shape that has one, where there is an atlas;
    else `tumor` and `cysts_mm` (diameters) are made. `necrosis` is the share of a large tumor that is necrotic."""

    tumor: TumorPlan | None
    real_tumor: bool
    cysts_mm: tuple[float, ...]
    real_cyst: bool
    parapelvic: bool
    polycystic: bool
    necrosis: float
    has_calcium: bool
    is_fatty: bool
    has_thrombus: bool


@dataclass(frozen=True)
class ArteryPlan:
    """One renal artery: diameter at the origin, `target` "hilum", "upper" or "lower" (pole), height of the origin above
    the target."""

    diameter_mm: float
    target: str
    level_mm: float
    is_precaval: bool
    is_prehilar: bool


@dataclass(frozen=True)
class VeinPlan:
    """The renal veins of one side: `courses` at the aorta (left: "preaortic", "retroaortic" or both; right: "direct"
    once or twice), `narrowing` of the left one before the aorta as a factor of its diameter."""

    diameter_mm: float
    courses: tuple[str, ...]
    narrowing: float


@dataclass(frozen=True)
class CollectingPlan:
    """Collecting system and ureter: `width` "collapsed", "normal" or "dilated"; stones as diameters in mm."""

    width: str
    is_extrarenal: bool
    is_duplicated: bool
    majors: int
    stones_mm: tuple[float, ...]
    is_staghorn: bool
    has_stent: bool
    ureter_mm: float
    collapsed_parts: int


@dataclass(frozen=True)
class KidneyPlan:
    """One kidney. `state` is "normal", "absent", "removed" (nephrectomy), "atrophic" or "ptotic"; `volume_ml` what is
    aimed at; `turn_deg` is malrotation about the body's axis; `lowered_mm` how far below its place."""

    state: str
    volume_ml: float | None
    growth: float
    turn_deg: float
    lowered_mm: float
    is_lobulated: bool
    pyramids: int
    fat_mm: float
    lesions: LesionPlan
    arteries: tuple[ArteryPlan, ...]
    vein: VeinPlan
    collecting: CollectingPlan

    @property
    def is_present(self) -> bool:
        """Whether there is a kidney on this side."""
        return self.state not in ("absent", "removed")


@dataclass(frozen=True)
class RenalPlan:
    """Both kidneys of a patient by side; a horseshoe kidney joins them at the lower poles."""

    kidneys: dict[str, KidneyPlan]
    is_horseshoe: bool


def draw_renal_plan(rng: np.random.Generator) -> RenalPlan:
    """A random patient's kidneys. Tumors in about 60 % of patients, cysts in about 35 %."""
    is_horseshoe = bool(rng.random() < 0.015)
    states = ("normal", "normal") if is_horseshoe else _draw_states(rng)
    fat_mm = float(np.clip(rng.lognormal(np.log(8), 0.7), 2, 25))
    tumors, cysts = _draw_sides(rng, 0.60, 0.07), _draw_sides(rng, 0.35, 0.35)
    is_polycystic = bool(rng.random() < 0.008)
    lowered = rng.uniform(25, 45) if is_horseshoe else 0.0
    kidneys = {}
    for index, side in enumerate(SIDES):
        is_alone = states[1 - index] in ("absent", "removed")
        lesions = draw_lesions(rng, tumors[index], cysts[index], is_polycystic)
        kidneys[side] = _draw_kidney(rng, side, states[index], is_alone, lowered, fat_mm, lesions)
    return RenalPlan(kidneys, is_horseshoe)


def _draw_states(rng: np.random.Generator) -> tuple[str, str]:
    """Both sides' states; at most one is out of the ordinary."""
    states = ["normal", "normal"]
    names = ("normal", "absent", "removed", "atrophic", "ptotic")
    states[rng.integers(2)] = str(names[rng.choice(5, p=(0.905, 0.02, 0.03, 0.03, 0.015))])
    return states[0], states[1]


def _draw_sides(rng: np.random.Generator, share: float, both: float) -> tuple[bool, bool]:
    """Which sides have something that `share` of patients have, of these the share `both` on both sides."""
    if rng.random() >= share:
        return False, False
    if rng.random() < both:
        return True, True
    is_right = bool(rng.random() < 0.5)
    return is_right, not is_right


def _draw_kidney(
    rng: np.random.Generator, side: str, state: str, is_alone: bool, lowered: float, fat_mm: float, lesions: LesionPlan
) -> KidneyPlan:
    is_malrotated = lowered > 0 or state == "ptotic" or rng.random() < 0.02
    if state == "ptotic":
        lowered = rng.uniform(50, 130)
    growth = rng.uniform(1.05, 1.15) if is_alone else 1.0
    return KidneyPlan(
        state=state,
        volume_ml=float(rng.uniform(20, 60)) if state == "atrophic" else None,
        growth=float(growth * (rng.uniform(1.15, 1.5) if lesions.polycystic else 1.0)),
        turn_deg=float(rng.uniform(35, 90)) if is_malrotated else 0.0,
        lowered_mm=float(lowered),
        is_lobulated=bool(rng.random() < 0.06),
        pyramids=int(rng.integers(7, 15)),
        fat_mm=float(np.clip(fat_mm * rng.lognormal(0, 0.2), 2, 25)),
        lesions=lesions,
        arteries=_draw_arteries(rng, side),
        vein=_draw_vein(rng, side),
        collecting=_draw_collecting(rng),
    )


def draw_lesions(rng: np.random.Generator, has_tumor: bool, has_cyst: bool, polycystic: bool) -> LesionPlan:
    """Random lesions of one kidney that has a tumor, cysts, both or none."""
    diameter = float(np.clip(rng.lognormal(np.log(36), 0.6), 10, 120))
    tumor = TumorPlan(diameter, float(rng.uniform(-0.9, 0.6)), float(rng.uniform(0.02, 0.22)))
    count = 1 + rng.geometric(0.55) - 1 if has_cyst else 0
    cysts = np.clip(rng.lognormal(np.log(18), 0.65, min(count, 6)), 5, 80)
    if polycystic:
        cysts = np.clip(rng.lognormal(np.log(14), 0.5, rng.integers(30, 70)), 5, 45)
    return LesionPlan(
        tumor=tumor if has_tumor else None,
        real_tumor=bool(has_tumor and rng.random() < 0.6),
        cysts_mm=tuple(float(d) for d in cysts),
        real_cyst=bool(has_cyst and rng.random() < 0.5),
        parapelvic=bool(has_cyst and rng.random() < 0.12),
        polycystic=polycystic,
        necrosis=float(rng.uniform(0, 0.8) if rng.random() < 0.7 else 0),
        has_calcium=bool(rng.random() < 0.10),
        is_fatty=bool(rng.random() < 0.07),
        has_thrombus=bool(rng.random() < 0.04),
    )


def _draw_arteries(rng: np.random.Generator, side: str) -> tuple[ArteryPlan, ...]:
    plans = []
    for index in range(1 + int(rng.choice(3, p=(0.70, 0.25, 0.05)))):
        is_main = index == 0
        target = "hilum" if is_main else ("hilum", "upper", "lower")[rng.choice(3, p=(0.35, 0.3, 0.35))]
        level = {"hilum": rng.uniform(0, 18), "upper": rng.uniform(-20, 5), "lower": rng.uniform(5, 35)}[target]
        plans.append(
            ArteryPlan(
                diameter_mm=float(rng.uniform(4.5, 7.0) if is_main else rng.uniform(2.5, 4.5)),
                target=target,
                level_mm=float(level),
                is_precaval=bool(side == RIGHT and rng.random() < (0.02 if is_main else 0.1)),
                is_prehilar=bool(is_main and rng.random() < 0.15),
            )
        )
    return tuple(plans)


def _draw_vein(rng: np.random.Generator, side: str) -> VeinPlan:
    if side == RIGHT:
        courses: tuple[str, ...] = ("direct", "direct") if rng.random() < 0.15 else ("direct",)
    else:
        options = (("preaortic",), ("retroaortic",), ("preaortic", "retroaortic"))
        courses = options[rng.choice(3, p=(0.94, 0.03, 0.03))]
    narrowing = rng.uniform(0.4, 0.8) if side == LEFT and rng.random() < 0.35 else 1.0
    return VeinPlan(float(rng.uniform(8, 13)), courses, float(narrowing))


def _draw_collecting(rng: np.random.Generator) -> CollectingPlan:
    width = str(rng.choice(("collapsed", "normal", "dilated"), p=(0.35, 0.57, 0.08)))
    stones: tuple[float, ...] = ()
    if rng.random() < 0.06:
        stones = tuple(float(d) for d in np.clip(rng.lognormal(np.log(5), 0.6, rng.integers(1, 4)), 2, 15))
    return CollectingPlan(
        width=width,
        is_extrarenal=bool(rng.random() < 0.25),
        is_duplicated=bool(rng.random() < 0.02),
        majors=int(rng.integers(2, 4)),
        stones_mm=stones,
        is_staghorn=bool(rng.random() < 0.005),
        has_stent=bool(rng.random() < 0.02),
        ureter_mm=float(rng.uniform(2.0, 5.0) if width != "dilated" else rng.uniform(4.0, 9.0)),
        collapsed_parts=int(rng.integers(0, 4)) if rng.random() < 0.5 else 0,
    )
