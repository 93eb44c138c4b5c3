"""The contract of worlds, over every registered id."""

import gymnasium as gym
import numpy as np
import pytest
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.tree import DecisionTreeClassifier
from worlds import ARGUMENTS, BLIND_ARGUMENTS, CASES, IDS

from pgrpo_envs import WORLDS, register_worlds
from pgrpo_envs.checker import check_vector_env
from pgrpo_envs.populations import draw_tastes

N_USERS = 6000


@pytest.mark.parametrize(("world_id", "arguments"), CASES)
def test_contract(world_id, arguments):
    check_vector_env(world_id, **arguments)


@pytest.mark.parametrize("world", WORLDS, ids=IDS)
def test_page_has_its_sections_in_order(world):
    page = gym.make(world.id, **ARGUMENTS[world.id]).unwrapped.__doc__
    sections = ["Description", "Action space", "Observation space", "Rewards", "Starting state"]
    sections += ["Episode end", "Information", "Arguments", "Sources and units"]
    sections += ["Version history"]
    places = [page.find(f"## {section}") for section in sections]
    assert -1 not in places
    assert places == sorted(places)


@pytest.mark.parametrize("world_id", IDS)
def test_every_preset_runs_and_oracle_beats_chance(world_id):
    world = gym.make_vec(world_id, num_envs=2, **ARGUMENTS[world_id]).unwrapped
    for preset in world.scenario_class.PRESETS:
        arguments = {**ARGUMENTS[world_id], "preset": preset}
        world = gym.make_vec(world_id, num_envs=50, **arguments).unwrapped
        world.reset(seed=0)
        assert (world.best_expected_reward() >= world.uniform_expected_reward() - 1e-9).all()
        world.step(world.oracle_action())


@pytest.mark.parametrize("world_id", IDS)
def test_unknown_arguments_are_named(world_id):
    with pytest.raises(ValueError, match="no_such_dial"):
        gym.make_vec(world_id, num_envs=2, no_such_dial=1)
    with pytest.raises(ValueError, match="no such preset"):
        gym.make_vec(world_id, num_envs=2, preset="no such preset")
    with pytest.raises(ValueError, match="max_episode_steps=0"):
        gym.make_vec(world_id, num_envs=2, max_episode_steps=0)
    with pytest.raises(ValueError, match="seed"):
        gym.make_vec(world_id, num_envs=2).reset(seed=[-1, 3])


@pytest.mark.parametrize("world_id", IDS)
def test_replicas_follow_the_same_user_from_the_same_start(world_id):
    env = gym.make_vec(world_id, num_envs=12, replicas=4, **ARGUMENTS[world_id])
    obs, info = env.reset(seed=3)
    assert (obs.reshape(3, 4, -1) == obs.reshape(3, 4, -1)[:, :1]).all()
    assert len(set(info["user_id"])) > 1


def test_registering_again_changes_nothing():
    before = dict(gym.registry)
    register_worlds()
    assert dict(gym.registry) == before


# --- the group is not in the observation ---------------------------------------------------


def first_visits(world_id, **arguments):
    """Return features and types of distinct users at their first visit, in two halves."""
    env = gym.make_vec(world_id, num_envs=2 * N_USERS, **arguments).unwrapped
    obs, info = env.reset(seed=0)
    users, places = np.unique(info["user_id"], return_index=True)
    types, early = env.user_types[users], users < np.median(users)
    return env, obs[places], users, types, early


@pytest.mark.parametrize("world_id", BLIND_ARGUMENTS)
def test_without_profiles_nobody_guesses_better_than_the_majority(world_id):
    """Observation and user id together tell nothing once the profile is drowned in noise."""
    arguments = {**ARGUMENTS[world_id], **BLIND_ARGUMENTS[world_id], "n_users": N_USERS}
    _, obs, users, types, early = first_visits(world_id, **arguments)
    features = np.column_stack([obs, users])
    model = DecisionTreeClassifier(max_leaf_nodes=20, min_samples_leaf=30, random_state=0)
    guessed = model.fit(features[early], types[early]).predict(features[~early])
    share = (types[~early] == 0).mean()
    allowed = share + 4 * np.sqrt(share * (1 - share) / (~early).sum())
    assert (guessed == types[~early]).mean() <= allowed


def log_density(x, means, noise):
    """Return log density of each row of x under equal Gaussians around the means."""
    distance = ((x[:, None] - means) ** 2).sum(axis=2)
    return np.logaddexp.reduce(-distance / (2 * noise**2), axis=1) - np.log(len(means))


def taste_means(env):
    """Return draws of tastes by group, from the recipe of the population."""
    world, scenario = env.world, env.scenario
    rng = np.random.default_rng(0)
    for p in range(env.n_groups):
        centroid = world.tastes[world.user_types == p].mean(axis=0)
        centroid /= np.linalg.norm(centroid)
        types = np.zeros(300, dtype=np.int64)
        yield draw_tastes(rng, centroid[None], types, scenario.deviation)


def marker_means(env):
    return env.world.centroids[:, None, :]


@pytest.mark.parametrize(
    ("name", "means"),
    [("PreferenceBandit", taste_means), ("Norms", taste_means), ("Treatment", marker_means)],
)
def test_profiles_reveal_no_more_than_bayes(name, means):
    """The best possible guess from the known densities bounds every classifier."""
    world_id = f"pgrpo_envs/{name}-v0"
    if world_id not in IDS:
        pytest.skip("not registered")
    env, obs, _, types, early = first_visits(world_id, preset="hidden", n_users=N_USERS)
    profile = obs[:, : env.scenario.n_features].astype(np.float64)
    noise, shares = env.scenario.obs_noise, np.array(env.scenario.shares)
    logs = np.array([log_density(profile, m, noise) for m in means(env)]).T + np.log(shares)
    posterior = np.exp(logs - np.logaddexp.reduce(logs, axis=1)[:, None])
    bayes = posterior.max(axis=1).mean()
    assert bayes < 0.95
    model = QuadraticDiscriminantAnalysis().fit(obs[early][:, : profile.shape[1]], types[early])
    right = (model.predict(obs[~early][:, : profile.shape[1]]) == types[~early]).mean()
    assert right <= bayes + 4 * np.sqrt(bayes * (1 - bayes) / (~early).sum())
    assert right > bayes - 0.05  # the classifier is good enough for the bound to mean something
