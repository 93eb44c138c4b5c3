"""Simulate: join any recommender to any world.

The recommender sees what a live system would see: observations, user ids, masks, rewards of
what it showed. What the world alone knows (expected rewards, the true group) goes into the
result and nowhere else; a world that does not tell leaves those columns empty.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import pandas as pd
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from numpy.typing import ArrayLike, NDArray

from pgrpo_rec._random import generator
from pgrpo_rec.progress import progress_bar
from pgrpo_rec.returns import Sessions

COLUMNS = (
    "round",
    "user",
    "user_type",
    "action",
    "propensity",
    "reward",
    "expected_reward",
    "best_reward",
    "uniform_reward",
    "regret",
)
_PAST = 31  # branch of the seed that shuffles a log


def simulate(
    recommender: Any,
    env: VectorEnv | gym.Env,
    n_interactions: int,
    *,
    seed: int,
    clusters: ArrayLike | None = None,
    identify: bool = True,
    past: pd.DataFrame | None = None,
    progress: bool = False,
) -> pd.DataFrame:
    """Let a recommender serve a world and learn from it, round by round.

    Parameters
    ----------
    recommender : estimator with ``recommend`` and ``partial_fit``
        Learns in place. With ``group_size`` G above 1 it is given G candidates for each
        visit, all of them answered; that needs a world with ``score``. With ``gamma`` it is
        told whole sessions, when they end; those that have not ended are not learned from.
    env : gymnasium.vector.VectorEnv or gymnasium.Env
        Each round serves one visit of every lane. Autoreset must not be NEXT_STEP: its
        steps that only reset would be learned as answers. Where an action is a slate, the
        recommender is asked for as many items, and told the clicks on each where the world
        tells them.
    n_interactions : int
        Answers to hear, at least 1, a slate being one; the last round is finished. Candidates
        count singly, so that methods with and without them get the same number of answers.
        Where a log is replayed (``info["accepted"]``) visits are counted: what the log rejects
        says nothing, and is neither learned from nor returned.
    seed : int
        Of the world's noise. The recommender's randomness is its own ``random_state``.
    clusters : array, shape (U,), optional
        A known preference group for every user id, told in place of the user ids.
    identify : bool, default=True
        Tell the recommender the user ids where the world gives them and ``clusters`` does
        not stand for them.
    past : pandas.DataFrame, optional
        A log to learn from before the first visit, one answer a row: ``user``, ``action``,
        ``reward``, ``propensity``. It is told as the visits will be, in rounds as large as
        theirs and in an order drawn by ``seed``; candidates of one visit are answers of one
        user. For worlds whose observation says nothing, as the log holds none.
    progress : bool, default=False
        Show a progress bar, with what a recommender's ``progress_note`` says.

    Returns
    -------
    pandas.DataFrame
        One row an answer: ``round``, ``user``, ``user_type``, ``action`` (of slates: a tuple),
        ``propensity`` (of a slate as a whole), ``reward``, ``expected_reward`` of what was
        shown, ``best_reward`` and ``uniform_reward`` that the world's best and a random item
        would earn, and ``regret = best_reward - expected_reward`` (in worlds over time: of this
        visit).

    Raises
    ------
    ValueError
        If an argument is out of range or the world cannot give what is asked.

    Examples
    --------
    >>> import gymnasium as gym, pgrpo_envs
    >>> from pgrpo_rec import PGRPORecommender, simulate
    >>> env = gym.make_vec("pgrpo_envs/PreferenceBandit-v0", num_envs=64, preset="hard")
    >>> table = simulate(PGRPORecommender(12, random_state=0), env, 640, seed=0)
    >>> len(table), round(float(table["propensity"].iloc[0]), 4)
    (640, 0.0833)
    """
    if n_interactions < 1:
        raise ValueError(f"n_interactions={n_interactions!r} is not possible: at least 1")
    vector = _vector(env)
    group_size = int(getattr(recommender, "group_size", 1))
    if group_size > 1 and not hasattr(vector.unwrapped, "score"):
        raise ValueError(
            f"group_size={group_size} needs a world that can score candidates; "
            f"{vector.unwrapped!r} has no score()"
        )
    telling = None if clusters is None else np.asarray(clusters)
    n_rounds = -(-n_interactions // (vector.num_envs * group_size))
    obs, info = vector.reset(seed=seed)
    if past is not None and len(past) > 0:
        learn_past(recommender, vector, past, group_size, telling, identify, seed)
    rows: list[_Round] = []
    serve = _Service(recommender, vector, telling, identify)
    with progress_bar("simulate", n_rounds, show=progress) as move:
        for number in range(n_rounds):
            served, obs, info = serve(obs, info, number)
            rows.append(served)
            move(note=_note(recommender) if progress else "")
    return _table(rows)


def _note(recommender: Any) -> str:
    """Return what a recommender has to say in the progress line."""
    return recommender.progress_note() if hasattr(recommender, "progress_note") else ""


def _vector(env: VectorEnv | gym.Env) -> VectorEnv:
    if not isinstance(env, VectorEnv):
        return SyncVectorEnv([lambda: env], autoreset_mode=AutoresetMode.SAME_STEP)
    if env.metadata.get("autoreset_mode") is AutoresetMode.NEXT_STEP:
        raise ValueError(
            f"{env!r} resets in steps of their own, whose rewards answer nothing: make it with "
            "autoreset_mode=AutoresetMode.SAME_STEP"
        )
    return env


def learn_past(
    recommender: Any,
    env: VectorEnv,
    past: pd.DataFrame,
    group_size: int,
    clusters: NDArray[Any] | None,
    identify: bool,
    seed: int,
) -> None:
    """Teach a log in rounds of as many answers as a round of visits has."""
    if not _tells_nothing(env):
        raise ValueError(
            "past= needs a world whose observation is a constant: it holds no features"
        )
    turn = past.groupby("user").cumcount() // group_size
    whole = past[turn < past.groupby("user")["user"].transform("size") // group_size]
    visits = whole.groupby(["user", turn[whole.index]], sort=True).ngroup().to_numpy()
    places = generator(seed, _PAST).permutation(visits.max(initial=0) + 1)[visits]
    log = whole.iloc[np.argsort(places, kind="stable")]
    n_rows = env.num_envs * group_size
    for first in range(0, len(log), n_rows):
        part = log.iloc[first : first + n_rows]
        told = _who({"user_id": part["user"].to_numpy()}, clusters, identify)
        recommender.partial_fit(
            None if told else np.ones((len(part), 1)),
            part["reward"].to_numpy(),
            actions=part["action"].to_numpy(),
            propensities=part["propensity"].to_numpy(),
            **told,
        )


class _Round(NamedTuple):
    """Columns of the result for one round, each of n G values, in the order of COLUMNS."""

    round: NDArray[np.int64]
    user: NDArray[np.int64]
    user_type: NDArray[np.int64]
    action: NDArray[Any]
    propensity: NDArray[np.float64]
    reward: NDArray[np.float64]
    expected: NDArray[np.float64]
    best: NDArray[np.float64]
    uniform: NDArray[np.float64]


class _Service:
    """Serves a world round by round; keeps what sessions are not over yet."""

    def __init__(
        self, recommender: Any, env: VectorEnv, clusters: NDArray[Any] | None, identify: bool
    ) -> None:
        self.recommender = recommender
        self.env = env
        self.clusters = clusters
        self.identify = identify
        self.group_size = int(getattr(recommender, "group_size", 1))
        shape = env.single_action_space.shape or ()
        self.slate_size = shape[0] if shape else 0  # 0: an action is an item, not a list
        self.sessions = Sessions() if getattr(recommender, "gamma", None) is not None else None

    def __call__(
        self, obs: NDArray[np.float32], info: dict[str, Any], number: int
    ) -> tuple[_Round, NDArray[np.float32], dict[str, Any]]:
        """Serve one visit of every lane; return what happened and the next visits."""
        env, n_lanes, group_size = self.env, self.env.num_envs, self.group_size
        told = _who(info, self.clusters, self.identify)
        features = None if told and _tells_nothing(env) else np.repeat(obs, group_size, axis=0)
        told = {key: np.repeat(values, group_size, axis=0) for key, values in told.items()}
        mask = info.get("action_mask")
        available = None if mask is None else np.repeat(mask.astype(bool), group_size, axis=0)
        n_items = (self.slate_size,) if self.slate_size else ()  # one item: any `recommend` will do
        shown, propensities = self.recommender.recommend(
            features, *n_items, available=available, **told
        )
        if not self.slate_size:
            shown, propensities = shown[:, 0], propensities[:, 0]
        candidates = shown.reshape(n_lanes, group_size, *shown.shape[1:])
        truth = _truth(env, candidates)
        user = np.repeat(info.get("user_id", np.full(n_lanes, -1)), group_size)
        world: Any = env.unwrapped
        if group_size > 1:
            answers = world.score(candidates)
            obs, _, terminated, truncated, info = env.step(candidates[:, 0])
            rewards, clicks = answers["reward"].ravel(), answers.get("clicks")
        else:
            obs, rewards, terminated, truncated, info = env.step(candidates[:, 0])
            clicks = _whole_info(info, "clicks")
        heard = np.repeat(_accepted(info, n_lanes), group_size)
        self._teach(
            np.flatnonzero(heard),
            terminated | truncated,
            X=features,
            y=rewards if clicks is None else _by_item(rewards, clicks.reshape(shown.shape)),
            actions=shown,
            propensities=propensities,
            **told,
        )
        types = getattr(world, "user_types", None)
        user_type = np.full(user.size, -1) if types is None else types[user]
        rounds = np.full(user.size, number)
        if self.slate_size:
            shown, propensities = _as_column(shown), propensities.prod(axis=1)
        columns = (rounds, user, user_type, shown, propensities, rewards, *truth)
        return _Round(*(column[heard] for column in columns)), obs, info

    def _teach(
        self, heard: NDArray[np.int64], ended: NDArray[np.bool_], **columns: NDArray[Any] | None
    ) -> None:
        """Pass answers on: at once, or as whole sessions."""
        rows = {name: None if c is None else c[heard] for name, c in columns.items()}
        if self.sessions is not None:
            known = {name: column for name, column in rows.items() if column is not None}
            over = self.sessions.add(heard, ended, **known)
            rows = {} if over is None else {"X": None, **over}
        if rows and len(rows["y"]):  # type: ignore[arg-type]
            self.recommender.partial_fit(rows.pop("X"), rows.pop("y"), **rows)


def _by_item(rewards: NDArray[np.float64], clicks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share each slate's reward among the items that were clicked, (n, S)."""
    n_clicks = clicks.sum(axis=1)
    share = np.divide(rewards, n_clicks, out=np.zeros(rewards.shape), where=n_clicks > 0)
    return clicks * share[:, None]


