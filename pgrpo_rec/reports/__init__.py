"""Results as people read them: tables and figures. Takes results, runs nothing."""

from pgrpo_rec.reports.figures import draw_learning_curves
from pgrpo_rec.reports.tables import leaderboard

__all__ = ["draw_learning_curves", "leaderboard"]
