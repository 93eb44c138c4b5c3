"""Twins of the click models in plain Python: the definitions, by enumeration."""

import itertools
import math

import numpy as np


def pattern_probability(model, pattern, attract, positions, topics=None, interests=None):
    """Probability of one pattern of clicks, straight from the model's definition."""
    if model == "substitutes":
        return sum(
            q * pattern_probability("cascade", pattern, np.where(topics == m, attract, 0), None)
            for m, q in enumerate(interests)
        )
    if model == "pbm":
        seen = [g * a for a, g in zip(attract, positions, strict=True)]
        return math.prod(x if c else 1 - x for c, x in zip(pattern, seen, strict=True))
    if model == "mnl":
        odds = [a / (1 - a) for a in attract]
        if sum(pattern) > 1:
            return 0.0
        return (odds[pattern.index(1)] if any(pattern) else 1.0) / (1 + sum(odds))
    probability, reading = 1.0, 1.0
    for s, clicked in enumerate(pattern):
        go_on = positions[s] if model == "dcm" else 0.0
        if clicked:
            probability *= reading * attract[s]
            reading = go_on
        else:
            # either gone already, or reading and not attracted
            stay = 1 - reading * attract[s]
            reading = reading * (1 - attract[s]) / stay if stay > 0 else 0.0
            probability *= stay
    return probability


def patterns(n_positions):
    return list(itertools.product((0, 1), repeat=n_positions))


def expected_clicks(model, attract, positions, topics=None, interests=None):
    return sum(
        sum(p) * pattern_probability(model, p, attract, positions, topics, interests)
        for p in patterns(len(attract))
    )


def without_duplicates(attract, slate):
    """Attractiveness by position; an item shown a second time does not attract."""
    return np.array([0.0 if k in slate[:s] else attract[k] for s, k in enumerate(slate)])


def slate_value(model, attract, slate, positions, topics, interests):
    shown = without_duplicates(attract, slate)
    return expected_clicks(model, shown, positions, topics[list(slate)], interests)


def all_slate_values(model, attract, positions, topics, interests):
    slates = itertools.product(range(len(attract)), repeat=len(positions))
    return [slate_value(model, attract, s, positions, topics, interests) for s in slates]
