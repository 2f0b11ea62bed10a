"""The library in a real browser: what can be done with analyses once they are there."""

from __future__ import annotations

import re
import shutil
import zipfile
from functools import partial
from pathlib import Path

import pytest
from axe import horizontal_overflow
from desk import Served, served
from library_page import hand_in, row
from made_results import finished
from playwright.sync_api import Browser, Page, Route, expect
from sqlalchemy import URL
from waiting import until

from detector.schema.analysis import MediaKind, Verdict
from webapp.jobs import states
from webapp.storage.database import Database
from webapp.storage.tables import AnalysisRow, CaseRow, now

pytestmark = pytest.mark.browser

_RESULT = 240_000  # milliseconds
_ASKED_WITHIN = 5_000  # milliseconds: the longest that a page waits before it asks again


def menu(page: Page, name: str, act: str) -> None:
    """Choose something from the menu of a row."""
    row(page, name).locator(".menu summary").click()
    row(page, name).locator(".menu li").filter(has_text=act).locator("a, button").click()


def long_clip(place: Path, sample: Path) -> Path:
    """Two minutes of video, which take long enough to be caught in the act: the sample again and again."""
    import av

    long = place / "long clip.mp4"
    with av.open(str(sample)) as short, av.open(str(long), "w") as container:
        shown = short.streams.video[0]
        stream = container.add_stream_from_template(shown)
        for number in range(14):
            short.seek(0)
            for packet in short.demux(shown):
                if packet.dts is not None:  # the last is empty
                    packet.dts += number * shown.duration
                    packet.pts += number * shown.duration
                    packet.stream = stream
                    container.mux(packet)
    return long


def test_cancel_and_retry_a_running_analysis(without_sample, page: Page, sample: Path, tmp_path: Path):
    hand_in(page, without_sample.address, [long_clip(tmp_path, sample)])
    page.wait_for_url(re.compile(r"/analyses/[0-9a-f]{32}$"))
    expect(page.locator("#stage")).to_contain_text("Finding and scoring faces", timeout=_RESULT)
    address = page.url
    data = without_sample.data
    url = URL.create("sqlite", database=str(data / "reelproof.sqlite3"))
    database = Database(url, {})
    with database.begin() as session:
        worker = session.get(states.AnalysisRow, address.rpartition("/")[2]).worker
    page.get_by_role("button", name="Cancel the analysis").click()
    expect(page.get_by_text("The analysis was cancelled")).to_be_visible()
    process = Path(f"/proc/{worker.partition(':')[2]}")
    until(lambda: not process.exists(), "it still runs")

    page.get_by_role("button", name="Retry").click()
    expect(page.locator("#stage")).to_contain_text("Finding and scoring faces", timeout=_RESULT)
    page.goto(f"{without_sample.address}/analyses")
    expect(row(page, "long clip.mp4")).to_contain_text(re.compile(r"Running, \d+%"))
    menu(page, "long clip.mp4", "Cancel the analysis")
    expect(row(page, "long clip.mp4")).to_contain_text("Cancelled")
    menu(page, "long clip.mp4", "Delete")
    page.get_by_role("dialog").get_by_role("button", name="Delete the analysis").click()
    expect(page.get_by_text("Nothing here yet")).to_be_visible()
    database.close()


