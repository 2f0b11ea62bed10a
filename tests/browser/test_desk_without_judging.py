"""The desk where single findings cannot be judged: nothing is flagged, or the case is closed."""

from __future__ import annotations

from pathlib import Path

import desk
import pytest
from made_results import finished
from playwright.sync_api import Page, expect

from webapp.storage.tables import AnalysisRow, CaseRow, now

pytestmark = pytest.mark.browser


def opened(page: Page, app: desk.Served, analysis: str) -> None:
    page.goto(f"{app.address}/analyses/{analysis}")
    expect(page.locator("#review")).to_be_visible()


def test_where_nothing_is_flagged_the_whole_exhibit_is_judged(page: Page, tmp_path: Path) -> None:
    with desk.served(tmp_path / "data") as app:
        opened(page, app, finished(app.app, segments=0).id)
        page.keyboard.press("a")
        expect(page.locator("#complaint")).to_contain_text("Judge the whole exhibit under “Annotations”.")
        page.keyboard.press("Escape")
        expect(page.locator("#exhibit-buttons .judge-agree")).to_be_visible()


def test_in_a_closed_case_the_desk_says_why_nothing_can_be_judged(page: Page, tmp_path: Path) -> None:
    with desk.served(tmp_path / "data") as app:
        analysis = finished(app.app, segments=1).id
        opened(page, app, analysis)
        expect(page.locator("#inspector .judge-agree")).to_be_visible()
        with app.app.extensions["database"].begin() as session:
            case = CaseRow(name="K", description="", created=now(), created_by="ada", closed=now())
            session.add(case)
            session.flush()
            session.get_one(AnalysisRow, analysis).case_id = case.id
        opened(page, app, analysis)
        expect(page.get_by_text("In case K, closed")).to_be_visible()
        for tab in ("segments", "persons", "annotations"):
            page.locator(f"#tab-{tab}").click()
            for judging in page.locator(".judging, .person-more, .import, .case-details").all():
                expect(judging).to_be_hidden()
        page.keyboard.press("a")
        expect(page.locator("#complaint")).to_contain_text(
            "The case is closed, so nothing in it can be changed."
        )
