"""Annotations made on the review desk in a real browser, and those of a bundle that was read offline."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest
from axe import horizontal_overflow
from desk import Served
from playwright.sync_api import Browser, Page, expect
from review_desk import go_to, heatmaps_drawn, now, ready, sign

pytestmark = pytest.mark.browser


def test_annotations_are_kept(reviewed: tuple[Served, str], desk: Page, seen) -> None:
    app, analysis = reviewed
    desk.get_by_placeholder("What you saw").fill("a mad add: seams at the jaw")  # a and d while typing
    expect(desk.locator("#who")).to_be_hidden()
    desk.locator("#inspector h2").click()
    desk.keyboard.press("d")
    sign(desk, "Ann Example")
    row = desk.locator(".segment-row")
    expect(row).to_contain_text("Disagrees")
    desk.reload()
    expect(desk.locator(".segment-row")).to_contain_text("Disagrees")
    desk.keyboard.press("a")
    expect(desk.locator(".segment-row")).to_contain_text("Agrees")

    go_to(desk, 7.0)
    desk.keyboard.press("i")
    go_to(desk, 8.0)
    desk.keyboard.press("o")
    desk.locator("#span-note").fill("The mouth lags")
    desk.get_by_role("button", name="Mark the passage").click()
    expect(desk.locator("#history")).to_contain_text("missed by the machine")
    desk.get_by_role("tabpanel", name="Annotations").get_by_role("button", name="Unsure", exact=True).click()
    expect(desk.locator("#history")).to_contain_text("Whole exhibit")

    desk.get_by_role("tab", name="Persons").click()
    person = desk.locator("article[data-person=B]")
    person.get_by_text("Rename, merge or split").click()
    person.get_by_label("Name of person B").fill("Rear Admiral")
    person.get_by_role("button", name="Rename").click()
    expect(desk.locator("#lane-names")).to_contain_text("Rear Admiral")

    all_said = desk.request.get(f"{app.address}/api/v1/analyses/{analysis}/annotations").json()["annotations"]
    annotations = [annotation for annotation in all_said if annotation["author"] == "Ann Example"]
    assert [annotation["kind"] for annotation in annotations] == [
        "segment",
        "segment",
        "span",
        "exhibit",
        "rename",
    ]
    assert annotations[0]["note"] == "a mad add: seams at the jaw"
    assert annotations[2]["start"] == pytest.approx(7.0, abs=0.1) and annotations[2]["end"] == pytest.approx(
        8.0, abs=0.1
    )
    desk.get_by_role("tab", name="Annotations").click()
    desk.locator(f"[data-annotation='{annotations[2]['id']}']").get_by_role("button", name="Withdraw").click()
    expect(desk.locator(f"[data-annotation='{annotations[2]['id']}']")).to_contain_text("withdrawn")
    expect(desk.locator("[data-annotation]")).to_have_count(len(all_said))
    assert seen.console == []


def test_a_long_name_stays_within_the_desk(desk: Page) -> None:
    desk.evaluate("localStorage.setItem('reelproof-reviewer', 'Dee')")
    desk.get_by_role("tab", name="Persons").click()
    person = desk.locator("article[data-person=A]")
    person.get_by_text("Rename, merge or split").click()
    person.get_by_label("Name of person A").fill("W" * 80)
    person.get_by_role("button", name="Rename").click()
    expect(desk.locator("#inspector-title")).to_contain_text("W" * 80)
    desk.get_by_role("tab", name="Segments").click()
    for place in (desk.locator("#inspector-title"), desk.locator(".segment-words").first):
        expect(place).to_be_visible()
        assert place.evaluate("(place) => place.scrollWidth <= place.clientWidth")
    assert horizontal_overflow(desk) <= 0


def test_notes_not_recorded_yet_outlast_the_page(desk: Page) -> None:
    desk.evaluate("localStorage.setItem('reelproof-reviewer', 'Dee')")
    desk.locator("#segment-note").fill("seams at the jaw")
    desk.get_by_role("tab", name="Annotations").click()
    desk.locator("#span-note").fill("the mouth lags")
    desk.locator("#exhibit-note").fill("as a whole")
    desk.get_by_role("link", name="Library").click()
    expect(desk.get_by_role("heading", name="Library")).to_be_visible()
    desk.go_back()
    expect(desk.locator("#segment-note")).to_have_value("seams at the jaw")
    desk.reload()
    expect(desk.locator("#exhibit-note")).to_have_value("as a whole")
    expect(desk.locator("#span-note")).to_have_value("the mouth lags")

    desk.get_by_role("tab", name="Annotations").click()
    desk.get_by_role("tabpanel", name="Annotations").get_by_role("button", name="Unsure", exact=True).click()
    expect(desk.locator("#exhibit-note")).to_have_value("")
    desk.locator("#inspector h2").click()
    desk.keyboard.press("u")
    expect(desk.locator(".segment-row")).to_contain_text("Dee")
    expect(desk.locator("#segment-note")).to_have_value("")
    desk.reload()
    expect(desk.locator("#span-note")).to_have_value("the mouth lags")
    expect(desk.locator("#exhibit-note")).to_have_value("")
    expect(desk.locator("#segment-note")).to_have_value("")


def test_where_a_browser_keeps_nothing_leaving_a_note_asks_first(desk: Page) -> None:
    desk.evaluate("() => { Storage.prototype.setItem = () => { throw new Error('full'); }; }")
    desk.locator("#inspector").click()  # browsers ask only where somebody did something
    desk.locator("#segment-note").fill("seams at the jaw")
    with desk.expect_event("dialog") as asked:
        desk.once("dialog", lambda dialog: dialog.dismiss())
        desk.get_by_role("link", name="Library").click(no_wait_after=True)
    assert asked.value.type == "beforeunload"
    expect(desk.locator("#segment-note")).to_have_value("seams at the jaw")


def test_the_keyboard_stays_where_it_was(desk: Page) -> None:
    desk.evaluate("localStorage.setItem('reelproof-reviewer', 'Kim')")
    disagree = desk.locator("#inspector [data-verdict=disagree]")
    disagree.focus()
    desk.keyboard.press("Enter")
    expect(desk.locator("#inspector")).to_contain_text("Kim")
    expect(disagree).to_be_focused()

    desk.get_by_role("tab", name="Persons").click()
    person = desk.locator("article[data-person=A]")
    person.get_by_text("Rename, merge or split").click()
    person.get_by_label("Name of person A").fill("Kay")
    person.get_by_role("button", name="Rename").focus()
    desk.keyboard.press("Enter")
    expect(person.get_by_role("heading")).to_contain_text("Kay")
    expect(person.get_by_role("button", name="Rename")).to_be_focused()

    desk.get_by_role("tab", name="Annotations").click()
    unsure = desk.locator("#exhibit-buttons [data-verdict=unsure]")
    unsure.focus()
    desk.keyboard.press("Enter")
    expect(unsure).to_have_attribute("aria-pressed", "true")
    expect(unsure).to_be_focused()
    of_kim = (
        desk.locator("#history li")
        .filter(has_text="Kim")
        .filter(has=desk.get_by_role("button", name="Withdraw"))
    )
    expect(of_kim).to_have_count(3)  # newest first: the exhibit, the name, the segment
    of_kim.first.get_by_role("button", name="Withdraw").focus()
    desk.keyboard.press("Enter")
    expect(of_kim).to_have_count(2)
    expect(of_kim.first.get_by_role("button", name="Withdraw")).to_be_focused()
    for left in (1, 0):
        of_kim.last.get_by_role("button", name="Withdraw").focus()
        desk.keyboard.press("Enter")
        expect(of_kim).to_have_count(left)
        expect(desk.locator("#history :focus, #history:focus")).to_have_count(1)


def test_a_held_key_or_a_second_press_records_nothing_twice(reviewed: tuple[Served, str], desk: Page) -> None:
    app, analysis = reviewed
    address = f"{app.address}/api/v1/analyses/{analysis}/annotations"

    def by_sue() -> list[tuple[str, str, str]]:
        annotations = desk.request.get(address).json()["annotations"]
        return [
            (annotation["kind"], annotation.get("verdict", ""), annotation["note"])
            for annotation in annotations
            if annotation["author"] == "Sue"
        ]

    desk.evaluate("localStorage.setItem('reelproof-reviewer', 'Sue')")
    desk.locator("#segment-note").fill("seams at the jaw")
    desk.locator("#inspector h2").click()
    for _ in range(4):
        desk.keyboard.down("d")  # pressed again and again without being let go: repeated, as by a held key
    desk.keyboard.up("d")
    expect(desk.locator("#inspector .marks")).to_contain_text("Sue")
    desk.keyboard.press("d")  # with nothing new, and no note in place of the one before
    desk.locator("#inspector [data-verdict=unsure]").dblclick()
    desk.get_by_role("tab", name="Annotations").click()
    desk.locator("#span-start").fill("0.5")
    desk.locator("#span-end").fill("1.5")
    desk.get_by_role("button", name="Mark the passage").dblclick()
    expect(desk.locator("#history li").first).to_contain_text("missed by the machine")
    # What is asked for while another is under way waits, and is not lost.
    desk.locator("#exhibit-buttons [data-verdict=agree]").click()
    desk.keyboard.press("a")
    expect(desk.locator("#toast")).to_contain_text("You agree with A1.")
    assert by_sue() == [
        ("segment", "disagree", "seams at the jaw"),
        ("segment", "unsure", ""),
        ("span", "manipulated", ""),
        ("exhibit", "agree", ""),
        ("segment", "agree", ""),
    ]


def test_what_keeps_an_annotation_from_being_recorded_is_told_and_the_note_stays(desk: Page) -> None:
    desk.evaluate("localStorage.setItem('reelproof-reviewer', 'Pia')")
    desk.locator("#segment-note").fill("teeth run together")
    desk.evaluate("sessionStorage.clear()")  # as signing out in another tab does
    signed_out, silent = lambda route: route.fulfill(status=401, json={}), lambda route: route.abort()
    for answer, words in (
        (signed_out, "You are not signed in (any more), so nothing was recorded."),
        (silent, "Reelproof does not respond, so nothing was recorded."),
    ):
        desk.route("**/annotations", answer, times=1)
        desk.locator("#inspector [data-verdict=agree]").click()
        expect(desk.locator("#complaint")).to_contain_text(words)
        desk.locator("#complaint").get_by_role("button", name="Close").click()
    desk.reload()
    expect(desk.locator("#segment-note")).to_have_value("teeth run together")


def test_a_name_being_typed_outlasts_other_annotations(desk: Page) -> None:
    desk.evaluate("localStorage.setItem('reelproof-reviewer', 'Tom')")
    desk.get_by_role("tab", name="Persons").click()
    person = desk.locator("article[data-person=B]")
    person.get_by_text("Rename, merge or split").click()
    name = person.get_by_label("Name of person B")
    before = name.input_value()
    name.fill("Minister Hopper")
    desk.locator("#inspector [data-verdict=unsure]").click()
    expect(desk.locator("#inspector .marks")).to_contain_text("Tom")
    expect(name).to_have_value("Minister Hopper")
    person.get_by_role("button", name="Rename").click()
    expect(person.get_by_role("heading")).to_contain_text("Minister Hopper")
    desk.get_by_role("tab", name="Annotations").click()
    desk.locator("#history").get_by_role("button", name="Withdraw").first.click()
    expect(name).to_have_value(before)  # recorded, and so no longer being typed


def test_a_long_name_hides_neither_face_nor_score(desk: Page) -> None:
    long = "Wilhelmina Magdalena Wolkenstein von und zu Wimmelburg am Wasser, mit Hut und Mantel"[:80]
    desk.evaluate("localStorage.setItem('reelproof-reviewer', 'Ned')")
    desk.set_viewport_size({"width": 390, "height": 800})
    desk.get_by_role("tab", name="Persons").click()
    person = desk.locator("article[data-person=A]")
    person.get_by_text("Rename, merge or split").click()
    person.get_by_label("Name of person A").fill(long)
    person.get_by_role("button", name="Rename").click()
    lane = desk.locator("#lane-names li").filter(has_text=long)
    expect(lane).to_have_attribute("title", long)
    inside = """(row) => [...row.children].every((part) => {
        const [outer, inner] = [row.getBoundingClientRect(), part.getBoundingClientRect()];
        return inner.top >= outer.top && inner.bottom <= outer.bottom;
    })"""
    assert lane.evaluate(inside)
    drawn = "document.getElementById('review').desk.player.overlay.drawn"
    desk.wait_for_function(
        f"() => {drawn}.some((one) => /^Wilhelmina.*…: (.*\\d|not judged)/.test(one.words))"
    )

    desk.get_by_role("tab", name="Annotations").click()
    desk.locator("#history").get_by_role("button", name="Withdraw").first.click()
    expect(lane).to_have_count(0)


def test_two_persons_merged_and_apart_again(desk: Page) -> None:
    desk.evaluate("localStorage.setItem('reelproof-reviewer', 'Ben')")
    desk.get_by_role("tab", name="Persons").click()
    person = desk.locator("article[data-person=A]")
    person.get_by_text("Rename, merge or split").click()
    person.get_by_role("button", name="Merge").click()
    expect(desk.locator("article[data-person=A]")).to_have_count(0)
    expect(desk.locator("#lane-names li")).to_have_count(1)
    desk.locator("article[data-person=B]").get_by_role("button", name="undo").click()
    expect(desk.locator("#lane-names li")).to_have_count(2)


def test_bundle_offline_and_back(
    reviewed: tuple[Served, str], desk: Page, browser: Browser, tmp_path: Path
) -> None:
    app, analysis = reviewed
    with desk.expect_download(timeout=240_000) as download:
        desk.get_by_role("link", name="Bundle", exact=True).click()
    bundle = tmp_path / "bundle.zip"
    download.value.save_as(bundle)
    with zipfile.ZipFile(bundle) as packed:
        packed.extractall(tmp_path / "bundle")
    context = browser.new_context(
        offline=True, accept_downloads=True, viewport={"width": 1280, "height": 720}
    )
    page = context.new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda problem: problems.append(str(problem)))
    page.goto((tmp_path / "bundle" / "index.html").as_uri())
    expect(page.locator("#review")).to_be_visible()
    ready(page)
    page.keyboard.press("n")
    heatmaps_drawn(page, 1)
    go_to(page, 1.0)
    assert now(page) == pytest.approx(1.0, abs=0.1)
    page.keyboard.press("u")
    sign(page, "Carla, offline")
    expect(page.locator(".segment-row")).to_contain_text("Unsure")
    page.get_by_role("tab", name="Annotations").click()
    page.evaluate("Object.defineProperty(crypto, 'subtle', { value: undefined, configurable: true })")
    page.get_by_role("button", name="Save annotations to a file").click()
    expect(page.locator("#complaint")).to_contain_text("over HTTPS")
    assert problems.pop().startswith("TypeError")
    page.keyboard.press("Escape")
    page.evaluate("delete crypto.subtle")
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save annotations to a file").click()
    annotations = tmp_path / "annotations.json"
    saved.value.save_as(annotations)
    assert problems == []
    context.close()

    changed = tmp_path / "changed.json"
    changed.write_text(annotations.read_text().replace('"unsure"', '"agree"', 1))
    bring_in(desk, changed)
    expect(desk.locator("main")).to_contain_text("changed after")
    desk.goto(f"{app.address}/analyses/{analysis}")
    bring_in(desk, annotations)
    expect(desk.locator(".segment-row")).to_contain_text("Carla, offline")

    torn = tmp_path / "torn.zip"
    shutil.copy(bundle, torn)
    with zipfile.ZipFile(torn, "a") as packed:
        packed.writestr("overlays/extra.png", b"x")
    bring_in(desk, torn)
    expect(desk.locator("main")).to_contain_text("extra.png")


def bring_in(page: Page, file: Path) -> None:
    page.get_by_role("tab", name="Annotations").click()
    page.set_input_files("#import-file", file)
    page.get_by_role("button", name="Import").click()
