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
