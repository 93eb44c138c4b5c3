import contextlib
import io

import pandas as pd
import pytest

import pgrpo_rec
from pgrpo_rec.benchmark import runner
from pgrpo_rec.cli import main

SMALL = ["demo", "--seeds", "2", "--interactions", "600", "--jobs", "1", "--quiet"]


@pytest.fixture(autouse=True)
def no_data(monkeypatch):
    monkeypatch.delenv("PGRPO_DATA", raising=False)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A finished small run: its parent folder, and what it printed."""
    folder = tmp_path_factory.mktemp("runs")
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
        patch.delenv("PGRPO_DATA", raising=False)
        assert main([*SMALL, "--output", str(folder)]) == 0
    return folder, printed.getvalue()


def fails_with_one_line(capsys, arguments):
    """Run, expect exit code 2, and return the only line on standard error."""
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert err.endswith("\n")
    assert err.count("\n") == 1
    assert err.startswith("pgrpo-rec: ")
    assert "Traceback" not in out
    return err


def test_a_run_leaves_tables_a_figure_and_its_parts(done):
    folder, _ = done
    names = {path.name for path in (folder / "demo").iterdir()}
    assert names == {"plan.json", "parts", "summary.csv", "curves.csv", "learning_curves.png"}
    summary = pd.read_csv(folder / "demo" / "summary.csv")
    assert summary["scenario"].nunique() == 2
    assert (summary["n_seeds"] == 2).all()
    oracle = summary[(summary["recommender"] == "oracle") & (summary["measure"] == "regret")]
    assert oracle["mean"].abs().max() < 1e-9
    parts = list((folder / "demo" / "parts").iterdir())
    assert len(parts) == 2 * summary[["scenario", "recommender"]].drop_duplicates().shape[0]


def test_a_run_says_what_it_does_and_what_came_out(done):
    folder, printed = done
    for text in ("2 seeds", "600 answers", "oracle", "P-GRPO learned", "Thompson sampling", "±"):
        assert text in printed
    assert "generated" in printed  # the sample is no real data, and it says so
    assert "groups, on top of own answers" in printed
    assert str(folder / "demo") in printed.replace("\n", "")


def test_ctrl_c_keeps_what_is_done_and_resume_does_the_rest(done, capsys, monkeypatch):
    """The second run has a folder of its own, and in the end the numbers of the first."""
    folder, _ = done
    simulate, calls = runner.simulate, []

    def interrupted(*args, **kwargs):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return simulate(*args, **kwargs)

    monkeypatch.setattr(runner, "simulate", interrupted)
    assert main([*SMALL, "--output", str(folder)]) == 130
    err = capsys.readouterr().err.replace("\n", "")
    assert "stopped" in err
    assert f"--resume {folder / 'demo-2'}" in err
    parts = folder / "demo-2" / "parts"
    kept = {path.name: path.stat().st_mtime_ns for path in parts.iterdir()}
    assert len(kept) == 3
    assert all(name.endswith(".parquet") for name in kept)
    assert main(["demo", "--resume", str(folder / "demo-2"), "--jobs", "1", "--quiet"]) == 0
    assert {name: (parts / name).stat().st_mtime_ns for name in kept} == kept
    for name in ("summary.csv", "curves.csv"):
        whole = (folder / "demo" / name).read_bytes()
        assert (folder / "demo-2" / name).read_bytes() == whole


def test_a_run_on_a_table_of_ones_own(tmp_path, capsys):
    rows = [f"u{u},i{i},{1 + (u * i + u) % 5}" for u in range(40) for i in range(6)]
    (tmp_path / "jokes.csv").write_text("user,item,rating\n" + "\n".join(rows) + "\n")
    arguments = ["--ratings", str(tmp_path / "jokes.csv"), "--output", str(tmp_path / "runs")]
    assert main([*SMALL, "--name", "mine", *arguments]) == 0
    out = capsys.readouterr().out
    assert "jokes" in out
    summary = pd.read_csv(tmp_path / "runs" / "mine" / "summary.csv")
    assert set(summary["scenario"]) == {"simulated users", "jokes"}


BAD_TABLES = {
    "one user": "user,item,rating\nann,1,4\nann,2,5\n",
    "one item": "user,item,rating\nann,1,4\nbob,1,5\n",
    "all equal": "user,item,rating\nann,1,4\nbob,2,4\nann,2,4\nbob,1,4\n",
    "no numbers": "user,item,rating\nann,1,good\nbob,2,bad\n",
    "empty": "",
    "binary": "\x00\x01\x02\n\x03",
}


@pytest.mark.parametrize("kind", BAD_TABLES)
def test_ratings_of_no_use_are_one_line(kind, tmp_path, capsys):
    (tmp_path / "ratings.csv").write_text(BAD_TABLES[kind])
    arguments = ["--ratings", str(tmp_path / "ratings.csv"), "--output", str(tmp_path / "runs")]
    assert "ratings" in fails_with_one_line(capsys, [*SMALL, *arguments])
    assert not (tmp_path / "runs").exists()  # found out before anything was made


def test_ratings_that_are_not_there(tmp_path, capsys, monkeypatch):
    line = fails_with_one_line(capsys, [*SMALL, "--ratings", str(tmp_path / "no"), "--output", "x"])
    assert "no such file or folder" in line
    monkeypatch.setenv("PGRPO_DATA", str(tmp_path / "nowhere"))
    assert "nowhere" in fails_with_one_line(capsys, SMALL)


def test_a_file_in_the_way_of_the_output(tmp_path, capsys):
    (tmp_path / "runs").write_text("")
    line = fails_with_one_line(capsys, [*SMALL, "--output", str(tmp_path / "runs")])
    assert "runs" in line


def test_nothing_to_resume(tmp_path, capsys):
    line = fails_with_one_line(capsys, ["demo", "--resume", str(tmp_path)])
    assert "no plan.json" in line
    (tmp_path / "plan.json").write_text("{}")
    assert "is no plan" in fails_with_one_line(capsys, ["demo", "--resume", str(tmp_path)])


def test_no_processes_at_all(tmp_path, capsys):
    arguments = [*SMALL, "--jobs", "0", "--output", str(tmp_path)]
    assert "n_jobs == 0" in fails_with_one_line(capsys, arguments)


@pytest.mark.parametrize(
    "arguments", [["--seeds", "0"], ["--interactions", "-5"], ["--seeds", "x"]]
)
def test_numbers_that_are_none(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["demo", *arguments])
    assert stop.value.code == 2
    assert "is no whole number of at least 1" in capsys.readouterr().err


def test_version_and_help(capsys):
    for arguments in (["--version"], ["--help"], ["demo", "--help"]):
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert stop.value.code == 0
    out = capsys.readouterr().out
    assert f"pgrpo-rec {pgrpo_rec.__version__}\n" in out
    for option in ("--ratings", "--seeds", "--output", "--resume", "--jobs", "--quiet"):
        assert option in out
    with pytest.raises(SystemExit) as stop:
        main([])
    assert stop.value.code == 2
