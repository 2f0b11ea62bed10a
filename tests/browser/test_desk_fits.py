"""The result page has room for what it shows and says what it does: on a phone, by keyboard, in German."""

from __future__ import annotations

import re
from collections.abc import Iterator

import desk as served_desk
import pytest
from axe import horizontal_overflow
from made_results import finished
from playwright.sync_api import Browser, Page, expect
from review_desk import ready, sign
from voices import voice

pytestmark = pytest.mark.browser

PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module", params=["en", "de", "es"])
def phone(
    request: pytest.FixtureRequest, browser: Browser, workbench: served_desk.Workbench
) -> Iterator[Page]:
    """The result of the sample on a phone, in each language; tests leave nothing open."""
    app, analysis = workbench.app, workbench.first
    context = browser.new_context(viewport=PHONE, locale=request.param)
    page = context.new_page()
    page.goto(f"{app.address}/analyses/{analysis}")
    expect(page.locator("#review")).to_be_visible()
    yield page
    context.close()


def test_the_menu_opens_within_a_phone(phone: Page) -> None:
    phone.locator(".result-head .menu > summary").click()
    box = phone.locator(".result-head .menu > ul").bounding_box()
    assert box is not None
    assert box["x"] >= 0 and box["x"] + box["width"] <= PHONE["width"]
    phone.keyboard.press("Escape")


def test_the_menu_closes_like_one(desk: Page) -> None:
    summary, open_menu = desk.locator(".result-head .menu > summary"), desk.locator(".menu[open]")
    summary.click()
    desk.keyboard.press("Escape")
    expect(open_menu).to_have_count(0)
    expect(summary).to_be_focused()
    summary.click()
    desk.locator("h1.file-name").click()
    expect(open_menu).to_have_count(0)
    summary.click()
    with desk.expect_download():
        desk.get_by_role("link", name="Segments as CSV").click()
    expect(open_menu).to_have_count(0)


def test_the_menu_has_groups_that_fit_the_screen(desk: Page) -> None:
    desk.set_viewport_size({"width": 1440, "height": 900})
    desk.locator(".result-head .menu > summary").click()
    menu = desk.locator(".result-head .menu > ul")
    names = ["Reports", "Data", "Evidence", "Video", "Analysis"]
    expect(menu.get_by_role("heading")).to_have_text(names)
    box = menu.bounding_box()
    assert box is not None and box["x"] >= 0 and box["y"] + box["height"] <= 900
    expect(menu.get_by_role("link", name="Annotated video (MP4)")).to_be_visible()
    desk.keyboard.press("Escape")


# What a first look must find: verdict, why, how often that is wrong, the map, strengths, and the timeline.
_FIRST = (
    "#verdict",
    ".banner-finding",
    ".banner-reason",
    ".banner-wrong",
    ".banner-map",
    ".banner-figures",
    "#lanes",
)
_BOTTOM = """(names) => Math.max(...names.map((name) =>
    document.querySelector(name).getBoundingClientRect().bottom + window.scrollY))"""


@pytest.mark.parametrize(("segments", "voices", "most"), [(1, False, 700), (2, True, 900)])
def test_the_page_of_a_result_has_few_words_and_its_answer_above_the_fold(
    idle: served_desk.Served, page: Page, segments: int, voices: bool, most: int
) -> None:
    row = finished(idle.app, {"voice": voice()} if voices else {}, segments=segments)
    page.goto(f"{idle.address}/analyses/{row.id}")
    expect(page.locator("#inspector-title")).to_be_visible()
    assert len(page.locator("body").inner_text().split()) <= most
    expect(page.locator(".banner-map")).to_contain_text("Map confirmed")
    first = [*_FIRST, "#sound-lanes"] if voices else [*_FIRST]
    for size, lowest in (({"width": 1440, "height": 900}, 900), (PHONE, 1.5 * PHONE["height"])):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        page.wait_for_function(f"([names, lowest]) => ({_BOTTOM})(names) <= lowest", arg=[first, lowest])


def test_on_paper_nothing_is_pressed_or_gone_to(desk: Page) -> None:
    heard = desk.locator("#inspector").get_by_role("button", name="Agree", exact=True)
    expect(heard).to_have_attribute("aria-keyshortcuts", "A")  # which is no part of its name
    desk.emulate_media(media="print")
    expect(desk.locator("#verdict")).to_be_visible()
    for pressed in (".bar nav", "#pdf-report", "#play", "#tab-persons", "#inspector .judge-agree"):
        expect(desk.locator(pressed)).to_be_hidden()


def test_the_history_has_room_in_its_panel(desk: Page) -> None:
    ready(desk)
    desk.keyboard.press("i")
    desk.keyboard.press("Shift+ArrowRight")
    desk.keyboard.press("o")
    desk.locator("#span-person").select_option("A")
    desk.get_by_role("button", name="Mark the passage").click()
    sign(desk, "Fay")
    entry = desk.locator("#history li").first
    expect(entry).to_contain_text(re.compile("flagged (in part )?by the machine"))
    panel = desk.locator("#panel-annotations")
    assert panel.evaluate("(panel) => panel.scrollWidth <= panel.clientWidth")
    entry.get_by_role("button", name="Withdraw").click()


