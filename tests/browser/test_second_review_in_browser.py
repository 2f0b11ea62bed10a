"""A blind second review played through in Chromium: three people, from naming to the final report."""

from __future__ import annotations

import io
import os
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pikepdf
import pytest
import second_review_case
from axe import complaints, horizontal_overflow
from desk import Seen, Workbench
from flask import Flask
from http_servers import served
from people import PASSWORD, account, with_login
from playwright.sync_api import Browser, Locator, Page, Route, expect
from waiting import until

from verification.verify import verify
from webapp.accounts.permissions import Principal, Role
from webapp.casework import service
from webapp.casework.reviewers import ChosenReviewers, name_reviewers
from webapp.storage.tables import AnalysisRow, User

pytestmark = pytest.mark.browser

_SHOTS = os.environ.get("REELPROOF_TEST_SHOTS")  # a folder to look at the pages and the PDF in
_PEOPLE = (
    ("ada", "Ada Lovelace", Role.EXAMINER),
    ("ben", "Ben Nowak", Role.REVIEWER),
    ("cleo", "Cleo Martín", Role.REVIEWER),
)


@dataclass
class Lab:
    """An app with people and an analysis that the real engine made, which Ada handed in."""

    app: Flask
    address: str
    analysis: str
    browser: Browser

    def signed_in(self, name: str, seen: Seen) -> Page:
        """A browser of their own, in which somebody is signed in."""
        context = self.browser.new_context(
            viewport={"width": 1280, "height": 800}, accept_downloads=True, bypass_csp=True
        )
        page = context.new_page()
        page.on("pageerror", lambda problem: seen.console.append(f"error: {problem}"))
        page.goto(self.address + "/login")
        page.get_by_label("User name").fill(name)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("button", name="Sign out", exact=True)).to_be_visible()
        return page


@pytest.fixture
def lab(workbench: Workbench, browser: Browser, tmp_path: Path) -> Iterator[Lab]:
    shutil.copytree(workbench.app.folders.data, tmp_path / "data")
    app = with_login(tmp_path / "data", [])
    ids = {name: account(app, name, role, display).id for name, display, role in _PEOPLE}
    with app.extensions["database"].alone() as session:
        session.get_one(AnalysisRow, workbench.first).owner_id = ids["ada"]
    with served(app) as address:
        yield Lab(app, address, workbench.first, browser)
    app.extensions["database"].close()


def look(page: Page, name: str) -> None:
    """axe-core finds nothing, nothing sticks out; a picture of the page where one is asked for."""
    assert complaints(page) == [], name
    assert horizontal_overflow(page) <= 0, name
    if _SHOTS:
        page.screenshot(path=f"{_SHOTS}/{name}.png", full_page=True)


@pytest.mark.parametrize("code", ["en", "de", "es"])
def test_the_table_of_reviews_has_room_on_a_phone(browser: Browser, tmp_path: Path, code: str) -> None:
    made = second_review_case.review(tmp_path / "data", [])
    for name in ("ada", "ben"):
        assert made.judge(name, "inconclusive").status_code == 303
    cookie = made.clients["ada"].get_cookie("reelproof")
    assert cookie is not None
    with served(made.app) as address:
        context = browser.new_context(viewport={"width": 390, "height": 800}, locale=code)
        context.add_cookies([{"name": "reelproof", "value": cookie.value, "url": address}])
        page = context.new_page()
        page.goto(f"{address}/cases/{made.case}")
        table = page.locator("#second-review .scroll")
        expect(table.locator(".verdict-inconclusive")).to_be_visible()
        assert table.evaluate("(table) => table.scrollWidth - table.clientWidth") <= 0
        context.close()
    made.app.extensions["database"].close()


def review_begun(lab: Lab) -> None:
    """Ada has made a case of her analysis and named who reviews it."""
    with lab.app.extensions["database"].alone() as session:
        ada, ben, cleo = (session.query(User).filter_by(name=name).one() for name, *_ in _PEOPLE)
        who = Principal(ada.name, ada.display, Role.EXAMINER, ada.id)
        case = service.create_case(session, who, "K-2026-0117", "")
        service.assign_to_case(session, session.get_one(AnalysisRow, lab.analysis), case.id)
        name_reviewers(session, who, case, ChosenReviewers(ada.id, ben.id, cleo.id, "findings"))


def named(page: Page, lab: Lab) -> None:
    """Ada does so on the pages for it, which are looked at."""
    page.goto(lab.address + "/cases")
    page.get_by_label("Name or number").fill("K-2026-0117")
    page.get_by_role("button", name="Create the case").click()
    page.wait_for_url(re.compile(r"/cases/\d+$"))
    case = page.url
    page.goto(f"{lab.address}/analyses/{lab.analysis}/assign")
    page.get_by_label("Case").select_option("K-2026-0117")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".banner")).to_be_visible()
    page.goto(case)
    page.get_by_text("Name reviewers").click()
    for part, who in (("First", "Ada"), ("Second", "Ben"), ("Third", "Cleo")):
        chosen = page.get_by_label(f"{part} reviewer")
        chosen.select_option(label=chosen.locator("option", has_text=who).inner_text())
    page.get_by_label("What the machine found, and what others said about an exhibit").check()
    look(page, "1-naming")
    page.get_by_role("button", name="Save reviewers").click()
    expect(page.get_by_text("until their own judgement is in").first).to_be_visible()
    look(page, "2-case")


