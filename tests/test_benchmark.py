import gymnasium as gym
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pandas.testing import assert_frame_equal
from rich.console import Console

import pgrpo_envs  # noqa: F401  registers the worlds
from pgrpo_rec.baselines import GaussianThompson, Oracle, Uniform
from pgrpo_rec.benchmark import Recommender, Scenario, compare, curves_by_group, run, summarise
from pgrpo_rec.benchmark.plan import slug, true_groups
from pgrpo_rec.benchmark.runner import bin_log
from pgrpo_rec.benchmark.summary import per_seed
from pgrpo_rec.reports import draw_learning_curves, leaderboard


def make_world(seed, n=8):
    return gym.make_vec(
        "pgrpo_envs/PreferenceBandit-v0", num_envs=n, preset="hard", n_users=40, world_seed=seed
    )


def make_uniform(env, seed):
    return Uniform(12, random_state=seed)


def make_thompson(env, seed):
    return GaussianThompson(12, random_state=seed)


def make_broken(env, seed):
    raise RuntimeError(f"broken at seed {seed}")


SCENARIO = Scenario("Hard world", make_world, 160, ("many", "some", "few"))
UNIFORM = Recommender("uniform", make_uniform)
THOMPSON = Recommender("Thompson (known)", make_thompson, "true groups")
BROKEN = Recommender("broken", make_broken)


def hand_table():
    """Two recommenders, two seeds, two groups, two bins; 10 answers and a span of 10 a cell."""
    rows = []
    for recommender, lead in (("a", 0.0), ("b", 2.0)):
        for seed in (0, 1):
            for time in (0, 1):
                for group in (0, 1):
                    regret = 8.0 - 4.0 * time + group - lead + seed
                    rows.append(
                        ("t", recommender, seed, time, group, 10, 20.0 - regret, regret, 10.0)
                    )
    columns = [
        "scenario",
        "recommender",
        "seed",
        "bin",
        "user_type",
        "n",
        "reward",
        "regret",
        "span",
    ]
    return pd.DataFrame(rows, columns=columns)


# --- running -------------------------------------------------------------------------------


def test_parts_in_the_order_of_the_plan(tmp_path):
    parts = run([UNIFORM, THOMPSON], [SCENARIO], [3, 1], tmp_path)
    order = parts[["recommender", "seed"]].drop_duplicates()
    names = ["uniform"] * 2 + ["Thompson (known)"] * 2
    assert_array_equal(order.to_numpy(), np.array([names, [3, 1, 3, 1]], dtype=object).T)
    files = {"hard-world--uniform--1.parquet", "hard-world--thompson-known--3.parquet"}
    found = {path.name for path in tmp_path.iterdir()}
    assert files < found
    assert len(found) == 4  # and no drafts
    assert parts.groupby(["recommender", "seed"])["n"].sum().eq(160).all()


def test_seeds_are_shared(tmp_path):
    """All recommenders meet the same worlds and visitors: spans are equal, cell by cell."""
    parts = run([UNIFORM, THOMPSON], [SCENARIO], [0, 1], tmp_path)
    spans = [parts.loc[parts["recommender"] == c.name, "span"] for c in (UNIFORM, THOMPSON)]
    assert_array_equal(*spans)
    first, second = (parts.loc[parts["seed"] == seed, "span"].sum() for seed in (0, 1))
    assert first != second


def test_a_stopped_run_goes_on_where_it_was(tmp_path):
    plan = [UNIFORM, THOMPSON], [SCENARIO], range(3)
    whole = run(*plan, tmp_path)
    files = sorted(tmp_path.iterdir())
    kept = {path: path.stat().st_mtime_ns for path in files[2:]}
    for path in files[:2]:
        path.unlink()
    assert_frame_equal(run(*plan, tmp_path), whole)
    assert sorted(tmp_path.iterdir()) == files
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


def test_processes_do_not_matter(tmp_path):
    one = run([UNIFORM, THOMPSON], [SCENARIO], [0], tmp_path / "one", n_jobs=1)
    two = run([UNIFORM, THOMPSON], [SCENARIO], [0], tmp_path / "two", n_jobs=2)
    assert_frame_equal(one, two)


