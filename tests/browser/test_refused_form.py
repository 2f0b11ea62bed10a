"""A form that is refused, with the keyboard alone: what is the matter is heard, and what was typed stands."""

from __future__ import annotations

import pytest
from axe import complaints_in_both
from desk import Workbench
from playwright.sync_api import Browser, expect

pytestmark = pytest.mark.browser


def test_a_refused_form_leads_to_the_field_at_fault(workbench: Workbench, browser: Browser) -> None:
    context = browser.new_context(bypass_csp=True)
    page = context.new_page()
    page.goto(f"{workbench.app.address}/cases")
    page.get_by_label("Description").fill("what it is about")
    page.get_by_label("Name or number").fill("K\u200b 1")
    page.keyboard.press("Enter")
    problem = page.get_by_role("alert")
    expect(problem).to_be_focused()
    expect(problem).to_contain_text("Delete it, or type the name again.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    name = page.get_by_label("Name or number")
    expect(name).to_be_focused()
    expect(name).to_have_accessible_description("The name of the case cannot be used.")
    expect(page.get_by_label("Description")).to_have_value("what it is about")
    assert complaints_in_both(page) == []
    name.fill("K 1")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("K 1")
    context.close()
