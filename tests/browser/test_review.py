"""The review desk in a real browser, on an analysis the real engine made of the sample."""

from __future__ import annotations

import json
import re

import pytest
from desk import Served, Workbench
from playwright.sync_api import Browser, Page, expect
from review_desk import go_to, heatmaps_drawn, now, of_desk, ready, shows_time

from detector.demo_clip import MANIPULATED
from webapp.storage.data_folder import Folders

pytestmark = pytest.mark.browser


def pixel(page: Page, x: float, y: float) -> list[int]:
    """Colour on the canvas above the video, at CSS pixels of the stage."""
    return page.evaluate(
        """([x, y]) => {
            const canvas = document.getElementById("boxes");
            const dense = canvas.width / canvas.clientWidth;
            return [...canvas.getContext("2d").getImageData(x * dense, y * dense, 1, 1).data];
        }""",
        [x, y],
    )


def test_boxes_are_on_the_right_faces_at_the_right_time(desk: Page) -> None:
    inside = sum(MANIPULATED) / 2
    for time, state in ((1.0, "low"), (inside, "high"), (7.5, "low")):
        go_to(desk, time)
        assert now(desk) == pytest.approx(time, abs=0.1)
        drawn = {
            entry["person"]: entry
            for entry in of_desk(desk, "desk.player.overlay.drawn")
            if "person" in entry
        }
        assert drawn["A"]["state"] == state
        assert drawn["A"]["at"] == pytest.approx(time, abs=0.1)
        # Person A is the one on the left of the sample, B the one on the right.
        assert drawn["A"]["box"][2] < 640 < drawn["B"]["box"][0]
        left, top, _right, bottom = drawn["A"]["screen"]
        red, green, blue, alpha = pixel(desk, left, (top + bottom) / 2)
        assert alpha > 150
        assert (red > blue) == (state == "high"), "red only where the score is at flag level"


def test_keys_move_by_analysed_frames_seconds_and_segments(desk: Page) -> None:
    go_to(desk, 1.0)
    frames = of_desk(desk, "[...desk.data.frames]")
    before = now(desk)
    desk.keyboard.press("ArrowRight")
    shows_time(desk, min(f for f in frames if f > before + 0.002))
    desk.keyboard.press("ArrowLeft")
    desk.keyboard.press("ArrowLeft")
    here = max(f for f in frames if f < before - 0.002)
    shows_time(desk, here)
    desk.keyboard.press("Shift+ArrowRight")
    shows_time(desk, here + 1, within=0.05)
    desk.keyboard.press("n")
    desk.wait_for_function("() => !document.getElementById('video').seeking")
    assert MANIPULATED[0] - 0.5 <= now(desk) <= MANIPULATED[1] + 0.5
    expect(desk.locator("#inspector-title")).to_contain_text("A1")
    desk.keyboard.press("Space")
    desk.wait_for_function("() => !document.getElementById('video').paused")
    desk.keyboard.press("k")
    desk.wait_for_function("() => document.getElementById('video').paused")
    desk.keyboard.press("?")
    expect(desk.locator("#keys")).to_be_visible()
    desk.keyboard.press("Escape")


def test_it_plays_at_the_speed_that_was_chosen(desk: Page) -> None:
    speed = "document.getElementById('video').playbackRate"
    for chosen in ("0.25", "2"):
        desk.locator("#rate").select_option(chosen)
        for paused in ("false", "true", "false", "true"):
            desk.locator("#play").click()
            desk.wait_for_function(f"() => String(document.getElementById('video').paused) === '{paused}'")
            assert desk.evaluate(speed) == float(chosen)
        expect(desk.locator("#rate")).to_have_value(chosen)
    desk.locator("#inspector h2").click()
    for expected in (1, 2, 4):  # L plays, and faster each time
        desk.keyboard.press("l")
        desk.wait_for_function(f"() => {speed} === {expected}")
    desk.keyboard.press("k")
    expect(desk.locator("#rate")).to_have_value("4")


