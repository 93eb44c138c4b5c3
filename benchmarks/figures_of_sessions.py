"""Pictures of the worlds in which one visit changes the next."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from figure_style import (
    GREY,
    GROUPS,
    draw_band,
    draw_bars,
    frame,
    interval,
    legend,
)
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pgrpo_envs.base import WorldVectorEnv
from pgrpo_envs.echo_chamber import EchoChamberVectorEnv
from pgrpo_envs.recommend import RecommendVectorEnv
from pgrpo_envs.slate import SlateVectorEnv
from pgrpo_envs.tutor import TutorVectorEnv
from pgrpo_rec._random import generator
from pgrpo_rec.reports.figures import COLOURS

N_PEOPLE = 2000

Policy = Callable[[WorldVectorEnv], NDArray[np.int64]]
Floats = NDArray[np.float64]


def _uniform() -> Policy:
    rng = generator(0, 1)
    return lambda env: rng.integers(env.n_actions, size=env.action_space.shape)


def _first_sessions(env: WorldVectorEnv, policy: Policy) -> tuple[Floats, Floats]:
    """Return rewards of each lane's first session, and who is still there, both (n, T)."""
    env.reset(seed=5)
    rewards, there = np.zeros((2, env.num_envs, env.scenario.horizon))
    alive = np.ones(env.num_envs, dtype=bool)
    for t in range(env.scenario.horizon):
        there[:, t] = alive
        _, reward, terminated, truncated, _ = env.step(policy(env))
        rewards[:, t] = np.where(alive, reward, 0.0)
        alive &= ~(terminated | truncated)
    return rewards, there


def _far_sighted(env: WorldVectorEnv) -> NDArray[np.int64]:
    """Prefer clicks that satisfy: a lure wins clicks now and loses people."""
    return (env.expected_reward() * (1.0 - 2.0 * env.world.lures)).argmax(axis=1)


def recommend() -> Figure:
    """Draw how long people stay and what they click in all, under three policies."""
    policies = {
        "far-sighted: clicks that satisfy": (_far_sighted, COLOURS[1]),
        "greedy: most likely click now": (lambda env: env.oracle_action(), COLOURS[0]),
        "random": (_uniform(), GREY),
    }
    figure, (left, right) = frame(
        "Winning every click loses the people who click",
        f"Recommend-v0, preset churn: {N_PEOPLE:,} sessions a policy, bands are 95 % intervals. "
        "The policies know the simulator's truth; far-sighted is a rule of thumb.",
        2,
    )
    visits = np.arange(1, 101)
    for name, (policy, colour) in policies.items():
        rewards, there = _first_sessions(RecommendVectorEnv(N_PEOPLE, preset="churn"), policy)
        style = {"color": colour, "lw": 2.2, "label": name}
        draw_band(left, visits, there, **style)
        draw_band(right, visits, rewards.cumsum(axis=1), **style)
        right.annotate(
            f"{rewards.sum(axis=1).mean():.1f}", (100, rewards.sum(axis=1).mean()),
            xytext=(3, 0), textcoords="offset points", va="center", color=colour, fontsize=10,
        )  # fmt: skip
    left.set_ylabel("share of people still there")
    right.set_ylabel("clicks so far, of all who came")
    for ax in (left, right):
        ax.set_xlabel("visit")
        ax.set_ylim(bottom=0)
    right.set_xlim(0, 112)
    legend(left, loc="upper right", fontsize=9.5)
    return figure


def _clicks_by_position(model: str) -> Floats:
    """Return clicks (n, S) on the best five items in random order, relative to the top's mean."""
    env = SlateVectorEnv(20_000, preset=model)
    env.reset(seed=0)
    slates = generator(0, 2).permuted(env.oracle_action(), axis=1)
    obs = env.step(slates)[0]
    clicks = obs[:, env.obs_layout["clicks"]].astype(np.float64)
    return clicks / clicks[:, 0].mean()


def _gain_of_coverage() -> tuple[Floats, Floats, NDArray[np.int64]]:
    env = SlateVectorEnv(N_PEOPLE, preset="substitutes")
    _, info = env.reset(seed=0)
    size = env.scenario.slate_size
    alone = np.argsort(-env.expected_reward(), axis=1, kind="stable")[:, :size]
    best = env.expected_reward(env.oracle_action())
    return env.expected_reward(alone), best, env.user_types[info["user_id"]]


