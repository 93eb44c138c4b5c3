"""Every number of the report, computed once: the page, its captions and the pictures share them.

Regret is normalised: 0 is the oracle, 1 a random item, more than 1 is worse than that. The worst
group is each run's own: the group of people whom this recommender, with this seed, served worst.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from pgrpo_rec.benchmark.results import BenchmarkRun
from pgrpo_rec.benchmark.summary import UNIT, curves_by_group, per_seed
from pgrpo_rec.evaluation.statistics import (
    Interval,
    difference_interval,
    iqm_interval,
    performance_profile,
    probability_of_improvement,
)
from pgrpo_rec.metrics import dominated

MEASURES = ("regret", "regret_worst")
ALL_SCENARIOS = "all scenarios"
THRESHOLDS = np.round(np.arange(0.0, 1.2001, 0.04), 2)
PAIR = ["scenario", "recommender"]
TRAITS = ("family", "told", "variant")
OURS = "P-GRPO"
N_HIGHLIGHTS = 6  # in colour at first; the page's reader can choose others
FEW_RESAMPLES = 500  # for the thousands of intervals nobody quotes: bands and probabilities


@dataclass(frozen=True)
class Numbers:
    """What a benchmark found out, ready to be shown.

    Parameters
    ----------
    board : pandas.DataFrame
        A row a (scenario, recommender): ``family``, ``told``, ``variant``, ``n_seeds``;
        interquartile means and 95 % intervals ``regret``, ``regret_low``, ``regret_high`` and
        ``worst``, ``worst_low``, ``worst_high``; ``seconds`` a thousand interactions and ``mib``
        (medians over seeds, NaN where not measured); ``first_regret`` and ``first_worst``, whether
        the best of the scenario cannot be told apart from it; ``undominated``, whether none is
        better in one of mean and worst group without being worse in the other.
    groups : pandas.DataFrame
        ``scenario``, ``recommender``, ``group`` (name), ``regret``, ``low``, ``high``.
    curves : pandas.DataFrame
        ``scenario``, ``recommender``, ``view`` ("all", "worst" or a user type), ``bin``,
        ``mean``, ``low``, ``high`` of the regret.
    pairs : pandas.DataFrame
        ``scenario``, ``measure``, ``recommender``, ``reference``; ``difference`` of the regrets
        seed by seed (negative: better than the reference), ``low``, ``high``; ``chance`` that a
        run of the recommender is better, ``chance_low``, ``chance_high``. Every pair once.
    profiles : pandas.DataFrame
        ``scenario`` (or "all scenarios"), ``recommender``, ``threshold``, ``share`` of runs with
        less regret, ``low``, ``high``.
    """

    board: pd.DataFrame
    groups: pd.DataFrame
    curves: pd.DataFrame
    pairs: pd.DataFrame
    profiles: pd.DataFrame

    def compare(self, scenario: str, measure: str, recommender: str, reference: str) -> Interval:
        """Return by how much one's regret exceeds another's, seed by seed; ValueError if unmet."""
        rows = self.pairs[(self.pairs["scenario"] == scenario) & (self.pairs["measure"] == measure)]
        for ours, theirs, sign in ((recommender, reference, 1), (reference, recommender, -1)):
            row = rows[(rows["recommender"] == ours) & (rows["reference"] == theirs)]
            if len(row):
                found = Interval(*row.iloc[0][["difference", "low", "high"]].astype(float))
                return found if sign > 0 else Interval(-found.mean, -found.high, -found.low)
        raise ValueError(f"{recommender!r} and {reference!r} share no seeds on {scenario!r}")


def told_apart(difference: Interval) -> bool:
    """Return whether a difference lies beyond its interval; from a single seed none does."""
    return bool(difference.low > 0 or difference.high < 0)


def compute_numbers(run: BenchmarkRun) -> Numbers:
    """Compute all numbers of a report.

    Parameters
    ----------
    run : BenchmarkRun

    Raises
    ------
    ValueError
        If the run holds no results at all.
    """
    if run.results.empty:
        raise ValueError("the benchmark holds no results: every run failed, see failures.csv")
    seeds = per_seed(run.results)
    pairs = _pairs(seeds)
    board = _mark_undominated(_mark_firsts(_board(run, seeds), pairs))
    return Numbers(board, _groups(run, seeds), _curves(run.results), pairs, _profiles(seeds))


def group_name(scenario: dict[str, Any], user_type: int) -> str:
    """Return the name of a scenario's user type, or its number."""
    names = scenario.get("group_names") or ()
    text = names[user_type] if user_type < len(names) else f"group {user_type}"
    return " ".join(str(text).split())


