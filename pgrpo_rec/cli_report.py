"""The command ``pgrpo-rec report``: arguments and messages."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

PAGE = "report.html"


def add_report(commands: Any) -> None:
    """Add the command to the parser's."""
    parser = commands.add_parser("report", help="one page of a benchmark that opens anywhere")
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder of a finished benchmark")
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help=f"the page; default: DIR/{PAGE}"
    )
    parser.add_argument(
        "--figures", type=Path, metavar="FOLDER", help="the figures for papers, as PNG and SVG"
    )
    parser.add_argument(
        "--markdown", type=Path, metavar="FILE", help="where P-GRPO wins and loses, as a table"
    )
    parser.set_defaults(command=_report)


def _report(options: argparse.Namespace) -> int:
    from pgrpo_rec.benchmark.results import load_run
    from pgrpo_rec.reports.markdown import standings_table
    from pgrpo_rec.reports.numbers import compute_numbers
    from pgrpo_rec.reports.page import check_extra, write_page
    from pgrpo_rec.reports.paper import check_plot, write_figures
    from pgrpo_rec.reports.sentences import standings

    check_extra()
    if options.figures is not None:
        check_plot()
    run = load_run(options.folder)
    numbers = compute_numbers(run)
    page = options.folder / PAGE if options.output is None else options.output
    print(f"page: {write_page(run, page, numbers)}")
    if options.markdown is not None:
        options.markdown.parent.mkdir(parents=True, exist_ok=True)
        options.markdown.write_text(standings_table(standings(numbers)), encoding="utf-8")
        print(f"table: {options.markdown}")
    if options.figures is not None:
        for path in write_figures(numbers, options.figures):
            print(f"figure: {path}")
    return 0
