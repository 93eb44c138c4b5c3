"""Other libraries' learners serve and learn in our worlds; ours run in their evaluations."""

import importlib

import gymnasium as gym
import numpy as np
import pytest
from numpy.testing import assert_array_equal

import pgrpo_envs  # noqa: F401  registers the worlds
from pgrpo_rec import PGRPORecommender, simulate

ADAPTERS = [
    ("vowpalwabbit", "vowpal_wabbit", "VowpalWabbit", {"algorithm": "squarecb"}),
    ("vowpalwabbit", "vowpal_wabbit", "VowpalWabbit", {"algorithm": "epsilon"}),
    ("coba", "coba_experiments", "Coba", {"algorithm": "LinUCB"}),
    ("coba", "coba_experiments", "Coba", {"algorithm": "LinTS", "settings": {"v": 0.1}}),
    ("mabwiser", "mab_wiser", "MabWiser", {"algorithm": "LinTS", "settings": {"alpha": 0.3}}),
    ("mabwiser", "mab_wiser", "MabWiser", {"algorithm": "LinUCB", "settings": {"alpha": 0.3}}),
    ("river", "river_bandits", "River", {}),
    ("bayesianbandits", "bayesian_bandits", "BayesianBandits", {}),
    ("contextualbandits", "contextual_bandits", "ContextualBandits", {}),
    ("contextualbandits", "contextual_bandits", "ContextualBandits", {"algorithm": "LinTS"}),
]
pytestmark = pytest.mark.filterwarnings("default")  # theirs are not ours to mend


def adapter(library, module, name):
    pytest.importorskip(library)
    return getattr(importlib.import_module(f"pgrpo_rec.peers.{module}"), name)


def answers(actions, contexts):
    """Item 0 is right for positive contexts, item 2 for the others; item 1 never."""
    return (actions == np.where(contexts[:, 0] > 0, 0, 2)).astype(float)


@pytest.mark.parametrize(("library", "module", "name", "arguments"), ADAPTERS)
def test_a_peer_learns_what_is_right_for_whom(library, module, name, arguments):
    peer = adapter(library, module, name)(3, random_state=0, **arguments)
    rng = np.random.default_rng(0)
    right = []
    for _ in range(60):
        X = rng.choice([-1.0, 1.0], size=(20, 1))
        items, shares = peer.recommend(X)
        assert items.shape == shares.shape == (20, 1)
        assert (np.isnan(shares) | ((shares > 0) & (shares <= 1 + 1e-6))).all()
        reward = answers(items[:, 0], X)
        peer.partial_fit(X, reward, actions=items[:, 0], propensities=shares[:, 0])
        right.append(reward.mean())
    assert np.mean(right[-20:]) > 0.55  # chance is one third


@pytest.mark.parametrize(("library", "module", "name", "arguments"), ADAPTERS)
def test_a_peer_told_groups_keeps_a_learner_for_each(library, module, name, arguments):
    peer = adapter(library, module, name)(3, random_state=0, **arguments)
    rng = np.random.default_rng(1)
    right = []
    for _ in range(60):
        groups = rng.integers(2, size=20)
        items, _ = peer.recommend(None, clusters=groups)
        reward = (items[:, 0] == 2 * groups).astype(float)
        peer.partial_fit(None, reward, actions=items[:, 0], clusters=groups)
        right.append(reward.mean())
    assert np.mean(right[-20:]) > 0.55


def test_a_policy_of_mab_wiser_that_takes_no_contexts_gets_none():
    peer = adapter("mabwiser", "mab_wiser", "MabWiser")(
        3, algorithm="ThompsonSampling", random_state=0
    )
    X, shown = np.ones((20, 1)), []
    for _ in range(20):
        items, _ = peer.recommend(X)
        peer.partial_fit(X, (items[:, 0] == 1).astype(float), actions=items[:, 0])
        shown.append((items == 1).mean())
    assert np.mean(shown[-10:]) > 0.8


@pytest.mark.parametrize(("library", "module", "name", "arguments"), ADAPTERS)
def test_a_peer_runs_in_simulate_and_repeats_itself(library, module, name, arguments):
    kind = adapter(library, module, name)
    tables = []
    for _ in range(2):
        env = gym.make_vec("pgrpo_envs/PreferenceBandit-v0", num_envs=8, preset="plain")
        peer = kind(env.unwrapped.n_items, random_state=3, **arguments)
        tables.append(simulate(peer, env, 64, seed=1, identify=False))
    assert_array_equal(tables[0]["action"], tables[1]["action"])
    assert np.isfinite(tables[0]["reward"]).all()