def test_pause_resume_and_priority_of_a_waiting_analysis(browser: Browser, page: Page, seen, tmp_path: Path):
    """With scripts by keyboard, and without them."""
    waiting, other = tmp_path / "waiting.mp4", tmp_path / "other.mp4"
    page.clock.install()
    for file in (waiting, other):
        file.write_text(f"{file.name}\n" * 100)
    with served(tmp_path / "data") as app:
        addresses = [f"{app.address}/analyses/{app.handed_in(file)}" for file in (other, waiting)]
        page.goto(addresses[1])
        expect(page.locator("#stage")).to_have_text("Waiting: 1 job ahead")
        page.get_by_role("button", name="High").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="High")).to_have_attribute("aria-pressed", "true")
        expect(page.locator("#stage")).to_have_text("Waiting for the worker")
        page.get_by_role("button", name="Pause").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_text("The analysis is paused")).to_be_visible()
        page.goto(f"{app.address}/analyses?state=paused")
        expect(page.locator("#shown")).to_have_text("1 of 2 analyses matches")
        expect(row(page, "waiting.mp4")).to_contain_text("Paused, high priority")
        menu(page, "waiting.mp4", "Resume")
        page.goto(f"{app.address}/analyses")
        expect(row(page, "waiting.mp4")).to_contain_text("Queued, high priority")
        assert seen.console == []

        context = browser.new_context(java_script_enabled=False)
        plain = context.new_page()
        plain.goto(addresses[0])
        plain.get_by_role("button", name="Pause").click()
        expect(plain.get_by_text("starts again")).to_be_visible()
        plain.get_by_role("button", name="Low").click()
        expect(plain.get_by_role("button", name="Low")).to_have_attribute("aria-pressed", "true")
        page.goto(f"{app.address}/analyses")
        expect(row(page, "other.mp4")).to_contain_text("Paused")
        second = page.context.new_page()
        second.goto(addresses[0])
        expect(second.get_by_text("The analysis is paused")).to_be_visible()
        plain.get_by_role("button", name="Resume").click()
        expect(plain.locator("#stage")).to_have_text("Waiting: 1 job ahead")
        page.clock.fast_forward(_ASKED_WITHIN)
        expect(second.locator("#stage")).to_have_text("Waiting: 1 job ahead")
        expect(row(page, "other.mp4")).to_contain_text("Queued, low priority")
        menu(page, "other.mp4", "Pause")
        page.clock.fast_forward(_ASKED_WITHIN)
        expect(second.get_by_text("The analysis is paused")).to_be_visible()
        context.close()


def test_search_filter_and_another_analysis(idle: Served, page: Page, seen):
    unclear = {"kind": MediaKind.IMAGE, "segments": 0, "persons": 0, "verdict": Verdict.INCONCLUSIVE}
    finished(idle.app, file="astronaut.png", kind=MediaKind.IMAGE)
    for name in ("coffee.png", "cat.jpg"):
        finished(idle.app, file=name, **unclear)
    page.goto(f"{idle.address}/analyses")
    expect(page.locator("#shown")).to_have_text("3 analyses")

    page.get_by_label("Search", exact=True).fill("COFFEE")
    page.keyboard.press("Enter")
    expect(page.locator("#shown")).to_have_text("1 of 3 analyses matches")
    expect(row(page, "coffee.png")).to_have_count(1)
    page.get_by_role("link", name="Clear filters").click()
    page.get_by_label("Finding", exact=True).select_option("open")  # filters act when chosen
    expect(page.locator("#shown")).to_have_text("2 of 3 analyses match")
    page.get_by_label("Sort").select_option("name")
    expect(page.locator(".library-file a")).to_have_text(["cat.jpg", "coffee.png"])
    page.get_by_label("Search", exact=True).fill("nowhere")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="No matches")).to_be_visible()
    page.get_by_role("link", name="Clear filters").click()

    menu(page, "coffee.png", "Analyse again")
    page.get_by_label("Frames looked at").fill("0")
    page.get_by_role("button", name="Start the analysis").click()
    expect(page.get_by_text("This must be above 0.")).to_be_visible()
    page.get_by_label("Frames looked at").fill("4")
    page.get_by_role("button", name="Start the analysis").click()
    page.wait_for_url(re.compile(r"/analyses/[0-9a-f]{32}$"))
    expect(page.locator("#stage")).to_have_text("Waiting for the worker")

    finished(idle.app, file="coffee.png", **unclear)  # of the same exhibit
    page.goto(f"{idle.address}/analyses?q=coffee&state=done")
    boxes = page.locator("td.library-pick input")
    expect(boxes).to_have_count(2)
    boxes.nth(0).check()
    expect(page.locator("#comparing")).to_contain_text("1 selected")
    boxes.nth(1).check()
    ids = boxes.evaluate_all("boxes => boxes.map((box) => box.value)")
    expect(page.locator("#comparing-link")).to_have_attribute("href", f"/compare?a={ids[0]}&b={ids[1]}")
    page.goto(f"{idle.address}/analyses?state=done")
    page.locator("td.library-pick input").nth(0).check()
    page.locator("td.library-pick input").nth(1).check()
    expect(page.locator("#comparing")).to_contain_text("Two different exhibits")
    page.get_by_role("link", name="Compare with a reference").click()
    expect(page.get_by_role("group", name="Reference").get_by_role("radio")).to_be_checked()
    assert [line for line in seen.console if "400" not in line] == []  # the browser notes the refusal


