"""The desk's animated heatmap, from the request to the pictures over the video."""

from __future__ import annotations

import desk
import pytest
from desk import Workbench
from made_heatmaps import FRAMES, standing_in
from playwright.sync_api import Page, expect
from review_desk import ready

from detector.schema.analysis import Analysis

pytestmark = pytest.mark.browser
# Of a copy, since Chromium complains where a canvas that is drawn to is read often.
_COLOUR = """(canvas, x) => {
  const copy = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  copy.drawImage(canvas, -x, -160);
  return [...copy.getImageData(0, 0, 1, 1).data];
}"""


def test_it_is_computed_played_and_laid_over_the_video(
    workbench: Workbench, page: Page, seen: desk.Seen
) -> None:
    folder = workbench.app.folders.result(workbench.first)
    (segment,) = Analysis.from_json((folder / "analysis.json").read_bytes()).segments
    with standing_in(segment.start) as stand_in:
        page.goto(f"{workbench.app.address}/analyses/{workbench.first}")
        ready(page)
        animation = page.get_by_role("group", name=f"Animated heatmap of {segment.id}")
        stand_in.error = "There was not enough memory."
        stand_in.go_on.set()
        animation.get_by_role("button", name="Animate heatmap").click()
        expect(animation.get_by_role("alert")).to_have_text("There was not enough memory.")

        stand_in.error = ""
        stand_in.go_on.clear()
        animation.get_by_role("button", name="Try again").click()
        expect(animation.get_by_role("status")).to_contain_text("40%")
        stand_in.go_on.set()
        slider = animation.get_by_role("slider", name="Frame of the animation")
        expect(slider).to_have_attribute("max", str(FRAMES - 1))

    # Each frame has a heatmap of its own: a red stripe that moves right, over a green head.
    def red(number: int) -> bool:
        canvas = animation.get_by_role("img", name=f"With heatmap, {segment.id}")
        colour: list[int] = canvas.evaluate(_COLOUR, 50 * number + 25)
        return colour[0] > 150

    for number in (0, 3):
        slider.fill(str(number))
        page.wait_for_function(
            "([id, number]) => document.getElementById(id).value === String(number)",
            arg=[f"animation-frame-{segment.id}", number],
        )
        assert red(number) and not red(number + 1)
    expect(animation).to_contain_text("score 0.65")
    expect(animation).not_to_contain_text("strength")  # here the score decides how bright a heatmap is

    # The video shows it as well, in place of the heatmap of a peak.
    animation.get_by_title("Go to this frame").click()
    page.wait_for_function(
        "document.getElementById('review').desk.player.overlay.drawn.some((shape) => shape.moving)"
    )
    drawn = page.evaluate("document.getElementById('review').desk.player.overlay.drawn")
    assert {"moving": segment.id} in drawn and not any("map" in shape for shape in drawn)

    animation.get_by_role("button", name="Play").click()
    page.wait_for_function(
        "(id) => document.getElementById(id).value === '5'", arg=f"animation-frame-{segment.id}"
    )
    animation.get_by_role("button", name="Pause").click()
    expect(animation.get_by_role("button", name="Play")).to_be_visible()

    page.reload()
    ready(page)
    expect(animation.get_by_role("button", name="Play")).to_be_visible()  # kept
    assert not seen.console
