"""Two clips handed in, compared by the real engine, looked at under one control, and in the PDF."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import cv2
import numpy as np
import pytest
from analyses import build
from axe import complaints, complaints_in_both, horizontal_overflow
from clips import write_clip
from desk import Seen, Served, served
from made_comparisons import compared, queued
from made_results import finished, write_result
from pdf_text import pdf_text
from playwright.sync_api import Page, expect
from unconfined import Unconfined

from detector import demo_clip
from detector.comparison import compare
from detector.files import hash_file
from detector.sandboxed_engine import EngineJob
from detector.schema.analysis import MediaKind
from webapp.exhibits.media import previews
from webapp.storage.tables import AnalysisRow
from webapp.worker import run_analysis, run_job

pytestmark = pytest.mark.browser

_BEFORE, _LENGTH, _RATE = 10, 45, 25  # frames of the reference that come first, frames in all
_ALTERED = 15  # frames of the exhibit before the face is another one


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A reference; an exhibit that begins later, with another face from some frame on, and another end."""
    folder = tmp_path_factory.mktemp("clips")
    own, other = demo_clip.portraits()
    grain = np.random.default_rng(7).normal(0, 3, (_LENGTH, 300, 400, 3))

    def frame(picture: np.ndarray, number: int) -> np.ndarray:
        """The camera moves across."""
        x = 2 * number
        part = cv2.resize(picture, (512, 512))[20:320, x // 2 : x // 2 + 400]
        return np.clip(part + grain[number], 0, 255).astype(np.uint8)

    altered = demo_clip.swap_face(own, other)
    shown = range(_BEFORE, _LENGTH)
    reference = write_clip(folder / "original.mp4", (frame(own, n) for n in range(_LENGTH)))
    exhibit = write_clip(
        folder / "altered.mp4",
        [frame(altered if n - _BEFORE >= _ALTERED else own, n) for n in shown]
        + [np.full((300, 400, 3), (30, 30 + n, 90), np.uint8) for n in range(12)],
    )
    return exhibit, reference


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("comparing") / "data") as app:
        yield app


def stand_in(job: EngineJob, folder: Path, *_rest: Any) -> Any:
    """No analysis is made: this is about comparisons."""
    analysis = build(folder, segments=1, file=job.file, sha256=job.path.name)
    facts = analysis.media.model_copy(update={"bytes": hash_file(job.path)[0], "width": 400, "height": 300})
    analysis = analysis.model_copy(update={"media": facts})
    write_result(analysis, folder)
    return analysis


def work(app: Served) -> None:
    """What waits is done, in this process: a job."""
    with contextlib.ExitStack() as patched:
        for module in (compare, previews, previews):
            patched.enter_context(mock.patch.object(module, "Sandbox", Unconfined))
        patched.enter_context(mock.patch.object(run_analysis, "make_analysis", stand_in))
        run_job.work(app.app.extensions["settings"])


def hand_in(app: Served, page: Page, clip: Path) -> str:
    page.goto(app.address)
    page.set_input_files("#file", clip)
    page.get_by_role("button", name="Start the analysis").click()
    page.wait_for_url(re.compile(r"/analyses/[0-9a-f]{32}$"))
    work(app)
    expect(page.locator("#review")).to_be_attached()  # the page goes on by itself
    return page.url


def shown_time(page: Page, side: int) -> str:
    return page.locator(".side-time").nth(side).inner_text()


