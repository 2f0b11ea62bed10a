"""A form that is being sent is not sent again by a second click (``static/js/sent_once.js``)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from desk import Served
from playwright.sync_api import Page, Route, expect
from waiting import until

pytestmark = pytest.mark.browser


def created_by_double_click(page: Page, name: str) -> int:
    """How often the form of a new case is sent while its answer is awaited."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        if route.request.method == "POST":
            held.append(route)
        else:
            route.continue_()

    page.route("**/cases", hold)
    page.get_by_label("Name or number").fill(name)
    box = page.get_by_role("button", name="Create the case").bounding_box()
    assert box is not None
    # With the mouse, since a locator waits for a navigation that is under way.
    page.mouse.click(box["x"] + 5, box["y"] + 5)
    until(lambda: held, "the click sent nothing", page=page)
    page.mouse.click(box["x"] + 5, box["y"] + 5)
    held[0].continue_()
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    page.unroute("**/cases")
    return len(held)


def test_a_double_click_sends_a_form_once(idle: Served, page: Page) -> None:
    page.goto(idle.address + "/cases")
    assert created_by_double_click(page, "Harbour") == 1
    page.go_back()  # it is usable again
    assert created_by_double_click(page, "Quay") == 1
    page.goto(idle.address + "/cases")
    for name in ("Harbour", "Quay"):
        expect(page.get_by_role("link", name=name, exact=True)).to_have_count(1)


def test_a_reader_who_stays_can_send_it_later(idle: Served, page: Page) -> None:
    """The form asks before it leaves the page, as one does beside files that are not sent yet."""
    page.goto(idle.address + "/cases")
    page.get_by_label("Name or number").fill("Harbour")
    page.evaluate("() => window.addEventListener('beforeunload', (event) => event.preventDefault())")
    answers = ["dismiss", "accept"]
    page.on("dialog", lambda dialog: getattr(dialog, answers.pop(0))())
    create = page.get_by_role("button", name="Create the case")
    with page.expect_event("dialog"):
        create.click(no_wait_after=True)
    expect(create).to_be_enabled()
    create.click()
    expect(page.get_by_role("heading", name="Harbour")).to_be_visible()
    assert answers == []


def test_a_form_that_scripts_send_stays_usable(idle: Served, page: Page, tmp_path: Path) -> None:
    page.goto(idle.address + "/")
    start = page.get_by_role("button", name="Start the analysis")
    start.click()
    expect(page.locator("#none-chosen")).to_be_visible()
    photo = tmp_path / "photo.png"
    photo.write_bytes(b"\x89PNG\r\n\x1a\n" + os.urandom(200))
    page.set_input_files("#file", photo)
    start.click()
    page.wait_for_url("**/analyses/*")
