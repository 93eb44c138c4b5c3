"""One self-contained HTML page of a benchmark: opens without a network, asks for nothing.

The template, the style sheet and the script are files in the folder ``page``; charts are drawn by
Vega (`pgrpo_rec.reports.charts` says why). What a benchmark calls its things is text for the page,
never markup, and its security policy runs no script but its own and loads nothing.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Sequence
from importlib import import_module, resources
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pgrpo_rec._version import __version__
from pgrpo_rec.benchmark.results import BenchmarkRun
from pgrpo_rec.reports.figures import COLOURS
from pgrpo_rec.reports.numbers import (
    ALL_SCENARIOS,
    MEASURES,
    THRESHOLDS,
    TRAITS,
    Numbers,
    compute_numbers,
    group_name,
    highlights,
    rivals,
)
from pgrpo_rec.reports.sentences import (
    Standing,
    interval,
    leading_sentences,
    number,
    standings,
    tally,
)

EXTRA = ("altair", "jinja2", "vl_convert")
TONES = {"wins": "wins", "loses": "loses", "cannot be told apart": "even"}


def write_page(run: BenchmarkRun, path: Path | str, numbers: Numbers | None = None) -> Path:
    """Write the page of a benchmark.

    Parameters
    ----------
    run : BenchmarkRun
        As `pgrpo_rec.benchmark.results.load_run` returns it.
    path : pathlib.Path or str
        The HTML file; its folder is made if need be.
    numbers : Numbers, optional
        As `compute_numbers` returns them for this run; computed if not given.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    ValueError
        Without the packages of the extra ``report``, or if the run holds no results.
    """
    check_extra()
    page = render_page(run, compute_numbers(run) if numbers is None else numbers)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")
    return path


def check_extra() -> None:
    """Raise a ValueError that names the extra if one of its packages is missing."""
    for package in EXTRA:
        try:
            import_module(package)
        except ModuleNotFoundError as error:
            raise ValueError(
                f"the report needs the package {package}, which is not installed: "
                "pip install 'pgrpo-rec[report]'"
            ) from error


def render_page(run: BenchmarkRun, numbers: Numbers) -> str:
    """Return the page as text."""
    from jinja2 import Environment
    from jinja2.utils import htmlsafe_json_dumps
    from markupsafe import Markup

    from pgrpo_rec.reports.charts import chart_specs

    environment = Environment(autoescape=True, trim_blocks=False)
    environment.filters["to_text"] = _as_text
    scripts = [_inline(_vega()), _inline(_file("page.js"))]
    return environment.from_string(_file("page.html")).render(
        content(run, numbers),
        css=Markup(_file("page.css")),
        data=htmlsafe_json_dumps(island(run, numbers), separators=(",", ":")),
        specs=htmlsafe_json_dumps(chart_specs(), separators=(",", ":")),
        scripts=[Markup(script) for script in scripts],
        script_hashes=Markup(" ".join(f"'sha256-{_sha256(script)}'" for script in scripts)),
        version=__version__,
        number=number,
        interval=interval,
        significant=lambda value: "–" if value is None else f"{value:.3g}",
    )


def _file(name: str) -> str:
    return resources.files("pgrpo_rec.reports").joinpath("page", name).read_text(encoding="utf-8")


def _vega() -> str:
    import vl_convert

    return vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")


def _inline(script: str) -> str:
    """Return a script that no text of its own can end early."""
    return script.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def _as_text(settings: Any) -> str:
    return json.dumps(settings, ensure_ascii=False) if settings else "defaults"


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows as dictionaries, with None for what is missing."""
    rows = table.astype(object).where(table.notna(), None)
    return [{str(name): value for name, value in row.items()} for row in rows.to_dict("records")]


# ---- what stands in the page as text ------------------------------------------------------------


def content(run: BenchmarkRun, numbers: Numbers) -> dict[str, Any]:
    """Return what the template shows: sentences, tables and facts."""
    place = _places(numbers.board["scenario"])
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
        "board": _records(board),
        "names": list(_places(numbers.board["recommender"])),
        "traits": {t: sorted({str(v) for v in numbers.board[t] if v}) for t in TRAITS},
        "has_overall": bool((numbers.profiles["scenario"] == ALL_SCENARIOS).any()),
        "tuning_text": _tuning_text(run),
        "tuned": _tuned(run.tuning),
        "failures": _records(run.failures),
        "failures_text": _failures_text(run.failures),
        "facts": _facts(run.manifest),
    }


def _places(values: Iterable[Any]) -> dict[str, int]:
    return {str(value): place for place, value in enumerate(dict.fromkeys(values))}


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
    about = _about(run, name)
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


def _about(run: BenchmarkRun, scenario: str) -> dict[str, Any]:
    return next((s for s in run.manifest["scenarios"] if s["name"] == scenario), {})


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


# ---- what the page's script draws from ----------------------------------------------------------


