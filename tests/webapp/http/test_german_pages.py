"""Pages asked for in German hold no English: what stands in them besides templates, too."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from second_review_case import Review, review

# Words that English sentences can hardly do without, and that German ones do not have.
_ENGLISH = re.compile(
    r"\b(?:the|of|and|with|were|from|not|are|this|that|has|have|been|your|you|no|is|by|on|for|never|none)\b"
)
_UNREAD = re.compile(r"<(script|style|code|kbd|textarea)\b.*?</\1>", re.S)
_ATTRIBUTE = re.compile(r'(?:aria-label|title|placeholder|alt)="([^"]*)"')
# The models' cards and the log's records are English; results here are made up, in English.
_ENGLISH_BY_NATURE = ("/models", "/custody", "/analyses/", "/evaluation")
_FILES = (
    ".json",
    ".csv",
    ".txt",
    "/media",
    "/thumbnail",
    "/exhibit",
    "/export",
    "/metrics",
    "/static",
    "/api",
)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Review]:
    made = review(Path(tmp_path_factory.mktemp("lab"), "data"), [])
    yield made
    made.app.extensions["database"].close()


def english(page: str) -> list[str]:
    """Lines of a page's text, and what its attributes tell, that read as English."""
    bare = _UNREAD.sub(" ", page)
    texts = re.sub(r"<[^>]+>", "\n", bare).split("\n") + _ATTRIBUTE.findall(bare)
    lines = (html.unescape(text).strip() for text in texts)
    return [line for line in lines if _ENGLISH.search(line.replace("interview under review", ""))]


def addresses(app: Flask, made: Review) -> list[str]:
    known = {"case_id": str(made.case), "analysis_id": made.row.id}
    pages = []
    for rule in app.url_map.iter_rules():
        if "GET" not in (rule.methods or ()) or rule.arguments - known.keys():
            continue
        address = re.sub(r"<(?:\w+:)?(\w+)>", lambda name: known[name[1]], rule.rule)
        if not any(part in address for part in (*_ENGLISH_BY_NATURE, *_FILES)):
            pages.append(address)
    return sorted(pages)


def test_no_page_mixes_languages(lab: Review) -> None:
    root, seen, findings = lab.clients["root"], 0, {}
    for address in addresses(lab.app, lab):
        answer = root.get(address, headers={"Accept-Language": "de"}, follow_redirects=True)
        if answer.content_type.startswith("text/html"):
            seen += 1
            findings[address] = english(answer.text)
    assert {address: lines for address, lines in findings.items() if lines} == {}
    assert seen > 15


def test_an_invalid_judgement_is_explained_in_german(lab: Review) -> None:
    form = {"conclusion": "manipulated", "reasons": "x", "start": "a", "end": "b", "note": ""}
    headers = {"Accept-Language": "de"}
    page = lab.clients["ben"].post(f"{lab.page}/judgement", data=form, headers=headers).text
    assert "„a“ ist keine Zeit." in page and english(page) == []
    lacking = {"conclusion": "manipulated", "reasons": ""}
    page = lab.clients["ben"].post(f"{lab.page}/judgement", data=lacking, headers=headers).text
    assert "Der Text der Begründung fehlt." in page and english(page) == []


def test_english_text_on_german_pages_is_detected() -> None:
    assert english('<p title="Name of it">Alles <b>gut</b></p><p>The end of this.</p>') == [
        "The end of this.",
        "Name of it",
    ]
