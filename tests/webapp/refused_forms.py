"""The page of a form that was refused: what stands in it, and what is said of it."""

from __future__ import annotations

from html.parser import HTMLParser

from page_structure import problems
from werkzeug.test import TestResponse


class Page(HTMLParser):
    """What stands in the fields of a page, what they are described by, and where the focus goes."""

    def __init__(self, answer: TestResponse) -> None:
        super().__init__()
        self.values: dict[str, list[str]] = {}
        self.wrong: dict[str, str] = {}  # by field, what stands beside it
        self.focus, self.links, self.open = "", [], 0
        self._select = self._text = ""
        self._described: list[str] = []
        self.feed(answer.text)
        assert self._described == [f"{field}-wrong" for field in self.wrong]
        assert problems(answer.text) == []

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        name, value = given.get("name") or "", given.get("value") or ""
        ids = given.get("aria-describedby", "").split()
        self._described += [description for description in ids if description.endswith("-wrong")]
        assert given.get("aria-invalid") in (None, "true")
        assert (
            tag == "fieldset"
            or "aria-invalid" in given
            or not any(description.endswith("-wrong") for description in ids)
        )
        if "autofocus" in given and not self.focus:
            assert given["role"] == "alert" and given["tabindex"] == "-1"
            self.focus = "problem"
        if tag == "a" and given.get("href", "").startswith("#") and self.focus:
            self.links.append(given["href"])
        if given.get("id", "").endswith("-wrong"):
            self._text = given["id"].removesuffix("-wrong")
        match tag:
            case "input" if given.get("type") not in ("radio", "checkbox") or "checked" in given:
                self.values.setdefault(name, []).append(value)
            case "textarea":
                self._text = f"={name}"
                self.values.setdefault(name, []).append("")
            case "select":
                self._select = name
            case "option" if "selected" in given:
                self._text = "" if "value" in given else f"={self._select}"
                self.values.setdefault(self._select, []).append(value)
            case "details" if "open" in given:
                self.open += 1

    def handle_endtag(self, tag):
        if tag in ("textarea", "small", "option"):
            self._text = ""

    def handle_data(self, data):
        if self._text.startswith("="):
            self.values[self._text[1:]][-1] += data.removeprefix("\n")
        elif self._text:
            self.wrong[self._text] = self.wrong.get(self._text, "") + data


def again(answer: TestResponse, field: str, words: str, **typed: str | list[str]) -> Page:
    """The page of a refused form; ``words`` stand beside ``field``, and what was typed in its fields."""
    page = Page(answer)
    assert page.focus == "problem"
    assert words in page.wrong.get(field, ""), (page.wrong, answer.status_code)
    for name, texts in typed.items():
        wanted = texts if isinstance(texts, list) else [texts]
        assert [value for value in page.values[name] if value or "" in wanted] == wanted, name
    return page