def _board(run: BenchmarkRun, seeds: pd.DataFrame) -> pd.DataFrame:
    traits = {entry["name"]: entry for entry in run.manifest["recommenders"]}
    costs = _costs(run.costs)
    rows = []
    for (scenario, name), runs in seeds.groupby(PAIR, sort=False):
        mean, worst = (iqm_interval(runs[measure]) for measure in MEASURES)
        about = [traits.get(name, {}).get(trait, "") for trait in TRAITS]
        rows.append((scenario, name, *about, len(runs), *mean, *worst))
    columns = [*PAIR, *TRAITS, "n_seeds", "regret", "regret_low", "regret_high"]
    board = pd.DataFrame(rows, columns=[*columns, "worst", "worst_low", "worst_high"])
    return board.merge(costs, on=PAIR, how="left")


def _costs(costs: pd.DataFrame) -> pd.DataFrame:
    seconds = costs["seconds_recommend"] + costs["seconds_learn"]
    table = costs.assign(seconds=1000 * seconds / costs["n_interactions"], mib=costs["peak_mib"])
    return table.groupby(PAIR, sort=False)[["seconds", "mib"]].median().reset_index()


def rivals(board: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that compete: all but the references (the oracle and the random item)."""
    return board[board["family"] != "reference"]


def highlights(board: pd.DataFrame) -> list[str]:
    """Return whom to show in colour: the best of P-GRPO and the best of its rivals.

    Best by mean rank over scenarios; each side has half of the places, and gives one of them to
    its best that was told the true groups.
    """
    rows = rivals(board)
    ranks = rows.groupby("scenario")["regret"].rank().groupby(rows["recommender"]).mean()
    about = rows.drop_duplicates("recommender").set_index("recommender")
    about = about.assign(rank=ranks).sort_values("rank", kind="stable")
    ours, privileged = about["family"] == OURS, about["told"] == "true groups"
    chosen: list[str] = []
    for side in (ours, ~ours):
        chosen += about.index[side & ~privileged][: N_HIGHLIGHTS // 2 - 1].tolist()
        chosen += about.index[side & privileged][:1].tolist()
    rest = [name for name in about.index if name not in chosen]
    return chosen + rest[: N_HIGHLIGHTS - len(chosen)]


def _mark_firsts(board: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """Say of every row whether the scenario's best competitor is beyond doubt better."""
    apart = pairs[(pairs["low"] > 0) | (pairs["high"] < 0)]
    columns = ["scenario", "measure", "recommender", "reference"]
    distinct = set(apart[columns].itertuples(index=False, name=None))
    for measure, column in zip(MEASURES, ("regret", "worst"), strict=True):
        best = {s: r.loc[r[column].idxmin(), "recommender"] for s, r in _by_scenario(board)}
        board[f"first_{column}"] = [
            family != "reference"
            and (scenario, measure, name, best[scenario]) not in distinct
            and (scenario, measure, best[scenario], name) not in distinct
            for scenario, name, family in board[[*PAIR, "family"]].itertuples(index=False)
        ]
    return board


def _by_scenario(board: pd.DataFrame) -> Any:
    return rivals(board).groupby("scenario", sort=False)


def _mark_undominated(board: pd.DataFrame) -> pd.DataFrame:
    board["undominated"] = False
    for _, rows in _by_scenario(board):
        front = ~dominated(-rows[["regret", "worst"]].to_numpy())
        board.loc[rows.index[front], "undominated"] = True
    return board


def _groups(run: BenchmarkRun, seeds: pd.DataFrame) -> pd.DataFrame:
    about = {entry["name"]: entry for entry in run.manifest["scenarios"]}
    types = sorted(run.results["user_type"].unique())
    rows = []
    for (scenario, name), runs in seeds.groupby(PAIR, sort=False):
        for user_type in types:
            values = runs[f"regret_{user_type}"].dropna()
            if len(values):
                label = group_name(about.get(scenario, {}), int(user_type))
                rows.append((scenario, name, label, *iqm_interval(values)))
    return pd.DataFrame(rows, columns=[*PAIR, "group", "regret", "low", "high"])


def _curves(results: pd.DataFrame) -> pd.DataFrame:
    curves = pd.concat([curves_by_group(results), _worst_curves(results)], ignore_index=True)
    low, high = 1.0 - curves["high"], 1.0 - curves["low"]
    curves = curves.assign(mean=1.0 - curves["mean"], low=low, high=high)
    return curves.rename(columns={"user_type": "view"})


def _worst_curves(results: pd.DataFrame) -> pd.DataFrame:
    """Return the curves of the group that each run served worst over its whole length."""
    key = [*UNIT, "user_type"]
    sums = results.groupby(key, sort=False)[["regret", "span"]].sum()
    ratio = (sums["regret"] / sums["span"]).dropna()
    worst = ratio.loc[ratio.groupby(UNIT, sort=False).idxmax()].index
    served_worst = results.set_index(key).loc[worst].reset_index()
    curves = curves_by_group(served_worst)
    return curves[curves["user_type"] == "all"].assign(user_type="worst")


def _pairs(seeds: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for scenario, runs in seeds.groupby("scenario", sort=False):
        for measure in MEASURES:
            wide = runs.pivot(index="seed", columns="recommender", values=measure)
            names = list(dict.fromkeys(runs["recommender"]))
            for ours, theirs in combinations(names, 2):
                both = wide[[ours, theirs]].dropna().to_numpy().T
                if both.size:
                    rows.append((scenario, measure, ours, theirs, *_pair(*both)))
    columns = ["scenario", "measure", "recommender", "reference", "difference", "low", "high"]
    return pd.DataFrame(rows, columns=[*columns, "chance", "chance_low", "chance_high"])


def _pair(ours: np.ndarray, theirs: np.ndarray) -> tuple[float, ...]:
    chance = probability_of_improvement([-ours], [-theirs], n_resamples=FEW_RESAMPLES)
    return *difference_interval(ours, theirs), *chance


def _profiles(seeds: pd.DataFrame) -> pd.DataFrame:
    """Return profiles of each scenario, and of all for those who finished on all of them."""
    rows = []
    scenarios = list(dict.fromkeys(seeds["scenario"]))
    for name, runs in seeds.groupby("recommender", sort=False):
        samples = {s: r["regret"].to_numpy() for s, r in runs.groupby("scenario", sort=False)}
        plots = [(str(scenario), [sample]) for scenario, sample in samples.items()]
        if 1 < len(samples) == len(scenarios):
            plots.append((ALL_SCENARIOS, list(samples.values())))
        rows += [_profile(scenario, str(name), of_it) for scenario, of_it in plots]
    return pd.concat(rows, ignore_index=True)


def _profile(scenario: str, name: str, samples: list[np.ndarray]) -> pd.DataFrame:
    values, above = [-sample for sample in samples], -THRESHOLDS
    profile = performance_profile(values, above, n_resamples=FEW_RESAMPLES)
    return pd.DataFrame(
        {
            "scenario": scenario,
            "recommender": name,
            "threshold": THRESHOLDS,
            "share": profile.share,
            "low": profile.low,
            "high": profile.high,
        }
    )
