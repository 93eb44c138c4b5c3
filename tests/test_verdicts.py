"""A verdict says no more than its interval."""

import io

import pandas as pd
import pytest
from rich.console import Console

from pgrpo_rec.reports.verdicts import Comparison, verdicts

COLUMNS = ["scenario", "recommender", "seed", "bin", "user_type", "n", "reward", "regret", "span"]
PAIRS = [Comparison("ours over theirs", "ours", "theirs"), Comparison("other", "ours", "absent")]


def parts_with_gains(gains):
    """One answer a seed; ours earns the gain more, and regrets as much less."""
    rows = [
        ("t", name, seed, 0, 0, 1, lead * gain + 0.5 * seed, 1.0 - lead * gain, 1.0)
        for name, lead in (("ours", 1.0), ("theirs", 0.0))
        for seed, gain in enumerate(gains)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def printed(parts):
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(verdicts(parts, "t", PAIRS))
    return console.export_text()


@pytest.mark.parametrize(
    ("gains", "said"),
    [
        ([0.2, 0.21, 0.19], ["+0.200 ±0.025 gain", "-0.20 ±0.02 gain"]),
        ([-0.2, -0.21, -0.19], ["-0.200 ±0.025 loss", "+0.20 ±0.02 loss"]),
        ([0.2, -0.21, 0.01], ["unclear"]),
        ([0.2], ["One seed says nothing of the spread: no verdict."]),
    ],
)
def test_words_follow_the_interval(gains, said):
    text = printed(parts_with_gains(gains))
    for words in said:
        assert words in text
    assert len({w for w in ("gain", "loss", "unclear") if w in text}) == (len(gains) > 1)


def test_who_did_not_run_is_left_out():
    text = printed(parts_with_gains([0.2, 0.21, 0.19]))
    assert "ours over theirs" in text
    assert "other" not in text
