"""Rivals: the bandits people know, each an estimator with `recommend` and `partial_fit`."""

from pgrpo_rec.baselines.beta_thompson import BetaThompson
from pgrpo_rec.baselines.epsilon_greedy import EpsilonGreedy
from pgrpo_rec.baselines.lin_ts import LinTS
from pgrpo_rec.baselines.lin_ucb import LinUCB
from pgrpo_rec.baselines.logistic_ts import LogisticTS
from pgrpo_rec.baselines.oracle import Oracle
from pgrpo_rec.baselines.ranked_thompson import RankedThompson
from pgrpo_rec.baselines.thompson import GaussianThompson
from pgrpo_rec.baselines.uniform import Uniform

__all__ = [
    "BetaThompson",
    "EpsilonGreedy",
    "GaussianThompson",
    "LinTS",
    "LinUCB",
    "LogisticTS",
    "Oracle",
    "RankedThompson",
    "Uniform",
]
