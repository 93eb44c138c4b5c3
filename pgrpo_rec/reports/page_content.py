"""What stands in the page of a benchmark as text: sentences, tables and facts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from pgrpo_rec.benchmark.results import BenchmarkRun
from pgrpo_rec.reports.numbers import (
    ALL_SCENARIOS,
    MEASURES,
    TRAITS,
    Numbers,
    group_name,
    rivals,
)
from pgrpo_rec.reports.page_parts import manifest_of, places, records
from pgrpo_rec.reports.sentences import (
    Standing,
    interval,
    leading_sentences,
    number,
    standings,
    tally,
)

TONES = {"wins": "wins", "loses": "loses", "cannot be told apart": "even"}


def content(run: BenchmarkRun, numbers: Numbers) -> dict[str, Any]:
    """Return what the template shows: sentences, tables and facts."""
    place = places(numbers.board["scenario"])
    table = standings(numbers)
    board = numbers.board.assign(s=numbers.board["scenario"].map(place))
    return {
        "run": run.manifest,
        "created": str(run.manifest.get("created", "")).replace("T", " ").replace("Z", " UTC"),
        "counts": _counts(run, numbers),
        "seeds_text": _seeds_text(run, numbers),
        "scenarios": [_scenario(run, numbers, scenario) for scenario in place],
        "tally": tally(table),
        "standings": _standing_rows(table),
        "board": records(board),
        "names": list(places(numbers.board["recommender"])),
        "traits": {t: sorted({str(v) for v in numbers.board[t] if v}) for t in TRAITS},
        "has_overall": bool((numbers.profiles["scenario"] == ALL_SCENARIOS).any()),
        "tuning_text": _tuning_text(run),
        "tuned": _tuned(run.tuning),
        "failures": records(run.failures),
        "failures_text": _failures_text(run.failures),
        "facts": _facts(run.manifest),
    }


def _plural(count: int, word: str) -> str:
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def _counts(run: BenchmarkRun, numbers: Numbers) -> str:
    board = rivals(numbers.board)
    recommenders, scenarios = board["recommender"].nunique(), board["scenario"].nunique()
    seeds = int(numbers.board["n_seeds"].max())
    answers = int(run.results["n"].sum())
    return (
        f"{_plural(recommenders, 'recommender')} in {_plural(scenarios, 'scenario')}, over "
        f"{_plural(seeds, 'seed')}: {_plural(answers, 'answer')} in all."
    )


def _seeds_text(run: BenchmarkRun, numbers: Numbers) -> str:
    most = int(numbers.board["n_seeds"].max())
    text = f"There are {_plural(most, 'seed')}"
    if most < 2:
        return text + ": nothing can be told from one, and no interval is given."
    fewer = int((numbers.board["n_seeds"] < most).sum())
    if fewer:
        text += f", fewer in {_plural(fewer, 'row')} of the leaderboard (last column)"
    return text + (". Fewer than 20 are a look, no claim." if most < 20 else ".")


def _scenario(run: BenchmarkRun, numbers: Numbers, name: str) -> dict[str, Any]:
    about = manifest_of(run, name)
    names = [group_name(about, g) for g in range(len(about.get("group_names") or ()))]
    shares = about.get("group_shares") or []
    if len(shares) == len(names):
        pairs = zip(names, shares, strict=True)
        names = [n if "%" in n else f"{n} ({100 * s:.0f} %)" for n, s in pairs]
    parts = [_sentence(str(about.get("description") or ""))]
    if about.get("n_interactions"):
        parts.append(f"{_plural(int(about['n_interactions']), 'interaction')} a run.")
    if names:
        parts.append(f"Groups of people: {', '.join(names)}.")
    left_out = about.get("left_out") or {}
    parts += [f"Left out: {who}, because {_sentence(why)}" for who, why in left_out.items()]
    text = " ".join(part for part in parts if part)
    return {"name": name, "about": text, "sentences": leading_sentences(numbers, name)}


def _sentence(text: str) -> str:
    """Return a text with the full stop that it may lack."""
    text = text.strip()
    return text if not text or text.endswith((".", "!", "?")) else f"{text}."


def _standing_rows(table: Sequence[Standing]) -> list[dict[str, Any]]:
    rows: dict[tuple[str, str, str], dict[str, Standing]] = {}
    for one in table:
        rows.setdefault((one.scenario, one.told, one.variant), {})[one.measure] = one
    return [
        {
            "scenario": scenario,
            "told": told,
            "variant": variant,
            "parts": [_standing_part(parts.get(measure)) for measure in MEASURES],
            "lost": any(part.verdict == "loses" for part in parts.values()),
        }
        for (scenario, told, variant), parts in rows.items()
    ]


def _standing_part(one: Standing | None) -> dict[str, str] | None:
    if one is None:
        return None
    gap = one.difference
    said = f"{number(gap.mean, signed=True)} {interval(gap.low, gap.high, signed=True)}"
    return {
        "verdict": one.verdict,
        "tone": TONES[one.verdict],
        "difference": said,
        "ours": one.ours,
        "rival": one.rival,
    }


def _tuning_text(run: BenchmarkRun) -> str:
    if run.tuning.empty:
        return "Nothing was tuned: every recommender ran with the settings it was given."
    seeds = run.manifest.get("tune_seeds") or []
    budget = run.manifest.get("tune_budget")
    return (
        f"The same budget for all: {_plural(int(budget or 0), 'setting')} tried for each "
        f"recommender and scenario, on {_plural(len(seeds), 'seed')} of their own "
        f"({_seed_list(seeds)}) that the results do not use."
    )


def _seed_list(seeds: Sequence[int]) -> str:
    """Return seeds, shortened to first and last where they are consecutive."""
    if len(seeds) > 2 and list(seeds) == list(range(seeds[0], seeds[0] + len(seeds))):
        return f"{seeds[0]} to {seeds[-1]}"
    return ", ".join(map(str, seeds)) or "none"


def _tuned(tuning: pd.DataFrame) -> list[dict[str, Any]]:
    rows = []
    for (scenario, name), tried in tuning.groupby(["scenario", "recommender"], sort=False):
        chosen = tried[tried["chosen"].astype(bool)]
        for setting, scores in chosen.groupby("setting", sort=False)["score"]:
            rows.append(
                {
                    "scenario": scenario,
                    "recommender": name,
                    "setting": setting,
                    "score": float(scores.mean()),
                    "tried": tried["setting"].nunique(),
                }
            )
    return rows


def _failures_text(failures: pd.DataFrame) -> str:
    runs = _plural(len(failures), "run")
    return f"{runs} failed and {'is' if len(failures) == 1 else 'are'} left out of every number."


def _facts(manifest: dict[str, Any]) -> dict[str, str]:
    machine = manifest.get("machine") or {}
    commit = manifest.get("commit")
    changed = ", with changes that were not committed" if manifest.get("dirty") else ""
    parts = [machine.get("processor"), machine.get("system")]
    if machine.get("cores"):
        parts.append(_plural(int(machine["cores"]), "core"))
    if machine.get("memory_gib"):
        parts.append(f"{machine['memory_gib']:g} GiB")
    packages = manifest.get("packages") or {}
    return {
        "pgrpo-rec": str(manifest.get("pgrpo_rec", "unknown")),
        "commit": f"{commit}{changed}" if commit else "unknown",
        "Python": str(manifest.get("python", "unknown")),
        "packages": ", ".join(f"{name} {version}" for name, version in packages.items()),
        "machine": ", ".join(str(part) for part in parts if part) or "unknown",
        "seeds": _seed_list(manifest.get("seeds") or []),
        "seeds of tuning": _seed_list(manifest.get("tune_seeds") or []),
    }
