"""Ids and headings of pages.

No id stands twice, and what labels and descriptions name is there. One heading of the first level comes
before all others, and none is more than one level below the one before it.
"""

from __future__ import annotations

import pytest
from made_comparisons import compared
from made_copies import matched
from made_results import finished, hand_in
from page_structure import problems
from second_review_case import review
from werkzeug.test import TestResponse

from detector.schema.analysis import MediaKind

pytestmark = pytest.mark.usefixtures("quick_reports")


def assert_well_formed(answers: dict[str, TestResponse]) -> None:
    """Each page, by its path, is there and has no problem."""
    assert {path: answer.status_code for path, answer in answers.items() if answer.status_code != 200} == {}
    findings = {path: problems(answer.text) for path, answer in answers.items()}
    assert {path: lines for path, lines in findings.items() if lines} == {}


def test_pages_of_analyses(app, client):
    video, other = finished(app, segments=3), finished(app, segments=2)
    photo = finished(app, segments=2, kind=MediaKind.IMAGE, file="photo.png")
    waiting, stopped = hand_in(app, b"waiting", "waiting.mp4"), hand_in(app, b"stopped", "stopped.mp4")
    assert client.post(f"/analyses/{stopped.id}/cancel").status_code == 303
    with app.extensions["database"].begin() as session:  # two analyses of one exhibit, to compare
        session.merge(video).exhibit_id = other.exhibit_id
    for analysis in (video, photo, waiting, stopped):
        matched(app, analysis, other)
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
        "/validations",
        "/live",
        "/api/v1/docs",
    ]
    paths += [f"/analyses/{analysis.id}" for analysis in (video, photo, waiting, stopped)]
    paths += [f"/analyses/{other.id}/{page}" for page in ("again", "delete", "custody", "copies", "compare")]
    paths += [
        f"/compare?a={video.id}&b={other.id}",
        f"/comparisons/{row.id}",
        f"/comparisons/{row.id}/delete",
    ]
    assert_well_formed({path: client.get(path) for path in paths})


def test_pages_of_people(tmp_path, sent):
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
    assert_well_formed({path: clients[name].get(path) for name, path in paths})
