"""axe-core finds nothing to complain of on any page, in both themes (WCAG 2.2 AA and its best practices)."""

from __future__ import annotations

import pytest
from axe import complaints_in_both, horizontal_overflow
from desk import Served, Workbench
from playwright.sync_api import Browser, Page, expect

pytestmark = pytest.mark.browser


@pytest.fixture
def pages(workbench: Workbench) -> tuple[Served, dict[str, str]]:
    """The app, and the addresses of all its pages by name."""
    return (
        workbench.app,
        {
            "new analysis": "/",
            "library": "/analyses",
            "nothing fits": "/analyses?q=nothing-has-this-name",
            "statistics": "/statistics",
            "models": "/models",
            "operations": "/operations",
            "help": "/help",
            "no live session": "/live",
            "missing": "/no-such-page",
            "waiting": f"/analyses/{workbench.waiting}",
            "failed": f"/analyses/{workbench.failed}",
            "video": f"/analyses/{workbench.first}",
            "photo": f"/analyses/{workbench.still}",
            "again": f"/analyses/{workbench.first}/again",
            "delete": f"/analyses/{workbench.first}/delete",
            "custody": f"/analyses/{workbench.first}/custody",
            "compare": f"/compare?a={workbench.first}&b={workbench.second}",
        },
    )


def shown(page: Page, name: str) -> None:
    """Wait until a desk shows its picture; all other pages are whole once they are loaded."""
    if name in {"video", "photo", "compare"}:
        expect(page.locator("#review")).to_be_visible()
        page.wait_for_function("() => video.readyState >= 2 || still.naturalWidth > 0")  # by their ids


def test_no_violations_and_nothing_sticks_out_sideways(
    pages: tuple[Served, dict[str, str]], browser: Browser
) -> None:
    app, addresses = pages
    context = browser.new_context(viewport={"width": 1280, "height": 720}, bypass_csp=True)
    page = context.new_page()
    violations: dict[str, list[str]] = {}
    wide = {}
    for name, path in addresses.items():
        page.goto(app.address + path)
        shown(page, name)
        violations[name] = complaints_in_both(page)
        wide[name] = horizontal_overflow(page)
        for tab in page.locator("[role=tab]").all():
            tab.click()  # which changes nothing beside its panel
            panel = f"#{tab.get_attribute('aria-controls')}"
            expect(page.locator(panel)).to_be_visible()
            violations[f"{name}, {tab.get_attribute('id')}"] = complaints_in_both(
                page, f"[role=tablist], {panel}"
            )
        if name == "video":
            page.keyboard.press("?")
            violations["keys"] = complaints_in_both(page)
            page.keyboard.press("Escape")
    context.close()
    assert {name: lines for name, lines in violations.items() if lines} == {}
    assert {name: over for name, over in wide.items() if over > 0} == {}


def test_nothing_sticks_out_sideways_on_a_phone(
    pages: tuple[Served, dict[str, str]], browser: Browser
) -> None:
    app, addresses = pages
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    wide = {}
    for name, path in addresses.items():
        page.goto(app.address + path)
        shown(page, name)
        over = horizontal_overflow(page)
        if over > 0:
            wide[name] = over
    context.close()
    assert wide == {}
