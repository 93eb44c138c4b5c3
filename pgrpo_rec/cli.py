"""The command line: ``pgrpo-rec``. Arguments and messages only, no logic."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pgrpo_rec._version import __version__
from pgrpo_rec.cli_benchmark import STOPPED, add_benchmark
from pgrpo_rec.cli_report import add_report

BAD_INPUT = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit code."""
    options = _parser().parse_args(arguments)
    try:
        return options.command(options)
    except (ValueError, OSError) as error:
        print(f"pgrpo-rec: {_one_line(error)}", file=sys.stderr)
        return BAD_INPUT


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pgrpo-rec", description="Recommend to people who differ."
    )
    parser.add_argument("--version", action="version", version=f"pgrpo-rec {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    demo = commands.add_parser("demo", help="P-GRPO next to bandits, on simulated and real tastes")
    demo.add_argument("--ratings", metavar="PATH", help="a ratings table: file or folder")
    demo.add_argument(
        "--duplicates",
        choices=("error", "last", "mean"),
        default="error",
        help="second rating of an item by a user; default: error",
    )
    demo.add_argument("--seeds", type=_positive, default=6, metavar="N", help="default: 6")
    demo.add_argument(
        "--interactions",
        type=_positive,
        default=12_800,
        metavar="N",
        help="answers; default: 12800",
    )
    demo.add_argument(
        "--jobs", type=int, default=-1, metavar="N", help="processes; default: all cores"
    )
    demo.add_argument(
        "--output", type=Path, default=Path("runs"), metavar="DIR", help="default: runs"
    )
    demo.add_argument("--name", default="demo", help="name of the run; default: demo")
    demo.add_argument("--resume", type=Path, metavar="RUN", help="go on with a stopped run")
    demo.add_argument("--quiet", action="store_true", help="no progress bars")
    demo.set_defaults(command=_demo)
    add_benchmark(commands, _positive)
    add_report(commands)
    worlds = commands.add_parser("worlds", help="the simulated worlds, or the page of one")
    worlds.add_argument("name", nargs="?", metavar="NAME", help="such as EchoChamber")
    worlds.set_defaults(command=_worlds)
    return parser


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of at least 1")
    return int(text)


def _demo(options: argparse.Namespace) -> int:
    from rich.console import Console

    from pgrpo_rec import demo

    if options.resume is not None:
        folder = options.resume
        plan = demo.load_plan(folder)
        scenarios = demo.plan_scenarios(plan)
    else:
        ratings = demo.find_ratings(options.ratings)
        plan = demo.DemoPlan(ratings, options.seeds, options.interactions, options.duplicates)
        scenarios = demo.plan_scenarios(plan)
        folder = demo.new_run_folder(options.output, options.name)
        demo.save_plan(plan, folder)
    try:
        demo.run_demo(
            plan,
            scenarios,
            folder,
            n_jobs=options.jobs,
            progress=not options.quiet,
            console=Console(),
        )
    except KeyboardInterrupt:
        print(
            f"\npgrpo-rec: stopped; finished parts are kept, go on with --resume {folder}",
            file=sys.stderr,
        )
        return STOPPED
    return 0


def _worlds(options: argparse.Namespace) -> int:
    from rich.console import Console

    from pgrpo_rec.reports.worlds import explain_world, list_worlds

    page = list_worlds() if options.name is None else explain_world(options.name)
    Console(highlight=False).print(page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