def test_from_two_uploads_to_the_pdf(
    app: Served, page: Page, seen: Seen, clips: tuple[Path, Path], tmp_path: Path
) -> None:
    hand_in(app, page, clips[1])
    exhibit = hand_in(app, page, clips[0])
    page.goto(exhibit)
    page.get_by_role("link", name="Compare with a reference…").last.click()
    page.get_by_role("radio", name="original.mp4").check()
    page.get_by_role("button", name="Start the comparison").click()
    page.wait_for_url(re.compile(r"/comparisons/[0-9a-f]{32}$"))
    expect(page.locator("#stage")).to_have_text("Waiting for the worker")
    work(app)
    expect(page.get_by_role("heading", name="One face differs from the reference")).to_be_visible()
    expect(page.locator("#controls")).to_be_visible()
    assert "surroundings differ by" in page.locator(".banner-finding").inner_text()
    assert "which of the two files is the original" in page.locator(".banner-reason").inner_text()

    # The segment begins where the face was changed, and the reference stands where it shows the same.
    go = page.locator("button[data-seek]").first
    go.click()
    begins = float(go.get_attribute("data-seek") or "nan")
    assert abs(begins - _ALTERED / _RATE) <= 0.2
    videos = page.locator(".side-file video")
    wanted = begins + _BEFORE / _RATE
    for side, time in ((0, begins), (1, wanted)):
        expect(videos.nth(side)).to_have_js_property("seeking", False)
        assert abs(videos.nth(side).evaluate("video => video.currentTime") - time) < 0.05
    # A frame on, by key, on both sides.
    page.keyboard.press("ArrowRight")
    expect(page.locator("#now")).not_to_have_text(shown_time(page, 1))
    assert abs(videos.nth(0).evaluate("video => video.currentTime") - begins - 1 / _RATE) < 0.045
    # Beyond what the reference has, the other side says so.
    page.locator("#seek").fill(str((_LENGTH - _BEFORE + 6) / _RATE))
    expect(page.get_by_text("Not in the reference", exact=True)).to_be_visible()
    assert shown_time(page, 1) == "not in the reference"
    # Both play, to the end.
    page.locator("#seek").fill("0")
    expect(page.get_by_text("Not in the reference", exact=True)).to_be_hidden()
    page.locator("#seek").blur()
    page.keyboard.press("Space")
    page.wait_for_function("() => document.querySelectorAll('.side-file video')[1].currentTime > 0.5")
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()

    views(page)

    page.goto(exhibit)
    with page.expect_download() as download:
        page.get_by_role("link", name="PDF report").click()
    download.value.save_as(tmp_path / "report.pdf")
    text = re.sub(r"\s+", "", pdf_text(tmp_path / "report.pdf"))
    assert "7Comparisonwithareference" in text and hash_file(clips[1])[1] in text
    assert "Onefacediffersfromthereference" in text
    assert seen.console == []
    assert all(url.startswith((app.address, "data:", "blob:")) for url in seen.addresses)


def views(page: Page) -> None:
    """Blink shows both in turn; the others one picture each."""
    words = page.locator("#moment-shown")
    expect(words).to_have_text("Reference")
    expect(words).to_have_text("Exhibit")
    image = page.locator("#moment-picture image")
    for name, path in (
        ("Difference", "-difference.png"),
        ("Laid over", "-overlay.png"),
        ("Reference", "-1.png"),
    ):
        button = page.locator("#moments").get_by_role("button", name=name, exact=True)
        button.click()
        expect(button).to_have_attribute("aria-pressed", "true")
        assert (image.get_attribute("href") or "").endswith(path)
    half = page.locator("#moment-picture svg").get_attribute("viewBox") or ""
    assert not half.startswith("0 ")


def test_time_map(modules: Page) -> None:
    times = modules.evaluate("""async () => {
      const { TimeMap } = await import('/static/js/comparisons/time_map.js');
      const map = new TimeMap([
        { exhibit: [1, 2], reference: [5, 6] }, { exhibit: [2.04, 4.04], reference: [8, 10.04] },
      ], 0.04);
      return [0.9, 0.99, 1, 1.5, 2.03, 2.04, 3.04, 4.07, 4.1].map((time) => map.reference(time));
    }""")
    expected = [None, 4.99, 5, 5.5, 6.03, 8, 9.02, 10.0706, None]
    for time, other in zip(times, expected, strict=True):
        assert (time is None) == (other is None)
        assert time is None or time == pytest.approx(other, abs=1e-6)


@pytest.mark.parametrize("kind", ["video", "unrelated", "photo"])
def test_pages_of_comparisons_are_accessible(app: Served, browser, kind: str) -> None:
    rows = _pair(app, kind)
    done = compared(app.app, *rows, related=kind != "unrelated", still=kind == "photo")
    waits = queued(app.app, *rows)
    addresses = [f"/comparisons/{done.id}"]
    if kind != "unrelated":  # whose other pages are those of videos
        addresses += [f"/comparisons/{waits.id}", f"/analyses/{rows[0].id}/compare"]
    for width, height, audit in ((1280, 720, complaints_in_both), (390, 844, complaints)):
        context = browser.new_context(viewport={"width": width, "height": height}, bypass_csp=True)
        page = context.new_page()
        for address in addresses:
            page.goto(app.address + address)
            expect(page.locator("h1")).to_be_visible()
            assert audit(page) == []
            assert horizontal_overflow(page) <= 0
        context.close()


def _pair(app: Served, kind: str) -> tuple[AnalysisRow, AnalysisRow]:
    of = MediaKind.IMAGE if kind == "photo" else MediaKind.VIDEO
    return finished(app.app, file=f"a-{kind}", kind=of), finished(app.app, file=f"b-{kind}", kind=of)
