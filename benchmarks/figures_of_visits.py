"""Pictures of the worlds in which a visit stands alone."""

from __future__ import annotations

import numpy as np
from figure_style import (
    GREY,
    GROUP_COLOURS,
    GROUPS,
    draw_bars,
    frame,
    interval,
    legend,
)
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pgrpo_envs.norms import NormsVectorEnv
from pgrpo_envs.preference_bandit import PreferenceBanditVectorEnv
from pgrpo_envs.ratings import RatingsVectorEnv
from pgrpo_envs.treatment import TreatmentVectorEnv
from pgrpo_rec.reports.figures import COLOURS

N_WORLDS = 40
N_PEOPLE = 4000


def _value(
    values: NDArray[np.float64], types: NDArray[np.int64], items: NDArray[np.int64]
) -> list[float]:
    """Return what items (n,) are worth to each group: 0 a random item, 1 each one's best."""
    shown = np.take_along_axis(values, items[:, None], axis=1)[:, 0]
    worth = []
    for p in range(types.max() + 1):
        own = values[types == p]
        chance = own.mean()
        worth.append((shown[types == p].mean() - chance) / (own.max(axis=1).mean() - chance))
    return worth


def preference_bandit() -> Figure:
    """Draw the worth of the best item for all, and of each group's best item, over many worlds."""
    one, own = [], []
    for world_seed in range(N_WORLDS):
        env = PreferenceBanditVectorEnv(N_PEOPLE, preset="hard", world_seed=world_seed)
        _, info = env.reset(seed=0)
        values, types = env.expected_reward(), env.user_types[info["user_id"]]
        pooled = np.full(N_PEOPLE, values.mean(axis=0).argmax())
        best = [values[types == p].mean(axis=0).argmax() for p in range(env.n_groups)]
        one.append(_value(values, types, pooled))
        own.append(_value(values, types, np.array(best)[types]))
    figure, ax = frame(
        "The item that is best for all is worse than a random one for minorities",
        f"PreferenceBandit-v0, preset hard: means over {N_WORLDS} worlds with 95 % intervals; "
        "exact expectations, nothing is learned here.",
    )
    places = np.arange(3)
    for k, (values, name) in enumerate(((one, "one item for all"), (own, "one item a group"))):
        mean, half = interval(np.array(values))
        colour = (COLOURS[0], COLOURS[1])[k]
        draw_bars(ax, places + 0.34 * (k - 0.5), mean, half, width=0.3, color=colour, label=name)
    ax.axhline(0, color="black", lw=0.8)
    ax.set_xticks(places, GROUPS, fontsize=10)
    ax.set_ylabel("value of what is shown\n0 = random item, 1 = everyone's own best")
    ax.set_ylim(-0.85, 1.05)
    legend(ax, loc="lower left", fontsize=10)
    return figure


def treatment() -> Figure:
    """Draw the utility of every dose of both drugs by group, at the first visit."""
    env = TreatmentVectorEnv(N_PEOPLE)
    _, info = env.reset(seed=0)
    values, types = env.expected_reward(), env.user_types[info["user_id"]]
    best = int(values.mean(axis=0).argmax())
    doses = env.world.doses
    figure, axes = frame(
        "TOY, NOT CLINICAL: the dose that is best for all harms the frail",
        "Treatment-v0, preset plain: exact expected reward of a first visit, means over a "
        "population that was made up. No number fits any medicine.",
        2,
        sharey=True,
    )
    names = ("majority, 70 %", "resistant, 20 %", "frail, 10 %")
    for m, ax in enumerate(axes):
        for p, name in enumerate(names):
            by_dose = values[types == p].mean(axis=0).reshape(-1, doses.size)[m]
            ax.plot(doses, by_dose, color=GROUP_COLOURS[p], lw=2.2, marker="o", ms=4, label=name)
        ax.axhline(0, color="black", lw=0.8)
        ax.set_title(f"drug {'AB'[m]}", fontsize=11, loc="left")
        ax.set_xlabel("dose, as a share of the largest")
    m, dose = best // doses.size, doses[best % doses.size]
    axes[m].axvline(dose, color=GREY, ls="--", lw=1.2)
    axes[m].annotate(
        f"best for all:\ndose {dose:g}", (dose, -1.55), xytext=(-6, 0),
        textcoords="offset points", fontsize=9, color=GREY, ha="right",
    )  # fmt: skip
    axes[0].set_ylabel("utility a visit: effect less harm")
    legend(axes[1 - m], loc="lower left", fontsize=10)
    return figure


