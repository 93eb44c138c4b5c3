"""Rivals: the bandits people know, each an estimator with `recommend` and `partial_fit`."""

from pgrpo_rec.baselines.beta_thompson import BetaThompson
from pgrpo_rec.baselines.boltzmann import Boltzmann, BoltzmannGumbel
from pgrpo_rec.baselines.club import CLUB
from pgrpo_rec.baselines.dyn_ucb import DynUCB
from pgrpo_rec.baselines.epsilon_greedy import EpsilonGreedy
from pgrpo_rec.baselines.exp3 import EXP3
from pgrpo_rec.baselines.hybrid_bandit import HybridLinTS, HybridLinUCB
from pgrpo_rec.baselines.kl_ucb import KLUCB
from pgrpo_rec.baselines.lin_ts import LinTS
from pgrpo_rec.baselines.lin_ucb import LinUCB
from pgrpo_rec.baselines.logistic_ts import LogisticTS
from pgrpo_rec.baselines.matrix_factorisation import MatrixFactorisation
from pgrpo_rec.baselines.oracle import Oracle
from pgrpo_rec.baselines.per_user import PerUser
from pgrpo_rec.baselines.popularity import Popularity
from pgrpo_rec.baselines.ranked_thompson import RankedThompson
from pgrpo_rec.baselines.sclub import SCLUB
from pgrpo_rec.baselines.shared import SharedLinTS, SharedLinUCB
from pgrpo_rec.baselines.square_cb import SquareCB
from pgrpo_rec.baselines.thompson import GaussianThompson
from pgrpo_rec.baselines.ucb1 import UCB1
from pgrpo_rec.baselines.uniform import Uniform

__all__ = [
    "CLUB",
    "EXP3",
    "KLUCB",
    "SCLUB",
    "UCB1",
    "BetaThompson",
    "Boltzmann",
    "BoltzmannGumbel",
    "DynUCB",
    "EpsilonGreedy",
    "GaussianThompson",
    "HybridLinTS",
    "HybridLinUCB",
    "LinTS",
    "LinUCB",
    "LogisticTS",
    "MatrixFactorisation",
    "Oracle",
    "PerUser",
    "Popularity",
    "RankedThompson",
    "SharedLinTS",
    "SharedLinUCB",
    "SquareCB",
    "Uniform",
]
