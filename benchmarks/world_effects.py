"""Measure over ten worlds of every kind the effects that teaching relies on.

Run it with ``python benchmarks/world_effects.py`` (``--seeds 3`` is quicker). Each effect is
measured once a world, in the worlds that ``world_seed`` 0, 1, ... build, on ``N_PEOPLE`` people.
The table shows the mean over worlds with its 95 % interval (Student's t), the extremes, what is
claimed, and in how many worlds the claim holds. The claims are bounds, not what seed 0 happens
to give. Values of fixed actions are exact expectations at the first visit; *kept* is
(value - uniform) / (best - uniform), where best is the best fixed action of the group itself.
"""

from __future__ import annotations

import argparse
import operator
from collections.abc import Callable
from typing import NamedTuple

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray
from scipy import stats

from pgrpo_envs.base import WorldVectorEnv
from pgrpo_envs.registration import NAMESPACE
from pgrpo_rec._random import generator

N_PEOPLE = 1000
NOISE = 5  # seed of the noise, the same in every world

Policy = Callable[[WorldVectorEnv], NDArray[np.int64]]
Floats = NDArray[np.float64]


class Effect(NamedTuple):
    """One claim about one number."""

    world: str
    says: str
    key: str
    relation: str
    bound: float


# --- what happens in one world ---------------------------------------------------------------


def make(name: str, preset: str, world_seed: int, **more: object) -> WorldVectorEnv:
    more = {"preset": preset, "world_seed": world_seed, **more}
    env = gym.make_vec(f"{NAMESPACE}/{name}-v0", N_PEOPLE, **more)
    env.reset(seed=NOISE)
    return env.unwrapped


def myopic(env: WorldVectorEnv) -> NDArray[np.int64]:
    return env.oracle_action()


def chance() -> Policy:
    rng = generator(NOISE, 1)
    return lambda env: rng.integers(env.n_actions, size=env.action_space.shape)


def far_sighted(env: WorldVectorEnv) -> NDArray[np.int64]:
    """Prefer clicks that satisfy: the lure, which wins clicks now, counts against an item."""
    return (env.expected_reward() * (1.0 - 2.0 * env.world.lures)).argmax(axis=1)


def values_by_group(env: WorldVectorEnv) -> tuple[Floats, Floats]:
    """Return the mean expected reward of every action for each group (P, K), and shares."""
    types, values = env.user_types[env._clock.user], env.expected_reward()
    rows = [values[types == p].mean(axis=0) for p in range(env.n_groups)]
    return np.array(rows), np.array(env.scenario.shares)


def pooled(name: str, world_seed: int) -> dict[str, float]:
    """Give everybody the action that is best on average."""
    means, shares = values_by_group(make(name, "plain", world_seed))
    action = (shares @ means).argmax()
    uniform, best, got = means.mean(axis=1), means.max(axis=1), means[:, action]
    kept = (got - uniform) / (best - uniform)
    told = {f"kept {p}": kept[p] for p in range(shares.size)}
    return {**told, "value 2": got[2], "best 2": best[2]}


def slate(world_seed: int) -> dict[str, float]:
    env = make("Slate", "pbm", world_seed)
    types, values = env.user_types[env._clock.user], env.expected_reward()
    top = np.argsort(-values[types == 0].mean(axis=0))[: env.scenario.slate_size]
    shown = env.expected_reward(np.tile(top, (N_PEOPLE, 1)))
    share = shown / env.best_expected_reward()
    told = {f"share {p}": share[types == p].mean() for p in range(3)}
    env = make("Slate", "substitutes", world_seed)
    alone = np.argsort(-env.expected_reward(), axis=1, kind="stable")[:, : top.size]
    gain = env.best_expected_reward() - env.expected_reward(alone)
    told["coverage"] = (
        gain.mean() / (env.best_expected_reward() - env.uniform_expected_reward()).mean()
    )
    return told


