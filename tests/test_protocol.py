"""The protocol as a whole: own recommenders and worlds, tuning, folder, resuming, failures."""

import json
import re
from dataclasses import replace
from pathlib import Path

import gymnasium as gym
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from pgrpo_rec.benchmark import Recommender, Scenario, load_run, run_benchmark, runner, summarise
from pgrpo_rec.benchmark.plan import count_items
from pgrpo_rec.benchmark.recommenders import RECOMMENDERS, find_recommender
from pgrpo_rec.benchmark.scenarios import NAMES, find_scenario
from pgrpo_rec.benchmark.suits import World
from pgrpo_rec.benchmark.tuning import settings_to_try
from pgrpo_rec.evaluation.statistics import iqm_interval

DOCS = Path(__file__).parent.parent / "docs"
TABLES = ("results.parquet", "tuning.parquet", "summary.csv", "failures.csv")
SHORT = 320


class Leader:
    """A user's own recommender: knows nothing of this package."""

    def __init__(self, n_items, seed, epsilon=0.1):
        self.rng, self.epsilon = np.random.default_rng(seed), epsilon
        self.count, self.total = np.ones(n_items), np.ones(n_items)

    def recommend(self, X, *, available=None):
        chance = np.full(self.count.size, self.epsilon / self.count.size)
        chance[np.argmax(self.total / self.count)] += 1 - self.epsilon
        items = self.rng.choice(self.count.size, size=(len(X), 1), p=chance)
        return items, chance[items]

    def partial_fit(self, X, y, *, actions, propensities):
        np.add.at(self.count, actions, 1)
        np.add.at(self.total, actions, y)


class Coin(gym.Env):
    """A user's own world: two sides, no groups, no truth told."""

    observation_space = gym.spaces.Box(0, 1, (1,), np.float32)
    action_space = gym.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.ones(1, np.float32), {}

    def step(self, action):
        reward = float(self.np_random.random() < (0.2, 0.8)[int(action)])
        return np.ones(1, np.float32), reward, False, False, {}


def make_leader(env, seed, **settings):
    return Leader(count_items(env), seed, **settings)


def make_moody(env, seed, **settings):
    if seed in (1, 1000):
        raise RuntimeError(f"not in the mood\nat seed {seed}")
    return make_leader(env, seed, **settings)


def make_shop(seed):
    return gym.make_vec(
        "pgrpo_envs/PreferenceBandit-v0", num_envs=16, preset="hard", n_users=40, world_seed=seed
    )


LEADER = Recommender("leader", make_leader, grid={"epsilon": [0.02, 0.3, 1.0]})
MOODY = Recommender("moody", make_moody)
SHOP = Scenario("shop", make_shop, SHORT, ("many", "some", "few"), "a small one")
PLAN = {"seeds": 3, "tune_seeds": 2, "tune_budget": 3}


