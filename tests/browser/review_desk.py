"""What tests do on the review desk."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page, expect
from waiting import until

WORK = 60_000  # milliseconds


def ready(page: Page) -> None:
    """Once the video shows a frame."""
    page.wait_for_function("() => document.getElementById('video').readyState >= 2")


def of_desk(page: Page, code: str) -> Any:
    return page.evaluate(f"() => {{ const desk = document.getElementById('review').desk; return {code}; }}")


def heatmaps_drawn(page: Page, count: int) -> None:
    """Wait until so many heatmaps lie over the picture."""
    drawn = "document.getElementById('review').desk.player.overlay.drawn"
    page.wait_for_function(f"() => {drawn}.filter((one) => one.map).length === {count}", timeout=WORK)


def now(page: Page) -> float:
    hours, minutes, seconds = page.locator("#now").inner_text().split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def shows_time(page: Page, time: float, within: float = 0.002) -> None:
    """Wait until the desk says a time; a key is answered once the video has sought."""
    until(lambda: abs(now(page) - time) <= within, f"the desk never said {time}", page=page)


def go_to(page: Page, time: float) -> None:
    """Click the timeline where a time is."""
    page.locator("#lanes").scroll_into_view_if_needed()
    box = page.locator("#lanes").bounding_box()
    x = of_desk(page, f"desk.timeline.x({time})")
    assert box is not None
    page.mouse.click(box["x"] + x, box["y"] + box["height"] - 6)
    page.wait_for_function("() => !document.getElementById('video').seeking")


def sign(page: Page, name: str) -> None:
    expect(page.locator("#who")).to_be_visible()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="Continue").click()
