"""Where a run was made: versions, commit, code and machine. No names of users, no paths."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from pgrpo_rec._version import __version__

PACKAGES = (
    "numpy",
    "scipy",
    "scikit-learn",
    "numba",
    "pandas",
    "gymnasium",
    "joblib",
    "pyarrow",
    "distributed",
)
_HERE = Path(__file__).parents[1]  # the package
_SHOWS = ("reports", "cli.py", "cli_benchmark.py", "demo.py")  # change no result


def surroundings() -> dict[str, Any]:
    """Return what a reader needs to judge and repeat a run, ready for JSON."""
    commit = _git("rev-parse", "HEAD") if _git("ls-files", "__init__.py") else None
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "pgrpo_rec": __version__,
        "code": code_digest(),
        "commit": commit,
        "dirty": bool(commit and _git("status", "--porcelain", "--untracked-files=no")),
        "python": platform.python_version(),
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
        "machine": {
            "processor": _processor(),
            "cores": os.cpu_count(),
            "memory_gib": _memory_gib(),
            "system": f"{platform.system()} {platform.machine()}",
        },
    }


def code_digest() -> str:
    """Return a digest of the code that makes results: recommenders, worlds, this benchmark."""
    import pgrpo_envs

    digest = hashlib.sha256()
    for root in (_HERE, Path(pgrpo_envs.__file__).parent):
        for path in sorted(root.rglob("*.py")):
            place = path.relative_to(root)
            if root != _HERE or place.parts[0] not in _SHOWS:
                digest.update(place.as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def python_command() -> str:
    """Return the command line of this process, without folders."""
    arguments = [Path(sys.argv[0]).name, *sys.argv[1:]] if sys.argv[0] else []
    return " ".join(["python", *arguments])


def _git(*arguments: str) -> str | None:
    """Return what Git says of the package's folder; None where it is no checkout."""
    try:
        done = subprocess.run(
            ["git", "-C", str(_HERE), *arguments], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (AttributeError, OSError, ValueError):
        return None
