"""Where P-GRPO wins and where it loses, as a Markdown table for a README or a paper's draft."""

from __future__ import annotations

from collections.abc import Iterable

from pgrpo_rec.reports.numbers import MEASURES
from pgrpo_rec.reports.sentences import Standing, interval, number, tally

HEAD = ("scenario", "told", "settings", "everyone", "worst group")


def standings_table(rows: list[Standing]) -> str:
    """Return the tally, and a line for each scenario, what was told, and tuned or not.

    Parameters
    ----------
    rows : list of Standing
        From `pgrpo_rec.reports.sentences.standings`.

    Returns
    -------
    str
        Markdown. A cell is P-GRPO's regret less the best rival's, with its interval and the
        rival's name; what intervals tell apart is said in bold.

    Examples
    --------
    >>> from pgrpo_rec.evaluation.statistics import Interval
    >>> row = Standing("clicks", "users", "tuned", "regret", "P-GRPO learned", "CLUB",
    ...                Interval(-0.1, -0.2, -0.05))
    >>> print(standings_table([row]).splitlines()[-1])
    | clicks | users | tuned | **wins** −0.100 [−0.200, −0.050], CLUB | – |
    """
    lines = [tally(rows), "", _line(HEAD), _line("---" for _ in HEAD)]
    cells = {(r.scenario, r.told, r.variant, r.measure): _cell(r) for r in rows}
    for place in dict.fromkeys((r.scenario, r.told, r.variant) for r in rows):
        told = (cells.get((*place, measure), "–") for measure in MEASURES)
        lines.append(_line((*place, *told)))
    return "\n".join(lines) + "\n"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(row: Standing) -> str:
    gap = row.difference
    said = f"{number(gap.mean, True)} {interval(gap.low, gap.high, True)}, {row.rival}"
    return said if row.verdict == "cannot be told apart" else f"**{row.verdict}** {said}"
