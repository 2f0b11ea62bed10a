"""Comparison of two analyses of one exhibit."""

from __future__ import annotations

from pathlib import Path

import pytest
from analyses import build, with_stability
from flask.testing import FlaskClient
from made_results import finished

from detector.schema.analysis import Analysis, MediaKind, Model
from detector.schema.model import SecondLookModel
from webapp.analyses import two_analyses


def placed(analysis: Analysis, boxes: dict[str, tuple[float, float, float, float]]) -> Analysis:
    persons = [p.model_copy(update={"median_box": boxes[p.id]}) for p in analysis.persons]
    return analysis.model_copy(update={"persons": tuple(persons)})


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Analysis, Analysis]:
    left, right = (100.0, 100.0, 200.0, 220.0), (600.0, 100.0, 700.0, 220.0)
    first = placed(build(tmp_path, persons=2, segments=3, duration=40.0), {"A": left, "B": right})
    return first, placed(first, {"A": right, "B": left})


def test_persons_are_matched_by_position(pair: tuple[Analysis, Analysis]) -> None:
    first, second = pair
    assert two_analyses.match_persons(first, first) == {"A": "A", "B": "B"}
    assert two_analyses.match_persons(first, second) == {"A": "B", "B": "A"}
    apart = placed(second, {"A": (0, 0, 9, 9), "B": (20, 0, 29, 9)})
    assert two_analyses.match_persons(first, apart) == {}


def test_segments_side_by_side(pair: tuple[Analysis, Analysis]) -> None:
    first, second = pair
    rows = two_analyses.match_segments(first, first)
    assert [row.first for row in rows] == [row.second for row in rows]
    assert {row.overlap for row in rows} == {"100%"}
    (a1, b1, a2) = first.segments
    shorter = a1.model_copy(update={"end": (a1.start + a1.end) / 2})
    fewer = first.model_copy(update={"segments": (shorter, a2)})
    rows = two_analyses.match_segments(first, fewer)
    assert [(bool(row.first), bool(row.second)) for row in rows] == [
        (True, True),
        (True, False),
        (True, True),
    ]
    assert rows[0].overlap == "50%" and rows[1].overlap == ""
    back = two_analyses.match_segments(fewer, first)
    assert [(bool(row.first), bool(row.second)) for row in back] == [
        (True, True),
        (False, True),
        (True, True),
    ]
    assert back[1].person == "Person B"
    swapped = two_analyses.match_segments(first, second)
    assert [(row.person, row.first[:2], row.second[:2], row.overlap) for row in swapped] == [
        ("Person A", "A1", "B1", "100%"),  # A is the other's B
        ("Person B", "B1", "A1", "100%"),
        ("Person A", "A2", "", ""),
        ("Person B", "", "A2", ""),
    ]


def test_unflagged_segments_are_labelled(pair: tuple[Analysis, Analysis]) -> None:
    first, _ = pair
    doubted = with_stability(first, A=0.6)
    rows = two_analyses.match_segments(doubted, first)
    assert [(row.first[:2], "looked at, not flagged" in row.first, row.overlap) for row in rows] == [
        ("A1", True, ""),
        ("B1", False, "100%"),
        ("A2", True, ""),
    ]
    assert not any("looked at" in row.second for row in rows)
    assert all("looked at" in row.second for row in two_analyses.match_segments(first, doubted)[::2])
    alone = doubted.model_copy(update={"segments": ()})
    assert "looked at, not flagged" in two_analyses.match_segments(alone, doubted)[0].second


def test_different_parameters_are_listed(pair: tuple[Analysis, Analysis]) -> None:
    first, _ = pair
    other = first.model_copy(
        update={"parameters": first.parameters.model_copy(update={"enter_threshold": 0.9})}
    )
    assert two_analyses.parameter_differences(first, first) == ()
    (difference,) = two_analyses.parameter_differences(first, other)
    assert (difference.first, difference.second) == (f"{first.parameters.enter_threshold:g}", "0.9")


def test_different_networks_of_one_name_are_listed(pair: tuple[Analysis, Analysis]) -> None:
    made, _ = pair
    look = SecondLookModel(name="v", architecture="v", sha256="1" * 64, card_sha256="2" * 64)
    first = made.model_copy(
        update={
            "model": made.model.model_copy(update={"second_look": look}),
            "software": made.software.model_copy(update={"source_sha256": "3" * 64}),
        }
    )
    for other, name in (
        ({"model": first.model.model_copy(update={"sha256": "4" * 64})}, "SHA-256 of the weights"),
        ({"model": _looking(first, sha256="4" * 64)}, "SHA-256 of the second look’s weights"),
        (
            {"model": _looking(first, card_sha256="4" * 64)},
            "SHA-256 of the second look’s fusion and calibration",
        ),
        ({"software": first.software.model_copy(update={"source_sha256": "4" * 64})}, "engine's source"),
    ):
        (difference,) = two_analyses.parameter_differences(first, first.model_copy(update=other))
        assert (
            difference.name.endswith(name)
            and difference.second == "444444444444…"
            and difference.first != difference.second
        )
    assert {difference.second for difference in two_analyses.parameter_differences(first, made)} == {"–"}
    assert two_analyses.parameter_differences(first, first) == ()


def _looking(analysis: Analysis, **changes: str) -> Model:
    look = analysis.model.second_look
    assert look is not None
    return analysis.model.model_copy(update={"second_look": look.model_copy(update=changes)})


def test_different_other_models_are_not_called_equal(
    app, client: FlaskClient, pair: tuple[Analysis, Analysis]
) -> None:
    first = finished(app, segments=1)
    software = pair[0].software.model_copy(update={"source_sha256": "4" * 64})
    other = finished(app, {"software": software}, segments=1)
    page = client.get(f"/compare?a={first.id}&b={other.id}")
    assert page.status_code == 200 and "All settings are the same" not in page.text
    assert "444444444444…" in page.text


def test_incomparable_analyses_are_refused(app, client: FlaskClient) -> None:
    first, other = finished(app, segments=1), finished(app, segments=2)
    assert client.get("/compare").status_code == 400
    assert client.get(f"/compare?a={first.id}&b={first.id}").status_code == 400
    assert client.get(f"/compare?a={first.id}&b={'0' * 32}").status_code == 404
    answer = client.get(f"/compare?a={first.id}&b={other.id}")
    assert answer.status_code == 400
    assert "two different exhibits" in answer.text
    assert f'href="/analyses/{first.id}/compare?q={other.exhibit.sha256}"' in answer.text
    offered = client.get(f"/analyses/{first.id}/compare?q={other.exhibit.sha256}").text
    assert offered.count('type="radio"') == 1 and f'value="{other.id}" required checked' in offered
    photo = finished(app, kind=MediaKind.IMAGE, segments=0, duration=0.0)
    answer = client.get(f"/compare?a={first.id}&b={photo.id}")  # which only the photo can begin
    assert f'href="/analyses/{photo.id}/compare?q={first.exhibit.sha256}"' in answer.text