def test_what_fails_is_raised_and_what_was_done_is_kept(tmp_path):
    with pytest.raises(RuntimeError, match="broken at seed 0"):
        run([UNIFORM, BROKEN], [SCENARIO], [0, 1], tmp_path)
    found = sorted(path.name for path in tmp_path.iterdir())
    assert found == ["hard-world--uniform--0.parquet", "hard-world--uniform--1.parquet"]


def test_a_part_is_there_whole_or_not_at_all(tmp_path, monkeypatch):
    def half(self, path, **arguments):
        path.write_text("scenario,recommender\nhalf a li")
        raise OSError("disk full")

    monkeypatch.setattr(pd.DataFrame, "to_parquet", half)
    with pytest.raises(OSError, match="disk full"):
        run([UNIFORM], [SCENARIO], [0], tmp_path)
    monkeypatch.undo()
    assert not list(tmp_path.glob("*.parquet"))
    assert len(run([UNIFORM], [SCENARIO], [0], tmp_path)) > 0


def test_names_that_would_share_a_file_are_refused(tmp_path):
    twins = [Recommender("A b", make_uniform), Recommender("a (B)", make_uniform)]
    for plan in (
        (twins, [SCENARIO], [0]),
        ([UNIFORM], [SCENARIO, SCENARIO], [0]),
        ([UNIFORM], [SCENARIO], [0, 0]),
    ):
        with pytest.raises(ValueError, match="must differ in name"):
            run(*plan, tmp_path / "x")
    assert slug("Thompson (G=4) ") == "thompson-g-4"


def test_what_recommenders_are_told():
    env = make_world(0)
    types = env.unwrapped.user_types
    told = {kind: Recommender("c", make_uniform, kind).telling(env, 0) for kind in
            ("nothing", "users", "true groups", "random groups")}  # fmt: skip
    assert told["nothing"] == {"identify": False}
    assert told["users"] == {"identify": True}
    assert_array_equal(told["true groups"]["clusters"], types)
    dealt = told["random groups"]["clusters"]
    assert_array_equal(np.sort(dealt), np.sort(types))
    assert (dealt != types).any()
    again = Recommender("c", make_uniform, "random groups").telling(env, 0)["clusters"]
    other = Recommender("c", make_uniform, "random groups").telling(env, 1)["clusters"]
    assert_array_equal(dealt, again)
    assert (dealt != other).any()
    with pytest.raises(ValueError, match="knows no true groups"):
        true_groups(gym.make_vec("CartPole-v1", num_envs=1))


def test_sums_over_time_and_groups():
    log = pd.DataFrame({
        "round": [0, 0, 1, 2, 3], "user_type": [0, 1, 0, 1, 1], "reward": [1.0, 2, 4, 8, 16],
        "regret": [0.5] * 5, "best_reward": [3.0] * 5, "uniform_reward": [1.0] * 5,
    })  # fmt: skip
    got = bin_log(log, n_bins=2)
    assert_array_equal(got["bin"], [0, 0, 1])
    assert_array_equal(got["user_type"], [0, 1, 1])
    assert_array_equal(got["n"], [2, 1, 2])
    assert_array_equal(got["reward"], [5.0, 2.0, 24.0])
    assert_array_equal(got["regret"], [1.0, 0.5, 1.0])
    assert_array_equal(got["span"], [4.0, 2.0, 4.0])


# --- summing up ----------------------------------------------------------------------------


def test_measures_of_a_run_by_hand():
    """Recommender a, seed 0: regrets 8 and 4 of group 0, 9 and 5 of group 1, spans of 10."""
    table = per_seed(hand_table())
    assert list(table) == [
        "scenario", "recommender", "seed",
        "reward", "regret", "regret_0", "regret_1", "regret_mean", "regret_worst",
    ]  # fmt: skip
    row = table.iloc[0]
    assert_allclose(row["reward"], (80 - 26) / 40)
    assert_allclose([row["regret"], row["regret_0"], row["regret_1"]], [0.65, 0.6, 0.7])
    assert_allclose(row["regret_worst"], 0.7)


