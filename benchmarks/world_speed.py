"""How fast `Recommend-v0` steps 4,096 users on one core, against four yardsticks.

Run it with ``OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1 python benchmarks/world_speed.py``. Times of
a shared machine wander, so all rivals take turns in one run, the clock is the processor time of
this thread, and only ratios are compared:

=============  =============================================  ==================
against        what                                           wanted
=============  =============================================  ==================
Sync           `SyncVectorEnv` of the single environments     300 x faster
NumPy          the same model in plain vectorised NumPy       2.5 x faster
copy           `np.copyto` of the bytes the kernel moves      at most 4 x slower
score          one more candidate, in steps                   at most 0.5
=============  =============================================  ==================

All but *copy* are measured through the public `step` (or `score`), with fresh arrays, infos
and the replacement of users who leave. *copy* is the bare kernel against copying
``BYTES_PER_LANE`` from one array to another: every byte is read once and written once.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from pgrpo_envs.recommend import RecommendEnv, RecommendVectorEnv, World
from pgrpo_envs.recommend_kernels import FORGET, N_MEMORY, N_TOPICS, NOTICE, step

N_LANES = 4096
N_SYNC = 256
N_CANDIDATES = 8
TARGETS = {"Sync": (300.0, "over"), "NumPy": (2.5, "over"), "copy": (4.0, "under")}
TARGETS["score"] = (0.5, "under")

# What the kernel reads: taste, stock, memory, and seven numbers of eight bytes (group,
# satisfaction, action, visit, episode, key, reward). What it writes: stock, two thirds of
# memory, the observation, satisfaction, reward, terminated. A copied byte is one of each.
_READ = 8 * N_TOPICS + 8 * N_TOPICS + 4 * N_MEMORY + 7 * 8
_WRITTEN = 8 * N_TOPICS + 4 * (N_MEMORY - N_TOPICS) + 4 * (N_MEMORY + 1) + 2 * 8 + 1
BYTES_PER_LANE = (_READ + _WRITTEN) // 2


class NumpyRecommend:
    """The honest twin: the same model, float64, whole arrays at a time, no Gymnasium."""

    def __init__(self, world: World, n_lanes: int, horizon: int) -> None:
        self.world, self.horizon = world, horizon
        self.topics = world.topics.astype(np.int64)
        self.rng = np.random.default_rng(0)
        self.lanes = np.arange(n_lanes)
        self.user = np.zeros(n_lanes, dtype=np.int64)
        self.group = np.zeros(n_lanes, dtype=np.int64)
        self.taste = np.zeros((n_lanes, N_TOPICS))
        self.stock = np.zeros((n_lanes, N_TOPICS))
        self.satisfaction = np.zeros(n_lanes)
        self.t = np.zeros(n_lanes, dtype=np.int64)
        self.memory = np.zeros((n_lanes, N_MEMORY), dtype=np.float32)
        self._spawn(self.lanes)

    def step(self, items: np.ndarray) -> tuple[np.ndarray, ...]:
        """Answer, tire, feel, leave, observe, replace; keep the last observation of who left."""
        w, p, topic = self.world, self.group, self.topics[items]
        match = np.einsum("ij,ij->i", self.taste, w.items[items])
        logit = w.base[p, items] + match - w.tired[p] * self.stock[self.lanes, topic]
        click = self.rng.random(items.size) < 1.0 / (1.0 + np.exp(-logit))
        self.stock *= w.keep[p][:, None]
        self.stock[self.lanes, topic] += w.amount
        self.satisfaction += w.rate * (-w.lures[items] * click - self.satisfaction)
        terminated = np.zeros(items.size, dtype=np.bool_)
        if w.ceiling > 0:
            gap = w.leave_slope * (w.threshold[p] - self.satisfaction)
            terminated = self.rng.random(items.size) < w.ceiling / (1.0 + np.exp(-gap))
        self.memory[:, N_TOPICS:] *= FORGET
        self.memory[self.lanes, N_TOPICS + topic] += NOTICE
        self.memory[self.lanes, 2 * N_TOPICS + topic] += NOTICE * click
        self.t += 1
        truncated = self.t >= self.horizon
        reward = w.scale[p] * click
        obs = np.empty((items.size, N_MEMORY + 1), dtype=np.float32)
        obs[:, :N_MEMORY] = self.memory
        obs[:, N_MEMORY] = self.t / self.horizon
        ended = np.flatnonzero(terminated | truncated)
        final = obs
        if ended.size:
            final = obs.copy()
            self._spawn(ended)
            obs[ended, :N_MEMORY] = self.memory[ended]
            obs[ended, N_MEMORY] = 0.0
        return obs, reward, terminated, truncated, final

    def _spawn(self, lanes: np.ndarray) -> None:
        w = self.world
        user = self.rng.integers(w.user_types.size, size=lanes.size)
        self.user[lanes], self.group[lanes] = user, w.user_types[user]
        self.taste[lanes] = w.tastes[0, user]
        self.stock[lanes], self.satisfaction[lanes], self.t[lanes] = 0.0, 0.0, 0
        self.memory[lanes] = 0.0
        self.memory[lanes, :N_TOPICS] = np.clip(w.tastes[0, user] + w.noise[user], -8, 8)


def rivals(preset: str) -> dict[str, tuple[Callable[[], object], int]]:
    """Return what is timed: a call, and how many user-steps (or answers) it makes."""
    rng = np.random.default_rng(0)
    env, fresh = (RecommendVectorEnv(N_LANES, preset=preset) for _ in range(2))
    sync = SyncVectorEnv(
        [lambda: RecommendEnv(preset=preset)] * N_SYNC, autoreset_mode=AutoresetMode.SAME_STEP
    )
    for world in (env, fresh, sync):
        world.reset(seed=0)
    twin = NumpyRecommend(env.world, N_LANES, env.scenario.horizon)
    actions = rng.integers(env.n_items, size=N_LANES)
    candidates = rng.integers(env.n_items, size=(N_LANES, N_CANDIDATES))
    obs = np.empty((N_LANES, N_MEMORY + 1), dtype=np.float32)
    reward, terminated = np.empty(N_LANES), np.zeros(N_LANES, dtype=np.bool_)
    source, target = np.ones((2, N_LANES * BYTES_PER_LANE), dtype=np.uint8)
    items = actions.view(np.uint64)
    bare = (fresh.world, fresh.state, fresh._clock, items, 0.01, obs, reward, terminated)
    return {
        "step": (lambda: env.step(actions), N_LANES),
        "Sync": (lambda: sync.step(actions[:N_SYNC]), N_SYNC),
        "NumPy": (lambda: twin.step(actions), N_LANES),
        "kernel": (lambda: step(*bare), N_LANES),
        "copy": (lambda: np.copyto(target, source), N_LANES),
        "score": (lambda: env.score(candidates), N_LANES * N_CANDIDATES),
    }


def measure(preset: str, n_rounds: int) -> dict[str, np.ndarray]:
    """Time all rivals in turn, shape (n_rounds,), in ns per user-step."""
    calls = rivals(preset)
    times = {name: np.empty(n_rounds) for name in calls}
    for round_ in range(-2, n_rounds):
        for name, (call, size) in calls.items():
            n_calls = 1 if name == "Sync" else 10
            begin = time.thread_time()
            for _ in range(n_calls):
                call()
            elapsed = time.thread_time() - begin
            if round_ >= 0:
                times[name][round_] = 1e9 * elapsed / (n_calls * size)
    return times


def ratios(times: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the four ratios of each round."""
    return {
        "Sync": times["Sync"] / times["step"],
        "NumPy": times["NumPy"] / times["step"],
        "copy": times["kernel"] / times["copy"],
        "score": times["score"] / times["step"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--presets", nargs="+", default=["plain", "churn"])
    arguments = parser.parse_args()
    for preset in arguments.presets:
        times = measure(preset, arguments.rounds)
        print(f"{preset}: median ns per user-step (or answer)")
        print("  " + ", ".join(f"{name} {np.median(t):.1f}" for name, t in times.items()))
        for name, ratio in ratios(times).items():
            low, middle, high = np.quantile(ratio, (0.25, 0.5, 0.75))
            target, side = TARGETS[name]
            good = middle >= target if side == "over" else middle <= target
            print(
                f"  {name:<6} {middle:8.2f} (quartiles {low:.2f} to {high:.2f}), "
                f"wanted {side} {target:g}: {'yes' if good else 'NO'}"
            )


if __name__ == "__main__":
    main()