def test_what_a_peer_cannot_do_is_said():
    peer = adapter("vowpalwabbit", "vowpal_wabbit", "VowpalWabbit")(3)
    with pytest.raises(ValueError, match="VowpalWabbit shows one item of all"):
        peer.recommend(np.ones((2, 1)), n_items=2)
    with pytest.raises(ValueError, match="VowpalWabbit shows one item of all"):
        peer.recommend(np.ones((2, 1)), available=[True, True, False])
    peer.recommend(np.ones((2, 1)))
    with pytest.raises(NotImplementedError, match="does not tell the probabilities"):
        peer.predict_proba(np.ones((2, 1)))
    unknown = type(peer)(3, algorithm="magic")
    with pytest.raises(ValueError, match="magic"):
        unknown.recommend(np.ones((2, 1)))


def test_vowpal_wabbit_and_we_estimate_the_same_value():
    """Its plain inverse-propensity estimate of a policy is the sum that ours rests on."""
    workspace = pytest.importorskip("vowpalwabbit").Workspace
    rng = np.random.default_rng(2)
    shown, wanted = rng.integers(3, size=(2, 200))
    reward, share = rng.random(200), rng.uniform(0.2, 0.6, size=200)
    judge = workspace("--cb 3 --eval --cb_type ips --quiet")
    for a, r, p, w in zip(shown, reward, share, wanted, strict=True):
        judge.learn(f"{w + 1} {a + 1}:{-r}:{p} | c")
    ours = (reward * (shown == wanted) / share).mean()
    assert judge.get_sum_loss() / 200 == pytest.approx(-ours, rel=1e-5)


@pytest.mark.parametrize("batch", [None, 10])
def test_our_recommender_runs_in_a_coba_experiment(batch):
    coba = pytest.importorskip("coba")
    from pgrpo_rec.peers.coba_experiments import CobaView

    env = coba.Environments.from_linear_synthetic(
        400, n_actions=3, n_context_features=2, n_action_features=0, seed=2
    )
    learners = [CobaView(PGRPORecommender(3, random_state=0)), coba.RandomLearner()]
    environment = env if batch is None else env.batch(batch)
    table = coba.Experiment(environment, learners).run(quiet=True).interactions.to_pandas()
    mean = table.groupby("learner_id")["reward"].mean()
    assert mean[0] > mean[1] + 0.05


def test_our_recommender_is_evaluated_by_river():
    bandit = pytest.importorskip("river.bandit")
    from pgrpo_rec.peers.river_bandits import RiverView

    rng = np.random.default_rng(0)
    contexts, shown = rng.choice([-1.0, 1.0], size=600), rng.integers(3, size=600)
    rewards = answers(shown, contexts[:, None])
    history = [
        ([0, 1, 2], {"x": x}, int(a), float(r))
        for x, a, r in zip(contexts, shown, rewards, strict=True)
    ]
    view = RiverView(PGRPORecommender(3, random_state=0))
    total, matches = bandit.evaluate_offline(view, history)
    assert total.get() / matches > 0.6  # chance is one third


def test_our_recommender_runs_in_obps_simulator_and_estimators():
    simulator = pytest.importorskip("obp.simulator.simulator")
    ope = importlib.import_module("obp.ope")
    dataset = importlib.import_module("obp.dataset")
    from pgrpo_rec.evaluation.off_policy import snips_value
    from pgrpo_rec.peers.obp_simulator import ObpView

    data = dataset.SyntheticBanditDataset(n_actions=3, dim_context=2, random_state=0)
    log = data.obtain_batch_bandit_feedback(n_rounds=500)
    rec = PGRPORecommender(3, random_state=0).fit(
        log["context"], log["reward"], actions=log["action"], propensities=log["pscore"]
    )
    shares = rec.predict_proba(log["context"])
    judge = ope.OffPolicyEvaluation(log, [ope.SelfNormalizedInverseProbabilityWeighting()])
    theirs = judge.estimate_policy_values(action_dist=shares[:, :, None])["snipw"]
    rows = np.arange(500)
    ours = snips_value(log["reward"], shares[rows, log["action"]], log["pscore"])
    assert theirs == pytest.approx(ours, rel=1e-12)

    env = simulator.BanditEnvironmentSimulator(n_actions=3, dim_context=2, random_state=0)
    view = ObpView(PGRPORecommender(3, random_state=0))
    runner = simulator.BanditPolicySimulator(policy=view, environment=env)
    runner.steps(batch_bandit_rounds=env.next_bandit_round_batch(100))
    assert len(runner.selected_actions) == 100
