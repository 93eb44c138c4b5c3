"""Recommenders are scikit-learn estimators: its own checks, pipelines, searches, containers."""

import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks as checks
from sklearn.utils.estimator_checks import parametrize_with_checks

from pgrpo_rec import PGRPORecommender, PreferenceClustering
from pgrpo_rec.baselines import (
    CLUB,
    EXP3,
    KLUCB,
    SCLUB,
    UCB1,
    Boltzmann,
    BoltzmannGumbel,
    DynUCB,
    EpsilonGreedy,
    GaussianThompson,
    HybridLinTS,
    HybridLinUCB,
    LinTS,
    LinUCB,
    LogisticTS,
    MatrixFactorisation,
    Popularity,
    SharedLinTS,
    SharedLinUCB,
    SquareCB,
    Uniform,
)

BASELINES = [
    *(kind() for kind in (EpsilonGreedy, GaussianThompson, LinTS, LinUCB, Uniform)),
    *(kind() for kind in (Boltzmann, BoltzmannGumbel, Popularity, SquareCB, UCB1)),
    *(kind() for kind in (CLUB, SCLUB, DynUCB, HybridLinTS, HybridLinUCB)),
    *(kind() for kind in (MatrixFactorisation, SharedLinTS, SharedLinUCB)),
]
OF_RATES = [EXP3(), KLUCB(), LogisticTS()]  # rewards must be from 0 to 1
SOLVERS = [PGRPORecommender(solver=solver) for solver in ("natural", "adam", "sgd")]
# PreferenceClustering cannot be fitted on X and y alone (it needs users and actions), so
# scikit-learn's checks of fitted estimators do not apply; these do.
UNFITTED_CHECKS = [
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_estimator_tags_renamed",
    "check_estimators_unfitted",
    "check_get_params_invariance",
    "check_mixin_order",
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_set_params",
    "check_valid_tag_types",
]


