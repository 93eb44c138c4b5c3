"""Machine code on disk is used again, but never when a kernel that it calls has changed."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
CALLEE = """
from pgrpo_rec._numba import jit


@jit
def shift(x):
    return x + {}
"""
CALLER = """
from callee import shift

from pgrpo_rec._numba import jit


@jit
def twice(x):
    return 2.0 * shift(x)


print(twice(1.0), sum(twice.stats.cache_hits.values()))
"""


def run_caller(folder):
    """Run it in a new process; return its value, and how often the cache was of use."""
    path = os.pathsep.join([str(folder), str(ROOT)])
    env = os.environ | {"PYTHONPATH": path, "NUMBA_CACHE_DIR": str(folder / "cache")}
    command = [sys.executable, str(folder / "caller.py")]
    done = subprocess.run(command, env=env, check=True, capture_output=True, text=True)
    value, hits = done.stdout.split()
    return float(value), int(hits)


def test_code_is_kept_until_a_kernel_that_it_calls_changes(tmp_path):
    (tmp_path / "caller.py").write_text(CALLER)
    (tmp_path / "callee.py").write_text(CALLEE.format(1.0))
    assert run_caller(tmp_path) == (4.0, 0)
    assert run_caller(tmp_path) == (4.0, 1)
    (tmp_path / "callee.py").write_text(CALLEE.format(2.0))
    assert run_caller(tmp_path) == (6.0, 0)
    assert run_caller(tmp_path) == (6.0, 1)
