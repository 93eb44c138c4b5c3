"""Judgement: what a policy would earn, and how sure one can be. Takes arrays."""

from pgrpo_rec.evaluation.off_policy import snips_value

__all__ = ["snips_value"]
