"""A live session as it plays, in a real browser: picture, boxes, scores and segments come by themselves."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import av
import pytest
from axe import complaints, complaints_in_both, horizontal_overflow
from desk import Seen, Served, served
from playwright.sync_api import Browser, Page, expect
from waiting import until

from detector.files import ROOT

pytestmark = pytest.mark.browser
_RATE = ("--sample-rate", "2")
_TIMES, _SECONDS = 2, 7  # a second more than until the manipulated stretch ends
_SLOWER = 2  # than it was taken, so that a busy machine scores some frames of the stretch


# What the page shows while a face is flagged, in one look: it changes twice a second.
_FLAGGED = """() => {
  const picture = document.getElementById("picture");
  const box = document.querySelector(".live-flagged rect:not(.live-under)");
  const since = document.querySelector(".live-flag");
  if (!box || !since || document.querySelectorAll(".live-boxes g").length !== 2) return null;
  const around = picture.getBoundingClientRect(), inside = box.getBoundingClientRect();
  return {
    source: picture.getAttribute("src"),
    width: picture.naturalWidth,
    left: (inside.left - around.left) / around.width,
    right: (inside.right - around.left) / around.width,
    words: document.querySelector(".live-flagged text").textContent,
    since: since.textContent,
    lines: document.querySelectorAll(".live-line").length,
  };
}"""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("live") / "data") as app:
        yield app


@pytest.fixture(scope="module")
def clip(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample but for its end, twice and slowed, so that a busy machine opens the page while it plays."""
    path = tmp_path_factory.mktemp("clip") / "two people.mp4"
    with av.open(path, "w") as out:
        with av.open(sample) as given:
            stream = out.add_stream_from_template(given.streams.video[0])
        for time in range(_TIMES):
            with av.open(sample) as given:
                (video,) = given.streams.video
                shown = int(_SECONDS / video.time_base)
                apart = shown + shown // 20  # frames are not stored in the order they are shown in
                for packet in given.demux(video):
                    if packet.dts is None or packet.pts >= shown:
                        continue
                    packet.pts = (packet.pts + time * apart) * _SLOWER
                    packet.dts = (packet.dts + time * apart) * _SLOWER
                    packet.stream = stream
                    out.mux(packet)
    return path


@pytest.fixture
def command(app: Served, clip: Path) -> Iterator[tuple[subprocess.Popen, Path]]:
    """``detector live`` on the clip at its own pace, at a quarter of the usual rate, shared with the app."""
    place = app.folders.live
    before = set(place.iterdir())
    process = subprocess.Popen(
        [sys.executable, "-m", "detector", "live", str(clip), "--pace", "--share", str(place), *_RATE],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
    )

    def shared() -> list[Path]:
        return [folder for folder in set(place.iterdir()) - before if (folder / "state.json").exists()]

    yield process, until(shared, "nothing is shared", process=process)[0]
    process.kill()
    process.wait()


def test_it_is_seen_as_it_plays(
    app: Served, command: tuple[subprocess.Popen, Path], page: Page, browser: Browser, seen: Seen
) -> None:
    process, folder = command
    page.goto(app.address)
    page.get_by_role("link", name="Live", exact=True).click()
    page.locator(f".live-sessions a[href='/live/{folder.name}']").click()
    expect(page.get_by_role("heading", name="Live: two people.mp4")).to_be_visible()

    # Boxes around both faces, and the one on the left flagged while it plays.
    flagged = page.wait_for_function(_FLAGGED, timeout=120_000).json_value()
    assert process.poll() is None
    assert 0 < flagged["left"] < flagged["right"] < 0.5
    assert (flagged["width"], flagged["lines"]) == (960, 2)
    assert re.fullmatch(r"Track \d · (> )?0\.\d\d, flagged", flagged["words"])
    assert re.match(r"flagged since 00:00:[0-2]\d", flagged["since"])  # the first time or the second

    closed = page.locator(".live-segments li")
    expect(closed.first).to_contain_text(re.compile(r"00:00:[0-2]\d"), timeout=120_000)
    expect(page.locator("#announce")).to_contain_text("A segment closed")
    expect(page.locator("[data-part=standing]")).to_contain_text("The source ended", timeout=200_000)
    assert page.locator("#picture").get_attribute("src") != flagged["source"]
    # One manipulated stretch each time; a busy machine drops frames, and a gap may part it.
    count = closed.count()
    assert 1 <= count <= 3 * _TIMES

    # It has ended: nobody is asked any more, and what was seen is still there after a reload.
    page.wait_for_timeout(1000)
    asked = len(seen.addresses)
    page.wait_for_timeout(1500)
    assert len(seen.addresses) == asked
    page.reload()
    expect(closed).to_have_count(count)
    assert [line for line in seen.console if line.startswith(("error", "warning"))] == []

    address = page.url
    for width, height, audit in ((1280, 720, complaints_in_both), (390, 844, complaints)):
        context = browser.new_context(viewport={"width": width, "height": height}, bypass_csp=True)
        other = context.new_page()
        for path in (address, f"{app.address}/live"):
            other.goto(path)
            assert audit(other) == [], (width, path)
            assert horizontal_overflow(other) <= 0, (width, path)
        context.close()

    context = browser.new_context(java_script_enabled=False)
    other = context.new_page()
    other.goto(address)
    expect(other.locator(".live-segments li")).to_have_count(count)
    expect(other.locator(".live-boxes g")).to_have_count(2)
    context.close()


def test_a_page_nobody_looks_at_does_not_ask(
    app: Served, command: tuple[subprocess.Popen, Path], page: Page, seen: Seen
) -> None:
    _, folder = command
    page.add_init_script(
        "let hidden = false; Object.defineProperty(document, 'hidden', { get: () => hidden });"
        "window.hide = (value) => { hidden = value; document.dispatchEvent(new Event('visibilitychange')); };"
    )
    page.goto(f"{app.address}/live/{folder.name}")

    def asked() -> int:
        return sum(address.endswith("/parts") for address in seen.addresses)

    def asked_more_often_than(times: int) -> None:
        until(lambda: asked() > times, "it asks no more", page=page)

    asked_more_often_than(1)
    page.evaluate("hide(true)")
    page.wait_for_timeout(600)
    before = asked()
    page.wait_for_timeout(1500)
    assert asked() == before
    page.evaluate("hide(false)")
    asked_more_often_than(before)
