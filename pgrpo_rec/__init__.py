"""pgrpo-rec: recommend to people who differ.

A recommender is a scikit-learn estimator with one more verb, ``recommend``; a world is a
Gymnasium environment (package ``pgrpo_envs``); `simulate` joins any of the one to any of the
other.
"""

from pgrpo_rec._version import __version__
from pgrpo_rec.estimators.clustering import PreferenceClustering
from pgrpo_rec.estimators.pgrpo import PGRPORecommender
from pgrpo_rec.simulate import simulate

__all__ = ["PGRPORecommender", "PreferenceClustering", "__version__", "simulate"]
