"""Every notebook runs, leaves nothing behind, and stores what a run gives."""

import os
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from numpy.testing import assert_allclose

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MAX_BYTES = 400_000  # with its pictures
TOLERANCE = 0.25  # of stored numbers: rounding elsewhere may turn a draw, then luck differs


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def kinds(cell):
    """Say what a cell has put out: names of streams, or mime types."""
    return [output.get("name") or sorted(output.get("data", ())) for output in cell.outputs]


def text(cell):
    return "".join(
        output.get("text", "") or output.get("data", {}).get("text/plain", "")
        for output in cell.outputs
    )


def words_and_numbers(cell):
    number = r"-?\d+\.\d+"
    found = text(cell)
    return re.sub(number, "", found).split(), [float(n) for n in re.findall(number, found)]


def execute(path, folder):
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources=resources).execute()
    return notebook


def test_there_are_notebooks():
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_stored_notebook_is_whole_and_small(path):
    assert path.stat().st_size < MAX_BYTES
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    cells = code_cells(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert any("image/png" in kind for cell in cells for kind in kinds(cell))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_run_gives_what_is_stored(path, tmp_path, monkeypatch):
    """If this fails for numbers alone, look at what changed, then run `make notebooks`."""
    sources = [str(ROOT / folder) for folder in ("", "envs", "data")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sources))  # the code of this checkout
    monkeypatch.delenv("MPLBACKEND", raising=False)
    fresh = code_cells(execute(path, tmp_path))
    assert not list(tmp_path.iterdir()), "the notebook leaves files behind"
    stored = code_cells(nbformat.read(path, as_version=4))
    for before, now in zip(stored, fresh, strict=True):
        assert "stderr" not in kinds(now)
        assert kinds(now) == kinds(before)
        words_before, numbers_before = words_and_numbers(before)
        words_now, numbers_now = words_and_numbers(now)
        assert words_now == words_before
        assert_allclose(numbers_now, numbers_before, atol=TOLERANCE, rtol=0)
