"""The library in a real browser: a batch through its queue, and what can be done with analyses afterwards."""

from __future__ import annotations

import base64
import re
import shutil
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import skimage.data
from desk import BROKEN, Served, served
from made import finished
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, Route, expect
from sqlalchemy import URL

from detector.schema.analysis import MediaKind, Verdict
from webapp.jobs import states
from webapp.storage.database import Database

pytestmark = pytest.mark.browser

_RESULT = 240_000  # milliseconds
_SHOWN = re.compile(r"analyses?$|shown$|fits?$")


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    """Three photos that differ: one has a face."""
    made = []
    for name, picture in (("astronaut", skimage.data.astronaut()), ("coffee", skimage.data.coffee())):
        made.append(tmp_path / f"{name}.png")
        Image.fromarray(picture).resize((480, 480)).save(made[-1])
    made.append(tmp_path / "cat.jpg")
    Image.fromarray(skimage.data.chelsea()).save(made[-1])
    return made


@pytest.fixture
def five(tmp_path: Path, photos: list[Path]) -> list[Path]:
    """Three photos, a file that only begins like a video, and one that is empty."""
    text, empty = tmp_path / "notes.mp4", tmp_path / "empty.mp4"
    text.write_bytes(BROKEN)
    empty.touch()
    return [photos[0], empty, text, photos[1], photos[2]]


def drop(page: Page, files: list[Path]) -> None:
    """Let go of files over the page's heading."""
    page.evaluate(
        """(files) => {
            const transfer = new DataTransfer();
            for (const [name, data] of files) {
                const bytes = Uint8Array.from(atob(data), (char) => char.charCodeAt(0));
                transfer.items.add(new File([bytes], name));
            }
            for (const type of ["dragenter", "dragover", "drop"]) {
                document.querySelector("h1").dispatchEvent(
                    new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer: transfer }));
            }
        }""",
        [[path.name, base64.b64encode(path.read_bytes()).decode()] for path in files],
    )


def item(page: Page, name: str) -> Locator:
    return page.locator(".queue-item").filter(has_text=name)


def row(page: Page, name: str) -> Locator:
    return page.locator("tr[data-analysis]").filter(has_text=name)


def menu(page: Page, name: str, act: str) -> None:
    """Choose something from the menu of a row."""
    row(page, name).locator(".menu summary").click()
    row(page, name).locator(".menu li").filter(has_text=act).locator("a, button").click()


def hand_in(page: Page, address: str, files: list[Path]) -> None:
    page.goto(address)
    page.set_input_files("#file", files)
    page.get_by_role("button", name=re.compile("^Start")).click()


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


@pytest.fixture
def idle(tmp_path: Path) -> Iterator[Served]:
    """The app alone, without a worker."""
    with served(tmp_path / "data") as app:
        yield app


def chosen(page: Page) -> None:
    """Five files are in the queue, one of which is not taken."""
    expect(page.locator(".queue-item")).to_have_count(5)
    expect(item(page, "empty.mp4")).to_contain_text("Cannot be accepted")
    expect(page.locator("#upload-status")).to_contain_text("5 files chosen. empty.mp4: The file is empty")


def test_a_batch_of_five_that_is_dropped(idle: Served, page: Page, seen, five):
    page.goto(idle.address)
    drop(page, five)
    chosen(page)
    page.get_by_role("button", name="Start 4 analyses").click()
    for name in ("astronaut.png", "notes.mp4", "coffee.png", "cat.jpg"):
        expect(item(page, name)).to_contain_text(re.compile("Waiting|Queued", re.IGNORECASE))
    assert seen.console == []


