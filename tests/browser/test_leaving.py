"""A page that goes on by itself does not undo what its reader has just clicked (``static/js/leaving.js``)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from desk import Served, served
from playwright.sync_api import Page, Route, expect
from waiting import until

from webapp.jobs import states

pytestmark = pytest.mark.browser

# By way of the console, since a locator waits for a navigation that is under way.
_SAYS_WHAT_IT_HEARS = """() => {
    const announced = document.getElementById("announce");
    new MutationObserver(() => console.log(announced.textContent)).observe(announced, { childList: true });
}"""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("leaving") / "data") as app:
        yield app


@pytest.fixture
def following(app: Served, page: Page, photos: list[Path]) -> str:
    """The id of a waiting analysis whose page is open."""
    analysis = app.handed_in(photos[0])
    page.goto(f"{app.address}/analyses/{analysis}")
    expect(page.locator("#stage")).to_have_text("Waiting for the worker")
    page.evaluate(_SAYS_WHAT_IT_HEARS)
    return analysis


def end(app: Served, page: Page, analysis: str) -> None:
    """The analysis ends, and its page has heard so."""
    with page.expect_console_message(lambda message: message.text == "The analysis was cancelled"):
        states.cancel(app.app.extensions["database"], analysis)


def test_a_click_that_is_under_way_is_kept(app: Served, page: Page, following: str) -> None:
    held: list[Route] = []
    page.route("**/models", lambda route: held.append(route))
    page.get_by_role("link", name="Models").click(no_wait_after=True)
    until(lambda: held, "the click asked for nothing", page=page)
    end(app, page, following)
    held[0].continue_()
    expect(page).to_have_url(re.compile("/models$"))


def test_who_stays_after_all_is_moved_on(app: Served, page: Page, following: str) -> None:
    page.clock.install()
    page.route("**/models", lambda route: route.fulfill(status=204))  # as of a download: the page stays
    with page.expect_response("**/models"):
        page.get_by_role("link", name="Models").click(no_wait_after=True)
    end(app, page, following)
    page.clock.fast_forward(10_000)
    expect(page.get_by_role("button", name="Retry")).to_be_visible()


def test_who_follows_what_is_deleted_elsewhere_is_told(app: Served, page: Page, following: str) -> None:
    page.clock.install()
    page.route("**/api/v1/analyses/*", lambda route: route.abort())  # between two questions
    page.request.post(f"{app.address}/analyses/{following}/cancel")
    page.request.post(f"{app.address}/analyses/{following}/delete")
    page.unroute("**/api/v1/analyses/*")
    page.clock.fast_forward(5_000)  # the longest that a page waits before it asks again
    expect(page.get_by_role("heading", name="Deleted")).to_be_visible()
