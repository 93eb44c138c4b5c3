"""The report of a benchmark, read as text: the browser's part is in test_report_browser.py."""

import builtins
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from synthetic_run import NASTY, RECOMMENDERS, SCENARIOS, make_run

from pgrpo_rec.benchmark.results import COLUMNS, COSTS, FAILURES, MANIFEST, RESULTS, TUNING
from pgrpo_rec.benchmark.summary import compare, per_seed
from pgrpo_rec.cli import main
from pgrpo_rec.evaluation.statistics import Interval, interquartile_mean
from pgrpo_rec.reports.markdown import standings_table
from pgrpo_rec.reports.numbers import (
    ALL_SCENARIOS,
    compute_numbers,
    highlights,
    told_apart,
)
from pgrpo_rec.reports.sentences import Standing, leading_sentences, number, standings, tally

VOID = {"meta", "input", "br"}


class Page(HTMLParser):
    """Elements with their attributes and text; a tag that closes nothing is an error."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open = [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        element = {"tag": tag, "text": "", **dict(attrs)}
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag):
        assert self.open.pop()["tag"] == tag

    def handle_data(self, data):
        for element in self.open:
            element["text"] += data

    def all(self, tag):
        return [element for element in self.elements if element["tag"] == tag]

    def json(self, name):
        return json.loads(next(e["text"] for e in self.all("script") if e.get("id") == name))


@pytest.fixture(scope="module")
def run():
    return make_run()


@pytest.fixture(scope="module")
def numbers(run):
    return compute_numbers(run)


@pytest.fixture(scope="module")
def text(run, numbers, tmp_path_factory):
    pytest.importorskip("altair")
    pytest.importorskip("vl_convert")
    from pgrpo_rec.reports.page import write_page

    path = write_page(run, tmp_path_factory.mktemp("page") / "new" / "page.html", numbers)
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(text):
    return Page(text)


def save_run(run, folder):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST).write_text(json.dumps(run.manifest))
    run.results.to_parquet(folder / RESULTS)
    run.costs.to_parquet(folder / COSTS)
    run.tuning.to_parquet(folder / TUNING)
    run.failures.to_csv(folder / FAILURES, index=False)
    return folder


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


def test_the_leader_is_told_with_what_is_known_of_the_second(numbers):
    on_mean, on_worst, *told = leading_sentences(numbers, "hard")
    rows = numbers.board[(numbers.board["scenario"] == "hard")]
    rows = rows[(rows["family"] != "reference") & (rows["told"] != "true groups")]
    for sentence, column, measure in (
        (on_mean, "regret", "regret"),
        (on_worst, "worst", "regret_worst"),
    ):
        first, second = rows.sort_values(column).head(2)["recommender"]
        assert sentence.startswith(f"{first} leads on the ")
        assert f"the second, {second}," in sentence
        apart = told_apart(numbers.compare("hard", measure, second, first))
        assert ("beyond the interval" in sentence) == apart
        assert ("cannot be told apart" in sentence) != apart
    assert [s.startswith("Of those told the true groups, ") for s in told] == [True, True]


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


# ---- the page ------------------------------------------------------------------------------------


def test_the_page_loads_nothing_and_stays_small(text, page):
    assert len(text.encode()) < 2_000_000
    for element in page.elements:
        for attribute in ("src", "href", "srcset", "action", "data"):
            assert not re.match(r"(https?:)?//", element.get(attribute) or "")
        assert not [name for name in element if name.startswith("on")]
        assert element["tag"] not in ("link", "iframe", "img", "object")
    style = page.all("style")[0]["text"]
    assert "url(" not in style
    assert "@import" not in style
    policy = next(m["content"] for m in page.all("meta") if m.get("http-equiv"))
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-eval" not in policy


def test_every_script_is_in_the_policy(page):
    import base64
    import hashlib

    policy = next(m["content"] for m in page.all("meta") if m.get("http-equiv"))
    scripts = [e for e in page.all("script") if "type" not in e]
    assert len(scripts) == 2
    for script in scripts:
        digest = hashlib.sha256(script["text"].encode()).digest()
        assert f"'sha256-{base64.b64encode(digest).decode()}'" in policy


def test_names_are_text_and_never_markup(text, page):
    assert NASTY not in text
    assert "<b>no</b>" not in text
    assert "<i>x</i>" not in text
    assert any(NASTY in element["text"] for element in page.all("th"))
    assert page.json("data")["recommenders"][-1]["name"] == NASTY


def test_the_leaderboard_holds_the_numbers(numbers, page):
    rows = [e for e in page.all("tr") if "data-scenario" in e]
    assert len(rows) == len(numbers.board)
    for element, row in zip(rows, numbers.board.itertuples(), strict=True):
        assert row.recommender in element["text"]
        for value in (row.regret, row.worst, row.regret_low, row.worst_high):
            assert number(value) in element["text"]
        marked = element["text"].count("cannot be told apart from the best")
        assert marked == row.first_regret + row.first_worst


def test_the_island_holds_the_same_numbers(numbers, page):
    data = page.json("data")
    for one, row in zip(data["board"], numbers.board.itertuples(), strict=True):
        assert data["recommenders"][one["r"]]["name"] == row.recommender
        assert data["scenarios"][one["s"]]["name"] == row.scenario
        assert_allclose([one["regret"], one["worst_high"]], [row.regret, row.worst_high], atol=1e-6)
    assert data["scenarios"][0]["groups"] == ["many", "some", "few people"]
    place = [r["name"] for r in data["recommenders"]].index("CLUB")
    curve = numbers.curves.query("scenario == 'hard' and view == 'worst' and recommender == 'CLUB'")
    means = data["curves"]["0"]["worst"][str(place)][0]
    assert_allclose(np.array(means) / 1000, curve["mean"], atol=6e-4)
    assert len(data["pairs"]) == len(numbers.pairs)


def test_the_page_says_what_is_measured_and_where_from(run, page):
    said = " ".join(page.all("body")[0]["text"].split())
    for words in (
        "10 recommenders in 2 scenarios, over 6 seeds",
        "0 is the oracle, 1 is showing random items",
        "Fewer than 20 are a look, no claim.",
        run.manifest["command"],
        run.manifest["commit"] + ", with changes that were not committed",
        "numpy 2.4.0",
        "x86_64, Linux, 2 cores, 8 GiB",
        "2 settings tried for each recommender and scenario, on 2 seeds of their own (100, 101)",
        "1 run failed and is left out of every number.",
        "ValueError: <b>no</b>",
        '{"prior": 0.1}',
    ):
        assert words in said, words


def test_a_loss_is_flagged(page, numbers):
    losses = {
        (row.scenario, row.told, row.variant)
        for row in standings(numbers)
        if row.verdict == "loses"
    }
    flagged = [e for e in page.all("tr") if e.get("class") == "lost"]
    assert len(flagged) == len(losses)


def test_a_loss_is_flagged_where_there_is_one():
    pytest.importorskip("altair")
    from pgrpo_rec.reports.page import render_page

    worse = [("P-GRPO", "P-GRPO", "users", "tuned", 0.6, 0.2), RECOMMENDERS[8], RECOMMENDERS[9]]
    run = make_run(recommenders=worse, scenarios=SCENARIOS[:1])
    page = Page(render_page(run, compute_numbers(run)))
    row = next(e for e in page.all("tr") if e.get("class") == "lost")
    assert "loses +" in row["text"]
    assert "P-GRPO against LinUCB, pooled" in row["text"]
    assert (
        "all scenarios" not in next(e for e in page.all("div") if e.get("id") == "scopes")["text"]
    )


def test_everything_has_a_name_for_those_who_do_not_see_it(page):
    for element in page.elements:
        if element.get("role") in ("img", "region"):
            assert element["aria-label"]
    charts = [e for e in page.all("div") if e.get("role") == "img"]
    assert len(charts) == 6
    named = {e.get("id") for e in page.elements}
    for chart in charts:
        assert chart["aria-describedby"] in named
        assert chart["id"].replace("chart-", "table-") in named
    assert page.all("html")[0]["lang"] == "en"


def test_the_same_run_makes_the_same_page(run, numbers, text):
    from pgrpo_rec.reports.page import render_page

    assert render_page(run, numbers) == text


# ---- command and figures -------------------------------------------------------------------------


def test_the_command_writes_page_and_figures(tmp_path, capsys):
    pytest.importorskip("altair")
    small = make_run(n_seeds=3, recommenders=RECOMMENDERS[:5], scenarios=SCENARIOS[1:])
    folder = save_run(small, tmp_path / "run")
    assert main(["report", str(folder), "--figures", str(tmp_path / "figures")]) == 0
    assert (folder / "report.html").stat().st_size > 500_000
    names = {path.name for path in (tmp_path / "figures").iterdir()}
    kinds = {"curves-everyone", "curves-worst-group", "curves-group-0", "curves-group-1"}
    kinds |= {"groups", "pareto", "cost-seconds", "cost-mib", "profile"}
    assert names == {f"clicks-scales-{kind}.{end}" for kind in kinds for end in ("png", "svg")}
    drawn = (tmp_path / "figures" / "clicks-scales-pareto.svg").read_text(encoding="utf-8")
    assert ">regret, worst group</text>" in drawn  # text, not outlines
    first = {path: path.read_bytes() for path in (tmp_path / "figures").iterdir()}
    assert main(["report", str(folder), "--figures", str(tmp_path / "figures")]) == 0
    assert first == {path: path.read_bytes() for path in (tmp_path / "figures").iterdir()}
    assert str(folder / "report.html") in capsys.readouterr().out


def test_the_command_writes_the_table_of_standings(tmp_path, capsys):
    pytest.importorskip("altair")
    folder = save_run(make_run(n_seeds=3), tmp_path / "run")
    table = tmp_path / "new folder" / "standings.md"
    assert main(["report", str(folder), "--markdown", str(table)]) == 0
    assert table.read_text(encoding="utf-8").startswith("In 12 comparisons P-GRPO ")
    assert str(table) in capsys.readouterr().out


def test_no_benchmark_there_is_one_line(tmp_path, capsys):
    assert main(["report", str(tmp_path)]) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert "run.json" in line


@pytest.mark.parametrize(
    ("package", "extra", "arguments"),
    [("altair", "report", []), ("vl_convert", "report", []), ("matplotlib", "plot", ["--figures"])],
)
def test_a_missing_extra_is_named_in_one_line(
    package, extra, arguments, tmp_path, capsys, monkeypatch
):
    import sys

    whole = builtins.__import__

    def without(name, *rest, **options):
        if name.split(".")[0] == package:
            raise ModuleNotFoundError(f"No module named {package!r}", name=package)
        return whole(name, *rest, **options)

    if package == "matplotlib":
        pytest.importorskip("altair")
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setattr(builtins, "__import__", without)
    options = [*arguments, str(tmp_path / "figures")] if arguments else []
    assert main(["report", str(tmp_path), *options]) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert package in line
    assert f"pip install 'pgrpo-rec[{extra}]'" in line
