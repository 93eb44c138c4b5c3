"""The command ``pgrpo-rec benchmark``."""

import pytest

from pgrpo_rec.benchmark import load_run, runner
from pgrpo_rec.benchmark.recommenders import RECOMMENDERS
from pgrpo_rec.benchmark.scenarios import NAMES
from pgrpo_rec.cli import main

SMALL = [
    "benchmark", "--scenario", "hard", "--recommender", "uniform", "oracle", "Thompson (beta)",
    "--interactions", "640", "--seeds", "2", "--jobs", "1", "--quiet",
]  # fmt: skip
TABLES = ("results.parquet", "tuning.parquet", "summary.csv")


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")


def test_the_names_there_are(capsys):
    assert main(["benchmark", "--list"]) == 0
    out = capsys.readouterr().out
    for name in (*NAMES, *RECOMMENDERS):
        assert name in out


def test_a_run_prints_its_tables_and_can_be_read(tmp_path, capsys):
    assert main([*SMALL, "--output", str(tmp_path / "x")]) == 0
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert max(len(line.rstrip()) for line in lines if "Tables" not in line) <= 80
    order = [line.split()[0] for line in lines if line.startswith(("oracle", "uniform"))]
    assert order == ["oracle", "uniform"]  # the best first
    assert "Thompson (beta) left out: rewards are not 0 or 1" in out
    manifest = load_run(tmp_path / "x").manifest
    assert manifest["command"] == (
        "pgrpo-rec benchmark --scenario hard --recommender uniform oracle 'Thompson (beta)' "
        "--seeds 2 --interactions 640"
    )
    assert main([*SMALL, "--output", str(tmp_path / "x")]) == 2
    assert "holds a run already" in capsys.readouterr().err


def test_nobody_is_asked_more_than_a_scenario_has(tmp_path):
    """Where people come once, more answers would be to what they were shown before."""
    asked = ["benchmark", "--scenario", "ratings", "--recommender", "uniform", "--seeds", "1"]
    asked += ["--interactions", "5000", "--jobs", "1", "--quiet", "--output", str(tmp_path / "x")]
    assert main(asked) == 0
    run = load_run(tmp_path / "x")
    assert [s["n_interactions"] for s in run.manifest["scenarios"]] == [1200]
    assert (run.costs["n_interactions"] < 1200 + 64).all()  # rounds are whole


def test_ctrl_c_and_resume(tmp_path, capsys, monkeypatch):
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    assert main([*SMALL, "--output", str(whole), "--resume"]) == 0
    simulate, calls = runner.simulate, []

    def interrupted(*args, **kwargs):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return simulate(*args, **kwargs)

    monkeypatch.setattr(runner, "simulate", interrupted)
    capsys.readouterr()
    assert main([*SMALL, "--output", str(stopped)]) == 130
    err = capsys.readouterr().err
    assert err.strip().count("\n") == 0
    assert "finished parts are kept, go on with: pgrpo-rec benchmark --scenario hard" in err
    assert f"--output {stopped} --resume" in err
    monkeypatch.undo()
    assert list((stopped / "parts").iterdir())
    assert main([*SMALL, "--output", str(stopped), "--resume"]) == 0
    for name in TABLES:
        assert (stopped / name).read_bytes() == (whole / name).read_bytes()


def test_a_pair_that_fails_is_told_and_the_others_are_done(tmp_path, capsys, monkeypatch):
    """A recommender of one's own, from a module in this folder."""
    (tmp_path / "my_bandit.py").write_text(
        "from pgrpo_rec.benchmark import Recommender\n"
        "def make(env, seed):\n    raise RuntimeError('not today')\n"
        "mine = Recommender('mine', make)\n"
    )
    monkeypatch.chdir(tmp_path)
    arguments = ["--recommender", "my_bandit:mine", "--output", "x"]
    assert main([*SMALL, *arguments]) == 1
    out, err = capsys.readouterr()
    assert "failed: 2 parts" in out
    assert "pgrpo-rec: 2 parts failed (failures.csv); mine on hard with seed 0: RuntimeError" in err
    assert set(load_run("x").results["recommender"]) == {"uniform", "oracle"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--scenario", "clik"], "there is no scenario 'clik'"),
        (["--recommender", "LinTs"], "there is no recommender 'LinTs'"),
        (["--backend", "dask"], "needs scheduler="),
        (["--seeds", "2000"], "seeds must be from 0 to 999"),
    ],
)
def test_what_is_not_possible_is_one_line(arguments, words, tmp_path, capsys):
    assert main([*SMALL, *arguments, "--output", str(tmp_path / "x")]) == 2
    err = capsys.readouterr().err
    assert words in err
    assert err.count("\n") == 1
    assert not (tmp_path / "x").exists()