def test_what_is_compared_with_what_follows_the_order_of_ticking(idle: Served, page: Page):
    made = {name: finished(idle.app, file=name, segments=0, duration=9.0) for name in ("old.mp4", "new.mp4")}
    made["photo.png"] = finished(idle.app, file="photo.png", kind=MediaKind.IMAGE, segments=0, duration=0.0)
    page.goto(f"{idle.address}/analyses")
    for first, second in (
        ("old.mp4", "new.mp4"),
        ("new.mp4", "old.mp4"),
        ("photo.png", "old.mp4"),
        ("old.mp4", "photo.png"),  # a video cannot be compared with a photo
    ):
        for name in (first, second):
            row(page, name).get_by_role("checkbox").check()
        if second == "photo.png":
            first, second = second, first
        expect(page.locator("#comparing-words")).to_have_text(
            f"Two different exhibits. {first} can be compared with {second} as its reference."
        )
        address = f"/analyses/{made[first].id}/compare?q={made[second].exhibit.sha256}"
        expect(page.locator("#comparing-link")).to_have_attribute("href", address)
        page.get_by_role("button", name="Clear the selection").click()


def test_selected_analyses_are_put_into_a_case_exported_and_deleted(idle: Served, page: Page, tmp_path: Path):
    made = [finished(idle.app, file=f"bulk-{number}.mp4", segments=0) for number in range(3)]
    with idle.app.extensions["database"].begin() as session:
        session.add(CaseRow(name="Bulk", created=now(), created_by="local"))
    page.goto(f"{idle.address}/analyses?q=bulk")
    page.get_by_role("checkbox", name="Select all on this page").check()
    expect(page.locator("#comparing-words")).to_have_text("3 selected")
    with page.expect_download() as download:
        page.get_by_role("link", name="Spreadsheet", exact=True).click()
    download.value.save_as(tmp_path / "analyses.xlsx")
    with zipfile.ZipFile(tmp_path / "analyses.xlsx") as archive:
        assert archive.read("xl/worksheets/sheet1.xml").count(b"bulk-") == 3
    page.get_by_role("button", name="Put into this case").click()
    expect(page.get_by_text("The case of 3 analyses was saved.")).to_be_visible()
    page.goto(f"{idle.address}/analyses?q=bulk")
    for name in ("bulk-0", "bulk-1"):
        row(page, name).get_by_role("checkbox").check()
    page.get_by_role("button", name="Delete…").click()
    dialog = page.get_by_role("dialog", name="Delete 2 analyses?")
    expect(dialog).to_contain_text("bulk-0.mp4")
    dialog.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_text("2 analyses were deleted.")).to_be_visible()
    expect(page.locator("tr[data-analysis]")).to_have_count(1)
    with idle.app.extensions["database"].begin() as session:
        rows = [session.get(AnalysisRow, each.id) for each in made]
        assert [each is None for each in rows] == [True, True, False]
        assert rows[2] is not None and rows[2].case_id is not None


def test_on_a_phone_the_filters_are_out_of_the_way_unless_one_is_set(idle: Served, page: Page):
    finished(idle.app, file="coffee.png", segments=0)
    page.set_viewport_size({"width": 390, "height": 800})
    filters = page.locator(".filters-more")
    for query, opened in (("", False), ("?grouped=yes", True), ("?from=2020-01-01", True)):
        page.goto(f"{idle.address}/analyses{query}")
        page.wait_for_function("() => document.documentElement.classList.contains('scripted')")
        assert (filters.get_attribute("open") is not None) == opened


def test_after_back_the_filters_show_what_is_applied(idle: Served, page: Page):
    finished(idle.app, file="coffee.png", segments=0)
    page.goto(f"{idle.address}/analyses")
    page.get_by_label("Finding", exact=True).select_option("open")
    expect(page.get_by_role("heading", name="No matches")).to_be_visible()
    page.go_back()
    expect(page.locator("#shown")).to_have_text("1 analysis")
    expect(page.get_by_label("Finding", exact=True)).to_have_value("")
    page.get_by_label("Search", exact=True).fill("tea")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("heading", name="No matches")).to_be_visible()
    page.go_back()
    expect(page.locator("#shown")).to_have_text("1 analysis")
    expect(page.get_by_label("Search", exact=True)).to_have_value("")


