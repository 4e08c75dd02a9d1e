"""From scores to the page: one table a claim, and whether its statements hold."""

from __future__ import annotations

import numpy as np

from .experiment import CLAIMS, Arm, Claim, Statement

# Scores of an arm: one entry a repeat (seed), each the measures of every test scan by column title.
Repeats = list[list[dict[str, float]]]
LOWER_IS_BETTER = ("hd",)
# Differences below these are none: of distances (mm), and of Dice and the composite.
_LEVEL_MM, _LEVEL = 1.0, 0.005


def repeat_means(repeats: Repeats, column: str) -> list[float]:
    """The mean over the test scans of a column, for every repeat."""
    return [
        float(np.mean([s[column] for s in scans if column in s]))
        for scans in repeats
        if any(column in s for s in scans)
    ]


def cell(repeats: Repeats, column: str) -> str:
    """Mean over repeats, with their standard deviation where there are several."""
    means = repeat_means(repeats, column)
    if not means:
        return "-"
    digits = 1 if column.startswith(LOWER_IS_BETTER) else 3
    spread = f" ± {np.std(means, ddof=1):.{digits}f}" if len(means) > 1 else ""
    return f"{np.mean(means):.{digits}f}{spread}"


def verdict(statement: Statement, better: Repeats, worse: Repeats) -> tuple[str, str]:
    """Our difference (better minus worse) and "yes" or "no": does it point in the paper's direction? "level" where
    there is next to none. In brackets, in how many of the repeats that both have it does."""
    ours, theirs = repeat_means(better, statement.column), repeat_means(worse, statement.column)
    if not ours or not theirs:
        return "-", "not measured"
    sign = -1 if statement.column.startswith(LOWER_IS_BETTER) else 1
    difference = float(np.mean(ours) - np.mean(theirs))
    if len(ours) == len(theirs):
        count = sum(sign * (a - b) > 0 for a, b in zip(ours, theirs, strict=True))
        support = f" ({count} of {len(ours)})"
    else:
        support = f" (against {sum(sign * (np.mean(ours) - b) > 0 for b in theirs)} of {len(theirs)})"
    digits = 1 if sign < 0 else 3
    if abs(difference) < (_LEVEL_MM if sign < 0 else _LEVEL):
        return f"{difference:+.{digits}f}", "level"
    return f"{difference:+.{digits}f}", ("yes" if sign * difference > 0 else "no") + support


def page(scores: dict[str, dict[str, Repeats]]) -> str:
    """Markdown: for every claim a table of its arms and one of its statements. `scores`: claim's title -> arm ->
    repeats."""
    return "\n".join(_section(claim, scores.get(claim.title, {})) for claim in CLAIMS)


def _section(claim: Claim, scores: dict[str, Repeats]) -> str:
    lines = [f"## {claim.title}", f"{claim.source}.", ""]
    lines += [f"| | repeats | {' | '.join(claim.columns)} |", f"|{'---|' * (len(claim.columns) + 2)}"]
    lines += [_arm_line(arm, claim, scores.get(arm.name, [])) for arm in claim.arms]
    lines += ["", "| the paper says | paper | ours | same direction |", "|---|---|---|---|"]
    lines += [_statement_line(s, scores.get(s.better, []), scores.get(s.worse, [])) for s in claim.statements]
    return "\n".join([*lines, ""])


def _arm_line(arm: Arm, claim: Claim, repeats: Repeats) -> str:
    return f"| {arm.name} | {len(repeats)} | {' | '.join(cell(repeats, column) for column in claim.columns)} |"


def _statement_line(statement: Statement, better: Repeats, worse: Repeats) -> str:
    a, b = statement.paper
    digits = 2 if statement.column.startswith(LOWER_IS_BETTER) else 3
    difference, answer = verdict(statement, better, worse)
    text = f"{statement.better} over {statement.worse}, {statement.column}"
    return f"| {text} | {a:g} / {b:g} ({a - b:+.{digits}f}) | {difference} | {answer} |"
