"""What the prose says: examples run, paths exist, public things are documented."""

import doctest
import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

import pgrpo_data
import pgrpo_envs
import pgrpo_rec

ROOT = Path(__file__).parent.parent
MODULES = sorted(
    module.name
    for package in (pgrpo_rec, pgrpo_envs, pgrpo_data)
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
)


@pytest.mark.parametrize("name", ["pgrpo_envs", *MODULES])
def test_examples_in_docstrings_run(name):
    if name.startswith("pgrpo_rec.peers."):  # not every library of others installs everywhere
        pytest.importorskip(name, exc_type=ImportError)
    result = doctest.testmod(
        importlib.import_module(name),
        optionflags=doctest.NORMALIZE_WHITESPACE,
        raise_on_error=False,
    )
    assert result.failed == 0


@pytest.mark.parametrize(
    "thing",
    [getattr(m, name) for m in (pgrpo_rec,) for name in m.__all__ if name != "__version__"]
    + [getattr(pgrpo_rec.baselines, name) for name in pgrpo_rec.baselines.__all__],
    ids=lambda thing: thing.__name__,
)
def test_public_things_document_every_argument(thing):
    text = inspect.getdoc(thing)
    arguments = set(inspect.signature(thing).parameters) - {"self"}
    missing = {a for a in arguments if not re.search(rf"^[\w, ]*\b{a}\b[\w, ]* : ", text, re.M)}
    assert not missing
    assert ">>>" in text or "Oracle" in thing.__name__


def test_paths_named_in_the_readme_exist():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:pgrpo_rec|envs|notebooks|docs|benchmarks|data|tests)/[^`\s]*)`", text)
    named += re.findall(r"\]\(([\w./-]+)\)", text)
    assert len(named) > 10
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_readme_examples_run(tmp_path, monkeypatch):
    """The blocks of Python as they stand, on a short log, with fewer visits."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.S)
    assert len(blocks) == 2
    (tmp_path / "log.csv").write_text(
        "user,age,item,reward,propensity\n"
        + "".join(f"u{i % 7},{20 + i % 30},item{i % 3},{i % 2},0.333\n" for i in range(60)),
        encoding="utf-8",
    )
    monkeypatch.chdir(tmp_path)
    for block in blocks:
        exec(block.replace("20_000", "640").replace("progress=True", "progress=False"), {})
