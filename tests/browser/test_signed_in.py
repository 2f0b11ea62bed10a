"""With login on: signing in, handing in and judging as somebody; the pages of accounts and cases."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from axe import complaints, horizontal_overflow
from http_servers import served
from people import PASSWORD, account, with_login
from playwright.sync_api import Browser, Page, expect

from webapp.accounts.permissions import Role

pytestmark = pytest.mark.browser

_SHOTS = os.environ.get("REELPROOF_TEST_SHOTS")  # a folder to look at the pages in


@dataclass
class House:
    """A running app with people; what was handed in waits, since nobody analyses."""

    address: str


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    app = with_login(tmp_path_factory.mktemp("house") / "data", [])
    account(app, "root", Role.ADMINISTRATOR, "Rosa Ott")
    account(app, "ada", Role.EXAMINER, "Ada Ng")
    account(app, "ray", Role.READER, "Ray Bo")
    account(app, "new", Role.REVIEWER, "Nia Weh", one_time=True)
    with served(app) as address:
        yield House(address)
    app.extensions["database"].close()


def sign_in(page: Page, house: House, name: str) -> None:
    page.goto(house.address + "/login")
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("button", name="Sign out", exact=True)).to_be_visible()


def test_what_was_written_outlasts_the_session(house: House, page: Page) -> None:
    sign_in(page, house, "ada")
    page.goto(house.address + "/cases")
    page.get_by_label("Description").fill("What the <case> is about\nand more")
    page.get_by_label("Name").fill("Harbour")
    elsewhere = page.context.new_page()
    elsewhere.goto(house.address + "/account")
    elsewhere.get_by_role("button", name="Sign out", exact=True).click()
    expect(elsewhere).to_have_url(house.address + "/login")
    page.get_by_role("button", name="Create the case").click()
    expect(page.get_by_text("nothing was saved")).to_be_visible()
    expect(page.get_by_label("Description")).to_have_value("What the <case> is about\nand more")
    with page.expect_popup() as opened:
        page.get_by_role("link", name="Sign in").click()
    again = opened.value
    again.get_by_label("User name").fill("ada")
    again.get_by_label("Password").fill(PASSWORD)
    again.get_by_role("button", name="Sign in").click()
    expect(again).to_have_url(house.address + "/cases")


@pytest.mark.parametrize("scripts", [True, False])
def test_from_the_address_asked_for_and_back_out(house: House, browser: Browser, scripts: bool) -> None:
    context = browser.new_context(java_script_enabled=scripts)
    page = context.new_page()
    page.goto(house.address + "/statistics")
    page.get_by_label("User name").fill("ada")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("do not match")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(house.address + "/statistics")
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page).to_have_url(house.address + "/login")
    page.goto(house.address + "/analyses")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    context.close()


@pytest.mark.parametrize("scripts", [True, False])
def test_handing_in_to_a_case_and_cancelling(
    house: House, browser: Browser, tmp_path: Path, scripts: bool
) -> None:
    context = browser.new_context(java_script_enabled=scripts)
    page = context.new_page()
    sign_in(page, house, "ada")
    name = f"Case {'with' if scripts else 'without'} scripts"
    page.goto(house.address + "/cases")
    page.get_by_label("Name or number").fill(name)
    page.get_by_role("button", name="Create the case").click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    page.get_by_role("link", name="Upload files").click()
    page.wait_for_load_state()  # the script takes a file chosen from then on
    photo = tmp_path / "photo.png"
    photo.write_bytes(b"\x89PNG\r\n\x1a\n" + os.urandom(200))
    page.set_input_files("#file", photo)
    page.get_by_role("button", name="Start the analysis").click()
    page.wait_for_url("**/analyses/*")
    page.get_by_role("button", name="Cancel the analysis").click()
    expect(page.get_by_text("The analysis was cancelled")).to_be_visible()
    page.goto(house.address + "/cases")
    page.get_by_role("link", name=name).click()
    expect(page.get_by_role("link", name="photo.png")).to_be_visible()
    context.close()


def test_deleting_by_dialog(house: House, page: Page, tmp_path: Path) -> None:
    sign_in(page, house, "ada")
    photo = tmp_path / "gone.png"
    photo.write_bytes(b"\x89PNG\r\n\x1a\n" + os.urandom(200))
    page.goto(house.address + "/")
    page.set_input_files("#file", photo)
    page.get_by_role("button", name="Start the analysis").click()
    page.wait_for_url("**/analyses/*")
    page.get_by_role("button", name="Cancel the analysis").click()
    page.goto(house.address + "/analyses?q=gone.png")
    row = page.locator("tr[data-id]")
    row.locator("summary").click()
    row.get_by_role("link", name="Delete…").click()
    asking = page.get_by_role("dialog")
    expect(asking).to_be_visible()
    lower_edges = [
        asking.locator(words).evaluate(
            """(words) => {
                const range = document.createRange();
                range.selectNodeContents(words);
                return range.getClientRects()[0].bottom;
            }"""
        )
        for words in (".verdict > span", "p:has(> .verdict) > .muted")
    ]
    assert lower_edges[0] == lower_edges[1], "what became of it stands on one line with the words beside it"
    asking.get_by_role("button", name="Delete the analysis").click()
    expect(page.get_by_text("The analysis was deleted.")).to_be_visible()


def test_a_file_that_is_no_media_is_refused_on_the_page(house: House, page: Page, tmp_path: Path) -> None:
    sign_in(page, house, "ada")
    page.goto(house.address + "/")
    text = tmp_path / "notes.mp4"
    text.write_text("no video at all")
    page.set_input_files("#file", text)
    page.get_by_role("button", name="Start the analysis").click()
    expect(page.locator(".queue-problem")).to_contain_text("starts like a file of another kind")


def test_a_given_password_has_to_be_changed_first(house: House, page: Page) -> None:
    sign_in(page, house, "new")
    expect(page.get_by_role("heading", name="Choose a password of your own")).to_be_visible()
    page.get_by_label("Current password").fill(PASSWORD)
    page.get_by_label("New password").fill("marble kettle 48 orchid")
    page.get_by_label("Repeat the new one").fill("marble kettle 48 orchid")
    page.get_by_role("button", name="Change the password").click()
    expect(page.get_by_text("The password was changed.")).to_be_visible()


def pages_of(house: House, page: Page) -> list[tuple[str, str]]:
    """Addresses by name, for an administrator who is signed in."""
    page.goto(house.address + "/cases")
    page.get_by_label("Name or number").fill("K-2026-0117 " + "long " * 12)
    page.get_by_label("Description").fill("Clips of the press conference.\nAsked for by the second desk.")
    page.get_by_role("button", name="Create the case").click()
    page.wait_for_url(re.compile(r"/cases/\d+$"))
    case = page.url
    return [
        ("account", "/account"),
        ("people", "/users"),
        ("cases", "/cases"),
        ("case", case.removeprefix(house.address)),
        ("second factor", "/account/second-factor"),
        ("tokens", "/account/tokens"),
        ("confirm", "/confirm?next=/users"),
        ("upload", "/"),
        ("error", "/cases/9999"),
    ]


@pytest.mark.parametrize(("size", "themes"), [((1280, 720), ("light", "dark")), ((390, 844), ("light",))])
def test_pages_of_accounts_and_cases(
    house: House, browser: Browser, size: tuple[int, int], themes: tuple[str, ...]
) -> None:
    """axe-core finds nothing, nothing sticks out, and with REELPROOF_TEST_SHOTS they can be looked at."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, bypass_csp=True)
    page = context.new_page()
    problems: dict[str, object] = {}

    def look(name: str) -> None:
        for theme in themes:
            page.emulate_media(color_scheme=theme)
            violations = complaints(page, theme)
            over = horizontal_overflow(page)
            if violations or over > 0:
                problems[f"{name}, {theme}"] = violations, over
            if _SHOTS:
                page.screenshot(path=f"{_SHOTS}/{name}-{theme}-{size[0]}.png", full_page=True)
        page.emulate_media(color_scheme="light")

    page.goto(house.address + "/login")
    look("login")
    page.get_by_label("User name").fill("nobody")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    look("refused")
    sign_in(page, house, "root")
    pages = pages_of(house, page)
    for name, path in pages:
        page.goto(house.address + path)
        if name == "people":
            page.locator(".entries summary").first.click()
        if name == "case":
            page.locator("details summary").last.click()
        look(name)
    page.goto(house.address + "/users")
    page.get_by_label("User name").fill(f"somebody{size[0]}")
    page.get_by_label("Full name").fill(f"Somebody {size[0]}")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator(".given")).to_be_visible()
    look("handed")
    if size[0] == 390:  # with text twice as large, in a language of long words
        context.new_cdp_session(page).send("Page.setFontSizes", {"fontSizes": {"standard": 32}})
        context.set_extra_http_headers({"Accept-Language": "de"})
        for name, path in [*pages, ("operations", "/operations"), ("validations", "/validations")]:
            page.goto(house.address + path)
            page.evaluate("() => document.querySelectorAll('details').forEach((one) => { one.open = true; })")
            if (over := horizontal_overflow(page)) > 0:
                problems[f"{name}, large"] = over
    context.close()
    assert problems == {}


def test_a_reader_is_offered_nothing_they_may_not_do(house: House, page: Page) -> None:
    sign_in(page, house, "ray")
    expect(page.get_by_text("does not upload files")).to_be_visible()
    expect(page.get_by_role("link", name="People")).to_have_count(0)
    page.goto(house.address + "/models")
    expect(page.get_by_role("button", name="Make default")).to_have_count(0)
