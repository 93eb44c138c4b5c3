"""Twins of the mathematics in plain NumPy: the formulas as written, no recurrences."""

import math

import numpy as np
from scipy import special, stats

NODES = np.polynomial.legendre.leggauss(400)
TWO_64 = 2**64


def weighted_moments(values, weights):
    """Weight, squared weight, mean and sum of squared deviations, straight from the sums."""
    values, weights = np.asarray(values, dtype=float), np.asarray(weights, dtype=float)
    mean = (weights @ values) / weights.sum()
    return weights.sum(), (weights**2).sum(), mean, weights @ (values - mean) ** 2


def weighted_std(values, weights):
    total, squares, _, m2 = weighted_moments(values, weights)
    return math.sqrt(m2 / (total - squares / total))


def exact_std(integers):
    """Sample std of whole numbers, in whole numbers up to the last step."""
    n, total = len(integers), sum(integers)
    return math.sqrt((n * sum(r * r for r in integers) - total**2) / (n * (n - 1)))


def others_mean(candidates, i):
    return np.mean([r for j, r in enumerate(candidates) if j != i])


def grpo(candidates, eps=0.0):
    return (candidates - np.mean(candidates)) / (np.std(candidates, ddof=1) + eps)


def rloo(candidates):
    return np.array([r - others_mean(candidates, i) for i, r in enumerate(candidates)])


def softmax(logits, available):
    odds = np.where(available, np.exp(logits), 0.0)
    return odds / odds.sum(axis=-1, keepdims=True)


def probabilities(weights, batch):
    of_visit = weights[0] + weights[1 + batch.clusters]
    return softmax(np.einsum("ikd,id->ik", of_visit, batch.z), batch.available)


def surrogate_value(weights, reference, batch, penalties):
    """Mean over visits of min(rho A, clip(rho) A) - beta KL + alpha H."""
    pi, ref = probabilities(weights, batch), probabilities(reference, batch)
    rho = pi[np.arange(len(pi)), batch.actions] / batch.propensities
    clipped = np.clip(rho, 1 - penalties.clip_low, 1 + penalties.clip_high)
    log = np.log(np.where(batch.available, pi, 1.0))
    log_ref = np.log(np.where(batch.available, ref, 1.0))
    values = np.minimum(rho * batch.advantages, clipped * batch.advantages)
    values -= penalties.kl_coef * divergence(log, log_ref, batch.actions, penalties.k3)
    values -= penalties.entropy_coef * (pi * log).sum(axis=1)
    return np.average(values, weights=batch.weights)


def divergence(log, log_ref, actions, k3):
    if not k3:
        return (np.exp(log) * (log - log_ref)).sum(axis=1)
    u = (log_ref - log)[np.arange(len(log)), actions]
    return np.exp(u) - u - 1


def central_differences(function, x, step=1e-5):
    gradient = np.empty(x.size)
    for i in range(x.size):
        move = np.zeros(x.size)
        move[i] = step
        up, down = x + move.reshape(x.shape), x - move.reshape(x.shape)
        gradient[i] = (function(up) - function(down)) / (2 * step)
    return gradient.reshape(x.shape)


def plackett_luce(probabilities, slate):
    """Chance of an ordered slate: each item against those not yet placed."""
    left, chance = dict(enumerate(probabilities)), 1.0
    for item in slate:
        chance *= left[item] / sum(left.values())
        del left[item]
    return chance


def credits(rewards, sessions, gamma, downwards):
    """What each position of each visit earns from there on: sums straight from the rewards."""
    result = np.zeros(rewards.shape)
    for i, s in np.ndindex(rewards.shape):
        of_slate = rewards[i, s if downwards else 0 :].sum()
        later = [j for j in range(i + 1, len(rewards)) if sessions[j] == sessions[i]]
        result[i, s] = of_slate + sum(
            gamma ** (t + 1) * rewards[j].sum() for t, j in enumerate(later)
        )
    return result


def adam(weights, gradients, learning_rate, beta1, beta2, eps):
    """Algorithm 1 of Kingma and Ba (2015), with the sign of an ascent."""
    m = v = np.zeros_like(weights)
    for t, g in enumerate(gradients, start=1):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        weights = weights + learning_rate * (m / (1 - beta1**t)) / (
            np.sqrt(v / (1 - beta2**t)) + eps
        )
    return weights


def probability_of_best(means, stds):
    """One sum per item, over 8,001 points of its own posterior."""
    z = np.linspace(-9.0, 9.0, 8001)
    chances = []
    for k in range(len(means)):
        chance = stats.norm.pdf(z) * (z[1] - z[0])
        for j in range(len(means)):
            if j != k:
                chance *= stats.norm.cdf((means[k] + stds[k] * z - means[j]) / stds[j])
        chances.append(chance.sum())
    return np.array(chances)


def probability_of_best_by_panels(means, stds):
    """Gauss and Legendre's rule on panels that grow from the highest lower end of all."""
    x, w = NODES
    low, high, width = (means - 9 * stds).max(), (means + 9 * stds).max(), 20 * stds.min()
    chances = np.zeros(len(means))
    while low < high:
        end = min(low + width, high)
        z = ((low + 0.5 * (end - low) * (1 + x))[:, None] - means) / stds
        below = np.maximum(special.ndtr(z), 1e-300)
        weight = 0.5 * (end - low) * w * below.prod(axis=1)
        density = np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi)
        chances += weight @ (density / below) / stds
        low, width = end, 4 * width
    return chances


def splitmix(z):
    """Finaliser of SplitMix64 (Steele, Lea and Flood 2014) in whole numbers."""
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % TWO_64
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % TWO_64
    return z ^ (z >> 31)


def lane_key(root, lane):
    return splitmix(
        splitmix((root + 0x9E3779B97F4A7C15) % TWO_64) ^ lane * 0xD1342543DE82EF95 % TWO_64
    )


def uniform(key, episode, t, slot):
    place = (episode * 0x9E3779B97F4A7C15 + t * 0xA0761D6478BD642F) % TWO_64
    z = splitmix((splitmix(key ^ splitmix(place)) + slot * 0xE7037ED1A0B428DB) % TWO_64)
    return (z >> 11) / 2**53


def capped(probabilities, categories, cap):
    """Cut what is above the cap and hand it to the rest in proportion, until nothing is."""
    policy = np.array(probabilities, dtype=float)
    n = max(categories) + 1
    mass = np.array([sum(policy[np.array(categories) == c]) for c in range(n)])
    full = np.zeros(n, dtype=bool)
    for _ in range(n):
        over = ~full & (mass > cap)
        if not over.any():
            break
        full |= over
        mass[full] = cap
        if not full.all():
            mass[~full] *= (1.0 - cap * full.sum()) / mass[~full].sum()
    share = np.array([sum(policy[np.array(categories) == c]) for c in categories])
    return policy / share * mass[np.array(categories)]