def draw_log(n=600):
    """Two groups; item 1 or 2 is best by the sign of a feature, the other way round in one."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 3)) * [1.0, 10.0, 0.1] + [0.0, 5.0, 0.0]
    X[X[:, 0] ** 2 < 0.04, 0] = 0.0
    actions, clusters = rng.integers(3, size=n), rng.integers(2, size=n)
    y = np.where(clusters == 0, 1.0, -1.0) * np.sign(X[:, 0]) * (actions - 1)
    told = {"actions": actions, "clusters": clusters, "propensities": np.full(n, 1 / 3)}
    return X, y + rng.normal(scale=0.3, size=n), told


@parametrize_with_checks([*SOLVERS, *BASELINES, *OF_RATES])
def test_scikit_learns_own_checks(estimator, check):
    """All of them; none is expected to fail."""
    check(estimator)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_scikit_learns_checks_of_clustering():
    results = checks.check_estimator(PreferenceClustering(), on_fail=None)
    passed = {result["check_name"] for result in results if result["status"] == "passed"}
    assert passed >= set(UNFITTED_CHECKS)


@pytest.mark.parametrize("estimator", [*SOLVERS, *BASELINES], ids=str)
def test_clone_copies_arguments_and_nothing_else(estimator):
    X, y, told = draw_log()
    fitted = clone(estimator).set_params(random_state=3).fit(X, y, **told)
    copy = clone(fitted)
    assert copy.get_params() == fitted.get_params()
    assert not hasattr(copy, "actions_")
    again = copy.fit(X, y, **told)
    a, b = (r.predict_proba(X, clusters=told["clusters"]) for r in (fitted, again))
    assert_array_equal(a, b)


@pytest.mark.parametrize("estimator", [*SOLVERS, *BASELINES], ids=str)
@pytest.mark.parametrize("by", ["pickle", "joblib"])
def test_saved_and_loaded_goes_on_as_if_nothing_had_happened(estimator, by, tmp_path):
    X, y, told = draw_log()
    rec = clone(estimator).set_params(random_state=0).fit(X, y, **told)
    if by == "pickle":
        loaded = pickle.loads(pickle.dumps(rec))
    else:
        joblib.dump(rec, tmp_path / "rec.joblib")
        loaded = joblib.load(tmp_path / "rec.joblib")
    told_who = {"clusters": told["clusters"]}
    for _ in range(2):
        for a, b in zip(rec.recommend(X, **told_who), loaded.recommend(X, **told_who), strict=True):
            assert_array_equal(a, b)
        assert_array_equal(rec.predict(X, **told_who), loaded.predict(X, **told_who))
        rec.partial_fit(X, y, **told)
        loaded.partial_fit(X, y, **told)


def test_saved_with_learned_groups():
    X, y, told = draw_log(1200)
    users = np.arange(1200) // 2 % 40 * 2 + told.pop("clusters")
    rec = PGRPORecommender(random_state=0).fit(X, y + told["actions"], users=users, **told)
    loaded = pickle.loads(pickle.dumps(rec))
    rec.partial_fit(X, y, users=users, **told)
    loaded.partial_fit(X, y, users=users, **told)
    assert_array_equal(rec.predict_proba(X, users=users), loaded.predict_proba(X, users=users))


@pytest.mark.parametrize("estimator", [*SOLVERS, LinTS()], ids=str)
def test_a_pipeline_scales_before_it_learns(estimator):
    X, y, told = draw_log()
    rec = clone(estimator).set_params(random_state=0)
    by_hand = clone(rec).fit(StandardScaler().fit_transform(X), y, **told)
    with sklearn.config_context(enable_metadata_routing=True):
        rec.set_fit_request(actions=True, clusters=True, propensities=True)
        rec.set_score_request(actions=True, clusters=True, propensities=True)
        rec.set_predict_request(clusters=True)
        pipe = Pipeline([("scale", StandardScaler()), ("rec", rec)]).fit(X, y, **told)
        predicted = pipe.predict(X, clusters=told["clusters"])
        score = pipe.score(X, y, **told)
    scaled = StandardScaler().fit_transform(X)
    assert_array_equal(predicted, by_hand.predict(scaled, clusters=told["clusters"]))
    assert_allclose(score, by_hand.score(scaled, y, **told))
    assert score > y.mean() + 0.05


def test_a_search_finds_what_scores_best_with_metadata_routed():
    """Without features nothing can be gained here, so "linear" must win over "tabular"."""
    X, y, told = draw_log()
    with sklearn.config_context(enable_metadata_routing=True):
        rec = PGRPORecommender(3, random_state=0)
        rec.set_fit_request(actions=True, clusters=True, propensities=True)
        rec.set_score_request(actions=True, clusters=True, propensities=True)
        grid = {"policy": ["tabular", "linear"], "exploration": [0.5, 4.0]}
        search = GridSearchCV(rec, grid, cv=3).fit(X, y, **told)
    assert search.best_params_ == {"policy": "linear", "exploration": 0.5}
    first = slice(0, 200)  # the first of three unshuffled folds
    rest = {name: column[200:] for name, column in told.items()}
    by_hand = PGRPORecommender(3, random_state=0, policy="linear").fit(X[200:], y[200:], **rest)
    held_out = {name: column[first] for name, column in told.items()}
    place = search.best_index_
    got = search.cv_results_["split0_test_score"][place]
    assert_allclose(got, by_hand.score(X[first], y[first], **held_out))


def test_a_search_over_a_pipeline():
    X, y, told = draw_log()
    with sklearn.config_context(enable_metadata_routing=True):
        rec = PGRPORecommender(3, random_state=0)
        rec.set_fit_request(actions=True, clusters=True, propensities=True)
        rec.set_score_request(actions=True, clusters=True, propensities=True)
        pipe = Pipeline([("scale", StandardScaler()), ("rec", rec)])
        search = GridSearchCV(pipe, {"rec__policy": ["tabular", "linear"]}, cv=3)
        search.fit(X, y, **told)
    assert search.best_params_ == {"rec__policy": "linear"}


@pytest.mark.parametrize("full_information", [True, False])
def test_weights_of_a_score_are_as_good_as_repeated_rows(full_information):
    X, y, told = draw_log(60)
    y = told["actions"] if full_information else y
    told = {"clusters": told["clusters"]} if full_information else told
    rec = PGRPORecommender(3, random_state=0).fit(X, y, **told)
    weights = np.arange(60) % 3
    repeated = {name: np.repeat(column, weights) for name, column in told.items()}
    right = rec.score(np.repeat(X, weights, axis=0), np.repeat(y, weights), **repeated)
    assert_allclose(rec.score(X, y, sample_weight=weights, **told), right)
    for bad in (-weights, np.full(60, np.inf), weights[:5]):
        with pytest.raises(ValueError, match="sample_weight"):
            rec.score(X, y, sample_weight=bad, **told)


def test_what_is_not_routed_is_an_error_not_silence():
    X, y, told = draw_log()
    with sklearn.config_context(enable_metadata_routing=True):
        pipe = Pipeline([("rec", PGRPORecommender(random_state=0))])
        with pytest.raises(sklearn.exceptions.UnsetMetadataPassedError, match="actions"):
            pipe.fit(X, y, **told)


@pytest.mark.parametrize("estimator", [*SOLVERS, *BASELINES], ids=str)
@pytest.mark.parametrize("kind", [scipy.sparse.csr_array, scipy.sparse.coo_matrix, pd.DataFrame])
def test_sparse_matrices_and_data_frames_are_as_good_as_arrays(estimator, kind):
    X, y, told = draw_log()
    rec, other = (clone(estimator).set_params(random_state=0) for _ in range(2))
    rec.fit(X, y, **told)
    columns = {name: pd.Series(column) for name, column in told.items()}
    other.fit(_columns_named(kind(X)), pd.Series(y), **columns)
    told_who = {"clusters": told["clusters"]}
    a = rec.predict_proba(X, **told_who)
    assert_array_equal(other.predict_proba(_columns_named(kind(X)), **told_who), a)


def _columns_named(X):
    return X.rename(columns="x{}".format) if isinstance(X, pd.DataFrame) else X


def test_columns_of_a_data_frame_are_known_by_name():
    X, y, told = draw_log()
    frame = pd.DataFrame(X, columns=["age", "income", "time"])
    rec = PGRPORecommender(random_state=0).fit(frame, y, **told)
    assert_array_equal(rec.feature_names_in_, ["age", "income", "time"])
    assert rec.n_features_in_ == 3
    with pytest.raises(ValueError, match="feature names should match"):
        rec.predict(frame[["time", "age", "income"]], clusters=told["clusters"])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int64, np.uint8])
def test_plain_numbers_need_no_slow_validation(dtype, monkeypatch):
    """Worlds give float32, which scikit-learn's validation takes long to look at."""
    rng = np.random.default_rng(0)
    X, shown, y = rng.integers(0, 9, size=(30, 3)), np.arange(30) % 3, rng.normal(size=30)
    rec = LinTS(3, random_state=0).fit(X, y, actions=shown)
    expected = rec.predict_proba(X[:9].astype(np.float64))

    def refuse(*_args, **_told):
        raise AssertionError("validated")

    monkeypatch.setattr("pgrpo_rec.estimators.door.validate_data", refuse)
    assert_array_equal(rec.predict_proba(X[:9].astype(dtype)), expected)
    for other in (X[:9, :2].astype(dtype), X[:9].astype(str), X[:9].astype(complex)):
        with pytest.raises(AssertionError, match="validated"):
            rec.predict_proba(other)
    if np.issubdtype(dtype, np.floating):
        with pytest.raises(AssertionError, match="validated"):
            rec.predict_proba(np.where(X == 3, np.nan, X).astype(dtype))