def conclusion(page: Page, label: str) -> Locator:
    """Return the choice about the faces; the voices have a choice of their own."""
    return page.get_by_role("group", name="Conclusion", exact=True).get_by_label(label, exact=True)


def judged(page: Page, lab: Lab, label: str, reasons: str, stretch: Callable[[Page], None]) -> None:
    """Somebody goes from the count in the navigation to their judgement, and gives it."""
    page.goto(lab.address + "/")
    link = page.get_by_role("link", name="Reviews 1 waiting for me")
    expect(link).to_be_visible()
    link.click()
    page.get_by_role("link", name="Give your judgement").click()
    conclusion(page, label).check()
    page.get_by_label("Reasons").fill(reasons)
    stretch(page)
    page.get_by_role("button", name="Give this judgement").click()


def taken_from_the_player(page: Page) -> None:
    """The player is moved, and its time taken as start and end of a stretch."""
    video = page.locator("#player")
    for seconds, button in ((1.0, "Starts here"), (2.5, "Ends here")):
        video.evaluate(
            "(video, to) => new Promise((done) => {"
            " video.addEventListener('seeked', () => done(), { once: true });"
            " video.currentTime = Number(video.dataset.offset) + to; })",
            seconds,
        )
        page.get_by_role("button", name=button).first.click()
    expect(page.get_by_label("From").first).to_have_value("0:01.000")
    page.get_by_label("Note").first.fill("Edge of the chin flickers")


def hidden_from(page: Page, lab: Lab) -> None:
    """What the second reviewer meets where the machine's findings would be."""
    page.goto(f"{lab.address}/analyses/{lab.analysis}")
    expect(page).to_have_url(f"{lab.address}/reviews/{lab.analysis}")
    expect(page.get_by_text("You review this exhibit blind.")).to_be_visible()
    page.goto(f"{lab.address}/analyses/{lab.analysis}/report.html")
    expect(page.get_by_text("The finding stays hidden until you submit your own")).to_be_visible()
    look(page, "3-refused")
    page.goto(lab.address + "/analyses")
    expect(page.get_by_text("two people.mp4")).to_have_count(0)


def test_the_form_stays_where_it_is_while_the_exhibit_loads(lab: Lab, seen: Seen) -> None:
    review_begun(lab)
    ben = lab.signed_in("ben", seen)
    held: list[Route] = []
    ben.route("**/media*", lambda route: held.append(route), times=1)
    ben.goto(f"{lab.address}/reviews/{lab.analysis}", wait_until="domcontentloaded")
    expect(ben.get_by_role("button", name="Frame on")).to_be_visible()
    choice = ben.get_by_label("Manipulated", exact=True)
    before = choice.bounding_box()
    until(lambda: held, "the exhibit is not asked for", page=ben)
    held.pop().continue_()
    ben.wait_for_function("() => document.getElementById('player').readyState >= 2")
    assert choice.bounding_box() == before
    ben.context.close()
    assert seen.console == []


def test_a_judgement_is_kept_while_it_is_written_and_given_by_its_button_alone(lab: Lab, seen: Seen) -> None:
    review_begun(lab)
    ben = lab.signed_in("ben", seen)
    review = f"{lab.address}/reviews/{lab.analysis}"
    ben.goto(review)
    conclusion(ben, "Inconclusive").check()
    ben.get_by_label("Reasons").fill("The chin is blurred.")
    taken_from_the_player(ben)
    second = ben.get_by_role("group", name="Stretch 2")
    second.get_by_label("From").fill("0:04")
    second.get_by_label("To").fill("0:05")
    for field in (second.get_by_label("To"), conclusion(ben, "Inconclusive")):
        field.press("Enter")
    ben.get_by_role("link", name="All that waits for me").click()
    ben.get_by_role("link", name="Give your judgement").click()
    expect(ben).to_have_url(review)
    expect(conclusion(ben, "Inconclusive")).to_be_checked()
    expect(ben.get_by_label("Reasons")).to_have_value("The chin is blurred.")
    for number, start, end in (("1", "0:01.000", "0:02.500"), ("2", "0:04", "0:05")):
        group = ben.get_by_role("group", name=f"Stretch {number}")
        expect(group.get_by_label("From")).to_have_value(start)
        expect(group.get_by_label("To")).to_have_value(end)
    ben.set_viewport_size({"width": 390, "height": 844})
    ben.context.new_cdp_session(ben).send("Page.setFontSizes", {"fontSizes": {"standard": 32}})
    assert horizontal_overflow(ben) <= 0
    ben.get_by_role("button", name="Give this judgement").click()
    expect(ben.get_by_text("The judgement of the first reviewer is pending")).to_be_visible()
    assert ben.evaluate("() => sessionStorage.length") == 0
    ben.context.close()
    assert seen.console == []


