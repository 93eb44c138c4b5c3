r"""Randomness: seeds outside kernels, counters inside.

Outside kernels a seed grows into a tree of independent NumPy generators. Inside
kernels a random number is a pure function of *where* it is used,

.. math:: u = f(\text{key}, \text{episode}, t, \text{slot}),

two rounds of the SplitMix64 finaliser (Steele, Lea & Flood 2014). Nothing is stored and
nothing is shared, so a lane gets the same numbers among 8 lanes and among 4,096, on one
thread and on many. The key of a lane mixes the seed before the lane enters: adding the
lane to the seed would give seed ``s`` and seed ``s + 1`` almost the same streams.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np

from pgrpo_rec._numba import jit

Seed: TypeAlias = (
    "int | np.random.Generator | np.random.SeedSequence | np.random.RandomState | None"
)

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_ODD_LANE = np.uint64(0xD1342543DE82EF95)
_ODD_TIME = np.uint64(0xA0761D6478BD642F)
_ODD_SLOT = np.uint64(0xE7037ED1A0B428DB)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_TWO_53 = 2.0**-53


def generator(seed: Seed, *path: int) -> np.random.Generator:
    """Return the generator that hangs at ``path`` in the tree of ``seed``.

    Parameters
    ----------
    seed : int, None, Generator, SeedSequence or RandomState
        A ``Generator`` is returned as it is when no path is given; a ``RandomState`` gives
        one draw of its own as seed.
    *path : int
        Non-negative branch numbers; different paths give independent streams.

    Examples
    --------
    >>> from pgrpo_rec._random import generator
    >>> float(generator(7, 1).random()) == float(generator(7, 1).random())
    True
    >>> float(generator(7, 1).random()) == float(generator(7, 2).random())
    False
    """
    if isinstance(seed, np.random.Generator) and not path:
        return seed
    if isinstance(seed, np.random.Generator):
        seed = int(seed.integers(2**63))
    if isinstance(seed, np.random.RandomState):
        seed = int(seed.randint(2**31))
    if isinstance(seed, np.random.SeedSequence):
        entropy, key = seed.entropy, (*seed.spawn_key, *path)
    else:
        entropy, key = seed, path
    return np.random.default_rng(np.random.SeedSequence(entropy, spawn_key=key))


@jit
def mix(z):
    """Scramble 64 bits (the finaliser of SplitMix64)."""
    z = (z ^ (z >> np.uint64(30))) * _MIX_1
    z = (z ^ (z >> np.uint64(27))) * _MIX_2
    return z ^ (z >> np.uint64(31))


@jit
def lane_key(root, lane):
    """Return the key of one lane under one seed; both are non-negative integers."""
    return mix(mix(np.uint64(root) + _GOLDEN) ^ (np.uint64(lane) * _ODD_LANE))


@jit
def uniform(key, episode, t, slot):
    """Return a uniform number in [0, 1) for one use: 53 bits, a pure function of its place."""
    place = np.uint64(episode) * _GOLDEN + np.uint64(t) * _ODD_TIME
    z = mix(mix(np.uint64(key) ^ mix(place)) + np.uint64(slot) * _ODD_SLOT)
    return float(z >> np.uint64(11)) * _TWO_53


@jit
def normal(key, episode, t, slot):
    """Return a standard normal number (Box and Muller 1958); uses ``slot`` and ``slot + 2**20``."""
    u = 1.0 - uniform(key, episode, t, slot)
    v = uniform(key, episode, t, slot + 1048576)
    return math.sqrt(-2.0 * math.log(u)) * math.cos(2.0 * math.pi * v)
