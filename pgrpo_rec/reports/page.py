"""One self-contained HTML page of a benchmark: opens without a network, asks for nothing.

The template, the style sheet and the script are files in the folder ``page``; what they show is
made by `pgrpo_rec.reports.page_content` and `pgrpo_rec.reports.page_island`. Charts are drawn by
Vega (`pgrpo_rec.reports.charts` says why). What a benchmark calls its things is text for the page,
never markup, and its security policy runs no script but its own and loads nothing.
"""

from __future__ import annotations

import base64
import hashlib
import json
from importlib import import_module, resources
from pathlib import Path
from typing import Any

from pgrpo_rec._version import __version__
from pgrpo_rec.benchmark.results import BenchmarkRun
from pgrpo_rec.reports.numbers import Numbers, compute_numbers
from pgrpo_rec.reports.page_content import content
from pgrpo_rec.reports.page_island import island
from pgrpo_rec.reports.sentences import interval, number

EXTRA = ("altair", "jinja2", "vl_convert")


def write_page(run: BenchmarkRun, path: Path | str, numbers: Numbers | None = None) -> Path:
    """Write the page of a benchmark.

    Parameters
    ----------
    run : BenchmarkRun
        As `pgrpo_rec.benchmark.results.load_run` returns it.
    path : pathlib.Path or str
        The HTML file; its folder is made if need be.
    numbers : Numbers, optional
        As `compute_numbers` returns them for this run; computed if not given.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    ValueError
        Without the packages of the extra ``report``, or if the run holds no results.
    """
    check_extra()
    page = render_page(run, compute_numbers(run) if numbers is None else numbers)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")
    return path


def check_extra() -> None:
    """Raise a ValueError that names the extra if one of its packages is missing."""
    for package in EXTRA:
        try:
            import_module(package)
        except ModuleNotFoundError as error:
            raise ValueError(
                f"the report needs the package {package}, which is not installed: "
                "pip install 'pgrpo-rec[report]'"
            ) from error


def render_page(run: BenchmarkRun, numbers: Numbers) -> str:
    """Return the page as text."""
    from jinja2 import Environment
    from jinja2.utils import htmlsafe_json_dumps
    from markupsafe import Markup

    from pgrpo_rec.reports.charts import chart_specs

    environment = Environment(autoescape=True, trim_blocks=False)
    environment.filters["to_text"] = _as_text
    scripts = [_inline(_vega()), _inline(_file("page.js"))]
    return environment.from_string(_file("page.html")).render(
        content(run, numbers),
        css=Markup(_file("page.css")),
        data=htmlsafe_json_dumps(island(run, numbers), separators=(",", ":")),
        specs=htmlsafe_json_dumps(chart_specs(), separators=(",", ":")),
        scripts=[Markup(script) for script in scripts],
        script_hashes=Markup(" ".join(f"'sha256-{_sha256(script)}'" for script in scripts)),
        version=__version__,
        number=number,
        interval=interval,
        significant=lambda value: "–" if value is None else f"{value:.3g}",
    )


def _file(name: str) -> str:
    return resources.files("pgrpo_rec.reports").joinpath("page", name).read_text(encoding="utf-8")


def _vega() -> str:
    import vl_convert

    return vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")


def _inline(script: str) -> str:
    """Return a script that no text of its own can end early."""
    return script.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def _as_text(settings: Any) -> str:
    return json.dumps(settings, ensure_ascii=False) if settings else "defaults"
