"""Where work is done: processes, and a real Dask cluster that loses a worker."""

import os
import signal
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

from pgrpo_rec.benchmark import Recommender, Scenario, run_benchmark
from pgrpo_rec.benchmark.execution import Failed, executor
from pgrpo_rec.benchmark.plan import count_items

TABLES = ("results.parquet", "tuning.parquet", "summary.csv")


class Chance:
    """Shows one item more often than the others."""

    def __init__(self, n_items, seed, lead):
        self.rng = np.random.default_rng(seed)
        self.chance = np.full(n_items, (1 - lead) / n_items)
        self.chance[0] += lead

    def recommend(self, X, *, available=None):
        items = self.rng.choice(self.chance.size, size=(len(X), 1), p=self.chance)
        return items, self.chance[items]

    def partial_fit(self, X, y, *, actions, propensities):
        pass


def make_chance(env, seed, lead=0.5):
    return Chance(count_items(env), seed, lead)


def make_mortal(env, seed, lead=0.5, grave=None):
    """With seed 2, for the first time: kill the process that is at work, without a word."""
    if grave is not None and seed == 2 and not Path(grave).exists():
        Path(grave).write_text(str(os.getpid()))
        os.kill(os.getpid(), signal.SIGKILL)
    return make_chance(env, seed, lead)


def make_shop(seed):
    return gym.make_vec(
        "pgrpo_envs:pgrpo_envs/PreferenceBandit-v0",
        num_envs=16,
        preset="hard",
        n_users=40,
        world_seed=seed,
    )


SHOP = Scenario("shop", make_shop, 160)
CHANCE = Recommender("chance", make_chance, grid={"lead": [0.2, 0.9]})


def halve(number):
    if number % 2:
        raise ValueError(f"{number} is\nodd")
    return number // 2


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_calls_that_fail_sink_no_other(n_jobs):
    with executor(n_jobs=n_jobs) as execute:
        outcomes = dict(execute(halve, [(n,) for n in range(6)]))
    assert set(outcomes) == set(range(6))
    assert [outcomes[n] for n in (0, 2, 4)] == [0, 1, 2]
    assert all(isinstance(outcomes[n], Failed) for n in (1, 3, 5))
    assert outcomes[3].error == "ValueError: 3 is odd"
    assert "halve" in outcomes[3].traceback


@pytest.fixture(scope="module")
def cluster():
    """Two worker processes and a scheduler on the loopback address."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address=None,
        silence_logs=50,
    ) as cluster:
        yield cluster


def test_a_killed_worker_loses_nothing(cluster, tmp_path):
    """The tables are those of a serial run, byte by byte."""
    grave = tmp_path / "grave"
    assert len(cluster.workers) == 2
    plan = {"seeds": 4, "tune_seeds": 2, "tune_budget": 3}
    mortal = Recommender("mortal", make_mortal, settings={"grave": str(grave)})
    spread = run_benchmark(
        [CHANCE, mortal, "uniform"],
        [SHOP],
        output=tmp_path / "cluster",
        backend="dask",
        scheduler=cluster.scheduler_address,
        **plan,
    )
    assert int(grave.read_text()) != os.getpid()
    assert spread.failures.empty
    run_benchmark([CHANCE, mortal, "uniform"], [SHOP], output=tmp_path / "serial", **plan)
    for name in TABLES:
        one, two = ((tmp_path / where / name).read_bytes() for where in ("serial", "cluster"))
        assert one == two, name


def test_a_call_that_kills_every_worker_is_a_failure_of_its_own(cluster):
    """It is given up in the end; the others are done."""

    def fatal(number):
        if number == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return number

    with executor("dask", scheduler=cluster.scheduler_address) as execute:
        outcomes = dict(execute(fatal, [(n,) for n in range(3)]))
    assert outcomes[0] == 0
    assert outcomes[2] == 2
    assert outcomes[1].error.startswith("KilledWorker")


def test_a_scheduler_that_does_not_answer(monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr("pgrpo_rec.benchmark.execution.CONNECT", 0.5)
    with (
        pytest.raises(OSError, match=r"127\.0\.0\.1:9"),
        executor("dask", scheduler="tcp://127.0.0.1:9"),
    ):
        pass
