"""The button of the PDF report while a process makes the report."""

from __future__ import annotations

import time

import pytest
from desk import Workbench
from playwright.sync_api import Page, Route, expect
from waiting import until

from webapp.downloads import kept_reports

pytestmark = pytest.mark.browser


def test_it_says_so_and_becomes_a_link_without_a_reload(workbench: Workbench, page: Page) -> None:
    address = f"/analyses/{workbench.still}"
    with kept_reports.hold_report_lock(workbench.app.folders, workbench.still, 5.0) as mine:
        assert mine
        page.goto(workbench.app.address + address)
        button = page.locator("#pdf-report")
        expect(button).to_have_text("PDF report is being made…")
        expect(button).to_be_disabled()
        assert button.get_attribute("href") is None
        expect(page.locator("#pdf-state")).to_have_text("PDF report is being made…")
        expect(page.locator("#review")).to_be_visible()  # all else is there
        page.evaluate("window.same = true")
    expect(button).to_have_text("PDF report")
    expect(button).to_be_enabled()
    expect(button).to_have_attribute("href", f"{workbench.app.address}{address}/report.pdf")
    assert page.evaluate("window.same")
    page.reload()
    expect(button).to_have_attribute("href", f"{address}/report.pdf")
    assert button.get_attribute("data-state") is None


def test_a_server_in_trouble_is_asked_less_and_less_often(workbench: Workbench, page: Page) -> None:
    with kept_reports.hold_report_lock(workbench.app.folders, workbench.still, 5.0):
        page.goto(f"{workbench.app.address}/analyses/{workbench.still}", wait_until="domcontentloaded")
        state = page.locator("#pdf-report").get_attribute("data-state")
        asked: list[float] = []

        def refuse(route: Route) -> None:
            asked.append(time.monotonic())
            route.fulfill(status=503)

        page.route(f"**{state}", refuse)
        until(lambda: len(asked) >= 4, "it was given up", page=page)
    assert asked[3] - asked[0] > 3  # at an even pace 1.2
    expect(page.locator("#pdf-report")).to_be_disabled()


def test_a_refusal_leaves_the_answer_to_the_link(workbench: Workbench, page: Page) -> None:
    with kept_reports.hold_report_lock(workbench.app.folders, workbench.still, 5.0):
        page.route("**/api/v1/analyses/*", lambda route: route.fulfill(status=404))
        page.goto(f"{workbench.app.address}/analyses/{workbench.still}", wait_until="domcontentloaded")
        expect(page.locator("#pdf-report")).to_be_enabled()
