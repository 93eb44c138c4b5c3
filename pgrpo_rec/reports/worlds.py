"""Worlds as people read them in a terminal: the list of them, and the page of each."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import gymnasium as gym
import numpy as np
import pandas as pd
from rich.console import Group, RenderableType
from rich.markdown import Markdown
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pgrpo_envs import WORLDS
from pgrpo_envs.reference import find_world, reference_values

LEGEND = (
    "uniform: chance. oracle: the best action for the present visit; for an episode there may be "
    "better ones. best_fixed: the same action for everybody."
)
VISITS = " visits: in a mean episode."
HALF_WIDTH = 1.96  # standard errors in half a 95 % interval


def list_worlds() -> RenderableType:
    """Return all worlds: id, what it is about, presets."""
    parts: list[RenderableType] = []
    for world in WORLDS:
        presets = ", ".join(_world(world.id).scenario_class.PRESETS)
        parts += [
            Text(world.id, style="bold"),
            Padding(Text(world.summary), (0, 0, 0, 2)),
            Padding(_label("presets", presets), (0, 0, 1, 2)),
        ]
    return Group(*parts, Text("More of one: pgrpo-rec worlds NAME"))


def explain_world(name: str) -> RenderableType:
    """Return the page of one world: what happens, dials, spaces, reference values.

    Parameters
    ----------
    name : str
        As `pgrpo_envs.reference.find_world` takes it.

    Raises
    ------
    ValueError
        If there is no such world; the message lists those there are.
    """
    entry = find_world(name)
    world = _world(entry.id)
    page = inspect.getdoc(gym.make(entry.id).unwrapped) or ""
    title, _, rest = page.partition("\n")
    return Group(
        Text(entry.id, style="bold"),
        Text(title),
        *_sections(rest.partition("\nExamples\n---")[0]),
        *_block("Spaces", _spaces(world)),
        *_block("Parameters and their defaults", _parameters(world.scenario_class)),
        *_block("Presets: what differs from the defaults", _presets(world.scenario_class)),
        *_block("Reference values: mean reward a visit, with 95 % interval", _values(entry.name)),
        Text(LEGEND + (VISITS if np.isfinite(world.horizon) else "")),
        *map(Text, _notes(entry.name)),
    )


def _world(world_id: str) -> Any:
    return gym.make_vec(world_id, num_envs=1).unwrapped


def _label(label: str, text: str) -> Text:
    return Text.assemble((f"{label}: ", "dim"), text)


def _heading(text: str) -> Padding:
    return Padding(Text(text, style="bold underline"), (1, 0, 0, 0))


def _block(title: str, content: RenderableType) -> list[RenderableType]:
    return [_heading(title), content]


def _sections(page: str) -> Iterator[RenderableType]:
    """Yield headings and paragraphs of a world's page, whose sections begin with ``##``."""
    for section in re.split(r"^## ", page, flags=re.MULTILINE)[1:]:
        title, _, text = section.partition("\n")
        yield _heading(title)
        yield Markdown(text.replace("``", "`"))


def _columns(*names: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=any(names), header_style="dim")
    for name in names:
        table.add_column(name, overflow="fold")
    return table


def _spaces(world: Any) -> Table:
    table = _columns("", "")
    space = world.single_observation_space
    table.add_row("action", str(world.single_action_space))
    bounds = f"{space.low.min():g} to {space.high.max():g}"
    table.add_row("observation", f"Box({bounds}, shape {space.shape}, {space.dtype})")
    for name, columns in world.obs_layout.items():
        last = columns.stop - 1
        where = f"column {last}" if last == columns.start else f"columns {columns.start} to {last}"
        table.add_row(f"  {name}", where)
    return table


def _parameters(scenario: Any) -> Table:
    table = _columns("name", "default", "meaning")
    table.columns[0].no_wrap = True
    table.columns[1].max_width = 20
    meanings = _meanings(inspect.getdoc(scenario) or "")
    for field in fields(scenario):
        table.add_row(field.name, _short(getattr(scenario(), field.name)), meanings[field.name])
    return table


def _meanings(page: str) -> dict[str, str]:
    """Return what a numpydoc page says of each parameter, without its markup."""
    text = page.partition("Parameters\n----------\n")[2]
    found = re.findall(r"^([\w, ]+?) : (.*)\n((?:    .*\n?)*)", text, flags=re.MULTILINE)
    meanings = {}
    for names, kind, lines in found:
        said = " ".join(lines.split()) or kind.split(", default")[0]
        for name in names.split(", "):
            meanings[name] = said.replace("`", "")
    return meanings


def _presets(scenario: Any) -> Table:
    table = _columns("preset", "")
    for name, changes in scenario.PRESETS.items():
        told = ", ".join(f"{field}={_short(value)}" for field, value in changes.items())
        table.add_row(name, told or "the defaults")
    return table


def _short(value: object) -> str:
    if isinstance(value, tuple):
        return "(" + ", ".join(map(_short, value)) + ")"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _values(name: str) -> Table:
    rows = reference_values(name)
    types = list(dict.fromkeys(rows["user_type"]))
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="dim")
    for title in ("preset", "policy"):
        table.add_column(title, no_wrap=True)
    for user_type in types:
        title = user_type if user_type == "all" else f"group {user_type}"
        table.add_column(title, justify="right", no_wrap=True)
    lengths = rows["n_visits"] / rows["n_episodes"]
    if lengths.max() > 1:
        table.add_column("visits", justify="right", no_wrap=True)
    by_type = rows.pivot(index=["preset", "policy"], columns="user_type")
    seen = ""
    for preset, policy in dict.fromkeys(zip(rows["preset"], rows["policy"], strict=True)):
        row = by_type.loc[(preset, policy)]
        cells = [_cell(row.xs(p, level=1)) for p in types]
        if lengths.max() > 1:
            cells.append(f"{row['n_visits', 'all'] / row['n_episodes', 'all']:.1f}")
        table.add_row("" if preset == seen else preset, policy, *cells)
        seen = preset
    return table


def _cell(row: pd.Series) -> str:
    """Return a mean with as many digits as its interval has, two at least."""
    half = HALF_WIDTH * row["standard_error"]
    digits = 3 if half < 0.1 and abs(row["mean_reward"]) < 10 else 2
    half = np.ceil(half * 10**digits) / 10**digits  # rather too wide than ±.000
    return f"{row['mean_reward']:.{digits}f} ±{half:.{digits}f}".replace("±0.", "±.")


def _notes(name: str) -> list[str]:
    """Return the notes of the table, each with the presets it is about."""
    rows = reference_values(name)
    n_presets = rows["preset"].nunique()
    lines = []
    for note, part in rows[rows["note"] != ""].groupby("note", sort=False):
        presets = list(dict.fromkeys(part["preset"]))
        about = "all presets" if len(presets) == n_presets else ", ".join(presets)
        lines.append(f"{about}: {note}.")
    return lines
