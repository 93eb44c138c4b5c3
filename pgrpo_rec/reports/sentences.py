"""What the numbers say, in sentences: who leads, by how much, and where nobody can tell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pgrpo_rec.benchmark.protocol import TUNED
from pgrpo_rec.evaluation.statistics import Interval
from pgrpo_rec.reports.numbers import MEASURES, OURS, Numbers, rivals, told_apart

# What is known of the visitor, from little to much. Random groups tell nothing true.
KNOWLEDGE = {"nothing": 0, "random groups": 0, "users": 1, "true groups": 2}
COLUMNS = dict(zip(MEASURES, ("regret", "worst"), strict=True))
PLACES = dict(zip(MEASURES, ("on the mean", "on the worst group"), strict=True))


@dataclass(frozen=True)
class Standing:
    """P-GRPO's best against the best rival that was told no more, tuned or not alike.

    Parameters
    ----------
    scenario, told, variant, measure : str
    ours, rival : str
        The best of each side by this measure, chosen on the same seeds.
    difference : Interval
        Of their regrets, seed by seed; negative: P-GRPO is better.
    """

    scenario: str
    told: str
    variant: str
    measure: str
    ours: str
    rival: str
    difference: Interval

    @property
    def verdict(self) -> str:
        """``wins``, ``loses``, or ``cannot be told apart``."""
        if not told_apart(self.difference):
            return "cannot be told apart"
        return "loses" if self.difference.mean > 0 else "wins"


def number(value: float, signed: bool = False) -> str:
    """Return a regret with three digits, ``–`` where there is none.

    Signed numbers keep their sign however small: on it hangs whether an interval reaches 0.
    """
    if pd.isna(value):
        return "–"
    text = f"{value + 0.0:+.3f}" if signed else f"{round(value, 3) + 0.0:.3f}"  # no −0.000
    return text.replace("-", "−")


def interval(low: float, high: float, signed: bool = False) -> str:
    """Return an interval in brackets, or what a single seed says of it."""
    if pd.isna(low) or pd.isna(high):
        return "[one seed: no interval]"
    return f"[{number(low, signed)}, {number(high, signed)}]"


def leading_sentences(numbers: Numbers, scenario: str) -> list[str]:
    """Return who leads a scenario on the mean and the worst group, and how surely.

    Those told the true groups, which outside a simulation nobody knows, are ranked apart.
    """
    rows = rivals(numbers.board)
    rows = rows[rows["scenario"] == scenario]
    privileged = rows["told"] == "true groups"
    sentences = [_leader(numbers, rows[~privileged], m) for m in MEASURES if not privileged.all()]
    if privileged.any():
        said = [_leader(numbers, rows[privileged], measure) for measure in MEASURES]
        sentences += [f"Of those told the true groups, {text}" for text in said]
    return sentences


def _leader(numbers: Numbers, rows: pd.DataFrame, measure: str) -> str:
    column = COLUMNS[measure]
    ranked = rows.sort_values(column, kind="stable")
    first = ranked.iloc[0]
    bounds = interval(first[f"{column}_low"], first[f"{column}_high"])
    head = f"{first['recommender']} leads {PLACES[measure]} with {number(first[column])} {bounds}"
    others = ranked[~_forms_of(first, ranked)]
    if others.empty:
        return f"{head}; nothing else ran."
    closest = others.iloc[0]["recommender"]
    try:
        gap = numbers.compare(rows["scenario"].iloc[0], measure, closest, first["recommender"])
    except ValueError:
        return f"{head}; of the others {closest} comes closest, and shares no seeds with it."
    said = f"{number(gap.mean)} {interval(gap.low, gap.high)}"
    if told_apart(gap) and gap.mean > 0:
        return f"{head}; of the others {closest} comes closest, {said} behind: beyond the interval."
    return (
        f"{head}; of the others {closest} comes closest, and cannot be told apart from it "
        f"(difference {said})."
    )


def _forms_of(first: pd.Series, rows: pd.DataFrame) -> pd.Series:
    """Return which rows are the same recommender, tuned or not, or P-GRPO as it is."""
    bare = rows["recommender"].str.removesuffix(TUNED)
    same = bare == first["recommender"].removesuffix(TUNED)
    return same | ((rows["family"] == OURS) & (first["family"] == OURS))


def standings(numbers: Numbers) -> list[Standing]:
    """Return P-GRPO's standing: a row a scenario, what was told, variant and measure."""
    found = []
    for (scenario, variant), rows in rivals(numbers.board).groupby(
        ["scenario", "variant"], sort=False
    ):
        knowledge = rows["told"].map(KNOWLEDGE).fillna(0)
        for told in KNOWLEDGE:
            ours = rows[(rows["family"] == OURS) & (rows["told"] == told)]
            theirs = rows[(rows["family"] != OURS) & (knowledge <= KNOWLEDGE[told])]
            if told == "random groups" or ours.empty or theirs.empty:
                continue
            for measure, column in COLUMNS.items():
                best, rival = _best(ours, column), _best(theirs, column)
                try:
                    gap = numbers.compare(str(scenario), measure, best, rival)
                except ValueError:
                    gap = Interval(np.nan, np.nan, np.nan)
                found.append(Standing(str(scenario), told, str(variant), measure, best, rival, gap))
    return found


def _best(rows: pd.DataFrame, column: str) -> str:
    """Return who has the least."""
    return str(rows["recommender"].iloc[int(rows[column].to_numpy().argmin())])


def tally(rows: list[Standing]) -> str:
    """Return how often P-GRPO wins, loses, and cannot be told apart, as one sentence."""
    if not rows:
        return "No pair of P-GRPO and a rival that was told no more ran here."
    verdicts = [row.verdict for row in rows]
    return (
        f"In {len(rows)} comparisons P-GRPO wins {verdicts.count('wins')}, loses "
        f"{verdicts.count('loses')}, and in {verdicts.count('cannot be told apart')} the two "
        "cannot be told apart."
    )
