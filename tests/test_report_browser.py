"""The report in a real browser: Debian's Chromium, driven by Playwright, without a network.

``PGRPO_CHROMIUM`` names the browser where it is called otherwise. Where there is none, these
tests are skipped, and say so.
"""

import os
import shutil

import pytest
from synthetic_run import NASTY, make_run

pytest.importorskip("altair", reason="the extra report is not installed")
api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")

expect = api.expect
BROWSER = os.environ.get("PGRPO_CHROMIUM") or shutil.which("chromium")
if BROWSER is None:
    pytest.skip("no browser: there is no chromium on the PATH", allow_module_level=True)

OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
FIGURES = ("curves", "groups", "pareto", "cost", "pairs", "profile")
PATIENCE = 60_000  # milliseconds, for a machine that is busy


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    from pgrpo_rec.reports.page import write_page

    return write_page(make_run(), tmp_path_factory.mktemp("page") / "report.html")


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with api.sync_playwright() as playwright:
        profile = tmp_path_factory.mktemp("profile")
        context = playwright.chromium.launch_persistent_context(
            profile, executable_path=BROWSER, args=OPTIONS, timeout=PATIENCE
        )
        context.set_default_timeout(PATIENCE)
        expect.set_options(timeout=PATIENCE)
        yield context
        context.close()


class Opened:
    """A tab with the page, and all that it complained of or asked the network for."""

    def __init__(self, browser, path, width):
        self.tab = browser.new_page()
        self.complaints, self.requests = [], []
        self.tab.on("console", lambda m: self.complaints.append(m.text))
        self.tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.tab.on("dialog", lambda dialog: self.complaints.append(dialog.message))
        self.tab.on("request", lambda request: self.requests.append(request.url))
        self.tab.set_viewport_size({"width": width, "height": 900})
        self.tab.goto(path.as_uri())
        self.address = path.as_uri()

    def draw_all(self):
        for figure in FIGURES:
            self.tab.locator(f"#chart-{figure}").scroll_into_view_if_needed()
            self.tab.wait_for_selector(f"#chart-{figure} svg")

    def names(self):
        return self.tab.locator("#board tbody tr:visible th").all_inner_texts()


@pytest.fixture
def opened(browser, path):
    page = Opened(browser, path, 1280)
    yield page
    assert page.complaints == []
    assert page.requests == [page.address]
    page.tab.close()


def test_all_figures_are_drawn(opened):
    opened.draw_all()
    for figure in FIGURES:
        marks = opened.tab.locator(f"#chart-{figure} svg path").count()
        assert marks > 10, figure
        assert opened.tab.locator(f"#says-{figure}").inner_text()
        table = opened.tab.locator(f"#table-{figure} tbody tr")
        assert table.count() == (9 if figure == "pairs" else 10)


def test_the_leaderboard_sorts_by_mouse_and_by_keyboard(opened):
    def values():
        cells = opened.tab.locator("#board tbody tr:visible td:nth-child(4)")
        return [float(cell.get_attribute("data-value")) for cell in cells.all()]

    assert opened.names()[0] == "oracle"  # by regret of everyone, at first
    head = opened.tab.locator("#board th").nth(3)
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert values() == sorted(values())
    head.locator("button").focus()
    opened.tab.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    assert values() == sorted(values(), reverse=True)
    assert opened.tab.locator("#board th[aria-sort]").count() == 1
    opened.tab.locator("#board th button").first.press("Space")
    assert opened.names()[-1] == "Thompson, pooled"  # by name


def test_the_leaderboard_filters(opened):
    assert len(opened.names()) == 12
    opened.tab.select_option("#filter-family", "P-GRPO")
    assert len(opened.names()) == 4
    opened.tab.select_option("#filter-told", "users")
    opened.tab.select_option("#filter-variant", "tuned")
    assert opened.names() == ["P-GRPO, groups learned (tuned)"]
    assert opened.tab.locator("#board-count").inner_text() == "1 of 24 rows shown"
    opened.tab.check("#filter-everywhere")
    assert len(opened.names()) == 2
    for trait in ("family", "told", "variant"):
        opened.tab.select_option(f"#filter-{trait}", "")
    opened.tab.fill("#filter-text", "SCRIPT own")
    assert opened.names() == [NASTY, NASTY]
    opened.tab.fill("#filter-text", "no such thing")
    assert opened.names() == []


