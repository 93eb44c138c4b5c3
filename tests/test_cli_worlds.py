import re
from dataclasses import fields

import gymnasium as gym
import pytest

from pgrpo_envs import WORLDS
from pgrpo_envs.reference import reference_values
from pgrpo_rec.cli import main

NAMES = [world.name for world in WORLDS]


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    """A terminal of 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")


def printed(capsys, *arguments):
    assert main(["worlds", *arguments]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert max(map(len, out.splitlines())) <= 80
    assert "…" not in out  # nothing was cut off
    return out


def test_the_list_tells_ids_summaries_and_presets(capsys):
    out = printed(capsys)
    for world in WORLDS:
        assert f"{world.id}\n  {world.summary}" in out
        listed = out[out.index(world.id) :].split("presets: ")[1]
        presets = gym.make_vec(world.id, num_envs=1).unwrapped.scenario_class.PRESETS
        assert " ".join(listed.split()).startswith(", ".join(presets))


@pytest.mark.parametrize("name", NAMES)
def test_a_page_tells_rules_parameters_spaces_and_values(name, capsys):
    out = printed(capsys, name)
    world = gym.make_vec(f"pgrpo_envs/{name}-v0", num_envs=1).unwrapped
    assert world.single_action_space.__class__.__name__ in out
    for title in ("Description", "Rewards", "Episode end", "Spaces", "Presets", "Reference values"):
        assert re.search(rf"^{title}", out, flags=re.MULTILINE)
    parameters = out.partition("Parameters and their defaults")[2]
    for field in fields(world.scenario_class):
        assert re.search(rf"^{field.name} +\S+.* {{2}}\S", parameters, flags=re.MULTILINE)
    for columns in world.obs_layout:
        assert re.search(rf"^  {columns} +columns? \d", out, flags=re.MULTILINE)
    for preset in world.scenario_class.PRESETS:
        assert re.search(rf"^{preset} +uniform +-?[\d.]+ ±\.\d+", out, flags=re.MULTILINE)
    assert "``" not in out
    assert ">>>" not in out


def test_presets_tell_what_differs(capsys):
    out = printed(capsys, "EchoChamber")
    assert "firm    susceptibility=(0, 0, 0)" in out
    assert re.search(r"^plain +the defaults", out, flags=re.MULTILINE)


def test_values_are_those_that_ship(capsys):
    out = printed(capsys, "Treatment")
    rows = reference_values("Treatment", "hard").set_index(["policy", "user_type"])["mean_reward"]
    line = next(line for line in out.splitlines() if re.match(r"hard +uniform", line))
    numbers = [float(n) for n in re.findall(r"(-?[\d.]+) ±", line)]
    assert numbers == [round(rows["uniform", p], 3) for p in ("all", "0", "1", "2")]


def test_visits_are_told_where_an_episode_has_several(capsys):
    assert re.search(r"all +group 0 +group 1 +group 2 +visits", printed(capsys, "Tutor"))
    assert "visits: in a mean episode" not in printed(capsys, "Norms")


def test_what_is_not_real_says_so(capsys):
    assert "all presets: shipped sample: generated, not real" in printed(capsys, "Ratings")
    assert "TOY, NOT CLINICAL" in printed(capsys, "Treatment")
    assert "greedy fixed slate" in printed(capsys, "Slate")


def test_three_ways_to_name_a_world(capsys):
    pages = {printed(capsys, name) for name in ("Norms", "Norms-v0", "pgrpo_envs/Norms-v0")}
    assert len(pages) == 1


@pytest.mark.parametrize("name", ["Moon", "norms", "Norms-v1", ""])
def test_unknown_worlds_are_one_line(name, capsys):
    assert main(["worlds", name]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith(f"pgrpo-rec: world={name!r} is unknown; there are ")
    assert all(known in err for known in NAMES)