def test_a_batch_that_is_too_fast_for_the_limit_waits(idle: Served, page: Page, photos):
    refused = []

    def refuse(route: Route) -> None:
        refused.append(route.request.url)
        body = '{"error": "Too many requests in a short time.", "remedy": "Wait 1 s."}'
        route.fulfill(status=429, headers={"Retry-After": "1"}, content_type="application/json", body=body)

    page.route("**/analyses", refuse, times=1)
    hand_in(page, idle.address, photos[:2])
    expect(item(page, photos[0].name)).to_contain_text("the next one waits a moment")
    for path in photos[:2]:
        expect(item(page, path.name)).to_contain_text("Queued")
    assert len(refused) == 1


def test_a_batch_of_five(without_sample, page: Page, seen, five):
    page.goto(without_sample.address)
    page.set_input_files("#file", five)
    chosen(page)
    page.get_by_role("button", name="Start 4 analyses").click()

    expect(item(page, "astronaut.png").locator(".verdict")).to_have_text(
        re.compile("Manipulated|No manipulation found|Inconclusive"), timeout=_RESULT
    )
    expect(item(page, "notes.mp4")).to_contain_text("Failed", timeout=_RESULT)
    expect(item(page, "notes.mp4")).to_contain_text("The file cannot be read")
    for photo in ("coffee.png", "cat.jpg"):  # the bad ones held up no other
        expect(item(page, photo)).to_contain_text("Inconclusive", timeout=_RESULT)
    expect(page.locator("#queue-summary")).to_contain_text("5 of 5 files are done")
    expect(page.locator("#queue-summary")).to_contain_text("1 rejected")
    expect(page.locator("#upload-status")).to_contain_text("All files are done")
    assert seen.console == []

    page.get_by_role("link", name="Open coffee.png").click()
    page.wait_for_url(re.compile(r"/analyses/[0-9a-f]{32}$"))
    page.goto(f"{without_sample.address}/analyses")
    expect(page.locator("#shown")).to_have_text("4 analyses")
    picture = row(page, "astronaut.png").locator("img")
    expect(picture).to_have_js_property("complete", True)
    assert picture.evaluate("picture => picture.naturalWidth") > 0


def test_uploads_can_be_cancelled_retried_and_removed(without_sample, page: Page, photos, tmp_path: Path):
    large = tmp_path / "large.mp4"
    with large.open("wb") as file:
        file.write(BROKEN)
        file.truncate(40_000_000)
    page.goto(without_sample.address)
    # A slow line, so that the upload can be met on its way.
    network = page.context.new_cdp_session(page)
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 200_000}
    network.send("Network.enable")
    network.send("Network.emulateNetworkConditions", slow)
    page.set_input_files("#file", [large, photos[1]])
    page.get_by_role("button", name="Start 2 analyses").click()
    expect(item(page, "large.mp4")).to_contain_text(re.compile(r"Uploading, [1-9]\d?%"), timeout=120_000)
    expect(item(page, "coffee.png")).to_contain_text("Not sent yet")

    asked = []
    page.once("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    page.close(run_before_unload=True)  # leaving now would lose the queue
    end = time.monotonic() + 60
    while not asked and time.monotonic() < end:
        page.wait_for_timeout(50)  # in which the dialog's event is heard
    assert asked == ["beforeunload"] and not page.is_closed()

    page.get_by_role("button", name="Cancel large.mp4").click()
    expect(item(page, "large.mp4")).to_contain_text("Upload cancelled")
    network.send("Network.emulateNetworkConditions", slow | {"uploadThroughput": -1})
    expect(item(page, "coffee.png")).to_contain_text("Inconclusive", timeout=_RESULT)
    page.get_by_role("button", name="Retry large.mp4").click()
    expect(item(page, "large.mp4")).to_contain_text("Failed", timeout=_RESULT)
    page.get_by_role("button", name="Delete large.mp4").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("This cannot be undone")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("button", name="Delete large.mp4")).to_be_focused()
    page.get_by_role("button", name="Delete large.mp4").click()
    dialog.get_by_role("button", name="Delete the analysis and the exhibit").click()
    expect(page.locator(".queue-item")).to_have_count(1)
    kept = [path.stat().st_size for path in (without_sample.data / "exhibits").rglob("*") if path.is_file()]
    assert kept == [photos[1].stat().st_size]


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
    end = time.monotonic() + 2
    while Path(f"/proc/{worker.partition(':')[2]}").exists():
        assert time.monotonic() < end, "it still runs"
        time.sleep(0.05)

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
        expect(page.locator("#shown")).to_have_text("1 of 2 analysis matches")
        expect(row(page, "waiting.mp4")).to_contain_text("Paused, high priority")
        menu(page, "waiting.mp4", "Resume")
        page.goto(f"{app.address}/analyses")
        expect(row(page, "waiting.mp4")).to_contain_text("Queued, high priority")
        assert seen.console == []

        context = browser.new_context(java_script_enabled=False)
        plain = context.new_page()
        plain.goto(addresses[0])
        plain.get_by_role("button", name="Pause").click()
        expect(plain.get_by_text("begins anew")).to_be_visible()
        plain.get_by_role("button", name="Low").click()
        expect(plain.get_by_role("button", name="Low")).to_have_attribute("aria-pressed", "true")
        plain.get_by_role("button", name="Resume").click()
        expect(plain.locator("#stage")).to_have_text("Waiting: 1 job ahead")
        context.close()


