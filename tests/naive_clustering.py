"""The obvious, slow versions of the clustering kernels: one user, item, cluster at a time."""

import numpy as np
from scipy.special import betaln, logsumexp
from scipy.stats import multivariate_normal


def moments(rows, columns, rewards, shape):
    """Count, mean and sum of squared deviations of the rewards of each cell."""
    count, mean, m2 = np.zeros((3, *shape))
    for u in range(shape[0]):
        for k in range(shape[1]):
            values = rewards[(rows == u) & (columns == k)]
            count[u, k] = values.size
            if values.size:
                mean[u, k] = values.mean()
                m2[u, k] = ((values - values.mean()) ** 2).sum()
    return count, mean, m2


def beta_binomial(ones, n, rate, shape):
    """Log probability of one sequence of n answers with so many ones."""
    a, b = shape / (1 - rate), shape / rate
    return betaln(a + ones, b + n - ones) - betaln(a, b)


def person_density(rewards, items, mean, between, within, person):
    """Log density of one user's rewards: a level, an effect on each item, independent noise."""
    same = items[:, None] == items[None, :]
    covariance = person + same * between[items] + np.diag(within[items])
    return multivariate_normal(mean[items], covariance).logpdf(rewards)


def posterior(shares, loglik):
    """Responsibilities (U, P) and total log-likelihood from log-likelihoods (U, P)."""
    joint = np.log(shares) + loglik
    return np.exp(joint - logsumexp(joint, axis=1, keepdims=True)), logsumexp(joint, axis=1).sum()


def weighted_sums(kept, resp, n_items):
    """Number, gram, moment and square of answers by cluster and item, user by user."""
    shape = (resp.shape[1], n_items)
    d = kept.z.shape[1]
    heard, gram = np.zeros(shape), np.zeros((*shape, d, d))
    moment, square = np.zeros((*shape, d)), np.zeros(shape)
    for u, z, k, r in zip(*kept, strict=True):
        for p in range(resp.shape[1]):
            heard[p, k] += resp[u, p]
            gram[p, k] += resp[u, p] * np.outer(z, z)
            moment[p, k] += resp[u, p] * z * r
            square[p, k] += resp[u, p] * r * r
    return heard, gram, moment, square


def regression_loglik(kept, n_users, parameters, binary, edge):
    """Log predictive density of each user's answers in each cluster, answer by answer."""
    total = np.zeros((n_users, parameters.shares.size))
    fit = parameters.fit
    for u, z, k, r in zip(*kept, strict=True):
        for p in range(parameters.shares.size):
            mean, std = parameters.mean[p], parameters.std[p]
            expected = mean + std * fit.beta[p, k] @ z
            if binary:
                rate = np.clip(expected, edge * mean, 1 - edge * (1 - mean))
                total[u, p] += np.log(rate if r else 1 - rate)
            else:
                spread = std * np.sqrt(fit.noise[p, k] * (1 + z @ fit.covariance[p, k] @ z))
                distance = (r - expected) / spread
                total[u, p] -= 0.5 * (np.log(2 * np.pi) + distance**2) + np.log(spread)
    return total


def left_out_loglik(kept, n_users, resp, parameters, binary, edge):
    """Log density of each user's answers, by fits to all others: clusters have nothing in common.

    The whole fit's means, noises and ridges are kept.
    """
    total = np.zeros((n_users, parameters.shares.size))
    fit, priors = parameters.fit, parameters.priors
    for i in range(kept.rewards.size):
        others = np.arange(kept.rewards.size) != i
        z, k, u = kept.z[i], kept.actions[i], kept.users[i]
        rows = others & (kept.actions == k)
        beta, covariance = fit.beta.copy(), fit.covariance.copy()
        for p in range(parameters.shares.size):
            weight = resp[kept.users[rows], p][:, None]
            ridge = np.diag(priors.own[p][priors.kinds])
            covariance[p, k] = np.linalg.inv(kept.z[rows].T @ (weight * kept.z[rows]) + ridge)
            advantage = (kept.rewards[rows] - parameters.mean[p]) / parameters.std[p]
            beta[p, k] = covariance[p, k] @ (kept.z[rows].T @ (weight[:, 0] * advantage))
        without = parameters._replace(fit=fit._replace(beta=beta, covariance=covariance))
        one = type(kept)(np.array([u]), z[None], np.array([k]), kept.rewards[[i]])
        total += regression_loglik(one, n_users, without, binary, edge)
    return total


def feature_tilt(mean, n_visits, weights, constants, shares, correlation):
    """By what each cluster is likelier than by its share, one user at a time."""
    rows = []
    for x, n in zip(mean, n_visits, strict=True):
        logits = np.array([w @ x + c for w, c in zip(weights, constants, strict=True)])
        once = np.exp(logits) / np.exp(logits).sum()
        as_good_as = n / (1 + (n - 1) * correlation)
        prior = shares * (once / shares) ** as_good_as
        rows.append(prior / prior.sum() / shares)
    return np.array(rows)
