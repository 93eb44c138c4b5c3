"""Draw one picture of every world: ``python benchmarks/world_figures.py [--output docs/worlds]``.

Each tells what is special in its world; `docs/worlds.md` shows and explains them. The same
bytes come out each time with the same Matplotlib. Simulated curves have 95 % intervals.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from pathlib import Path

from figures_of_sessions import echo_chamber, recommend, slate, tutor
from figures_of_visits import norms, preference_bandit, ratings, treatment
from matplotlib.figure import Figure
from PIL import Image

FIGURES: dict[str, Callable[[], Figure]] = {
    "PreferenceBandit": preference_bandit,
    "Recommend": recommend,
    "Slate": slate,
    "EchoChamber": echo_chamber,
    "Tutor": tutor,
    "Treatment": treatment,
    "Norms": norms,
    "Ratings": ratings,
}


def save(figure: Figure, path: Path) -> None:
    """Save a picture in 128 colours: a third of the size, and no eye sees it."""
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    picture = Image.open(drawn).convert("RGB").quantize(128, dither=Image.Dither.NONE)
    picture.save(path, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("docs/worlds"), metavar="DIR")
    parser.add_argument("--worlds", nargs="+", choices=FIGURES, default=list(FIGURES))
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    for name in options.worlds:
        path = options.output / f"{name}.png"
        save(FIGURES[name](), path)
        print(f"{path}: {path.stat().st_size / 1000:.0f} kB", flush=True)


if __name__ == "__main__":
    main()
