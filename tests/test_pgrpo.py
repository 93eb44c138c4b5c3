import copy
import pickle
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError

from pgrpo_rec import PGRPORecommender

FIRST_ORDER = {"solver": "adam", "learning_rate": 0.1}
SOLVERS = [{}, FIRST_ORDER, {"solver": "sgd", "learning_rate": 0.5}]
TASTES = np.array([[1.0, 0.4, 0.2, 0.0], [0.0, 0.2, 0.4, 1.0]])  # two groups, opposite


def draw_log(seed=0, n=400, d=2, n_items=3, shift=1.0):
    """Uniformly shown items; with features, the best item depends on the sign of the first."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) if d else None
    side = np.sign(X[:, 0]) if d else rng.choice([-1.0, 1.0], size=n)
    actions, groups = rng.integers(n_items, size=n), rng.integers(2, size=n)
    y = shift * side * (actions - 1) + rng.normal(size=n) + 0.5 * actions
    told = {"clusters": groups, "propensities": np.full(n, 1 / n_items)}
    return X, y, {"actions": actions, **told}


def fitted(seed=0, d=2, **arguments):
    X, y, told = draw_log(d=d)
    return PGRPORecommender(random_state=seed, **arguments).fit(X, y, **told), X, told["clusters"]


def serve(rec, told, n_rounds=60, lanes=16, move=lambda rewards, groups: rewards):
    """Let the two groups come by; return rewards (rounds, lanes) and all propensities."""
    rng = np.random.default_rng(5)
    rewards, propensities = [], []
    for _ in range(n_rounds):
        users = rng.integers(40, size=lanes)
        groups = users % 2
        who = {"nothing": {}, "users": {"users": users}, "clusters": {"clusters": groups}}[told]
        X = np.zeros((lanes, 1)) if told == "nothing" else None
        items, shown = rec.recommend(X, **who)
        noise = 0.5 * rng.normal(size=(lanes, 4))
        answers = TASTES[groups, items[:, 0]] + noise[np.arange(lanes), items[:, 0]]
        rec.partial_fit(
            X, move(answers, groups), actions=items[:, 0], propensities=shown[:, 0], **who
        )
        rewards.append(TASTES[groups, items[:, 0]])
        propensities.append(rec.predict_proba(X, **who))
    return np.array(rewards), np.array(propensities)


@pytest.mark.parametrize("arguments", SOLVERS)
def test_shapes_and_sums(arguments):
    rec, X, clusters = fitted(**arguments)
    probabilities = rec.predict_proba(X, clusters=clusters)
    assert probabilities.shape == (400, 3)
    assert (probabilities > 0.0).all() or not arguments
    assert_allclose(probabilities.sum(axis=1), 1.0)
    assert rec.predict(X, clusters=clusters).shape == (400,)
    for n_items in (1, 2, 3):
        items, propensities = rec.recommend(X, n_items, clusters=clusters)
        assert items.shape == propensities.shape == (400, n_items)
        assert (np.diff(np.sort(items, axis=1), axis=1) > 0).all()
        chosen = np.take_along_axis(probabilities, items, axis=1)
        before = np.cumsum(chosen, axis=1) - chosen
        sure = before[:, -1] < 1.0 - 1e-6
        right = chosen[sure] / (1.0 - before[sure])
        assert_allclose(propensities[sure], right, rtol=1e-6)


@pytest.mark.parametrize("arguments", SOLVERS)
def test_draws_come_as_often_as_their_propensities_say(arguments):
    rec, X, clusters = fitted(**arguments)
    one = np.repeat(X[:1], 20_000, axis=0), np.repeat(clusters[:1], 20_000)
    items, _ = rec.recommend(one[0], clusters=one[1])
    right = rec.predict_proba(X[:1], clusters=clusters[:1])[0]
    counts = np.bincount(items[:, 0], minlength=3)
    assert (np.abs(counts - 20_000 * right) <= 5 * np.sqrt(20_000 * right * (1 - right)) + 1).all()


@pytest.mark.parametrize("arguments", SOLVERS)
@pytest.mark.parametrize("told", ["clusters", "users", "nothing"])
def test_same_seed_same_result_bit_by_bit(arguments, told):
    runs = [serve(PGRPORecommender(4, random_state=s, **arguments), told) for s in (3, 3, 4)]
    assert_array_equal(runs[0][1], runs[1][1])
    assert (runs[0][0] != runs[2][0]).any()


def test_what_is_not_available_is_never_shown():
    rec, X, clusters = fitted(**FIRST_ORDER)
    available = np.random.default_rng(0).random((400, 3)) < 0.5
    available[:, 1] = True
    items, propensities = rec.recommend(X, clusters=clusters, available=available)
    assert np.take_along_axis(available, items, axis=1).all()
    masked = rec.predict_proba(X, clusters=clusters, available=available)
    assert_array_equal(masked[~available], 0.0)
    assert_allclose(propensities, np.take_along_axis(masked, items, axis=1))
    whole = np.where(available, rec.predict_proba(X, clusters=clusters), 0.0)
    assert_allclose(masked, whole / whole.sum(axis=1, keepdims=True))
    only = rec.recommend(X, clusters=clusters, available=np.array([False, True, False]))
    assert (only[0] == 1).all()
    available[17] = False
    with pytest.raises(ValueError, match="available leaves nothing to show in row 17"):
        rec.recommend(X, clusters=clusters, available=available)
    with pytest.raises(ValueError, match=r"n_items=3 is not possible: from 1 to 2 available"):
        rec.recommend(X, 3, clusters=clusters, available=np.array([True, False, True]))


def test_items_are_labels():
    X, y, told = draw_log()
    told["actions"] = np.array(["apple", "pear", "fig"])[told["actions"]]
    rec = PGRPORecommender(random_state=0).fit(X, y, **told)
    assert_array_equal(rec.actions_, ["apple", "fig", "pear"])
    assert set(rec.predict(X, clusters=told["clusters"])) <= {"apple", "fig", "pear"}
    assert rec.recommend(X, clusters=told["clusters"])[0].dtype.kind == "U"
    with pytest.raises(ValueError, match=r"item 'kiwi' in row 1 of actions is not among the 3"):
        rec.partial_fit(X[:2], y[:2], actions=["fig", "kiwi"], clusters=[0, 1])


def test_before_any_feedback():
    rec = PGRPORecommender(["c", "a", "b"], random_state=0)
    items, propensities = rec.recommend(np.zeros((500, 2)))
    assert set(items[:, 0]) == {"a", "b", "c"}
    assert_allclose(propensities, 1 / 3)
    silent = PGRPORecommender()
    for verb in (silent.recommend, silent.predict, silent.predict_proba):
        with pytest.raises(NotFittedError, match="call fit or partial_fit first"):
            verb(np.zeros((1, 2)))
    with pytest.raises(NotFittedError):
        silent.score(np.zeros((1, 2)), [1.0], actions=[0])


def test_a_first_call_that_fails_does_not_start_anything():
    rec = PGRPORecommender(3, random_state=0)
    with pytest.raises(ValueError, match="available"):
        rec.recommend(np.zeros((2, 5)), available=np.zeros(3, dtype=bool))
    items, _ = rec.recommend(np.zeros((2, 4)))
    assert items.shape == (2, 1)


def loud(rewards, groups):
    return np.where(groups == 1, 1000.0 * rewards + 7.0, rewards)


@pytest.mark.parametrize(("arguments", "atol"), [({}, 1e-9), (FIRST_ORDER, 1e-4)])
def test_units_and_level_of_a_groups_rewards_do_not_matter(arguments, atol):
    """Every decision and propensity of 60 rounds is the same, solver natural to rounding."""
    plain = serve(PGRPORecommender(4, random_state=0, **arguments), "clusters")
    moved = serve(PGRPORecommender(4, random_state=0, **arguments), "clusters", move=loud)
    assert_array_equal(moved[0], plain[0])
    assert_allclose(moved[1], plain[1], atol=atol)


@pytest.mark.parametrize("advantage", ["reinforce", "batch"])
def test_they_do_matter_where_everyone_is_compared_with_everyone(advantage):
    arguments = {**FIRST_ORDER, "advantage": advantage, "random_state": 0}
    plain = serve(PGRPORecommender(4, **arguments), "clusters")
    moved = serve(PGRPORecommender(4, **arguments), "clusters", move=loud)
    assert np.abs(moved[1] - plain[1]).max() > 0.2


@pytest.mark.parametrize("arguments", [{}, FIRST_ORDER])
def test_opposite_tastes_need_groups_known_or_learned(arguments):
    """A group's best item earns 1, the best that pleases both 0.5 on average."""
    late = {
        told: serve(PGRPORecommender(4, random_state=0, **arguments), told, 250)[0][-60:].mean()
        for told in ("nothing", "clusters", "users")
    }
    assert late["nothing"] < 0.55
    assert late["clusters"] > 0.85
    assert late["users"] > 0.75


