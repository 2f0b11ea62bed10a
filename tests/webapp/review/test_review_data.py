"""Data of the review desk."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from analyses import build, with_stability
from flask import Flask
from flask.testing import FlaskClient
from made_results import finished, hand_in

from detector.schema.analysis import Analysis, MediaKind
from language.translation import speaking
from webapp.downloads import desk_data
from webapp.exhibits.media.playback import Playback
from webapp.exhibits.results import load_result
from webapp.storage.data_folder import Folders


def test_all_scores_and_segments_are_included(app: Flask, client: FlaskClient) -> None:
    row = finished(app, segments=3, persons=2)
    folder = Folders.local(app.extensions["settings"].data).result(row.id)
    analysis = Analysis.from_json((folder / "analysis.json").read_bytes())
    data = client.get(f"/api/v1/analyses/{row.id}/desk").json
    assert data is not None
    assert data["analysis"] == {
        "id": row.id,
        "sha256": hashlib.sha256((folder / "analysis.json").read_bytes()).hexdigest(),
        "exhibit_sha256": analysis.media.sha256,
    }
    for person, given in zip(analysis.persons, data["persons"], strict=True):
        count = len(person.scores)
        assert [len(given[name]) for name in ("time", "track", "score", "smooth")] == [count] * 4
        assert len(given["box"]) == 4 * count
        assert given["interpolated"] == [int(s.interpolated) for s in person.scores]
        assert [value is None for value in given["score"]] == [not s.usable for s in person.scores]
    assert [s["id"] for s in data["segments"]] == [s.id for s in analysis.segments]
    peak = data["segments"][0]["peaks"][0]
    for name in ("frame", "overlay", "map"):
        assert client.get(peak[name]).mimetype == "image/png"
    assert data["rules"]["enter"] == analysis.parameters.enter_threshold


def test_confirmed_persons_are_marked(tmp_path: Path) -> None:
    analysis = with_stability(build(tmp_path, persons=2, segments=2), B=0.6)
    (tmp_path / "analysis.json").write_text(analysis.to_json())
    confirmed, not_confirmed = desk_data.desk_document("a" * 32, load_result(tmp_path))["segments"]
    assert confirmed["flagged"] and "How often this strength is wrong" in confirmed["meaning"]
    assert not not_confirmed["flagged"] and not_confirmed["strength"] == "not flagged"
    assert not_confirmed["meaning"].startswith("Person B: ")


@pytest.mark.parametrize(
    ("code", "singular", "many"),
    [
        ("en", "1 frame scored", "1,204 frames scored"),
        ("de", "1 Bild bewertet", "1.204 Bilder bewertet"),
        ("es", "1 fotograma puntuado", "1.204 fotogramas puntuados"),
    ],
)
def test_scored_frames_are_counted_in_words(tmp_path: Path, code: str, singular: str, many: str) -> None:
    analysis = build(tmp_path, segments=2, persons=1)
    counted = zip(analysis.segments, (1, 1204), strict=True)
    segments = tuple(segment.model_copy(update={"frames": frames}) for segment, frames in counted)
    (tmp_path / "analysis.json").write_text(analysis.model_copy(update={"segments": segments}).to_json())
    with speaking(code):
        shown = desk_data.desk_document("a" * 32, load_result(tmp_path))["segments"]
    assert [entry["scored"] for entry in shown] == [singular, many]


def test_playback_is_listed_only_if_something_plays(app: Flask) -> None:
    row = finished(app)
    result = load_result(Folders.local(app.extensions["settings"].data).result(row.id))

    def media(playback: Playback | None) -> dict[str, object]:
        where = desk_data.DeskAddresses(media="/media")
        return desk_data.desk_document(row.id, result, playback, where)["media"]

    preview = Playback("preview", "video/mp4", 0.25, 640, 360, "Converted from AVI.")
    assert (media(preview)["source"], media(preview)["offset"]) == ("/media", 0.25)
    assert media(None)["source"] is None
    nothing = media(Playback("none", "", 0.0, 0, 0, "The preview could not be made."))
    assert nothing["source"] is None and nothing["reason"] == "The preview could not be made."


def test_texts_are_translated(app: Flask, client: FlaskClient) -> None:
    row = finished(app, segments=1)

    def words(asked: str) -> tuple[str, str, str]:
        data = client.get(f"/api/v1/analyses/{row.id}/desk", headers={"Reelproof-Language": asked}).json
        segment = data["segments"][0]  # type: ignore[index]
        return segment["strength"], segment["meaning"], segment["peaks"][0]["effect"]

    english, german, spanish = words("en"), words("de"), words("es")
    assert words("en") == english, "a language asked for later does not stay"
    assert english[0].endswith("signs of manipulation") and german[0].endswith("Manipulation")
    assert len({*english, *german, *spanish}) == 9


def test_unfinished_analyses_have_no_data(app: Flask, client: FlaskClient) -> None:
    assert client.get(f"/api/v1/analyses/{hand_in(app).id}/desk").status_code == 409
    assert client.get(f"/api/v1/analyses/{'0' * 32}/desk").status_code == 404


@pytest.mark.parametrize("persons", [0, 1, 20])
def test_pages_of_many_persons_and_of_none(app: Flask, client: FlaskClient, persons: int) -> None:
    row = finished(app, persons=persons, segments=min(persons, 3))
    assert len(client.get(f"/api/v1/analyses/{row.id}/desk").json["persons"]) == persons  # type: ignore[index]
    assert client.get(f"/analyses/{row.id}").status_code == 200


def test_a_photo_has_flags_without_times(app: Flask, client: FlaskClient) -> None:
    row = finished(app, kind=MediaKind.IMAGE, segments=1, file="portrait.png")
    data = client.get(f"/api/v1/analyses/{row.id}/desk").json
    assert data is not None and data["media"]["kind"] == "image"
    assert ", 00:00" not in data["segments"][0]["peaks"][0]["caption"]


def test_captions_of_unflagged_faces(app: Flask, tmp_path: Path) -> None:
    changes = {"kind": MediaKind.IMAGE, "segments": 1, "file": "portrait.png"}
    captions = []
    for stability in (1.0, 0.6):
        made = build(tmp_path, kept=False, **changes)  # type: ignore[arg-type]
        row = finished(app, {"persons": with_stability(made, A=stability).persons}, **changes)
        data = app.test_client().get(f"/api/v1/analyses/{row.id}/desk").json
        assert data is not None
        captions.append(data["segments"][0]["peaks"][0]["caption"])
    assert captions[0].startswith("Flagged face A1, person A, score ")
    assert captions[1].startswith("Looked at, not flagged: A1, person A, score ")
