"""Results as people read them: tables and figures. Takes results, runs nothing."""

from pgrpo_rec.reports.deals import draw_bubbles, draw_pareto_front
from pgrpo_rec.reports.figures import draw_learning_curves
from pgrpo_rec.reports.tables import leaderboard

__all__ = ["draw_bubbles", "draw_learning_curves", "draw_pareto_front", "leaderboard"]