@pytest.mark.parametrize("arguments", [{}, FIRST_ORDER])
def test_full_information_is_classification(arguments):
    X, y = load_iris(return_X_y=True)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    rec = PGRPORecommender(random_state=0, **arguments).fit(X, y)
    assert (rec.predict(X) == y).mean() > 0.8
    chosen = rec.predict_proba(X)[np.arange(150), y]
    assert_allclose(rec.score(X, y), chosen.mean())


@pytest.mark.parametrize("advantage", ["grpo", "rloo", "dr_grpo", "pgrpo_local", "pgrpo_blend"])
def test_candidates_of_one_visit(advantage):
    """Four candidates a visit; visits differ in level far more than items do."""
    rng = np.random.default_rng(0)
    actions = rng.integers(3, size=(500, 4))
    y = (actions == 2) + rng.normal(scale=20.0, size=(500, 1))
    log = {"actions": actions.ravel(), "propensities": np.full(2000, 1 / 3)}
    arguments = {**FIRST_ORDER, "clip_range": 100.0, "group_size": 4, "random_state": 0}
    rec = PGRPORecommender(advantage=advantage, **arguments)
    rec.fit(np.zeros((2000, 1)), y.ravel(), **log)
    assert rec.predict_proba([[0.0]])[0, 2] > 0.9
    for verb in (rec.fit, rec.partial_fit):
        with pytest.raises(ValueError, match="1999 rows are no whole number of visits of group_si"):
            verb(np.zeros((1999, 1)), y.ravel()[1:], actions=actions.ravel()[1:])
    assert rec.predict_proba([[0.0]])[0, 2] > 0.9