def test_search_filter_and_another_analysis(idle: Served, page: Page, seen):
    unclear = {"kind": MediaKind.IMAGE, "segments": 0, "persons": 0, "verdict": Verdict.INCONCLUSIVE}
    finished(idle.app, file="astronaut.png", kind=MediaKind.IMAGE)
    for name in ("coffee.png", "cat.jpg"):
        finished(idle.app, file=name, **unclear)
    page.goto(f"{idle.address}/analyses")
    expect(page.locator("#shown")).to_have_text("3 analyses")

    page.get_by_label("Search by file name").fill("COFFEE")
    page.keyboard.press("Enter")
    expect(page.locator("#shown")).to_have_text("1 of 3 analysis matches")
    expect(row(page, "coffee.png")).to_have_count(1)
    page.get_by_role("link", name="Clear filters").click()
    page.get_by_label("Verdict", exact=True).select_option("inconclusive")
    page.get_by_label("Sort").select_option("name")
    page.get_by_role("button", name="Search").click()
    expect(row(page, "astronaut.png")).to_have_count(0)
    names = page.locator(".library-file a").all_inner_texts()
    assert names == ["cat.jpg", "coffee.png"]
    page.get_by_label("Search by file name").fill("nowhere")
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
    boxes = page.locator(".library-pick input")
    expect(boxes).to_have_count(2)
    boxes.nth(0).check()
    expect(page.locator("#comparing")).to_contain_text("One chosen")
    boxes.nth(1).check()
    ids = boxes.evaluate_all("boxes => boxes.map((box) => box.value)")
    expect(page.locator("#comparing-link")).to_have_attribute("href", f"/compare?a={ids[0]}&b={ids[1]}")
    page.goto(f"{idle.address}/analyses?state=done")
    page.locator(".library-pick input").nth(0).check()
    page.locator(".library-pick input").nth(1).check()
    expect(page.locator("#comparing")).to_contain_text("different exhibits")
    expect(page.locator("#comparing-link")).to_be_hidden()
    assert [line for line in seen.console if "400" not in line] == []  # the browser notes the refusal


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
    monkeypatch.setattr("webapp.services.sample._make", partial(shutil.copy, sample))
    page.goto(f"{idle.address}/analyses")
    page.get_by_role("button", name="Analyse the sample").click()
    page.wait_for_url(re.compile(r"/analyses/[0-9a-f]{32}$"))
    expect(page.get_by_role("heading", name="Reelproof sample.mp4")).to_be_visible()
    expect(page.locator("#stage")).to_have_text("Waiting for the worker")
    assert seen.console == []
