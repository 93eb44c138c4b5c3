"""The command ``pgrpo-rec benchmark``: arguments and messages."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

STOPPED = 130
PARTLY = 1  # some pairs failed; the others are done
SCENARIOS = ("clicks", "scales", "logit")
RECOMMENDERS = (
    "P-GRPO learned",
    "P-GRPO known",
    "P-GRPO one group",
    "LinTS known",
    "LinTS",
    "LinTS shared known",
    "LinTS shared",
    "LinUCB known",
    "Thompson (Gaussian)",
    "Thompson (beta)",
    "epsilon-greedy",
    "REINFORCE",
    "GRPO (G=4)",
    "DynUCB",
    "uniform",
    "oracle",
)


def add_benchmark(commands: Any, positive: Callable[[str], int]) -> None:
    """Add the command to the parser's."""
    parser = commands.add_parser(
        "benchmark", help="recommenders in scenarios, tuned alike, with intervals"
    )
    several: dict[str, Any] = {"nargs": "+", "action": "extend", "metavar": "NAME"}
    parser.add_argument("--list", action="store_true", help="say which names there are, and stop")
    parser.add_argument(
        "--scenario",
        **several,
        help=f"or ratings:PATH, or module:name of your own; default: {' '.join(SCENARIOS)}",
    )
    parser.add_argument(
        "--recommender",
        **several,
        help=f"or module:name of your own; default: {len(RECOMMENDERS)} of the names",
    )
    parser.add_argument("--seeds", type=positive, default=20, metavar="N", help="default: 20")
    parser.add_argument(
        "--tune", type=int, default=0, metavar="N", help="seeds for tuning; default: 0, no tuning"
    )
    parser.add_argument(
        "--budget",
        type=positive,
        default=9,
        metavar="N",
        help="settings tried for each when tuned; default: 9",
    )
    parser.add_argument(
        "--interactions",
        type=positive,
        metavar="N",
        help="answers at most; default: the scenario's own number",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("runs/benchmark"),
        metavar="DIR",
        help="folder of the run; default: runs/benchmark",
    )
    parser.add_argument("--resume", action="store_true", help="go on with the run in DIR, if any")
    parser.add_argument(
        "--jobs", type=int, default=-1, metavar="N", help="processes; default: all cores"
    )
    parser.add_argument(
        "--backend", choices=("local", "dask"), default="local", help="default: local"
    )
    parser.add_argument("--scheduler", metavar="ADDRESS", help="of Dask, as tcp://HOST:8786")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")
    parser.set_defaults(command=_benchmark)


def _benchmark(options: argparse.Namespace) -> int:
    from rich.console import Console

    from pgrpo_rec.benchmark.protocol import run_benchmark
    from pgrpo_rec.reports.standings import list_names, standings

    console = Console(highlight=False)
    if options.list:
        console.print(list_names())
        return 0
    sys.path.insert(0, "")  # modules of the user's own are in this folder
    names = options.recommender or RECOMMENDERS
    try:
        run = run_benchmark(
            list(dict.fromkeys(names)),
            list(dict.fromkeys(options.scenario or SCENARIOS)),
            output=options.output,
            seeds=options.seeds,
            tune_seeds=options.tune,
            tune_budget=options.budget,
            max_interactions=options.interactions,
            n_jobs=options.jobs,
            backend=options.backend,
            scheduler=options.scheduler,
            resume=options.resume,
            progress=not options.quiet,
            command=_command(options),
        )
    except KeyboardInterrupt:
        print(
            "\npgrpo-rec: stopped; finished parts are kept, go on with: "
            f"{_command(options)} --output {shlex.quote(str(options.output))} --resume",
            file=sys.stderr,
        )
        return STOPPED
    console.print(*standings(run), sep="\n")
    console.print(f"Tables are in {options.output}/")
    if len(run.failures):
        where, who, seed, error = run.failures.iloc[0, :4]
        print(
            f"pgrpo-rec: {len(run.failures)} parts failed (failures.csv); {who} on {where} "
            f"with seed {seed}: {error}",
            file=sys.stderr,
        )
        return PARTLY
    return 0


def _command(options: argparse.Namespace) -> str:
    """Return the command that gives the same tables: what is run, not where and how fast."""
    words = ["pgrpo-rec", "benchmark"]
    for option in ("scenario", "recommender"):
        if getattr(options, option):
            words += [f"--{option}", *getattr(options, option)]
    words += ["--seeds", str(options.seeds)]
    if options.tune:
        words += ["--tune", str(options.tune), "--budget", str(options.budget)]
    if options.interactions:
        words += ["--interactions", str(options.interactions)]
    return shlex.join(words)