def test_the_timeline_tells_scores_in_between_from_those_of_the_network(desk: Page) -> None:
    tips = {}
    desk.locator("#lanes").scroll_into_view_if_needed()
    box = desk.locator("#lanes").bounding_box()
    assert box is not None
    for between in (0, 1):
        x = of_desk(
            desk,
            f"""(() => {{
                const {{ scores }} = desk.lanes[0];
                const wanted = (value, i) => value >= 0 && scores.interpolated[i] === {between};
                return desk.timeline.x(scores.time[scores.smooth.findIndex(wanted)]);
            }})()""",
        )
        desk.mouse.move(box["x"] + x, box["y"] + of_desk(desk, "desk.timeline.laneHeight"))
        tips[between] = desk.locator("#lanes-tip").inner_text()
        tip = desk.locator("#lanes-tip").bounding_box()
        assert tip is not None and tip["y"] >= 0 and tip["y"] + tip["height"] <= desk.viewport_size["height"]
    assert all("smoothed" in text for text in tips.values())
    assert [("between" in text) for text in tips.values()] == [False, True]


def test_a_frame_that_comes_late_takes_no_key_back(desk: Page) -> None:
    go_to(desk, 1.0)
    frames = of_desk(desk, "[...desk.data.frames]")
    first, second, *_ = (f for f in frames if f > now(desk) + 0.002)
    # From the second frame on, the player hears of a frame only once the next key has been pressed.
    desk.evaluate(
        """() => {
            const video = document.getElementById("video");
            const real = video.requestVideoFrameCallback.bind(video);
            video.requestVideoFrameCallback = (hear) => {
                window.hears = true;
                real((...told) => {
                    if (!window.holding) hear(...told);
                    else window.late = () => hear(...told);
                });
            };
        }"""
    )
    desk.keyboard.press("ArrowRight")
    shows_time(desk, first)
    desk.wait_for_function("() => window.hears")
    desk.evaluate("() => { window.holding = true; }")
    desk.keyboard.press("ArrowRight")
    shows_time(desk, second)
    desk.wait_for_function("() => window.late")
    desk.evaluate(
        """() => {
            const press = () => document.body.dispatchEvent(
                new KeyboardEvent("keydown", { key: "ArrowLeft", bubbles: true }));
            press();
            window.late();
            press();
            window.holding = false;
        }"""
    )
    shows_time(desk, max(f for f in frames if f < first - 0.002))


def test_a_heatmap_lies_over_peak_frames_and_can_be_faded(desk: Page) -> None:
    desk.keyboard.press("n")
    heatmaps_drawn(desk, 1)
    box = next(d for d in of_desk(desk, "desk.player.overlay.drawn") if d.get("person") == "A")["screen"]
    inside = [
        (box[0] + across * (box[2] - box[0]), box[1] + down * (box[3] - box[1]))
        for across in (0.2, 0.35, 0.5, 0.65, 0.8)
        for down in (0.2, 0.35, 0.5, 0.65, 0.8)
    ]
    assert max(pixel(desk, *point)[3] for point in inside) > 60
    desk.locator("#heat").fill("0")
    assert max(pixel(desk, *point)[3] for point in inside) == 0
    desk.locator("#heat").fill("0.75")
    pictures = desk.locator("#inspector .peak").first.locator("figure")
    expect(pictures).to_have_count(4)
    expect(pictures.nth(3).locator("figcaption")).to_contain_text("Calm moment")
    pictures.nth(2).locator("a").click()
    expect(desk.locator("#lightbox img")).to_have_count(3)
    desk.keyboard.press("Escape")


@pytest.mark.parametrize("whole", [False, True])
def test_pictures_never_scrolled_to_are_there_to_print(desk: Page, whole: bool) -> None:
    desk.set_viewport_size({"width": 390, "height": 300})
    desk.reload()
    ready(desk)
    if whole:
        desk.evaluate("document.getElementById('whole-frames').click()")  # Playwright would scroll there
    count = 10  # three of each peak, and the calm moment
    expect(desk.locator("#inspector .peak-three img")).to_have_count(count if whole else 0)
    pictures = desk.locator(f"#inspector .peak-three {'img' if whole else 'image'}")
    expect(pictures).to_have_count(count)
    for picture in pictures.all():
        expect(picture).to_have_attribute("src" if whole else "href", re.compile(r"/overlays/"))
        assert picture.get_attribute("loading") is None