def norms() -> Figure:
    """Draw the exact Pareto front of reward against externality, in shares of each group's best."""
    env = NormsVectorEnv(1, n_users=300)
    budgets = np.linspace(0.04, 0.8, 39)
    front = env.pareto_front(budgets)
    free = env.pareto_front([1.0])
    budget = env.scenario.budget
    figure, ax = frame(
        "A budget on harm is paid by those whose taste does the harm",
        "Norms-v0, preset plain, 300 people: exact optimum of a linear program that maximises the "
        "mean reward of all under each budget, without floors.",
    )
    for p, name in enumerate(GROUPS):
        kept = front.by_group[:, p] / free.by_group[0, p]
        label = f"{name}" + (" (likes what harms)" if p == env.scenario.liked_by else "")
        ax.plot(front.budget, kept, color=GROUP_COLOURS[p], lw=2.2, label=label)
    ax.plot(front.budget, front.reward / free.reward, color="black", lw=1.4, ls=":", label="all")
    ax.axvline(budget, color=GREY, ls="--", lw=1.2)
    ax.annotate(
        f"budget {budget:g}", (budget, 0.32), xytext=(5, 0), textcoords="offset points",
        fontsize=9, color=GREY,
    )  # fmt: skip
    ax.axvline(free.cost[0], color=GREY, ls=":", lw=1.2)
    ax.annotate(
        f"what tastes alone\nwould cost: {free.cost[0]:.2f}", (free.cost[0], 0.72),
        xytext=(5, 0), textcoords="offset points", fontsize=9, color=GREY,
    )  # fmt: skip
    ax.set_xlabel("budget: mean externality of what is shown")
    ax.set_ylabel("mean reward, as a share of\nwhat is possible without a budget")
    ax.set_ylim(0.2, 1.03)
    legend(ax, loc="lower right", fontsize=9.5, frameon=True, framealpha=1, edgecolor="none")
    return figure


def ratings() -> Figure:
    """Draw the mean rating of every item by group; the best for all and the best of each group."""
    env = RatingsVectorEnv(1)
    values, types = env.world.values, env.user_types
    order = np.argsort(-values[types == 0].mean(axis=0))
    pooled = int(values[:, order].mean(axis=0).argmax())
    figure, ax = frame(
        "The favourite of all is among what the minorities like least",
        "Ratings-v0, the sample that ships with the project: generated, not real. "
        f"{env.n_users} users, {env.n_items} items; circles mark each group's favourite.",
    )
    ax.axvspan(pooled - 0.5, pooled + 0.5, color="#EEEEEE", zorder=0)
    ax.annotate(
        "best item for all", (pooled, 1.0), xytext=(10, 3), textcoords="offset points",
        fontsize=9.5, color=GREY,
    )  # fmt: skip
    for p, name in enumerate(env.group_names):
        means = values[types == p][:, order].mean(axis=0)
        style = {"marker": "os^"[p], "ms": 5.5 + p, "ls": "none", "mfc": "none" if p else None}
        label = f"{name}, {100 * (types == p).mean():.0f} %"
        ax.plot(means, color=GROUP_COLOURS[p], label=label, mew=1.6, zorder=3 - p, **style)
        best = int(means.argmax())
        ax.plot(best, means[best], "o", ms=15, mfc="none", mew=1.2, color=GROUP_COLOURS[p])
    ax.set_xlabel("items, from the majority's favourite to what it likes least")
    ax.set_ylabel("mean rating (1 to 5)")
    ax.set_xticks([])
    ax.set_ylim(0.9, 5.2)
    legend(ax, loc="lower center", ncols=3, fontsize=10, bbox_to_anchor=(0.5, 0.99))
    return figure