def test_names_of_facts_and_lanes_are_not_cut_in_two(phone: Page) -> None:
    names = ".about > .panel > .facts dt, #lane-names li > span"
    cut = """(names) => [...document.querySelectorAll(names)].filter((name) => {
        name.style.overflowWrap = "normal";
        return name.scrollWidth > name.clientWidth;
    }).map((name) => name.textContent)"""
    # But for a name of 80 letters, which somebody gave in another file's test: that has to break.
    assert [name for name in phone.evaluate(cut, names) if len(name) < 80] == []


def test_without_segments_there_is_no_slider_for_heatmaps(idle: served_desk.Served, page: Page) -> None:
    row = finished(idle.app, segments=0)
    page.goto(f"{idle.address}/analyses/{row.id}")
    controls = page.locator(".player .controls")
    expect(controls).to_contain_text("No face is flagged: no heatmap.")
    expect(page.locator("#heat")).to_be_hidden()


def test_keys_pressed_together_are_listed_as_one(desk: Page) -> None:
    desk.keyboard.press("?")
    row = desk.locator("#keys-table tr").filter(has_text="One second back or on")
    expect(row.locator("kbd")).to_have_text(["Shift+←", "Shift+→"])


def test_a_speed_chosen_by_mouse_leaves_the_keyboard_to_the_player(desk: Page) -> None:
    rate, focused = desk.locator("#rate"), "document.activeElement.id"
    rate.focus()
    rate.select_option("2")
    assert desk.evaluate(focused) == "rate"
    rate.dispatch_event("pointerdown")
    rate.select_option("0.5")
    assert desk.evaluate(focused) == "play"
    desk.keyboard.press("Space")
    desk.wait_for_function("() => !document.getElementById('video').paused")


def test_the_list_of_keys_begins_at_its_top_on_a_phone(phone: Page) -> None:
    phone.locator("#show-keys").click()
    expect(phone.locator("#keys-title")).to_be_in_viewport()
    phone.keyboard.press("Escape")
    expect(phone.locator("#show-keys")).to_be_focused()


def test_buttons_name_no_keys_where_no_keyboard_is(phone: Page) -> None:
    keys = phone.locator("button kbd").locator("visible=true")
    expect(keys.first).to_be_visible()
    screen = phone.context.new_cdp_session(phone)
    metrics = {**PHONE, "deviceScaleFactor": 1, "mobile": True}
    screen.send("Emulation.setDeviceMetricsOverride", metrics)
    screen.send("Emulation.setTouchEmulationEnabled", {"enabled": True})
    expect(keys).to_have_count(0)
    expect(phone.locator("#show-keys")).to_be_hidden()
    screen.send("Emulation.setTouchEmulationEnabled", {"enabled": False})
    screen.send("Emulation.setDeviceMetricsOverride", metrics | {"mobile": False})
    expect(keys.first).to_be_visible()
    screen.detach()


def test_what_was_recorded_is_said_across_a_phone(phone: Page) -> None:
    phone.locator("#tab-annotations").click()
    phone.get_by_role("button").filter(has=phone.locator("kbd", has_text="I")).click()
    expect(phone.locator("#span-start")).not_to_have_value("")
    toast = phone.locator("#toast span")
    expect(toast).not_to_be_empty()
    height, line = toast.evaluate("(said) => [said.clientHeight || said.getBoundingClientRect().height, 24]")
    assert height <= 2 * line


@pytest.mark.parametrize("path", ["/", "/analyses", "/statistics", "/analyses/{analysis}"])
def test_text_twice_as_large_is_followed_and_has_room(
    browser: Browser, reviewed: tuple[served_desk.Served, str], path: str
) -> None:
    """Somebody who set it so in their browser (WCAG 2.2, 1.4.4)."""
    app, analysis = reviewed
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    context.new_cdp_session(page).send("Page.setFontSizes", {"fontSizes": {"standard": 32}})
    page.goto(app.address + path.format(analysis=analysis))
    expect(page.locator("h1")).to_be_visible()
    size, beyond = page.evaluate("""() => [getComputedStyle(document.documentElement).fontSize,
        document.documentElement.scrollWidth - innerWidth]""")
    assert size == "30px"
    assert beyond <= 0
    context.close()


@pytest.mark.parametrize(
    ("path", "code"),
    [
        *((path, "de") for path in ("/analyses/{analysis}", "/statistics", "/help", "/operations")),
        ("/analyses", "es"),
    ],
)
def test_text_twice_as_large_has_room_on_a_phone(
    browser: Browser, reviewed: tuple[served_desk.Served, str], path: str, code: str
) -> None:
    """In languages whose words or dates are long. Nothing scrolls sideways (WCAG 2.2, 1.4.10)."""
    app, analysis = reviewed
    context = browser.new_context(viewport={"width": 390, "height": 844}, locale=code)
    page = context.new_page()
    context.new_cdp_session(page).send("Page.setFontSizes", {"fontSizes": {"standard": 32}})
    page.goto(app.address + path.format(analysis=analysis))
    expect(page.locator("h1")).to_be_visible()
    assert horizontal_overflow(page) <= 0
    context.close()


def test_verdict_strength_and_reliability_are_on_the_first_screen_and_a_half(phone: Page) -> None:
    assert phone.evaluate(_BOTTOM, [name for name in _FIRST if name != "#lanes"]) <= 1.5 * PHONE["height"]


def test_verdict_reliability_and_timeline_are_above_the_fold(desk: Page) -> None:
    desk.set_viewport_size({"width": 1440, "height": 900})
    ready(desk)
    assert desk.evaluate(_BOTTOM, [*_FIRST]) <= 900
    assert desk.locator(".banner-map").inner_text().strip() == "Map confirmed"
