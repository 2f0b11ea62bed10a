"""What the result page shows has room in it: on a phone, in a side panel, and where a menu opens."""

from __future__ import annotations

from collections.abc import Iterator

import desk as served_desk
import pytest
from playwright.sync_api import Browser, Page, expect
from review_desk import ready, sign

pytestmark = pytest.mark.browser

PHONE = {"width": 390, "height": 800}


@pytest.fixture(params=["en", "de", "es"])
def phone(
    request: pytest.FixtureRequest, browser: Browser, reviewed: tuple[served_desk.Served, str]
) -> Iterator[Page]:
    """The result of the sample on a phone, in each language."""
    app, analysis = reviewed
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


def test_the_menu_closes_like_one(desk: Page) -> None:
    summary, open_menu = desk.locator(".result-head .menu > summary"), desk.locator(".menu[open]")
    summary.click()
    desk.keyboard.press("Escape")
    expect(open_menu).to_have_count(0)
    expect(summary).to_be_focused()
    summary.click()
    desk.locator("#verdict").click()
    expect(open_menu).to_have_count(0)
    summary.click()
    with desk.expect_download():
        desk.get_by_role("link", name="Segments as CSV").click()
    expect(open_menu).to_have_count(0)


def test_the_history_has_room_in_its_panel(desk: Page) -> None:
    ready(desk)
    desk.keyboard.press("i")
    desk.keyboard.press("Shift+ArrowRight")
    desk.keyboard.press("o")
    desk.locator("#span-person").select_option("A")
    desk.get_by_role("button", name="Mark the stretch").click()
    sign(desk, "Fay")
    entry = desk.locator("#history li").first
    expect(entry).to_contain_text("flagged by the machine")
    panel = desk.locator("#panel-annotations")
    assert panel.evaluate("(panel) => panel.scrollWidth <= panel.clientWidth")
    entry.get_by_role("button", name="Withdraw").click()