def test_another_scenario_changes_everything_below(opened):
    opened.draw_all()
    groups = opened.tab.locator("#table-groups thead th")
    heads = ["recommender", "worst group"]
    expect(groups).to_have_text([*heads, "many", "some", "few people"])
    opened.tab.select_option("#scenario", label="clicks & scales")
    expect(groups).to_have_text([*heads, "loud", "quiet"])
    views = opened.tab.locator("#views label")
    expect(views).to_have_text(["everyone", "loud", "quiet", "worst group"])
    assert len(opened.names()) == 12


def test_curves_switch_between_groups_by_keyboard(opened):
    opened.draw_all()
    lines = opened.tab.locator("#chart-curves svg .mark-line path")
    seen = [lines.first.get_attribute("d")]
    opened.tab.locator('[name="view"]').first.focus()
    for group in ("many", "some", "few people", "worst group"):
        opened.tab.keyboard.press("ArrowRight")
        expect(opened.tab.locator("#says-curves")).to_contain_text(f"For {group}, ")
        if group != "worst group":  # in the made-up run the few people are the worst group
            expect(lines.first).not_to_have_attribute("d", seen[-1])
        seen.append(lines.first.get_attribute("d"))
    assert opened.tab.locator('[name="view"]').last.is_checked()
    assert opened.tab.locator('[name="view"]:focus').count() == 1


def test_a_reference_and_a_cost_are_chosen(opened):
    opened.draw_all()
    opened.tab.select_option("#reference", label="CLUB")
    rows = opened.tab.locator("#table-pairs tbody tr")
    assert "CLUB" not in rows.locator("th").all_text_contents()
    assert opened.tab.locator("#says-pairs").inner_text().startswith("Against CLUB: ")
    opened.tab.locator("#measures label").nth(1).click()
    assert opened.tab.locator('[name="measure"]').nth(1).is_checked()
    opened.tab.locator("#costs label").nth(1).click()
    expect(opened.tab.locator("#axis-cost")).to_contain_text("MiB")
    opened.tab.locator("#scopes label").nth(1).click()
    expect(opened.tab.locator("#says-profile")).to_contain_text("over all scenarios")


def test_the_reader_chooses_what_is_in_colour(opened):
    opened.draw_all()
    legend = opened.tab.locator("#legend-curves li")
    assert legend.count() == 7  # six, and what grey means
    opened.tab.locator(".picking summary").click()
    box = opened.tab.get_by_role("checkbox", name=NASTY, exact=True)
    box.check()
    assert NASTY in legend.all_text_contents()
    assert opened.tab.get_by_role(
        "checkbox", name="oracle", exact=True
    ).is_disabled()  # seven colours and no more
    box.uncheck()
    assert NASTY not in legend.all_text_contents()


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_scrolls_sideways(browser, path, width):
    page = Opened(browser, path, width)
    page.draw_all()
    for details in page.tab.locator("main > details, figure > details").all():
        details.evaluate("element => { element.open = true; }")
    assert page.tab.evaluate("document.documentElement.scrollWidth") == width
    charts = page.tab.locator(".chart svg")
    assert all(charts.nth(i).bounding_box()["width"] <= width for i in range(charts.count()))
    assert page.complaints == []
    page.tab.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(browser, path, scheme):
    """Contrast of at least 4.5 to 1 (WCAG 2.2, 1.4.3), by the colours the browser computes."""
    page = Opened(browser, path, 1280)
    page.tab.emulate_media(color_scheme=scheme)
    colours = page.tab.evaluate(
        """() => ["--ink", "--quiet", "--accent", "--loses", "--wins"].flatMap((name) =>
             ["--paper", "--raised"].map((ground) => [name, ground].map((variable) => {
               const probe = document.createElement("i");
               probe.style.color = `var(${variable})`;
               document.body.append(probe);
               const colour = getComputedStyle(probe).color.match(/[0-9.]+/g).slice(0, 3);
               probe.remove();
               return colour.map(Number);
             })))"""
    )
    assert len(colours) == 10
    for text, ground in colours:
        assert contrast(text, ground) >= 4.5, (text, ground)
    page.tab.close()


def contrast(one, other):
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour):
    shares = [c / 255 for c in colour]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
