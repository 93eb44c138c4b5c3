"""The report of a benchmark, read as text; numbers and the browser have files of their own."""

import builtins
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from numpy.testing import assert_allclose
from synthetic_run import NASTY, RECOMMENDERS, SCENARIOS, make_run

from pgrpo_rec.benchmark.results import COSTS, FAILURES, MANIFEST, RESULTS, TUNING
from pgrpo_rec.cli import main
from pgrpo_rec.reports.numbers import compute_numbers
from pgrpo_rec.reports.sentences import number, standings

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
