"""The review desk in another language: no text of it reads as in English, on a page and in a bundle."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from desk import Workbench
from playwright.sync_api import Browser, Page, expect

from language import translation
from webapp.downloads import bundles, desk_data
from webapp.exhibits.results import load_result

pytestmark = pytest.mark.browser

# All that is read or heard in the desk; what it shows in dialogs and closed parts as well.
_TEXTS = """
() => {
  const desk = document.getElementById("review");
  const found = new Set();
  const walk = document.createTreeWalker(desk, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const element = walk.currentNode.parentElement;
    if (!element.closest("script, style, bdi")) found.add(walk.currentNode.textContent);
  }
  for (const name of ["title", "aria-label", "placeholder", "alt"]) {
    for (const element of desk.querySelectorAll(`[${name}]`)) found.add(element.getAttribute(name));
  }
  return [...found];
}
"""
# The same in German: names, what counts them, and words both languages have.
_SAME = re.compile(
    r"(Person|Segment|Segmente) ?[A-Z]?\d*(, Person [A-Z])?|[A-Z]\d|Video|Name|Start|Person|Heatmap|Original"
    r"|HH:MM:SS.mmm|two people.mp4|Ada"
)


def texts(page: Page) -> set[str]:
    expect(page.locator("#review")).to_be_visible()
    expect(page.locator("#inspector")).to_be_visible()
    page.evaluate("document.getElementById('explore').dispatchEvent(new Event('input'))")
    phrases = {" ".join(text.split()) for text in page.evaluate(_TEXTS)}
    return {text for text in phrases if re.search(r"[^\W\d_]{2}", text)}


def of_a_page(browser: Browser, address: str, code: str) -> set[str]:
    context = browser.new_context(locale=code)
    page = context.new_page()
    page.goto(address)
    phrases = texts(page)
    if address.startswith("http"):  # other tests may have annotated the analysis
        kept = page.request.get(address.replace("/analyses/", "/api/v1/analyses/") + "/annotations").json()[
            "annotations"
        ]
        written = {
            annotation[key]
            for annotation in kept
            for key in ("author", "note", "name")
            if annotation.get(key)
        }
        phrases = {text for text in phrases if not any(word in text for word in written)}
    context.close()
    return phrases


@pytest.mark.parametrize("code", [code for code in translation.LANGUAGES if code != translation.DEFAULT])
def test_nothing_of_the_desk_stays_english(
    browser: Browser, workbench: Workbench, tmp_path: Path, code: str
) -> None:
    app = workbench.app
    address = f"{app.address}/analyses/{workbench.first}"
    english = of_a_page(browser, address, "en")
    spoken = of_a_page(browser, address, code)
    assert len(spoken) > 60
    assert sorted(phrase for phrase in english & spoken if not _SAME.fullmatch(phrase)) == []
    place = tmp_path / "index.html"
    with app.app.test_request_context(), translation.speaking(code):
        result = load_result(app.folders.result(workbench.first))
        data = desk_data.desk_document(workbench.first, result)
        place.write_text(
            bundles.render_offline_page(result.view, data, [], {"report.pdf": "PDF"}), encoding="utf-8"
        )
    offline = of_a_page(browser, place.as_uri(), code)
    assert sorted(phrase for phrase in english & offline if not _SAME.fullmatch(phrase)) == []
    assert len(offline & spoken) > 50, "the same words as on the page"


_HANDED_IN_BEFORE = """async () => {
    const { Item } = await import("/static/js/analyses/queue_item.js");
    const item = new Item(new File(["x".repeat(306_000)], "a.mp4"), () => {});
    item.set({ id: "1", known: { count: 1, first: "2026-11-09" } });
    return [item.part("known-words").textContent, item.part("size").textContent];
}"""


@pytest.mark.parametrize(
    ("code", "day", "size"),
    [
        ("en", "2026-11-09", "306.0 kB"),
        ("de", "09.11.2026", "306,0 kB"),
        ("es", "9 nov 2026", "306,0 kB"),
    ],
)
def test_a_file_handed_in_reads_as_in_the_library(
    browser: Browser, workbench: Workbench, code: str, day: str, size: str
) -> None:
    context = browser.new_context(locale=code)
    page = context.new_page()
    page.goto(workbench.app.address)
    known, shown = page.evaluate(_HANDED_IN_BEFORE)
    assert day in known and shown == size
    context.close()


_COUNTED = """async (language) => {
    const element = document.createElement("script");
    element.id = "messages";
    element.type = "application/json";
    const messages = { "%(num)s view": ["%(num)s vue", "%(num)s vues"] };
    element.textContent = JSON.stringify({ language, messages });
    document.body.append(element);
    const { ngettext } = await import(`/static/js/language.js?${language}`); // a module of its own
    element.remove();
    return [0, 1, 1.5, 2, 1000000].map((count) => ngettext("%(num)s view", "%(num)s views", count));
}"""


@pytest.mark.parametrize(("code", "of_one"), [("fr", [0, 1, 2]), ("es", [1]), ("de", [1])])
def test_what_counts_as_one_is_up_to_the_language(modules: Page, code: str, of_one: list[int]) -> None:
    messages = modules.evaluate(_COUNTED, code)
    assert [place for place, words in enumerate(messages) if words.endswith("vue")] == of_one
