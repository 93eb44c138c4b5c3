r"""Turns: one after the other, nobody a second time before everyone has come.

With L people (or rows of a log) served at a time, lane i begins its episode e with the one at place

.. math:: (e L + i) \bmod U

of an order that the seed of `reset` shuffles. The order is a function, not a list: four bits of
a place are scrambled as well as forty (a Feistel network; what falls outside the U places is
scrambled again [1]_), so that each lane may have a seed, and with it an order, of its own.

Shapes: n lanes, U people or rows.

References
----------
.. [1] Black & Rogaway (2002), Ciphers with Arbitrary Finite Domains, CT-RSA.
"""

from __future__ import annotations

import numpy as np

from pgrpo_rec._numba import jit
from pgrpo_rec._random import lane_key, mix

_NO_LANE = np.uint64(1 << 63)  # its key orders people: no lane has so large a number
_N_ROUNDS = 8
_ONE = np.uint64(1)


@jit
def shuffled(place, n, key):
    """Return where a place of 0 to n - 1 goes, 0 to n - 1: one to one for every key.

    Parameters
    ----------
    place, n : int
    key : uint64
    """
    half = _ONE
    while (_ONE << (half + half)) < np.uint64(n):
        half += _ONE
    low = (_ONE << half) - _ONE
    x = np.uint64(place)
    while True:
        left, right = x >> half, x & low
        for number in range(_N_ROUNDS):
            salt = np.uint64(number) << np.uint64(40)
            left, right = right, left ^ (mix(key + salt + right) & low)
        x = (left << half) | right
        if x < np.uint64(n):
            return np.int64(x)


@jit
def take_turns(clock, lanes, replicas, at_a_time, n_places, places):
    """Set the places of lanes whose episode begins; replicas of a lane have the same one."""
    for i in lanes:
        first = i - i % replicas
        turn = clock.episode[i] * at_a_time + clock.number[first] // replicas
        key = lane_key(clock.root[first], _NO_LANE)
        places[i] = shuffled(turn % n_places, n_places, key)