def test_summary_by_hand():
    """Seeds differ by 0.1 in regret: mean .7, half width t(.975, 1) * .1 / 2."""
    summary = summarise(hand_table())
    row = summary[(summary["recommender"] == "a") & (summary["measure"] == "regret")].iloc[0]
    half = 12.7062047 * 0.05
    assert_allclose([row["mean"], row["low"], row["high"]], [0.7, 0.7 - half, 0.7 + half])
    assert (summary["n_seeds"] == 2).all()
    assert len(summary) == 2 * 6


def test_comparison_is_seed_by_seed():
    """Seeds move both by as much, so the difference has no spread at all."""
    gain = compare(hand_table(), "t", "b", "a")
    assert_allclose(gain, [0.2, 0.2, 0.2])
    assert_allclose(compare(hand_table(), "t", "a", "b", "regret").mean, 0.2)
    with pytest.raises(ValueError, match=r"'c' did not run on 't'; these did: \['a', 'b'\]"):
        compare(hand_table(), "t", "a", "c")


def test_curves_by_hand():
    curves = curves_by_group(hand_table()).set_index(["recommender", "user_type", "bin"])
    assert_allclose(curves.loc[("a", "0", 0), "mean"], 1.0 - 0.85)
    assert_allclose(curves.loc[("b", "1", 1), "mean"], 1.0 - 0.35)
    assert_allclose(curves.loc[("a", "all", 1), "mean"], 1.0 - 0.5)
    assert len(curves) == 2 * 3 * 2


def test_oracle_and_chance_are_one_and_zero(tmp_path):
    scenario = Scenario("t", lambda seed: make_world(seed, n=128), 7680)
    oracle = Recommender("oracle", lambda env, seed: Oracle(env))
    seeds = per_seed(run([oracle, UNIFORM], [scenario], [0, 1], tmp_path)).set_index("recommender")
    assert_allclose(seeds.loc["oracle", ["regret", "regret_worst"]].to_numpy(float), 0.0, atol=1e-9)
    assert_allclose(seeds.loc["uniform", "regret"], 1.0, atol=0.05)


# --- showing -------------------------------------------------------------------------------


def test_figure_has_a_panel_a_group_and_a_line_a_recommender(tmp_path):
    narrow = hand_table().query("user_type == 0").assign(scenario="narrow")
    curves = curves_by_group(pd.concat([hand_table(), narrow]))
    names = {"t": ("left", "right")}
    path = tmp_path / "curves.png"
    figure = draw_learning_curves(curves, group_names=names, highlight=["b"], path=path)
    axes = [ax for ax in figure.axes if ax.get_visible()]
    assert [ax.get_title() for ax in axes] == [
        "t: everyone", "left", "right", "narrow: everyone", "group 0",
    ]  # fmt: skip
    for ax in axes:
        lines = {line.get_label(): line for line in ax.lines if line.get_label() in ("a", "b")}
        assert set(lines) == {"a", "b"}
        assert lines["b"].get_linewidth() > lines["a"].get_linewidth()
        assert len(ax.collections) == 1  # the band of what is highlighted
    assert_allclose(axes[1].lines[0].get_ydata(), [0.15, 0.55])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]
    assert path.read_bytes().startswith(b"\x89PNG")


def test_leaderboard_has_a_row_a_recommender(capsys):
    table = leaderboard(summarise(hand_table()), "t", group_names=("left",), title="Title")
    assert table.row_count == 2
    Console(width=80).print(table)
    out = capsys.readouterr().out
    for text in ("Title", "left", "group", "worst", "0.70 ±.64", "1.300"):
        assert text in out
    one_seed = summarise(hand_table().query("seed == 0"))
    Console(width=80).print(leaderboard(one_seed, "t"))
    assert "±" not in capsys.readouterr().out