def test_the_statistics_on_a_small_screen(idle: Served, browser: Browser):
    finished(idle.app, file="coffee.png", segments=0)
    context = browser.new_context(viewport={"width": 390, "height": 800}, locale="de")
    page = context.new_page()
    page.goto(f"{idle.address}/statistics")
    latest = page.locator(".stat-latest")
    expect(latest.locator(".chart-piece").first).to_be_attached()
    shown = """(figure) => {
        const [place, bar] = [figure, figure.querySelector("rect.chart-piece")]
            .map((one) => one.getBoundingClientRect());
        return figure.scrollWidth > figure.clientWidth && bar.left >= place.left && bar.right <= place.right;
    }"""
    assert latest.evaluate(shown), "today's bar"
    sizes = "(charts) => charts.map((chart) => 12.5 * chart.getScreenCTM().a)"
    assert min(page.locator("svg.chart").evaluate_all(sizes)) > 10
    assert horizontal_overflow(page) == 0
    context.close()


@pytest.mark.parametrize("trouble", ["no answer", "signed out"])
def test_where_the_dialog_cannot_ask_the_page_does(idle: Served, page: Page, trouble: str):
    finished(idle.app, file="coffee.png")

    def troubled(route: Route) -> None:
        if trouble == "no answer":
            route.abort()
        else:
            route.fulfill(status=303, headers={"Location": f"{idle.address}/help"})

    page.goto(f"{idle.address}/analyses")
    page.route("**/delete", troubled, times=1)
    menu(page, "coffee.png", "Delete")
    page.wait_for_url(re.compile("/delete"))
    expect(page.get_by_role("button", name="Delete the analysis")).to_be_visible()


def test_menus_by_keyboard(idle: Served, page: Page):
    for name in ("coffee.png", "cat.jpg"):
        finished(idle.app, file=name, segments=0)
    page.goto(f"{idle.address}/analyses")
    opener = row(page, "coffee.png").locator(".menu summary")
    opener.focus()
    page.keyboard.press("Enter")
    expect(row(page, "coffee.png").get_by_role("link", name="Open")).to_be_visible()
    row(page, "cat.jpg").locator(".menu summary").click()
    expect(page.locator(".menu[open]")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(page.locator(".menu[open]")).to_have_count(0)
    expect(row(page, "cat.jpg").locator(".menu summary")).to_be_focused()


def test_without_scripts_everything_but_comparing_works(without_sample, browser, photos):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(without_sample.address)
    page.set_input_files("#file", photos[1])
    page.get_by_role("button", name="Start the analysis").click()
    expect(page.locator("#verdict")).to_be_visible(timeout=_RESULT)
    page.goto(f"{without_sample.address}/analyses")
    menu(page, "coffee.png", "Delete")
    expect(page.get_by_text("This cannot be undone")).to_be_visible()
    page.get_by_role("button", name="Delete the analysis and the exhibit").click()
    expect(page.get_by_text("The analysis was deleted.")).to_be_visible()
    expect(page.get_by_text("Nothing here yet")).to_be_visible()
    context.close()


def test_the_sample_is_one_click_away(idle: Served, page: Page, seen, sample: Path, monkeypatch):
    monkeypatch.setattr("webapp.exhibits.uploads.sample._create_clip", partial(shutil.copy, sample))
    page.goto(f"{idle.address}/analyses")
    page.get_by_role("button", name="Analyse the sample").click()
    page.wait_for_url(re.compile(r"/analyses/[0-9a-f]{32}$"))
    expect(page.get_by_role("heading", name="Reelproof sample.mp4")).to_be_visible()
    expect(page.locator("#stage")).to_have_text("Waiting for the worker")
    assert seen.console == []


@pytest.mark.parametrize("width", [660, 1024, 1280])
def test_it_fits_its_window_in_the_language_of_the_longest_words(
    idle: Served, browser: Browser, width: int
) -> None:
    finished(idle.app, file="a-video-of-a-press-conference-at-the-harbour.mp4", segments=0)
    context = browser.new_context(viewport={"width": width, "height": 720}, locale="de")
    page = context.new_page()
    page.goto(f"{idle.address}/analyses")
    expect(page.locator(".library-outcome .verdict")).to_be_visible()
    assert horizontal_overflow(page) == 0
    for cells in page.locator("tr").all():  # a column is hidden with its heading
        assert cells.locator("th:visible, td:visible").count() == page.locator("thead th:visible").count()
    context.close()
