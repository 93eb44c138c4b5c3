import numpy as np
import pytest

from pgrpo_rec.datasets import RatingsError
from pgrpo_rec.demo import (
    KNOWN,
    LEARNED,
    ONE,
    PERSON,
    RANDOM,
    DemoPlan,
    find_ratings,
    load_plan,
    new_run_folder,
    plan_scenarios,
    recommenders,
    save_plan,
)

LONG = "user,item,rating\n" + "".join(
    f"u{u},i{i},{1 + (u * i) % 5}\n" for u in range(8) for i in range(4)
)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty folder that PGRPO_DATA names."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("PGRPO_DATA", str(folder))
    return folder


def write_table(folder, name="ratings.csv", text=LONG):
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    return folder


# --- where ratings are found ---------------------------------------------------------------


def test_without_a_word_the_sample_is_taken(monkeypatch):
    monkeypatch.delenv("PGRPO_DATA", raising=False)
    assert find_ratings(None) is None
    assert find_ratings("somewhere.csv") == "somewhere.csv"


def test_the_environment_says_where_the_ratings_are(home):
    write_table(home)
    assert find_ratings(None) == str(home)
    file = home / "ratings.csv"
    assert find_ratings(str(file)) == str(file)


def test_the_first_readable_table_of_several(home):
    write_table(home / "a-broken", text="nothing of use\n")
    write_table(home / "b-good")
    write_table(home / "c-good")
    assert find_ratings(None) == str(home / "b-good")


def test_a_relative_path_is_looked_for_at_home_too(home, tmp_path, monkeypatch):
    write_table(home / "jokes")
    monkeypatch.chdir(tmp_path)
    assert find_ratings("jokes") == str(home / "jokes")
    write_table(tmp_path / "jokes")
    assert find_ratings("jokes") == "jokes"  # what is here comes first
    assert find_ratings("nowhere") == "nowhere"


def test_a_home_without_any_table_is_an_error(home):
    with pytest.raises(RatingsError, match="home"):
        find_ratings(None)


# --- a run's folder and plan ---------------------------------------------------------------


def test_an_earlier_run_stays_as_it_is(tmp_path):
    (tmp_path / "demo-2").write_text("a file is in the way too")
    names = [new_run_folder(tmp_path, "demo").name for _ in range(3)]
    assert names == ["demo", "demo-3", "demo-4"]
    assert new_run_folder(tmp_path / "deep" / "er", "x").is_dir()


@pytest.mark.parametrize("plan", [DemoPlan(None, 3, 600), DemoPlan("folder/jokes.csv", 1, 1)])
def test_a_plan_is_read_as_it_was_written(plan, tmp_path):
    save_plan(plan, tmp_path)
    assert load_plan(tmp_path) == plan


@pytest.mark.parametrize("text", ["{half", '{"n_seeds": 3}', "[1, 2]", '{"colour": "red"}'])
def test_what_is_no_plan_is_refused(text, tmp_path):
    with pytest.raises(ValueError, match="is no run to go on with: it has no plan"):
        load_plan(tmp_path)
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(ValueError, match="is no plan of a run"):
        load_plan(tmp_path)


# --- what competes, and what is said of it -------------------------------------------------


def test_two_worlds_simulated_and_real(tmp_path):
    simulated, real = plan_scenarios(DemoPlan(str(write_table(tmp_path / "jokes")), 2, 640))
    env = real.make(0)
    world = env.unwrapped
    assert world.n_items == 4
    assert simulated.n_interactions == 640
    assert real.n_interactions == world.n_users * world.scenario.visits
    assert len(simulated.group_names) == 3
    assert not np.array_equal(*(simulated.make(s).unwrapped.world.profiles for s in (0, 1)))


def test_known_groups_compete_only_where_there_are_several(tmp_path):
    simulated, of_one_group = plan_scenarios(DemoPlan(str(write_table(tmp_path)), 1, 64))
    names = [c.name for c in recommenders(simulated.make(0))]
    assert names[:5] == [LEARNED, PERSON, KNOWN, RANDOM, ONE]
    assert len(set(names)) == len(names)
    fewer = {c.name for c in recommenders(of_one_group.make(0))}
    assert set(names) - fewer == {PERSON, KNOWN, RANDOM}  # nothing is asked twice there


def test_every_recommender_can_serve_its_world():
    simulated, _ = plan_scenarios(DemoPlan(None, 1, 64))
    env = simulated.make(0)
    obs, info = env.reset(seed=0)
    for recommender in recommenders(env):
        rec = recommender.make(env, 0)
        told = {"users": info["user_id"]} if recommender.told == "users" else {}
        items, _ = rec.recommend(obs, **told)
        assert items.shape == (64, 1)