def entropy(tastes: Floats) -> float:
    parts = tastes**2
    logs = np.log(np.maximum(parts, 1e-300))
    return float(-(parts * logs).sum(axis=1).mean() / np.log(parts.shape[1]))


def echo(preset: str, policy: Policy, world_seed: int) -> tuple[float, float]:
    """Return how far clicks and the entropy of tastes have risen when an episode is over."""
    env = make("EchoChamber", preset, world_seed, autoreset_mode="Disabled")
    before, clicks = entropy(env.state.taste), []
    for _ in range(env.scenario.horizon):
        clicks.append(env.step(policy(env))[4]["objectives"][:, 0].mean())
    return np.mean(clicks[-20:]) - np.mean(clicks[:20]), entropy(env.state.taste) - before


def echo_chamber(world_seed: int) -> dict[str, float]:
    clicks, narrower = echo("plain", myopic, world_seed)
    firm_clicks, _ = echo("firm", myopic, world_seed)
    _, by_chance = echo("plain", chance(), world_seed)
    return {
        "clicks": clicks,
        "entropy": narrower,
        "firm clicks": abs(firm_clicks),
        "entropy by chance": abs(by_chance),
    }


def session_return(policy: Policy, world_seed: int, **changes: float) -> float:
    """Return the mean return of everybody's first session."""
    env = make("Recommend", "churn", world_seed, **changes)
    total, alive = np.zeros(N_PEOPLE), np.ones(N_PEOPLE, dtype=bool)
    for _ in range(env.scenario.horizon):
        _, reward, terminated, truncated, _ = env.step(policy(env))
        total += reward * alive
        alive &= ~(terminated | truncated)
    return float(total.mean())


def recommend(world_seed: int) -> dict[str, float]:
    greedy = session_return(myopic, world_seed)
    wise = session_return(far_sighted, world_seed)
    stay = [session_return(p, world_seed, ceiling=0.0) for p in (myopic, far_sighted)]
    return {
        "wise / greedy": wise / greedy,
        "greedy / chance": greedy / session_return(chance(), world_seed),
        "greedy / wise, nobody leaves": stay[0] / stay[1],
    }


def final_mastery(modality: int, world_seed: int) -> Floats:
    """Return each group's mean recall when its course ends, all taught in one way, (P,)."""
    env = make("Tutor", "plain", world_seed, info_level="eval", autoreset_mode="Disabled")
    n_skills, types = env.scenario.n_skills, env.user_types[env._clock.user].copy()
    final, going = np.zeros(N_PEOPLE), np.ones(N_PEOPLE, dtype=bool)
    while going.any():
        ended = env._clock.ended.copy()
        if ended.any():  # those who are through begin again, and are not looked at
            env.reset(options={"reset_mask": ended})
        lessons = env._clock.t % n_skills * env.n_modalities + modality
        _, _, terminated, truncated, info = env.step(lessons)
        now = going & (terminated | truncated)
        final[now] = info["mastery"][now]
        going &= ~now
    return np.array([final[types == p].mean() for p in range(3)])


def tutor(world_seed: int) -> dict[str, float]:
    finals = np.array([final_mastery(m, world_seed) for m in range(3)])  # (M, P)
    favourite = finals[:, 0].argmax()
    lost = finals.max(axis=0) - finals[favourite]
    return {"lost 1": lost[1], "lost 2": lost[2], "majority": finals[favourite, 0]}


def norms(world_seed: int) -> dict[str, float]:
    env = make("Norms", "plain", world_seed, n_users=300)
    budget = env.scenario.budget
    spent = env.externality[env.oracle_action()].mean()
    free, bound = env.pareto_front([1.0, budget]).by_group
    lost = free - bound
    return {"spent": spent - budget, "lost 0": lost[0], "more": lost[0] - lost[1:].max()}


