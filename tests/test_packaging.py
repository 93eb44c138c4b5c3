"""What is shipped: the packages, the built wheel, the cost of importing it."""

import configparser
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SETUP = configparser.ConfigParser()
SETUP.read(ROOT / "setup.cfg")


def run_python(*arguments, cwd=None, **environment):
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_package_is_listed_in_setup_cfg():
    listed = SETUP["options"]["packages"].split()
    roots = {"pgrpo_rec": ROOT, "pgrpo_envs": ROOT / "envs", "pgrpo_data": ROOT / "data"}
    found = [
        ".".join(path.parent.relative_to(root).parts)
        for package, root in roots.items()
        for path in (root / package).rglob("__init__.py")
    ]
    assert sorted(listed) == sorted(found)


def test_the_version_is_told_in_one_place():
    from pgrpo_rec import __version__

    assert SETUP["metadata"]["version"] == "attr: pgrpo_rec._version.__version__"
    assert __version__ in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"version: {__version__}" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


def test_importing_loads_no_extras_and_compiles_nothing():
    script = (
        "import sys, pgrpo_rec, pgrpo_envs, numba\n"
        "from numba.core.dispatcher import Dispatcher\n"
        "slow = {'matplotlib', 'dask', 'IPython', 'nbformat', 'sklearn.cluster'}\n"
        "slow &= set(sys.modules)\n"
        "kernels = [v for m in list(sys.modules.values())\n"
        "           if getattr(m, '__name__', '').startswith('pgrpo')\n"
        "           for v in vars(m).values() if isinstance(v, Dispatcher)]\n"
        "assert kernels\n"
        "print(sorted(slow), sum(len(k.signatures) for k in kernels))\n"
    )
    assert run_python("-c", script).strip() == "[] 0"


def test_no_file_but_one_sets_compiler_options():
    sources = [*ROOT.glob("pgrpo_rec/**/*.py"), *ROOT.glob("envs/**/*.py")]
    users = [p.name for p in sources if "njit" in p.read_text(encoding="utf-8")]
    assert users == ["_numba.py"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel built from an sdist, as the package index would hold it."""
    out = tmp_path_factory.mktemp("dist")
    run_python("-m", "build", "--outdir", str(out), str(ROOT))
    return next(out.glob("*.whl"))


def test_the_wheel_holds_code_data_and_licence(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    for part in (
        "pgrpo_rec/advantages.py",
        "pgrpo_rec/py.typed",
        "pgrpo_envs/registration.py",
        "pgrpo_data/sample_ratings.csv.gz",
        "pgrpo_envs/reference.csv",
    ):
        assert part in names
    assert any(name.endswith("LICENSE") for name in names)
    assert not any(name.startswith(("tests", "envs/", "data/")) for name in names)


def test_the_wheel_works_from_another_folder(wheel, tmp_path):
    site = tmp_path / "site"
    run_python("-m", "pip", "install", "--no-deps", "--quiet", "--target", str(site), str(wheel))
    where = run_python(
        "-c",
        "import pgrpo_rec, pgrpo_envs, pgrpo_data\n"
        "print(pgrpo_rec.__file__, pgrpo_envs.__file__, pgrpo_data.__file__)",
        cwd=tmp_path,
        PYTHONPATH=str(site),
    )
    assert where.count(str(site)) == 3
    run_python(
        "-m", "pgrpo_rec.cli", "demo", "--seeds", "1", "--interactions", "640", "--jobs", "1",
        "--quiet", cwd=tmp_path, PYTHONPATH=str(site),
    )  # fmt: skip
    assert (tmp_path / "runs" / "demo" / "summary.csv").is_file()
    suite = [str(ROOT / "tests" / name) for name in ("test_advantages.py", "test_histories.py")]
    run_python(
        "-m", "pytest", "-q", "--no-cov", "-p", "no:cacheprovider", "-o",
        f"pythonpath={ROOT / 'tests'}", *suite, cwd=tmp_path, PYTHONPATH=str(site),
    )  # fmt: skip
