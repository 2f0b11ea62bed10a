"""Scores for the desk: outline and stretches."""

from __future__ import annotations

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from made_results import finished, hand_in

from webapp.downloads import desk_data


def made(count: int, seed: int) -> desk_data.Columns:
    """Random scores of three tracks, a tenth of them not judged."""
    rng = np.random.default_rng(seed)
    time = np.sort(rng.choice(20_000, count, replace=False)) / 16
    unjudged = rng.random(count) < 0.1
    score, smooth = rng.random((2, count)).round(4)
    score[unjudged] = smooth[unjudged] = np.nan
    track = (np.arange(count) * 3 // max(count, 1)).astype(np.int64)
    box = rng.integers(0, 500, (count, 4))
    return desk_data.Columns(time, track, box, score, smooth, rng.random(count) < 0.4)


@given(st.integers(0, 500), st.integers(0, 10_000), st.sampled_from([0.5, 3.0, 18.0, 5000.0]))
def test_outlines_keep_minimum_and_maximum_of_each_bucket(count: int, seed: int, width: float) -> None:
    columns = made(count, seed)
    outline = desk_data.outline(columns, width)
    index = np.searchsorted(columns.time, outline["time"])
    assert outline == columns.listed(index) | {"low": outline["low"], "high": outline["high"]}
    assert (np.diff(index) > 0).all()
    assert set(outline["track"]) == set(columns.track.tolist())
    buckets = (columns.time / width).astype(int)
    assert {int(time / width) for time in outline["time"]} == set(buckets.tolist())
    kept = np.array([np.nan if value is None else value for value in outline["smooth"]], float)
    for bucket in set(buckets.tolist()):
        inside = buckets == bucket
        judged = columns.smooth[inside & ~np.isnan(columns.smooth)]
        here = kept[buckets[index] == bucket]
        assert len(here) <= 2 + 3
        if len(judged):
            assert (np.nanmin(here), np.nanmax(here)) == (judged.min(), judged.max())
            scores = np.sort(columns.score[inside & ~np.isnan(columns.score)])
            last = len(scores) - 1
            of = [
                i for i in range(len(index)) if buckets[index[i]] == bucket and outline["low"][i] is not None
            ]
            assert {outline["low"][i] for i in of} == {scores[last // 4]}
            assert {outline["high"][i] for i in of} == {scores[-(-3 * last // 4)]}


def test_long_analyses_are_sent_in_stretches(app: Flask, client: FlaskClient) -> None:
    short, row = finished(app), finished(app, persons=2, duration=3600.0, count=9_000)
    assert client.get(f"/api/v1/analyses/{short.id}/desk").json["outline"] is None  # type: ignore[index]
    address = f"/api/v1/analyses/{row.id}/desk"
    outlined = client.get(address).json
    whole = client.get(f"{address}?scores=all").json
    assert outlined is not None and whole is not None
    assert whole["outline"] is None and "low" not in whole["persons"][0]
    assert all(len(person["time"]) <= 2 * desk_data.BUCKETS + 10 for person in outlined["persons"])
    length, place = outlined["outline"]["stretch"], outlined["outline"]["scores"]
    joined: dict[str, dict[str, list[object]]] = {}
    for start in range(0, 3600, int(length)):
        for person in client.get(f"{place}?start={start}&end={start + length}").json["persons"]:  # type: ignore[index]
            own = joined.setdefault(person.pop("id"), {})
            for name, values in person.items():
                own.setdefault(name, []).extend(values)
    assert joined == {p["id"]: {name: p[name] for name in joined[p["id"]]} for p in whole["persons"]}
    assert set(joined["A"]) == {"time", "track", "box", "score", "smooth", "interpolated"}


@pytest.mark.parametrize("query", ["", "?start=0", "?start=x&end=5", "?start=nan&end=5", "?start=0&end=inf"])
def test_invalid_stretches_are_refused(app: Flask, client: FlaskClient, query: str) -> None:
    answer = client.get(f"/api/v1/analyses/{finished(app).id}/desk/scores{query}")
    assert answer.status_code == 422 and "query." in answer.text


def test_unfinished_analyses_have_no_scores(app: Flask, client: FlaskClient) -> None:
    assert client.get(f"/api/v1/analyses/{hand_in(app).id}/desk/scores?start=0&end=1").status_code == 409
    assert client.get(f"/api/v1/analyses/{'0' * 32}/desk/scores?start=0&end=1").status_code == 404