MEASURES: dict[str, Callable[[int], dict[str, float]]] = {
    "PreferenceBandit": lambda seed: pooled("PreferenceBandit", seed),
    "Recommend": recommend,
    "Slate": slate,
    "EchoChamber": echo_chamber,
    "Tutor": tutor,
    "Treatment": lambda seed: pooled("Treatment", seed),
    "Norms": norms,
}
EFFECTS = (
    Effect("PreferenceBandit", "pooled best item: kept by the majority", "kept 0", ">", 0.8),
    Effect("PreferenceBandit", "pooled best item: kept by the 20 %", "kept 1", "<", 0.5),
    Effect("PreferenceBandit", "pooled best item: kept by the 10 %", "kept 2", "<", 0.5),
    Effect("Recommend", "churn: far-sighted / myopic return", "wise / greedy", ">", 1.8),
    Effect("Recommend", "churn: myopic / uniform return", "greedy / chance", "<", 2.0),
    Effect(
        "Recommend",
        "nobody leaves: myopic / far-sighted return",
        "greedy / wise, nobody leaves",
        ">",
        1.2,
    ),
    Effect("Slate", "majority's slate: its share of their best", "share 0", ">", 0.5),
    Effect("Slate", "majority's slate: share of best, the 20 %", "share 1", "<", 0.3),
    Effect("Slate", "majority's slate: share of best, the 10 %", "share 2", "<", 0.3),
    Effect("Slate", "substitutes: gained by coverage", "coverage", ">", 0.5),
    Effect("EchoChamber", "myopic: rise of clicks", "clicks", ">", 0.1),
    Effect("EchoChamber", "myopic: change of taste entropy", "entropy", "<", -0.1),
    Effect("EchoChamber", "myopic, firm tastes: |change| of clicks", "firm clicks", "<", 0.05),
    Effect("EchoChamber", "uniform: |change| of taste entropy", "entropy by chance", "<", 0.03),
    Effect("Tutor", "majority's modality: their final mastery", "majority", ">", 0.6),
    Effect("Tutor", "majority's modality: lost by the 20 %", "lost 1", ">", 0.1),
    Effect("Tutor", "majority's modality: lost by the 10 %", "lost 2", ">", 0.1),
    Effect("Treatment", "pooled dose: kept by the majority", "kept 0", ">", 0.9),
    Effect("Treatment", "pooled dose: reward of the frail", "value 2", "<", 0.0),
    Effect("Treatment", "own best dose: reward of the frail", "best 2", ">", 0.2),
    Effect("Norms", "private optimum: cost above the budget", "spent", ">", 0.0),
    Effect("Norms", "budget: lost by those who like harm", "lost 0", ">", 0.1),
    Effect("Norms", "budget: more than any other group loses", "more", ">", 0.0),
)


# --- the table -------------------------------------------------------------------------------


def row(effect: Effect, values: Floats) -> str:
    n, mean = values.size, values.mean()
    half = stats.t.ppf(0.975, n - 1) * values.std(ddof=1) / np.sqrt(n)
    compare = {"<": operator.lt, ">": operator.gt}[effect.relation]
    holds = int(compare(values, effect.bound).sum())
    return (
        f"{effect.world:<17}{effect.says:<45}{mean:6.2f} [{mean - half:5.2f}, {mean + half:5.2f}]"
        f"  {values.min():5.2f} .. {values.max():5.2f}  {effect.relation} {effect.bound:5.2f}"
        f"  {holds:2d} of {n}{'' if holds > n / 2 else '  FAILS'}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the effects that teaching relies on.")
    parser.add_argument("--seeds", type=int, default=10, help="worlds of every kind, at least 2")
    seeds = range(parser.parse_args().seeds)
    head = f"{'world':<17}{'effect':<45}{'mean':>6} {'95 % interval':16}"
    print(f"{head} {'extremes':16}{'claim':9}holds")
    for world, measure in MEASURES.items():
        told = [measure(seed) for seed in seeds]
        for effect in (e for e in EFFECTS if e.world == world):
            print(row(effect, np.array([numbers[effect.key] for numbers in told])), flush=True)


if __name__ == "__main__":
    main()