def test_from_naming_to_the_final_report(lab: Lab, tmp_path: Path, seen: Seen) -> None:
    ada, ben, cleo = (lab.signed_in(name, seen) for name in ("ada", "ben", "cleo"))
    named(ada, lab)
    ada.goto(f"{lab.address}/analyses/{lab.analysis}")
    expect(ada.get_by_text("The judgements of both reviewers are pending")).to_be_visible()

    hidden_from(ben, lab)
    ben.goto(lab.address + "/reviews")
    look(ben, "4-queue")
    ben.get_by_role("link", name="Give your judgement").click()
    look(ben, "5-blind")
    judged(ben, lab, "Manipulated", "The chin's edge flickers.\nSkin is too smooth.", taken_from_the_player)
    expect(ben.get_by_text("The judgement of the first reviewer is pending")).to_be_visible()
    look(ben, "6-awaited")
    ben.goto(f"{lab.address}/analyses/{lab.analysis}")
    expect(ben.locator(".banner")).to_be_visible()

    judged(ada, lab, "Inconclusive", "Too strongly compressed to tell.", lambda _page: None)
    expect(ada.get_by_text("Both judgements are submitted and differ.")).to_be_visible()
    ada.get_by_label("Reasons").fill("The chin is blurred.")
    conclusion(ada, "Inconclusive").check()
    ada.get_by_label("Message").fill("Could the encoder have made that edge?")
    ada.get_by_role("button", name="Send").click()
    expect(ada.get_by_text("Could the encoder have made that edge?")).to_be_visible()
    expect(ada.get_by_label("Message")).to_have_value("")
    expect(ada.get_by_label("Reasons")).to_have_value("The chin is blurred.")  # of the proposal, not sent yet
    expect(conclusion(ada, "Inconclusive")).to_be_checked()
    ben.goto(f"{lab.address}/reviews/{lab.analysis}")
    ben.get_by_label("Message").fill("It moves against the head, which no encoder does.")
    ben.get_by_role("button", name="Send").click()
    expect(ben.get_by_text("It moves against the head")).to_be_visible()
    look(ben, "7-differs")

    cleo.goto(lab.address + "/reviews")
    cleo.get_by_role("link", name="Decide a difference").click()
    look(cleo, "8-third")
    cleo.get_by_label("Manipulated", exact=True).check()
    cleo.get_by_label("Reasons").fill("The edge moves against the head in twelve frames.")
    cleo.get_by_role("button", name="Decide").click()
    expect(cleo.get_by_role("heading", name="Conclusion of the third reviewer")).to_be_visible()
    look(cleo, "9-resolved")
    for page in (ada, ben, cleo):
        page.goto(lab.address + "/reviews")
        expect(page.get_by_text("Nothing waits for you.")).to_be_visible()

    ada.goto(f"{lab.address}/reviews/{lab.analysis}")
    with ada.expect_download() as download:
        ada.get_by_role("link", name="PDF report").click()
    place = Path(_SHOTS or tmp_path) / "final.pdf"
    download.value.save_as(place)
    with pikepdf.open(place) as document:
        assert "second-review.json" in document.attachments
        review = document.attachments["second-review.json"].get_file().read_bytes().decode()
    assert "The edge moves against the head in twelve frames." in review and "Ben Nowak" in review
    bundle = ada.request.get(f"{lab.address}/analyses/{lab.analysis}/bundle.zip?video=no").body()
    with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
        assert archive.read("second-review.json").decode() == review
    (tmp_path / "bundle.zip").write_bytes(bundle)
    assert verify(tmp_path / "bundle.zip").results.problems == []
    ada.goto(f"{lab.address}/analyses/{lab.analysis}/report.html")
    section = ada.locator("section:has(> #second-review)")
    expect(section).to_contain_text("The reviewers differed, and the third reviewer decided: manipulated.")
    ada.goto(f"{lab.address}/analyses/{lab.analysis}/custody")
    expect(ada.get_by_text("second review").first).to_be_visible()
    ada.goto(lab.address + "/statistics")
    expect(ada.get_by_role("heading", name="Reviewers among themselves")).to_be_visible()
    look(ada, "a-statistics")
    ada.set_viewport_size({"width": 390, "height": 844})
    ada.goto(f"{lab.address}/reviews/{lab.analysis}")
    look(ada, "b-phone")
    for name in ada.locator("main bdi, .outcome p").all():
        name.evaluate("(name) => { name.textContent = 'W'.repeat(80); }")
    assert horizontal_overflow(ada) <= 0
    for page in (ada, ben, cleo):
        page.context.close()
    assert seen.console == []