def test_score_is_snips_by_hand():
    rec, X, clusters = fitted(**FIRST_ORDER)
    shown, logged = np.arange(400) % 3, np.linspace(0.1, 0.9, 400)
    y = np.random.default_rng(1).normal(size=400)
    weights = rec.predict_proba(X, clusters=clusters)[np.arange(400), shown] / logged
    got = rec.score(X, y, actions=shown, clusters=clusters, propensities=logged)
    assert_allclose(got, (weights * y).sum() / weights.sum())
    assert not np.isclose(got, y.mean(), atol=1e-3)


def test_missing_propensities_are_warned_of_once():
    X, y, told = draw_log()
    told.pop("propensities")
    rec = PGRPORecommender(random_state=0)
    with pytest.warns(UserWarning, match="no propensities given; items are taken as shown by"):
        rec.fit(X, y, **told)
    with pytest.warns(UserWarning, match="score: no propensities given; items are taken as"):
        assumed = rec.score(X, y, **told)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rec.partial_fit(X, y, **told)
        assert rec.score(X, y, **told) != assumed


def test_an_empty_batch_changes_nothing():
    rec, X, clusters = fitted()
    before = rec.predict_proba(X, clusters=clusters)
    rec.partial_fit(X[:0], [], actions=[], clusters=[])
    assert_array_equal(rec.predict_proba(X, clusters=clusters), before)
    assert rec.predict(X[:0], clusters=[]).shape == (0,)
    with pytest.raises(ValueError, match="no item is known: actions is empty"):
        PGRPORecommender().fit(None, [], actions=[])


