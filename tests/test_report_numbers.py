"""What a report says in numbers and sentences, before any of it is a page."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from synthetic_run import RECOMMENDERS, SCENARIOS, make_run

from pgrpo_rec.benchmark.results import COLUMNS, RESULTS
from pgrpo_rec.benchmark.summary import compare, per_seed
from pgrpo_rec.evaluation.statistics import Interval, interquartile_mean
from pgrpo_rec.reports.markdown import standings_table
from pgrpo_rec.reports.numbers import (
    ALL_SCENARIOS,
    compute_numbers,
    highlights,
    told_apart,
)
from pgrpo_rec.reports.sentences import Standing, leading_sentences, number, standings, tally

# ---- numbers -------------------------------------------------------------------------------------


def test_the_board_is_made_of_the_results(run, numbers):
    seeds = per_seed(run.results)
    for row in numbers.board.itertuples():
        of_it = seeds[(seeds.scenario == row.scenario) & (seeds.recommender == row.recommender)]
        assert row.regret == interquartile_mean(of_it["regret"])
        assert row.worst == interquartile_mean(of_it["regret_worst"])
        assert row.regret_low <= row.regret <= row.regret_high
        assert row.n_seeds == 6
    assert len(numbers.board) == len(RECOMMENDERS) * len(SCENARIOS)
    assert (numbers.board["seconds"] > 0).all()


def test_pairs_are_differences_seed_by_seed_and_mirror(run, numbers):
    one, other = RECOMMENDERS[2][0], RECOMMENDERS[6][0]
    expected = compare(run.results, "hard", one, other, "regret_worst")
    assert_allclose(numbers.compare("hard", "regret_worst", one, other), expected)
    back = numbers.compare("hard", "regret_worst", other, one)
    assert_allclose(back, (-expected.mean, -expected.high, -expected.low))
    with pytest.raises(ValueError, match="share no seeds"):
        numbers.compare("hard", "regret", one, "nobody")


def test_curves_are_of_everyone_each_group_and_the_worst(run, numbers):
    of_hard = numbers.curves[numbers.curves["scenario"] == "hard"]
    assert set(of_hard["view"]) == {"all", "0", "1", "2", "worst"}
    pooled = of_hard[of_hard["recommender"] == "Thompson, pooled"]
    few, worst = (pooled[pooled["view"] == v].set_index("bin")["mean"] for v in ("2", "worst"))
    assert_allclose(few, worst)  # it serves the few worst with every seed
    last = run.results.query(
        "scenario == 'hard' and recommender == 'Thompson, pooled' and bin == 9"
    )
    few_now = last[last["user_type"] == 2]
    assert_allclose(few.loc[9], (few_now["regret"] / few_now["span"]).mean())
    assert (numbers.curves["low"] <= numbers.curves["high"]).all()


def test_profiles_count_runs_below_a_regret(run, numbers):
    seeds = per_seed(run.results)
    name = "CLUB"
    of_it = numbers.profiles[numbers.profiles["recommender"] == name].set_index("threshold")
    for scenario in ("hard", "clicks & scales"):
        values = seeds[(seeds.scenario == scenario) & (seeds.recommender == name)]["regret"]
        shares = of_it[of_it["scenario"] == scenario]["share"]
        for threshold in (0.4, 0.68, 1.0):
            assert shares[threshold] == np.mean(values < threshold)
    whole = of_it[of_it["scenario"] == ALL_SCENARIOS]["share"]
    parts = of_it[of_it["scenario"] != ALL_SCENARIOS].groupby("threshold")["share"].mean()
    assert_allclose(whole, parts)


def test_who_is_on_the_front_is_beaten_by_nobody_in_both_measures(numbers):
    for _, rows in numbers.board.groupby("scenario"):
        rows = rows[rows["family"] != "reference"]
        points = rows[["regret", "worst"]].to_numpy().tolist()
        for (x, y), front in zip(points, rows["undominated"], strict=True):
            beaten = any((a, b) != (x, y) and a <= x and b <= y for a, b in points)
            assert front == (not beaten)
        assert 0 < rows["undominated"].sum() < len(rows)


def test_references_compete_for_nothing(numbers):
    references = numbers.board[numbers.board["family"] == "reference"]
    assert len(references) == 4
    assert not references[["first_regret", "first_worst", "undominated"]].to_numpy().any()
    assert not set(highlights(numbers.board)) & set(references["recommender"])


def test_highlights_show_both_sides(numbers):
    shown = highlights(numbers.board)
    families = numbers.board.drop_duplicates("recommender").set_index("recommender")["family"]
    assert len(shown) == len(set(shown)) == 6
    assert sorted(families[shown] == "P-GRPO") == [False] * 3 + [True] * 3


def test_one_seed_has_no_interval_and_tells_nothing_apart():
    numbers = compute_numbers(make_run(n_seeds=1))
    assert numbers.board["regret_low"].isna().all()
    assert numbers.board[numbers.board["family"] != "reference"]["first_regret"].all()
    sentences = " ".join(leading_sentences(numbers, "hard"))
    assert "[one seed: no interval]" in sentences
    assert "cannot be told apart" in sentences
    assert "beyond the interval" not in sentences
    assert {row.verdict for row in standings(numbers)} == {"cannot be told apart"}


def test_a_run_without_results_is_refused(run):
    empty = pd.DataFrame(columns=COLUMNS[RESULTS])
    with pytest.raises(ValueError, match="no results"):
        compute_numbers(replace(run, results=empty))


# ---- sentences -----------------------------------------------------------------------------------


def test_the_leader_is_told_with_what_is_known_of_the_closest_other(numbers):
    on_mean, on_worst, *told = leading_sentences(numbers, "hard")
    rows = numbers.board[(numbers.board["scenario"] == "hard")]
    rows = rows[(rows["family"] != "reference") & (rows["told"] != "true groups")]
    for sentence, column, measure in (
        (on_mean, "regret", "regret"),
        (on_worst, "worst", "regret_worst"),
    ):
        ranked = rows.sort_values(column)
        first = ranked["recommender"].iloc[0]
        bare = first.removesuffix(", tuned")
        ours = ranked["family"].iloc[0] == "P-GRPO"
        closest = next(
            name
            for name, family in ranked[["recommender", "family"]].itertuples(index=False)
            if name.removesuffix(", tuned") != bare and not (ours and family == "P-GRPO")
        )
        assert sentence.startswith(f"{first} leads on the ")
        assert f"of the others {closest} comes closest" in sentence
        apart = told_apart(numbers.compare("hard", measure, closest, first))
        assert ("beyond the interval" in sentence) == apart
        assert ("cannot be told apart" in sentence) != apart
    assert [s.startswith("Of those told the true groups, ") for s in told] == [True, True]


def test_a_leader_is_not_compared_with_other_forms_of_itself(run):
    only_ours = run.results["recommender"].str.startswith("P-GRPO")
    told = leading_sentences(compute_numbers(replace(run, results=run.results[only_ours])), "hard")
    assert all(sentence.endswith("nothing else ran.") for sentence in told)


@pytest.mark.parametrize(
    ("value", "plain", "signed"),
    [
        (0.12345, "0.123", "+0.123"),
        (-0.5, "−0.500", "−0.500"),
        (0.0004, "0.000", "+0.000"),
        (-0.0004, "0.000", "−0.000"),
        (0.0, "0.000", "+0.000"),
        (-0.0, "0.000", "+0.000"),
        (-0.0006, "−0.001", "−0.001"),
        (float("nan"), "–", "–"),
    ],
)
def test_numbers_as_text_keep_the_side_of_zero_where_signed(value, plain, signed):
    assert (number(value), number(value, True)) == (plain, signed)


def test_rivals_of_a_standing_were_told_no_more(numbers):
    told = dict(zip(numbers.board["recommender"], numbers.board["told"], strict=True))
    rank = {"nothing": 0, "random groups": 0, "users": 1, "true groups": 2}
    rows = standings(numbers)
    assert len(rows) == 12
    for row in rows:
        assert rank[told[row.rival]] <= rank[told[row.ours]] == rank[row.told]
        assert row.difference == numbers.compare(row.scenario, row.measure, row.ours, row.rival)


def test_the_markdown_table_has_every_standing_once(numbers):
    rows = standings(numbers)
    tally_line, _, head, rule, *lines = standings_table(rows).splitlines()
    assert tally_line == tally(rows)
    assert {line.count("|") for line in (head, rule, *lines)} == {6}
    assert len(lines) == len({(r.scenario, r.told, r.variant) for r in rows}) == len(set(lines))
    for row in rows:
        column = 4 if row.measure == "regret" else 5
        cells = [line.split(" | ") for line in lines]
        (cell,) = [
            c[column - 1].removesuffix(" |")
            for c in cells
            if c[:3] == [f"| {row.scenario}", row.told, row.variant]
        ]
        assert cell.endswith(f", {row.rival}")
        assert number(row.difference.mean, True) in cell
        assert cell.startswith("**") == (row.verdict != "cannot be told apart")


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.1, 0.3, "loses"), (-0.3, -0.1, "wins"), (-0.1, 0.1, "cannot be told apart")],
)
def test_a_standing_says_wins_loses_or_neither(low, high, verdict):
    gap = Interval((low + high) / 2, low, high)
    row = Standing("s", "users", "tuned", "regret", "a", "b", gap)
    assert row.verdict == verdict
    counts = dict.fromkeys(("wins", "loses", "cannot be told apart"), 0) | {verdict: 1}
    assert f"wins {counts['wins']}, loses {counts['loses']}, and in " in tally([row])
