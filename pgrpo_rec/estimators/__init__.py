"""Learners with ``fit`` and ``predict``."""

from pgrpo_rec.estimators.clustering import PreferenceClustering
from pgrpo_rec.estimators.pgrpo import PGRPORecommender

__all__ = ["PGRPORecommender", "PreferenceClustering"]
