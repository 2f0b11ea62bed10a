"""Ids on pages: none stands twice, and what labels and descriptions name is there."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from made_comparisons import compared
from made_copies import matched
from made_results import finished, hand_in
from second_review_case import review
from werkzeug.test import TestResponse

from detector.schema.analysis import MediaKind

pytestmark = pytest.mark.usefixtures("quick_reports")

_ID = re.compile(r'\sid="([^"]*)"')
_NAMED = re.compile(r'\s(?:for|list|aria-(?:labelledby|describedby|controls))="([^"]*)"')

# Made by the script that shows what it names.
_SCRIPTED = {"inspector-title"}


def problems(html: str) -> list[str]:
    """Ids that stand more than once, and those that are named and stand nowhere."""
    ids = Counter(_ID.findall(html))
    named = {name for value in _NAMED.findall(html) for name in value.split()}
    return [f"twice: {name}" for name, count in ids.items() if count > 1] + [
        f"nowhere: {name}" for name in sorted(named - set(ids) - _SCRIPTED)
    ]


def assert_ids_fit(answers: dict[str, TestResponse]) -> None:
    """Each page, by its path, is there and has no problem."""
    assert {path: answer.status_code for path, answer in answers.items() if answer.status_code != 200} == {}
    found = {path: problems(answer.text) for path, answer in answers.items()}
    assert {path: lines for path, lines in found.items() if lines} == {}


def test_ids_on_pages_of_analyses(app, client):
    video, other = finished(app, segments=3), finished(app, segments=2)
    photo = finished(app, segments=2, kind=MediaKind.IMAGE, file="photo.png")
    waiting = hand_in(app, b"waiting", "waiting.mp4")
    with app.extensions["database"].begin() as session:  # two analyses of one exhibit, to compare
        session.merge(video).exhibit_id = other.exhibit_id
    matched(app, photo, other)
    row = compared(app, photo, other)
    paths = [
        "/",
        "/analyses",
        "/analyses?q=nothing",
        "/statistics",
        "/models",
        "/operations",
        "/help",
        "/cases",
    ]
    paths += [f"/analyses/{one.id}" for one in (video, photo, waiting)]
    paths += [f"/analyses/{other.id}/{page}" for page in ("again", "delete", "custody", "copies", "compare")]
    paths += [
        f"/compare?a={video.id}&b={other.id}",
        f"/comparisons/{row.id}",
        f"/comparisons/{row.id}/delete",
    ]
    assert_ids_fit({path: client.get(path) for path in paths})


def test_ids_on_pages_of_people(tmp_path, sent):
    made = review(tmp_path / "reviewed", sent)
    clients = made.clients
    paths = [
        ("root", "/users"),
        ("root", f"/cases/{made.case}"),
        ("root", f"/analyses/{made.row.id}/assign"),
        *(
            ("ben", path)
            for path in ("/account", "/account/tokens", "/account/second-factor", "/reviews", made.page)
        ),
    ]
    assert_ids_fit({path: clients[name].get(path) for name, path in paths})
