"""The main job in a real browser: a video goes in, flagged moments, heatmaps and a PDF come out."""

from __future__ import annotations

import hashlib
import re
import signal
from pathlib import Path

import pytest
from desk import BROKEN
from pdf_text import pdf_text
from playwright.sync_api import Page, expect
from waiting import until

from detector.demo_clip import MANIPULATED
from detector.models.model_files import DEFAULT_MODEL

pytestmark = pytest.mark.browser

_RESULT = 240_000  # milliseconds
_TOLERANCE = 0.5  # seconds
_WITHOUT_SECOND_LOOK = "scan"  # finds the same in a fifth of the time


def seconds(timecode: str) -> float:
    hours, minutes, rest = timecode.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(rest)


@pytest.mark.parametrize("model", [_WITHOUT_SECOND_LOOK, pytest.param(DEFAULT_MODEL, marks=pytest.mark.slow)])
def test_upload_to_report(reelproof, page: Page, seen, sample: Path, tmp_path: Path):
    sha256 = hashlib.sha256(sample.read_bytes()).hexdigest()

    page.goto(reelproof.address)
    page.set_input_files("#file", sample)
    page.get_by_role("button", name="Start the analysis").click()
    page.wait_for_url(re.compile(r"/analyses/[0-9a-f]{32}$"))
    expect(page.get_by_role("heading", name=sample.name)).to_be_visible()
    expect(page.get_by_role("heading", name=re.compile("signs of manipulation", re.I))).to_be_visible(
        timeout=_RESULT
    )
    # The finding comes first; the report is offered once the pictures are made.
    expect(page.get_by_role("link", name="PDF report")).to_be_visible(timeout=_RESULT)
    expect(page.get_by_text(sha256).first).to_be_visible()
    page.goto(f"{reelproof.address}/analyses")
    page.get_by_role("link", name=sample.name).click()

    segments = page.locator(".segment-row")
    expect(segments).to_have_count(1)
    expect(segments.first).to_contain_text("Person A")
    start, end = re.findall(r"\d\d:\d\d:\d\d\.\d{3}", segments.first.inner_text())
    assert abs(seconds(start) - MANIPULATED[0]) <= _TOLERANCE
    assert abs(seconds(end) - MANIPULATED[1]) <= _TOLERANCE

    page.get_by_role("button", name="Whole frames").click()
    pictures = page.locator("#inspector .peak-three img")
    expect(pictures.nth(2)).to_be_attached()
    for index in range(pictures.count()):
        picture = pictures.nth(index)
        picture.scroll_into_view_if_needed()
        expect(picture).to_have_js_property("complete", True)
        assert picture.evaluate("picture => picture.naturalWidth") > 0
    expect(page.locator(".timeline-band[data-segment=A1]")).to_have_count(1)

    pictures.nth(1).click()
    expect(page.locator("#lightbox")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#lightbox")).to_be_hidden()

    with page.expect_download() as download:
        page.get_by_role("link", name="PDF report").click()
    pdf = tmp_path / "report.pdf"
    download.value.save_as(pdf)
    text = re.sub(r"\s+", "", pdf_text(pdf))
    assert sha256 in text
    assert "manipulated" in text.lower()

    page.get_by_text("More", exact=True).click()
    page.get_by_role("link", name="HTML report").click()
    expect(page.get_by_text(sha256).first).to_be_visible()

    assert seen.console == []
    assert [url for url in seen.addresses if not url.startswith((reelproof.address, "data:", "blob:"))] == []

    everything = reelproof.group()
    assert len(everything) >= 3, "main process, worker and its child"
    reelproof.process.send_signal(signal.SIGTERM)
    assert reelproof.process.wait(timeout=60) == 0
    until(
        lambda: not any(Path(f"/proc/{process_id}").exists() for process_id in everything),
        "one outlives the app",
    )


def test_a_file_that_is_no_video(without_sample, page: Page, tmp_path: Path):
    text = tmp_path / "notes.mp4"
    text.write_bytes(BROKEN)
    page.goto(without_sample.address)
    page.set_input_files("#file", text)
    page.get_by_role("button", name="Start the analysis").click()
    expect(page.get_by_text("The analysis failed")).to_be_visible(timeout=_RESULT)
    expect(page.get_by_role("link", name="Upload another file")).to_be_visible()


def test_without_scripts_the_form_still_works(without_sample, browser, tmp_path: Path):
    text = tmp_path / "plain form.mp4"
    text.write_bytes(BROKEN + b"in a plain form")  # the app knows the other tests' file
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(without_sample.address)
    page.set_input_files("#file", text)
    page.get_by_role("button", name="Start the analysis").click()
    page.wait_for_url(re.compile(r"/analyses/[0-9a-f]{32}$"))
    expect(page.get_by_text("The analysis failed")).to_be_visible(timeout=_RESULT)  # by its own refresh
    context.close()


def test_checks_before_sending_and_a_dropped_file(without_sample, page: Page, seen, tmp_path: Path):
    empty = tmp_path / "empty.mp4"
    empty.touch()
    page.goto(without_sample.address)
    page.set_input_files("#file", empty)
    expect(page.locator(".queue-item")).to_contain_text("The file is empty")
    expect(page.get_by_role("button", name="Start the analysis")).to_be_disabled()
    page.get_by_role("button", name="Remove empty.mp4").click()

    page.evaluate(
        """() => {
            const transfer = new DataTransfer();
            transfer.items.add(new File(["\\0\\0\\0\\x18ftypisom no video"], "dropped.mp4"));
            for (const type of ["dragenter", "dragover", "drop"]) {
                document.querySelector("h1").dispatchEvent(
                    new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer: transfer }));
            }
        }"""
    )
    expect(page.locator(".queue-item")).to_contain_text("dropped.mp4")
    page.get_by_role("button", name="Start the analysis").click()
    page.wait_for_url(re.compile(r"/analyses/[0-9a-f]{32}$"))
    assert seen.console == []


def test_what_is_sent_cannot_be_cancelled(without_sample, page: Page, tmp_path: Path):
    clip = tmp_path / "small.mp4"
    clip.write_bytes(BROKEN + b"once sent")
    page.goto(without_sample.address)
    page.set_input_files("#file", clip)
    without_sample.process.send_signal(signal.SIGSTOP)  # the system takes the bytes; nobody answers yet
    try:
        page.get_by_role("button", name="Start the analysis").click()
        expect(page.locator(".queue-item")).to_contain_text("Checking and storing the file")
        expect(page.get_by_role("button", name="Cancel small.mp4")).to_be_hidden()
    finally:
        without_sample.process.send_signal(signal.SIGCONT)
    page.wait_for_url(re.compile(r"/analyses/[0-9a-f]{32}$"))
