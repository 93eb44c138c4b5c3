"""Bandits that tell users apart: ids take the place of clusters, and stay what they are."""

from __future__ import annotations

from pgrpo_rec.interactions import Visits


class ByUser:
    """Mixin of recommenders that keep something for every user."""

    _told: str | None

    def _as_clusters(self, visits: Visits) -> Visits:
        """Return the visits with user ids as clusters, where there are any.

        Raises
        ------
        ValueError
            If earlier calls were told otherwise who is here.
        """
        told = "clusters=" if visits.clusters is not None else "neither users= nor clusters="
        told = told if visits.users is None else "users="
        if self._told not in (None, told):
            raise ValueError(
                f"this recommender was told {self._told} before and {told} now: it must be told "
                "the same way at every call"
            )
        self._told = told
        if visits.users is None:
            return visits
        return visits._replace(clusters=visits.users, users=None)