BAD_LOGS = {
    "y is nan in row 3": {"y": np.nan},
    "y is inf in row 3": {"y": np.inf},
    "y has 3 values for 400 visits": {"y": [1.0, 2.0, 3.0]},
    "requires y to be passed": {"y": None},
    "actions has 2 values for 400 visits": {"actions": [0, 1]},
    "actions has shape": {"actions": np.zeros((400, 2, 2))},
    "actions has an item twice in row 0": {"actions": np.zeros((400, 2))},
    "y has shape": {"actions": np.tile([0, 1], (400, 1)), "y": np.zeros((400, 3))},
    "propensities has shape": {"actions": np.tile([0, 1], (400, 1))},
    "sessions has 2 values for 400 visits": {"sessions": [0, 1]},
    "item 9 in row 3 of actions": {"actions": 9},
    "propensities is 0.0 in row 3": {"propensities": 0.0},
    "propensities is 1.5 in row 3": {"propensities": 1.5},
    "propensities is nan in row 3": {"propensities": np.nan},
    "give users or clusters, not both": {"users": np.arange(400)},
    "clusters has 1 values": {"clusters": [0]},
    "Input X contains NaN": {"X": np.nan},
    "X is None; 2 features are needed": {"X": None},
    "expecting 2 features": {"X": np.zeros((400, 5))},
}


# `fit` may be given other features than before.
REFUSED = [("partial_fit", m) for m in BAD_LOGS]
REFUSED += [("fit", m) for m in BAD_LOGS if "2 features" not in m]


@pytest.mark.parametrize(("verb", "message"), REFUSED)
def test_a_bad_log_is_refused_and_changes_nothing(verb, message):
    rec, X, clusters = fitted(items=3)
    twin = copy.deepcopy(rec)
    _, y, told = draw_log()
    log = {"X": X, "y": y, **told}
    for name, bad in BAD_LOGS[message].items():
        if isinstance(bad, int | float):
            log[name] = log[name].copy()
            log[name][3] = bad
        else:
            log[name] = bad
    with pytest.raises(ValueError, match=message):
        getattr(rec, verb)(**log)
    for a, b in zip(
        rec.recommend(X, 2, clusters=clusters), twin.recommend(X, 2, clusters=clusters), strict=True
    ):
        assert_array_equal(a, b)


def tells_of_persons(rec):
    """Whether a name is anywhere in the pickled object, as text or in an array of text."""
    return any("person-".encode(code) in pickle.dumps(rec) for code in ("utf-8", "utf-32-le"))


def test_with_clusters_nothing_about_a_user_is_kept():
    """Not even where users were told to an earlier fit; and nothing grows with the log."""
    _, y, told = draw_log(d=0)
    names = np.array([f"person-{u}" for u in range(40)])
    by_user = {**told, "users": names[np.arange(400) % 40], "clusters": None}
    rec = PGRPORecommender(random_state=0).fit(None, y, **by_user)
    assert tells_of_persons(rec)
    rec.fit(None, y, **told)
    assert not tells_of_persons(rec)
    assert not hasattr(rec, "clustering_")
    size = len(pickle.dumps(rec))
    for _ in range(5):
        rec.partial_fit(None, y, **told)
    assert len(pickle.dumps(rec)) <= size + 64


@pytest.mark.parametrize("features", [0, 2])
def test_people_who_stay_away_are_forgotten(features):
    """With max_users nothing of them is left, and everyone can still be served."""
    rng = np.random.default_rng(0)
    rec = PGRPORecommender(3, max_users=40, random_state=0)
    for batch in range(30):
        users = np.array([f"person-{batch:02d}-{i:02d}" for i in range(10)] * 5)
        X = rng.normal(size=(50, features)) if features else None
        items, propensities = rec.recommend(X, users=users)
        rewards = (items[:, 0] == np.arange(50) % 2) + rng.normal(size=50)
        rec.partial_fit(
            X, rewards, actions=items[:, 0], propensities=propensities[:, 0], users=users
        )
        assert rec.clustering_.users_.size <= 40
        heard = 5 * rec.clustering_.users_.size
        assert rec.history_.count.sum() == rec._learner.sums.heard.sum() == heard
    strangers = np.array(["person-00-00", "never met"])
    X = np.zeros((2, features)) if features else None
    _, chance = rec.recommend(X, users=strangers)
    assert np.isfinite(chance).all()
    saved = pickle.dumps(rec)
    assert "person-00-00".encode("utf-32-le") not in saved
    assert "person-29-00".encode("utf-32-le") in saved
