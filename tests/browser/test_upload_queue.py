"""Several files handed in at once, in a real browser: the queue of their uploads."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from combinations import TABLE, analysis_of
from desk import BROKEN, Served
from library_page import hand_in, item, row
from playwright.sync_api import Locator, Page, Route, expect
from waiting import until

from detector.files import hash_file
from detector.schema.summary import summarise

pytestmark = pytest.mark.browser

_RESULT = 240_000  # milliseconds
_ASKED_WITHIN = 5_000  # milliseconds: the longest that a page waits before it asks again


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


def exhibits(data: Path) -> set[str]:
    """The checksums of all that is stored."""
    return {hash_file(path)[1] for path in (data / "exhibits").rglob("*") if path.is_file()}


def chosen(page: Page) -> None:
    """Five files are in the queue, one of which is not taken."""
    expect(page.locator(".queue-item")).to_have_count(5)
    expect(item(page, "empty.mp4")).to_contain_text("Cannot be accepted")
    expect(page.locator("#upload-status")).to_contain_text("5 files chosen. empty.mp4: The file is empty")


def test_all_that_the_form_says_goes_with_a_file(idle: Served, page: Page):
    page.goto(idle.address)
    sent = page.evaluate(
        """async () => {
            const { Batch } = await import("/static/js/analyses/batch.js");
            const form = document.querySelector("#upload");
            const body = Batch.prototype.body.call({ around: { form } }, new File(["x"], "clip.mp4"));
            return [...body].map(([name, value]) => [name, value.name ?? value]);
        }"""
    )
    assert ["file", "clip.mp4"] in sent and ["priority", "normal"] in sent
    assert json.loads(dict(sent)["details"])["paper"] == "A4"


def test_a_batch_of_five_that_is_dropped(idle: Served, page: Page, seen, five):
    page.goto(idle.address)
    drop(page, five)
    chosen(page)
    page.get_by_role("button", name="Start 4 analyses").click()
    for name in ("rocket.png", "notes.mp4", "coffee.png", "cat.jpg"):
        expect(item(page, name)).to_contain_text(re.compile("Waiting|Queued", re.IGNORECASE))
    assert seen.console == []


def test_the_queue_opens_no_page_that_nobody_looks_at(idle: Served, page: Page, photos):
    opened: list[str] = []
    page.on("request", lambda request: opened.append(request.url))
    hand_in(page, idle.address, photos[:2])
    for path in photos[:2]:
        expect(item(page, path.name)).to_contain_text("Queued")
    assert [url for url in opened if re.search(r"(?<!/api/v1)/analyses/[0-9a-f]{32}(\?|$)", url)] == []


def test_a_name_that_would_read_backwards_is_shown_escaped(idle: Served, page: Page, tmp_path: Path):
    turned = tmp_path / "clip\u202egpj.mp4"
    turned.touch()
    page.goto(idle.address)
    page.set_input_files("#file", turned)
    expect(page.locator(".queue-file strong")).to_have_text(r"clip\u202egpj.mp4")
    expect(page.get_by_role("button", name=r"Remove clip\u202egpj.mp4")).to_be_visible()
    expect(page.locator("#upload-status")).to_contain_text(r"clip\u202egpj.mp4: The file is empty")


def test_a_batch_that_is_too_fast_for_the_limit_waits(idle: Served, page: Page, photos):
    refused = []

    def refuse(route: Route) -> None:
        refused.append(route.request.url)
        body = '{"detail": "Too many requests in a short time.", "remedy": "Wait 600 s."}'
        route.fulfill(status=429, headers={"Retry-After": "600"}, content_type="application/json", body=body)

    page.clock.install()
    page.route("**/analyses", refuse, times=1)
    hand_in(page, idle.address, photos[:2])
    expect(item(page, photos[0].name)).to_contain_text("the next one waits a moment")
    page.clock.fast_forward(600_000)
    for path in photos[:2]:
        expect(item(page, path.name)).to_contain_text("Queued")
    assert len(refused) == 1


def test_what_the_server_does_not_answer_is_said_in_the_row(idle: Served, page: Page, photos):
    hand_in(page, idle.address, photos[:2])
    coffee = item(page, "coffee.png")
    expect(coffee).to_contain_text("Queued")
    page.route("**/cancel", lambda route: route.abort(), times=1)
    page.get_by_role("button", name="Cancel coffee.png").click()
    expect(coffee).to_contain_text("Reelproof did not answer.")
    page.get_by_role("button", name="Cancel coffee.png").click()
    expect(coffee).to_contain_text("Cancelled")
    page.route("**/analyses/*/delete", lambda route: route.abort(), times=1)
    page.get_by_role("button", name="Delete coffee.png").click()
    expect(coffee).to_contain_text("Reelproof did not answer.")
    page.get_by_role("button", name="Delete coffee.png").click()
    expect(page.get_by_role("dialog", name="coffee.png")).to_be_visible()


def one_of_two_paused(idle: Served, page: Page, photos) -> tuple[Locator, str]:
    """Two photos in the queue, the second of them paused: its row, and the address of its analysis."""
    page.clock.install()
    hand_in(page, idle.address, photos[:2])
    coffee = item(page, "coffee.png")
    expect(coffee).to_contain_text("Queued")
    address = coffee.locator("[data-part=open]").get_attribute("href")
    page.request.post(f"{address}/pause")
    page.clock.fast_forward(_ASKED_WITHIN)
    expect(coffee).to_contain_text("Paused")
    return coffee, address


def test_a_paused_file_is_not_done_and_is_followed_on(idle: Served, page: Page, photos):
    coffee, address = one_of_two_paused(idle, page, photos)
    page.get_by_role("button", name="Cancel rocket.png").click()
    expect(page.locator("#queue-summary")).to_have_text("1 of 2 files are done: 1 cancelled")
    expect(page.locator("#upload-status")).not_to_contain_text("All files are done")
    page.request.post(f"{address}/resume")
    page.clock.fast_forward(_ASKED_WITHIN)
    expect(coffee).to_contain_text("Queued")
    page.get_by_role("button", name="Cancel coffee.png").click()
    expect(page.locator("#upload-status")).to_contain_text("All files are done: 2 cancelled.")


def test_what_is_deleted_elsewhere_leaves_the_queue(idle: Served, page: Page, photos):
    _, address = one_of_two_paused(idle, page, photos)
    page.request.post(f"{address}/delete")
    page.clock.fast_forward(_ASKED_WITHIN)
    expect(page.locator(".queue-item")).to_have_count(1)


def test_a_batch_of_five(without_sample, page: Page, seen, five):
    page.goto(without_sample.address)
    page.set_input_files("#file", five)
    chosen(page)
    page.get_by_role("button", name="Start 4 analyses").click()

    expect(item(page, "rocket.png").locator(".verdict")).to_have_text("Inconclusive", timeout=_RESULT)
    expect(item(page, "notes.mp4")).to_contain_text("Failed", timeout=_RESULT)
    expect(item(page, "notes.mp4")).to_contain_text("The file lacks its table of contents")
    for photo in ("coffee.png", "cat.jpg"):  # the bad ones held up no other
        expect(item(page, photo)).to_contain_text("Inconclusive", timeout=_RESULT)
    expect(page.locator("#queue-summary")).to_contain_text("5 of 5 files are done")
    expect(page.locator("#queue-summary")).to_contain_text("1 rejected")
    expect(page.locator("#upload-status")).to_contain_text("All files are done")
    assert seen.console == []

    page.get_by_role("link", name="Open coffee.png").click()
    page.wait_for_url(re.compile(r"/analyses/[0-9a-f]{32}$"))
    page.goto(f"{without_sample.address}/analyses")
    expect(page.locator("#shown")).to_have_text("4 analyses")  # it is the first of this app
    picture = row(page, "rocket.png").locator("img")
    expect(picture).to_have_js_property("complete", True)
    assert picture.evaluate("picture => picture.naturalWidth") > 0


def begin_slow_upload(page: Page, photos, folder: Path) -> tuple[Path, Callable[[int], None]]:
    """Hand in a large file and a photo over a slow line, and wait until the first is on its way.

    Returns the large file, and what sets the rate of uploads in bytes a second; -1 lifts the limit.
    """
    large = folder / "large.mp4"
    with large.open("wb") as file:
        file.write(BROKEN)
        file.truncate(12_000_000)
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")

    def set_upload_rate(rate: int) -> None:
        conditions = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": rate}
        network.send("Network.emulateNetworkConditions", conditions)

    set_upload_rate(100_000)
    page.set_input_files("#file", [large, photos[1]])
    page.get_by_role("button", name="Start 2 analyses").click()
    expect(item(page, "large.mp4")).to_contain_text(re.compile(r"Uploading, [1-9]\d?%"), timeout=120_000)
    return large, set_upload_rate


def test_uploads_can_be_cancelled_retried_and_removed(without_sample, page: Page, photos, tmp_path: Path):
    before = exhibits(without_sample.data)
    page.goto(without_sample.address)
    _, set_upload_rate = begin_slow_upload(page, photos, tmp_path)
    expect(item(page, "coffee.png")).to_contain_text("Not sent yet")

    asked = []
    page.once("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    page.close(run_before_unload=True)  # leaving now would lose the queue
    until(lambda: asked, "nobody was asked", page=page)
    assert asked == ["beforeunload"] and not page.is_closed()

    page.get_by_role("button", name="Cancel large.mp4").click()
    expect(item(page, "large.mp4")).to_contain_text("Upload cancelled")
    set_upload_rate(-1)
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
    assert exhibits(without_sample.data) == before | {hash_file(photos[1])[1]}


def test_a_file_that_changed_since_it_was_chosen_is_chosen_again(
    idle: Served, page: Page, photos, tmp_path: Path
):
    growing, moved = tmp_path / "growing.png", tmp_path / "moved.png"
    for path in (growing, moved):
        path.write_bytes(photos[0].read_bytes())
    page.goto(idle.address)
    page.set_input_files("#file", [growing, moved, photos[1]])
    with growing.open("ab") as file:
        file.write(bytes(4096))
    moved.unlink()
    page.get_by_role("button", name="Start 3 analyses").click()
    expect(item(page, "coffee.png")).to_contain_text("Queued")  # the connection is not to blame
    expect(item(page, "growing.png")).to_contain_text("The file was changed since it was chosen")
    expect(item(page, "moved.png")).to_contain_text(
        "it was moved, renamed or deleted, or its drive was removed"
    )
    for name in ("growing.png", "moved.png"):
        expect(page.get_by_role("button", name=f"Retry {name}")).to_have_count(0)
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose growing.png again").click()
    chooser.value.set_files(growing)
    expect(item(page, "growing.png")).to_contain_text("Queued")
    assert hash_file(growing)[1] in exhibits(idle.app.extensions["settings"].data)


def test_a_file_that_changes_while_it_is_sent_is_not_blamed_on_the_connection(
    idle: Served, page: Page, photos, tmp_path: Path
):
    page.goto(idle.address)
    large, set_upload_rate = begin_slow_upload(page, photos, tmp_path)
    large.write_bytes(BROKEN)
    set_upload_rate(-1)
    expect(item(page, "large.mp4")).to_contain_text(
        "The file was changed since it was chosen", timeout=120_000
    )
    expect(item(page, "coffee.png")).to_contain_text("Queued")


def test_a_folder_is_told_from_a_file(idle: Served, page: Page):
    page.goto(idle.address)
    page.evaluate(
        """() => {
            const event = new DragEvent("drop", { bubbles: true, cancelable: true });
            const entry = { kind: "file", webkitGetAsEntry: () => ({ isDirectory: true }) };
            const carried = { types: ["Files"], files: [new File(["x"], "holiday")], items: [entry] };
            Object.defineProperty(event, "dataTransfer", { value: carried });
            document.querySelector("h1").dispatchEvent(event);
        }"""
    )
    expect(item(page, "holiday")).to_contain_text("This is a folder. Choose the files inside it.")


def test_icons_and_totals_of_every_combination(modules: Page, tmp_path: Path) -> None:
    """The totals count what the filters of the library list."""
    names = {
        "F": ["faces"],
        "V": ["voices"],
        "FV": ["faces", "voices"],
        "?": ["open"],
        "0": ["nothing found"],
    }
    findings = [analysis_of(combination, tmp_path) for combination in TABLE]
    statuses = [{"verdict": finding.verdict, **summarise(finding)} for finding in findings]
    shown = modules.evaluate(
        """async (statuses) => {
            const { Item } = await import("/static/js/analyses/queue_item.js");
            return statuses.map((status) => {
                const item = Object.assign(Object.create(Item.prototype), { state: "done", status });
                return [item.outcomes, item.mark];
            });
        }""",
        statuses,
    )
    marks = {"strong": "manipulated", "open": "inconclusive", "nothing found": "not-found"}
    for (combination, expected), (outcomes, mark) in zip(TABLE.items(), shown, strict=True):
        assert outcomes == names[expected.filters], combination
        assert marks.get(mark, mark) == expected.mark, combination