def bytes_of(folder):
    return {name: (folder / name).read_bytes() for name in TABLES}


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A finished benchmark, and its folder."""
    folder = tmp_path_factory.mktemp("run") / "first"
    run = run_benchmark([LEADER, MOODY, "uniform", "oracle"], [SHOP], output=folder, **PLAN)
    return run, folder


# --- what comes out ------------------------------------------------------------------------


def test_the_folder_is_as_agreed(done):
    run, folder = done
    names = {path.name for path in folder.iterdir()}
    assert names == {"run.json", "costs.parquet", "parts", "tuning", *TABLES}
    assert list(run.results) == [
        "scenario", "recommender", "seed", "bin", "user_type", "n", "reward", "regret", "span",
    ]  # fmt: skip
    runs = run.results.groupby(["recommender", "seed"], sort=False)["n"].sum()
    assert (runs == SHORT).all()
    assert list(runs.index) == [
        (who, seed)
        for who in ("leader", "leader, tuned", "moody", "uniform", "oracle")
        for seed in range(3)
        if (who, seed) != ("moody", 1)
    ]
    assert run.results.equals(load_run(folder).results)


def test_costs_are_of_each_run(done):
    costs = done[0].costs
    assert len(costs) == 14
    assert (costs["n_interactions"] == SHORT).all()
    assert (costs[["seconds_recommend", "seconds_learn"]] > 0).all(axis=None)
    assert (costs["peak_mib"] >= 0).all()


def test_manifest_says_what_was_run_and_names_nobody(done, monkeypatch):
    manifest, folder = done[0].manifest, done[1]
    assert manifest["name"] == "first"
    assert manifest["seeds"] == [0, 1, 2]
    assert manifest["tune_seeds"] == [1000, 1001]
    assert manifest["tune_budget"] == 3
    assert manifest["scenarios"] == [
        {
            "name": "shop",
            "description": "a small one",
            "n_interactions": SHORT,
            "group_names": ["many", "some", "few"],
            "group_shares": [0.7, 0.2, 0.1],
            "left_out": {},
        }
    ]
    lines = {rec["name"]: rec for rec in manifest["recommenders"]}
    assert list(lines) == ["leader", "leader, tuned", "moody", "uniform", "oracle"]
    assert lines["leader, tuned"]["variant"] == "tuned"
    assert len(lines["leader, tuned"]["tried"]) == 3
    assert lines["oracle"]["family"] == "reference"
    assert {"numpy", "numba", "pyarrow"} <= set(manifest["packages"])
    assert manifest["commit"] is None or re.fullmatch("[0-9a-f]{40}", manifest["commit"])
    text = (folder / "run.json").read_text()
    for private in (str(Path.home()), str(folder.parent), str(DOCS.parent)):
        assert private == "/" or private not in text


def test_summary_is_of_interquartile_means(done):
    run, folder = done
    summary = pd.read_csv(folder / "summary.csv").set_index(["recommender", "measure"])
    spans = run.results[run.results["recommender"] == "leader"].groupby("seed")
    regrets = spans["regret"].sum() / spans["span"].sum()
    row = summary.loc[("leader", "regret")]
    assert_allclose(row[["iqm", "low", "high"]].to_numpy(float), iqm_interval(regrets))
    assert_allclose(row["mean"], regrets.mean())
    assert summary.loc[("moody", "regret"), "n_seeds"] == 2
    assert_allclose(summary.loc[("oracle", "regret_worst"), "iqm"], 0.0, atol=1e-9)
    groups = [summary.loc[("leader", f"regret_{g}"), "mean"] for g in range(3)]
    assert_allclose(summary.loc[("leader", "regret_mean"), "mean"], np.mean(groups))


# --- tuning --------------------------------------------------------------------------------


def test_tuning_tries_the_budget_on_seeds_of_its_own(done):
    tuning = done[0].tuning
    assert set(tuning["recommender"]) == {"leader"}
    assert tuning.groupby("setting", sort=False).size().tolist() == [2, 2, 2]
    assert set(tuning["seed"]) == {1000, 1001}
    assert tuning["setting"].iloc[0] == "{}"  # as it comes is among them
    means = tuning.groupby("setting")["score"].mean()
    chosen = tuning.loc[tuning["chosen"], "setting"].unique()
    assert list(chosen) == [means.idxmin()]
    assert not set(tuning["seed"]) & set(done[0].results["seed"])


def test_the_tuned_form_runs_with_what_was_chosen(tmp_path):
    """In a world without groups and truth the score is minus the mean reward."""
    coin = Scenario("coin", lambda seed: Coin(), 200)
    leader = replace(LEADER, settings={"epsilon": 1.0}, grid={"epsilon": [0.8, 0.0]})
    run = run_benchmark([leader], [coin], output=tmp_path, **PLAN)
    assert json.loads(run.tuning.loc[run.tuning["chosen"], "setting"].iloc[0]) == {"epsilon": 0.0}
    reward = run.results.groupby("recommender")["reward"].sum() / 600
    assert reward["leader, tuned"] > 0.7 > 0.55 > reward["leader"]
    assert set(run.results["user_type"]) == {0}
    assert run.results[["regret", "span"]].isna().all(axis=None)
    measures = set(summarise(run.results)["measure"])
    assert measures == {"reward"}


def test_settings_to_try():
    tried = settings_to_try(LEADER, 4)
    assert tried[0] == {}
    assert sorted(s["epsilon"] for s in tried[1:]) == [0.02, 0.3, 1.0]
    assert settings_to_try(LEADER, 3) == settings_to_try(LEADER, 3)
    endless = replace(LEADER, grid={"epsilon": stats.uniform(0, 1)})
    assert len({s.get("epsilon") for s in settings_to_try(endless, 50)}) == 50
    with pytest.raises(ValueError, match="grid of 'leader' has 3 settings, and a budget of 5 need"):
        settings_to_try(LEADER, 5)


@pytest.mark.parametrize("rec", [r for r in RECOMMENDERS.values() if r.grid], ids=lambda r: r.name)
def test_every_named_recommender_can_be_tuned_as_hard_as_the_others(rec):
    tried = [json.dumps(s, sort_keys=True) for s in settings_to_try(rec, 13)]
    assert len(set(tried)) == 13
    for settings in settings_to_try(rec, 3):
        learner = rec.with_settings("x", settings).build(make_shop(0), 0)
        for name, value in settings.items():
            assert learner.get_params()[name] == value


# --- the same to the last digit ------------------------------------------------------------


def test_once_more_and_in_processes_gives_the_same_bytes(done, tmp_path):
    _, folder = done
    for n_jobs in (1, 2):
        again = tmp_path / f"jobs{n_jobs}"
        run_benchmark(
            [LEADER, MOODY, "uniform", "oracle"], [SHOP], output=again, n_jobs=n_jobs, **PLAN
        )
        assert bytes_of(again).keys() == bytes_of(folder).keys()
        for name in TABLES[:3]:
            assert (again / name).read_bytes() == (folder / name).read_bytes(), name


@pytest.mark.parametrize("stop_at", [4, 20])
def test_stopped_and_resumed_gives_the_same_bytes(done, tmp_path, monkeypatch, stop_at):
    """Stopped while tuning, and stopped in the final."""
    simulate, calls = runner.simulate, []

    def interrupted(*args, **kwargs):
        calls.append(1)
        if len(calls) == stop_at:
            raise KeyboardInterrupt
        return simulate(*args, **kwargs)

    plan = [LEADER, MOODY, "uniform", "oracle"], [SHOP]
    monkeypatch.setattr(runner, "simulate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_benchmark(*plan, output=tmp_path, **PLAN)
    monkeypatch.undo()
    with pytest.raises(ValueError, match=r"holds no finished benchmark: results\.parquet is miss"):
        load_run(tmp_path)
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/*.parquet")}
    assert kept
    run_benchmark(*plan, output=tmp_path, resume=True, **PLAN)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    for name in TABLES[:3]:
        assert (tmp_path / name).read_bytes() == (done[1] / name).read_bytes(), name


def test_another_plan_in_the_same_folder_is_refused(done):
    _, folder = done
    before = bytes_of(folder)
    same = [LEADER, MOODY, "uniform", "oracle"]
    with pytest.raises(ValueError, match="holds a run already: go on with it"):
        run_benchmark(same, [SHOP], output=folder, **PLAN)
    for changed, words in (
        ({"seeds": 2}, "differs in seeds"),
        ({"tune_budget": 2}, "differs in tune_budget, recommenders"),
    ):
        with pytest.raises(ValueError, match=words):
            run_benchmark(same, [SHOP], output=folder, resume=True, **{**PLAN, **changed})
    longer = replace(SHOP, n_interactions=SHORT + 16)
    with pytest.raises(ValueError, match="differs in scenarios"):
        run_benchmark(same, [longer], output=folder, resume=True, **PLAN)
    assert bytes_of(folder) == before


def test_parts_of_other_code_are_refused(done, monkeypatch):
    monkeypatch.setattr("pgrpo_rec.benchmark.manifest.code_digest", lambda: "other")
    with pytest.raises(ValueError, match="differs in code"):
        run_benchmark(
            [LEADER, MOODY, "uniform", "oracle"], [SHOP], output=done[1], resume=True, **PLAN
        )


# --- failures ------------------------------------------------------------------------------


def test_what_fails_is_told_and_sinks_no_other(done):
    failures = done[0].failures
    assert failures[["scenario", "recommender", "seed"]].to_numpy().tolist() == [
        ["shop", "moody", 1]
    ]
    assert failures["error"].tolist() == ["RuntimeError: not in the mood at seed 1"]
    assert "make_moody" in failures["traceback"].iloc[0]


def test_a_setting_that_fails_is_not_chosen(tmp_path):
    def make(env, seed, epsilon=0.5):
        if epsilon == 0.0 and seed == 1001:
            raise ZeroDivisionError
        return make_leader(env, seed, epsilon=epsilon)

    coin = Scenario("coin", lambda seed: Coin(), 100)
    picky = Recommender("picky", make, grid={"epsilon": [0.0, 0.2]})
    run = run_benchmark([picky], [coin], output=tmp_path, **PLAN)
    failed = run.tuning[run.tuning["score"].isna()]
    assert [json.loads(s) for s in failed["setting"]] == [{"epsilon": 0.0}]
    assert not failed["chosen"].any()
    assert json.loads(run.tuning.loc[run.tuning["chosen"], "setting"].iloc[0]) == {"epsilon": 0.2}
    assert run.failures["error"].tolist() == ["ZeroDivisionError"]


def test_where_all_fails_there_are_tables_all_the_same(tmp_path):
    def make(env, seed, **settings):
        raise RuntimeError("never")

    rec = Recommender("never", make, grid={"x": [1, 2]})
    run = run_benchmark([rec], [SHOP], output=tmp_path, **PLAN)
    assert len(run.results) == len(run.costs) == 0
    assert len(run.failures) == 3 * 2 + 3
    assert run.tuning["score"].isna().all()
    assert not run.tuning["chosen"].any()


def test_who_does_not_suit_a_world_is_left_out(tmp_path):
    coin = Scenario("coin", lambda seed: Coin(), 64)
    names = ["Thompson (beta)", "LinTS known", "LinTS shared", "oracle", "GRPO (G=4)"]
    run = run_benchmark(names, [coin, SHOP], output=tmp_path, seeds=1)
    of_coin, of_shop = (scenario["left_out"] for scenario in run.manifest["scenarios"])
    assert of_coin == {
        "LinTS known": "the world knows no groups, or one only",
        "LinTS shared": "items have no features of their own",
        "oracle": "the world does not tell what is best",
        "GRPO (G=4)": "the world cannot score several candidates of a visit",
    }
    assert of_shop == {
        "Thompson (beta)": "rewards are not 0 or 1",
        "LinTS shared": "items have no features of their own",
    }
    ran = set(run.results[["scenario", "recommender"]].itertuples(index=False, name=None))
    everyone = {(scenario, name) for scenario in ("coin", "shop") for name in names}
    out = {("coin", name) for name in of_coin} | {("shop", name) for name in of_shop}
    assert ran == everyone - out
    assert run.failures.empty
    with pytest.raises(ValueError, match="no recommender suits"):
        run_benchmark(["oracle"], [coin], output=tmp_path / "x")


def test_who_keeps_a_regression_for_each_user_and_item_is_spared_many_items():
    many, few = (World(find_scenario(name), 0) for name in ("many", "scales"))
    assert "for over 200 items" in many.why_not(find_recommender("DynUCB"))
    assert few.why_not(find_recommender("DynUCB")) is None
    assert many.why_not(find_recommender("LinTS shared known")) is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"seeds": []}, "needs a recommender, a scenario and a seed"),
        ({"seeds": [3, 1000]}, "seeds must be from 0 to 999"),
        ({"tune_seeds": -1}, "tune_seeds=-1 is not possible"),
        ({"tune_budget": 1}, "tune_budget=1 is not possible"),
        ({"max_interactions": 0}, "max_interactions=0 is not possible"),
        ({"backend": "cloud"}, "backend='cloud' is unknown"),
        ({"backend": "dask"}, "needs scheduler="),
        ({"scheduler": "tcp://127.0.0.1:1"}, "needs scheduler="),
    ],
)
def test_arguments_that_are_not_possible(arguments, words, tmp_path):
    with pytest.raises(ValueError, match=words):
        run_benchmark([LEADER], [SHOP], output=tmp_path / "x", **arguments)
    assert not (tmp_path / "x").exists()


# --- names ---------------------------------------------------------------------------------


def test_names_and_things_of_ones_own(monkeypatch, tmp_path):
    assert {find_scenario(name).name for name in NAMES} >= {"clicks", "drift", "many", "churn"}
    (tmp_path / "my_shop.py").write_text(
        "from pgrpo_rec.benchmark.recommenders import RECOMMENDERS\n"
        "mine = RECOMMENDERS['uniform']\nnothing = 3\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert find_recommender("my_shop:mine").name == "uniform"
    for name, words in (
        ("LinTs", "there is no recommender 'LinTs'; there are P-GRPO"),
        ("my_shop:nothing", "my_shop:nothing is a int, not a Recommender"),
        ("my_shop:absent", "'my_shop:absent' cannot be imported"),
        ("no_such_module:x", "'no_such_module:x' cannot be imported"),
    ):
        with pytest.raises(ValueError, match=words):
            find_recommender(name)
    with pytest.raises(ValueError, match="there is no scenario 'click'; there are clicks, scales"):
        find_scenario("click")


@pytest.mark.parametrize("name", [name for name in NAMES if name != "many"])
def test_named_scenarios_can_be_served_and_know_regret(name):
    scenario = replace(find_scenario(name), n_interactions=128)
    part = runner.run_part(runner.Unit(scenario, RECOMMENDERS["uniform"], 0))
    assert part["n"].sum() >= 128
    assert not part.isna().any(axis=None)
    assert len(scenario.group_names) > part["user_type"].max()
    assert scenario.description


# --- reading -------------------------------------------------------------------------------


def test_what_is_no_run_is_refused(done, tmp_path):
    with pytest.raises(ValueError, match=r"is no folder of a benchmark: it has no run\.json"):
        load_run(tmp_path)
    (tmp_path / "run.json").write_text("{half")
    with pytest.raises(ValueError, match="is no manifest of a benchmark"):
        load_run(tmp_path)
    (tmp_path / "run.json").write_text("{}")
    for name in (*TABLES, "costs.parquet"):
        (tmp_path / name).write_bytes((done[1] / name).read_bytes())
    done[0].tuning.drop(columns="chosen").to_parquet(tmp_path / "tuning.parquet")
    with pytest.raises(ValueError, match=r"tuning\.parquet lacks the columns \['chosen'\]"):
        load_run(tmp_path)


def test_the_page_of_the_docs_runs(tmp_path, monkeypatch):
    """A user's own recommender and scenario, as the page has them, for fewer answers."""
    text = (DOCS / "benchmark.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", text, re.S)
    block = block.replace("6400", "640").replace('"clicks"]', "]").replace("seeds=5", "seeds=2")
    monkeypatch.chdir(tmp_path)
    space: dict = {"__name__": "shop"}
    exec(block, space)
    run = space["run"]
    assert run.failures.empty
    assert set(run.results["recommender"]) == {
        "leader", "leader, tuned", "P-GRPO learned", "P-GRPO learned, tuned",
        "LinTS", "LinTS, tuned", "uniform",
    }  # fmt: skip
    assert_array_equal(run.results["scenario"].unique(), ["shop"])
    assert (tmp_path / "runs" / "shop" / "run.json").is_file()
    lines = re.search(r"class Leader:.*?(?=\n\n\n)", block, re.S).group().splitlines()
    assert len([line for line in lines if line.strip()]) <= 15
