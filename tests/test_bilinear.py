"""One model for all items: values against NumPy, and what may be left out of them."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from pgrpo_rec.bilinear import NARROWEST, joint_columns, read_bilinear
from pgrpo_rec.interactions import with_constant
from pgrpo_rec.readout import BLOCK

SEEDS = st.integers(0, 2**32 - 1)


def problem(seed, n_items, m, d, n=4, n_clusters=2):
    rng = np.random.default_rng(seed)
    items = with_constant(rng.normal(size=(n_items, m)))
    n_joint = d * items.shape[1]
    root = rng.normal(size=(n_clusters, n_joint, n_joint)) / np.sqrt(n_joint)
    available = rng.random((n, n_items)) < 0.7
    available[:, rng.integers(n_items)] = True
    return {
        "beta": rng.normal(size=(n_clusters, n_joint)),
        "covariance": root @ root.transpose(0, 2, 1),
        "z": rng.normal(size=(n, d)),
        "clusters": rng.integers(n_clusters, size=n),
        "items": np.ascontiguousarray(items.T),
        "available": available,
    }


def naive(beta, covariance, z, clusters, items, available):
    """Write every product of a visit's and an item's features out."""
    n, n_items = available.shape
    mean, width = np.empty((n, n_items)), np.empty((n, n_items))
    for i in range(n):
        rows = joint_columns(np.repeat(z[i : i + 1], n_items, axis=0), items.T)
        mean[i] = rows @ beta[clusters[i]]
        width[i] = np.sqrt(np.einsum("ks,st,kt->k", rows, covariance[clusters[i]], rows))
    return mean, width


@given(SEEDS, st.integers(1, 2 * BLOCK + 3), st.integers(0, 4), st.integers(1, 4))
@settings(deadline=None, max_examples=40)
def test_mean_and_width_are_those_of_the_formula(seed, n_items, m, d):
    given_ = problem(seed, n_items, m, d)
    mean, width = read_bilinear(**given_, reach=1e9)
    exact, wide = naive(**given_)
    assert_allclose(mean, exact, atol=1e-9)
    expected = np.where(given_["available"], np.maximum(wide, NARROWEST), NARROWEST)
    assert_allclose(width, expected, rtol=1e-7, atol=1e-9)


@given(SEEDS, st.integers(2, 300), st.floats(0.0, 3.0))
@settings(deadline=None, max_examples=60)
def test_widths_are_left_out_only_where_an_item_cannot_be_the_best(seed, n_items, reach):
    given_ = problem(seed, n_items, 3, 3)
    mean, width = read_bilinear(**given_, reach=reach)
    exact, wide = naive(**given_)
    shown = given_["available"]
    for i in range(len(mean)):
        best = np.flatnonzero(shown[i])[exact[i, shown[i]].argmax()]
        low = exact[i, best] - reach * wide[i, best]
        in_play = shown[i] & (exact[i] + reach * wide[i] >= low + 1e-9)
        assert_allclose(width[i, in_play], wide[i, in_play], rtol=1e-7)


def test_most_of_many_items_are_left_out():
    given_ = problem(0, 5000, 4, 3)
    _, width = read_bilinear(**given_, reach=0.05)
    assert (width > NARROWEST).sum(axis=1).max() < 500


def test_a_value_does_not_depend_on_who_else_is_there():
    given_ = problem(3, 200, 3, 3, n=6)
    together = read_bilinear(**given_, reach=1.0)
    for i in range(6):
        part = {
            **given_,
            "z": given_["z"][i : i + 1],
            "clusters": given_["clusters"][i : i + 1],
            "available": given_["available"][i : i + 1],
        }
        for a, b in zip(read_bilinear(**part, reach=1.0), together, strict=True):
            assert_array_equal(a[0], b[i])