def test_another_threshold_is_only_explored(desk: Page) -> None:
    recorded = desk.locator(".segment-row").count()
    desk.locator("#explore").fill("0.99")
    expect(desk.locator("#explore-words")).to_contain_text("Exploration only")
    none = of_desk(desk, "desk.lanes.map((lane) => lane.explored.length)")
    desk.locator("#explore").fill("0.05")
    everything = of_desk(desk, "desk.lanes.flatMap((lane) => lane.explored)")
    assert sum(none) < len(everything) or sum(b - a for a, b in everything) > 8
    desk.locator("#explore").fill("0.65")
    same = of_desk(desk, "desk.lanes.flatMap((lane) => lane.explored)")
    segments = of_desk(desk, "desk.segments.map((one) => [one.start, one.end])")
    assert len(same) == len(segments) == recorded
    # Every frame around an end was scored, of which the desk has the smoothed score of samples alone.
    assert same[0] == pytest.approx(segments[0], abs=0.05)
    desk.get_by_role("button", name="Reset").click()
    assert of_desk(desk, "desk.explored") is None


def test_two_analyses_compared(workbench: Workbench, page: Page, seen) -> None:
    app, first, second = workbench.app, workbench.first, workbench.second
    page.goto(f"{app.address}/analyses/{first}")
    page.get_by_role("link", name="Compare", exact=True).first.click()
    expect(page).to_have_url(re.compile(rf"a={first}&b={second}"))
    expect(page.locator("#review")).to_be_visible()
    expect(page.locator("#lane-names li")).to_have_text(
        ["Person A, first", "Person A, second", "Person B, first", "Person B, second"]
    )
    expect(page.get_by_role("row", name=re.compile("Enter threshold|opens", re.IGNORECASE))).to_contain_text(
        "0.97"
    )
    ready(page)
    page.keyboard.press("ArrowRight")
    assert seen.console == []


def test_without_scripts_everything_is_there_to_read(reviewed: tuple[Served, str], browser: Browser) -> None:
    app, analysis = reviewed
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{app.address}/analyses/{analysis}")
    expect(page.locator("#review")).to_be_hidden()
    expect(page.locator(".timeline-band")).to_have_count(1)
    expect(page.locator(".segment .peak-three img").first).to_be_visible()
    context.close()


def test_an_address_that_ends_in_nonsense_opens_the_desk(reviewed: tuple[Served, str], page: Page) -> None:
    app, analysis = reviewed
    page.goto(f"{app.address}/analyses/{analysis}#segment-%E0%A4%A")
    expect(page.locator("#review")).to_be_visible()
    expect(page.locator("#desk-problem")).to_be_hidden()


def test_a_broken_video_leaves_the_kept_frames(reviewed: tuple[Served, str], page: Page) -> None:
    app, analysis = reviewed
    page.route("**/media", lambda route: route.fulfill(body=b"no video", content_type="video/mp4"))
    page.goto(f"{app.address}/analyses/{analysis}")
    expect(page.locator("#review")).to_be_visible()
    page.keyboard.press("n")
    expect(page.locator("#still")).to_be_visible()
    expect(page.locator("#still")).to_have_attribute("src", re.compile("A1-.*frame.png"))
    page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("Shift+ArrowLeft")
    expect(page.locator("#stage-note")).to_contain_text("No frame was kept")


def test_the_data_holds_no_more_than_the_page_needs(reviewed: tuple[Served, str], page: Page) -> None:
    app, analysis = reviewed
    data = page.request.get(f"{app.address}/api/v1/analyses/{analysis}/desk").json()
    stored = json.loads((Folders.local(app.folders.data).result(analysis) / "analysis.json").read_text())
    for mine, person in zip(data["persons"], stored["persons"], strict=True):
        assert mine["time"] == pytest.approx([s["time"] for s in person["scores"]], abs=1e-4)
        assert len(mine["box"]) == 4 * len(person["scores"])
    assert len(json.dumps(data)) < 0.6 * len(json.dumps(stored))