def slate() -> Figure:
    """Draw clicks by position in four click models; top five against coverage in the fifth."""
    figure, (left, right) = frame(
        "Where an item stands, and what stands beside it, decides its clicks",
        "Slate-v0, first visits. Left: each person's best five items in random order, "
        "20,000 slates a model, 95 % intervals. Right: exact means over 2,000 people.",
        2,
    )
    positions = np.arange(1, 6)
    for k, model in enumerate(("pbm", "cascade", "dcm", "mnl")):
        mean, half = interval(_clicks_by_position(model))
        style = {"marker": "os^D"[k], "ms": 5, "lw": 2, "capsize": 2, "label": model}
        left.errorbar(positions + 0.04 * (k - 1.5), mean, half, color=COLOURS[k], **style)
    left.set(xlabel="position", ylabel="clicks, relative to the top", ylim=(0, 1.12))
    left.set_xticks(positions)
    left.set_title("same items, other places", fontsize=11, loc="left")
    legend(left, loc="lower left", title="click model", ncols=2)
    top, cover, types = _gain_of_coverage()
    rivals = ((top, "five best one by one", COLOURS[4]), (cover, "best five together", COLOURS[1]))
    for k, (values, name, colour) in enumerate(rivals):
        means = np.array([values[types == p].mean() for p in range(3)])
        draw_bars(right, np.arange(3) + 0.34 * (k - 0.5), means, 0.0, width=0.31, color=colour,
                  label=name)  # fmt: skip
    right.set_xticks(range(3), [name.replace(", ", "\n") for name in GROUPS])
    right.set(ylabel="chance of a click", ylim=(0, 0.9))
    right.set_title("click model substitutes", fontsize=11, loc="left")
    legend(right, loc="upper right", fontsize=9.5)
    return figure


def _entropy(tastes: Floats) -> Floats:
    parts = tastes**2
    return -(parts * np.log(np.maximum(parts, 1e-300))).sum(axis=1) / np.log(parts.shape[1])


def _live(preset: str, policy: Policy) -> tuple[Floats, Floats]:
    """Return clicks and entropy of taste, both (n, T), of people who never leave."""
    env = EchoChamberVectorEnv(N_PEOPLE, preset=preset, autoreset_mode="Disabled")
    env.reset(seed=0)
    clicks, entropy = np.empty((2, N_PEOPLE, env.scenario.horizon))
    for t in range(env.scenario.horizon):
        entropy[:, t] = _entropy(env.state.taste)
        clicks[:, t] = env.step(policy(env))[1]
    return clicks, entropy


def echo_chamber() -> Figure:
    """Draw how clicks go up while tastes narrow under a greedy policy; neither does by chance."""
    figure, (left, right) = frame(
        "Clicks go up because tastes narrow: the reward pays for the bubble",
        f"EchoChamber-v0, presets plain and firm: {N_PEOPLE:,} people, bands are 95 % intervals. "
        "Clicks: means of 5 visits. Breadth: entropy of the squared taste over 8 topics, 1 = even.",
        2,
    )
    rivals = (
        ("greedy", "plain", lambda env: env.oracle_action(), COLOURS[0], "-"),
        ("greedy, if tastes did not move", "firm", lambda env: env.oracle_action(), GREY, "--"),
        ("random items", "plain", _uniform(), COLOURS[1], "-"),
    )
    for name, preset, policy, colour, dash in rivals:
        clicks, entropy = _live(preset, policy)
        style = {"color": colour, "lw": 2.2, "ls": dash, "label": name}
        by_five = clicks.reshape(N_PEOPLE, -1, 5).mean(axis=2)
        draw_band(left, np.arange(by_five.shape[1]) * 5 + 3, by_five, **style)
        draw_band(right, np.arange(entropy.shape[1]) + 1, entropy, **style)
    left.set(ylabel="clicks a visit", ylim=(0, 1))
    right.set(ylabel="breadth of taste (entropy)", ylim=(0, 1))
    for ax in (left, right):
        ax.set_xlabel("visit")
    legend(right, loc="lower left", fontsize=10)
    return figure


def _final_mastery(modality: int) -> tuple[Floats, NDArray[np.int64]]:
    """Teach all skills in turn in one way; return mastery at the end, and groups."""
    env = TutorVectorEnv(N_PEOPLE, preset="plain", info_level="eval")
    _, info = env.reset(seed=0)
    types, final = info["user_type"], np.full(N_PEOPLE, np.nan)
    n_skills = env.scenario.n_skills
    lessons = np.zeros(N_PEOPLE, dtype=np.int64)
    while np.isnan(final).any():
        action = lessons % n_skills * env.n_modalities + modality
        _, _, terminated, truncated, info = env.step(action)
        lessons = np.where(terminated | truncated, 0, lessons + 1)
        if "final_info" in info:
            now = info["_final_info"] & np.isnan(final)
            final[now] = info["final_info"]["mastery"][now]
    return final, types


def tutor() -> Figure:
    """Draw what learners know when they leave, by group and way of teaching."""
    figure, ax = frame(
        "Taught the majority's way, minorities learn half of what they could",
        f"Tutor-v0, preset plain: {N_PEOPLE:,} learners for each way of teaching, all skills in "
        "turn, 95 % intervals. That ways suit groups is an assumption that makes groups conflict, "
        "no claim about people.",
    )
    for m in range(3):
        final, types = _final_mastery(m)
        parts = [interval(final[types == p]) for p in range(3)]
        mean, half = np.array(parts).T
        style = {"color": COLOURS[m + 3], "label": f"modality {'ABC'[m]} for all"}
        draw_bars(ax, np.arange(3) + 0.28 * (m - 1), mean, half, **style)
    ax.set_xticks(range(3), GROUPS, fontsize=10)
    ax.set(ylabel="share of all skills known at the end", ylim=(0, 0.95))
    legend(ax, loc="upper right", fontsize=10)
    return figure