def island(run: BenchmarkRun, numbers: Numbers) -> dict[str, Any]:
    """Return the numbers that the page's script draws, in small: indices for names."""
    scenarios = _places(numbers.board["scenario"])
    names = _places(numbers.board["recommender"])
    groups = {s: _group_names(run, numbers, s) for s in scenarios}
    traits = numbers.board.drop_duplicates("recommender")
    picks = [names[name] for name in highlights(numbers.board)]
    return {
        "scenarios": [{"name": s, "groups": groups[s]} for s in scenarios],
        "recommenders": _records(
            traits[["recommender", *TRAITS]].rename(columns={"recommender": "name"})
        ),
        "picks": picks + [None] * (len(COLOURS) - len(picks)),
        "reference": picks[0],
        "board": _board_rows(numbers.board, scenarios, names),
        "groups": _group_rows(numbers.groups, scenarios, names, groups),
        "pairs": _pair_rows(numbers.pairs, scenarios, names),
        "bins": int(numbers.curves["bin"].max()) + 1,
        "curves": _curve_rows(numbers.curves, scenarios, names),
        "thresholds": THRESHOLDS.tolist(),
        "profiles": _profile_rows(numbers.profiles, scenarios, names),
    }


def _group_names(run: BenchmarkRun, numbers: Numbers, scenario: str) -> list[str]:
    """Return the names of user types 0, 1, ..., as many as answered."""
    types = run.results.loc[run.results["scenario"] == scenario, "user_type"]
    return [group_name(_about(run, scenario), g) for g in range(int(types.max()) + 1)]


def _rounded(table: pd.DataFrame, digits: int = 4) -> list[dict[str, Any]]:
    numeric = table.select_dtypes("number").columns
    return _records(table.assign(**{c: table[c].round(digits) for c in numeric}))


def _board_rows(
    board: pd.DataFrame, scenarios: dict[str, int], names: dict[str, int]
) -> list[dict[str, Any]]:
    columns = ["regret", "regret_low", "regret_high", "worst", "worst_low", "worst_high"]
    table = board[[*columns, "seconds", "mib", "undominated"]]
    return _rounded(_indexed(table, board, scenarios, names), 6)


def _indexed(
    table: pd.DataFrame, source: pd.DataFrame, scenarios: dict[str, int], names: dict[str, int]
) -> pd.DataFrame:
    place = source["scenario"].map(scenarios)
    return table.assign(s=place, r=source["recommender"].map(names))


def _group_rows(
    groups: pd.DataFrame,
    scenarios: dict[str, int],
    names: dict[str, int],
    labels: dict[str, list[str]],
) -> list[dict[str, Any]]:
    place = [labels[s].index(g) for s, g in groups[["scenario", "group"]].itertuples(index=False)]
    table = groups[["regret", "low", "high"]].assign(g=place)
    return _rounded(_indexed(table, groups, scenarios, names))


def _pair_rows(
    pairs: pd.DataFrame, scenarios: dict[str, int], names: dict[str, int]
) -> list[dict[str, Any]]:
    measures = {measure: place for place, measure in enumerate(MEASURES)}
    table = pd.DataFrame(
        {
            "s": pairs["scenario"].map(scenarios),
            "m": pairs["measure"].map(measures).astype(str),
            "a": pairs["recommender"].map(names),
            "b": pairs["reference"].map(names),
            "d": pairs["difference"],
            **{c: pairs[c] for c in ("low", "high", "chance", "chance_low", "chance_high")},
        }
    )
    return _rounded(table)


def _thousandths(values: Any) -> list[int | None]:
    return [None if pd.isna(v) else round(1000 * float(v)) for v in np.asarray(values)]


def _curve_rows(
    curves: pd.DataFrame, scenarios: dict[str, int], names: dict[str, int]
) -> dict[str, Any]:
    n_bins = int(curves["bin"].max()) + 1
    rows: dict[str, Any] = {}
    for (scenario, view, name), curve in curves.groupby(
        ["scenario", "view", "recommender"], sort=False
    ):
        whole = curve.set_index("bin").reindex(range(n_bins))
        of_view = rows.setdefault(str(scenarios[str(scenario)]), {}).setdefault(str(view), {})
        of_view[str(names[str(name)])] = [_thousandths(whole[c]) for c in ("mean", "low", "high")]
    return rows


def _profile_rows(
    profiles: pd.DataFrame, scenarios: dict[str, int], names: dict[str, int]
) -> dict[str, Any]:
    keys = {**{name: str(place) for name, place in scenarios.items()}, ALL_SCENARIOS: "all"}
    rows: dict[str, Any] = {}
    for (scenario, name), profile in profiles.groupby(["scenario", "recommender"], sort=False):
        lines = rows.setdefault(keys[str(scenario)], {})
        lines[str(names[str(name)])] = [_thousandths(profile[c]) for c in ("share", "low", "high")]
    return rows