def _whole_info(info: dict[str, Any], key: str) -> NDArray[Any] | None:
    """Return what a step told of every lane, also of those whose episode it ended."""
    final = info.get("final_info", {})
    if key not in info and key not in final:
        return None
    if key not in final:
        return info[key]
    ended = final["_" + key]
    if key not in info:
        return final[key]
    return np.where(ended.reshape(-1, *[1] * (final[key].ndim - 1)), final[key], info[key])


def _as_column(slates: NDArray[Any]) -> NDArray[np.object_]:
    """Return slates as a column of tuples."""
    column = np.empty(len(slates), dtype=object)
    column[:] = [tuple(slate) for slate in slates.tolist()]
    return column


def _accepted(info: dict[str, Any], n: int) -> NDArray[np.bool_]:
    """Return which answers were heard: all, unless a log is replayed that rejects some."""
    accepted = np.ones(n, dtype=np.bool_)
    for told in (info, info.get("final_info", {})):
        if "accepted" in told:
            accepted &= ~told["_accepted"] | (told["accepted"] == 1)
    return accepted


def _who(
    info: dict[str, Any], clusters: NDArray[Any] | None, identify: bool
) -> dict[str, NDArray[Any]]:
    """Return how the recommender is told who is here."""
    if clusters is not None:
        if "user_id" not in info:
            raise ValueError("clusters= needs a world that gives user_id in its info")
        return {"clusters": clusters[info["user_id"]]}
    return {"users": info["user_id"]} if identify and "user_id" in info else {}


def _tells_nothing(env: VectorEnv) -> bool:
    """Return whether an observation is nothing but a constant."""
    world: Any = env.unwrapped
    return set(getattr(world, "obs_layout", ())) == {"constant"}


def _truth(env: VectorEnv, candidates: NDArray[np.int64]) -> list[NDArray[np.float64]]:
    """Return expected, best and uniform reward of each candidate's visit; NaN where not told."""
    world: Any = env.unwrapped
    n_candidates = candidates.shape[0] * candidates.shape[1]
    if not hasattr(world, "expected_reward"):
        return [np.full(n_candidates, np.nan)] * 3
    return [
        world.expected_reward(candidates).ravel(),
        np.repeat(world.best_expected_reward(), candidates.shape[1]),
        np.repeat(world.uniform_expected_reward(), candidates.shape[1]),
    ]


def _table(rows: list[_Round]) -> pd.DataFrame:
    columns = [np.concatenate(parts) for parts in zip(*rows, strict=True)]
    table = pd.DataFrame(dict(zip(COLUMNS[:-1], columns, strict=True)))
    return table.assign(regret=table["best_reward"] - table["expected_reward"])
