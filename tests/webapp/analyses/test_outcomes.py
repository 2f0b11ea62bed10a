"""Rows, filters, statuses and pages state both verdicts, on faces and on voices, with their strength."""

from __future__ import annotations

import json

import pytest
from made_results import finished
from voices import recording, voice

from detector.schema.analysis import MediaKind, Verdict
from detector.schema.summary import Verdicts, faces_strength
from detector.schema.voice import VoiceVerdict
from language.headlines import headline
from reports.wording.verdict_sentence import mark_of
from webapp.storage.finding_columns import read_verdicts

FACES = {
    "weak faces": (Verdict.MANIPULATED, 0.67),
    "strong faces": (Verdict.MANIPULATED, 0.99),
    "open faces": (Verdict.INCONCLUSIVE, None),
    "clean faces": (Verdict.NOT_FOUND, 0.2),
}
VOICES = {
    "weak voice": (VoiceVerdict.SYNTHETIC, 0.8),
    "strong voice": (VoiceVerdict.SYNTHETIC, 0.99),
    "open voice": (VoiceVerdict.INCONCLUSIVE, 0.6),
    "human voice": (VoiceVerdict.NOT_FOUND, 0.2),
    "no speech": (VoiceVerdict.NO_SPEECH, None),
    "no sound": None,
}
PHOTOGRAPHS = {
    "photo of weak faces": (Verdict.MANIPULATED, 0.9),
    "photo of strong faces": (Verdict.MANIPULATED, 0.99),
}
FILTERS = {
    "any": lambda of: of.outcome == "finding",
    "faces": lambda of: of.faces is Verdict.MANIPULATED,
    "voices": lambda of: of.voices is VoiceVerdict.SYNTHETIC,
    "open": lambda of: of.outcome == "open",
    "nothing": lambda of: of.outcome == "nothing found",
}
# So that a page of the list holds all rows; test_headlines has their words.
_LEFT_OUT = {("weak faces", "no speech"), ("strong faces", "no speech"), ("strong faces", "open voice")}
_SPANS = {VoiceVerdict.SYNTHETIC: ((3.0, 8.5),)}


def _heard(spoken):
    if spoken is None:
        return None
    verdict, score = spoken
    return voice(verdict=verdict, spans=_SPANS.get(verdict, ()), probability=score)


def _verdicts(faces, spoken, *, still=False):
    verdict, score = faces or (None, None)
    return Verdicts(
        verdict,
        spoken[0] if spoken else None,
        no_face=verdict is Verdict.INCONCLUSIVE,
        faces_strength=faces_strength(verdict, score, still=still),
        voices_strength=_heard(spoken).strength if spoken else None,
    )


@pytest.fixture
def rows(app, tmp_path):
    """By file: the row and its verdicts.

    A video for most pairs of verdicts, two photographs and two recordings of sound.
    """
    made = {}

    def add(file, fields, verdicts, **changes):
        made[file] = finished(app, fields, file=file, **changes), verdicts

    for name, (verdict, score) in FACES.items():
        for sound, spoken in VOICES.items():
            if (name, sound) in _LEFT_OUT:
                continue
            fields = {"voice": _heard(spoken), "verdict": verdict, "probability": score}
            flagged = verdict is Verdict.MANIPULATED
            changes = {"segments": 1} if flagged else {"segments": 0, "verdict": verdict}
            add(f"{name}, {sound}.mp4", fields, _verdicts((verdict, score), spoken), **changes)
    for name, (verdict, score) in PHOTOGRAPHS.items():
        verdicts = _verdicts((verdict, score), None, still=True)
        add(f"{name}.jpg", {"verdict": verdict, "probability": score}, verdicts, kind=MediaKind.IMAGE)
    spoken = recording(tmp_path)
    same = {name: getattr(spoken, name) for name in ("verdict", "persons", "segments", "media")}
    for name in ("weak voice", "strong voice"):
        fields = same | {"voice": _heard(VOICES[name])}
        add(f"{name}.opus", fields, _verdicts(None, VOICES[name]), segments=0)
    return made


def _cell(page, row):
    (cell,) = [part for part in page.split("<tr ") if f'data-id="{row.id}"' in part]
    return cell


def test_lists_filters_and_statuses(client, rows):
    page = client.get("/analyses").text
    for file, (row, verdicts) in rows.items():
        assert read_verdicts(row.verdict, row.summary) == verdicts, file
        cell = _cell(page, row)
        assert f"<span>{headline(verdicts)}</span>" in cell
        assert f"verdict-{mark_of(verdicts)}" in cell
        status = client.get(f"/api/v1/analyses/{row.id}").json
        assert (status["outcome"], status["headline"]) == (verdicts.outcome, headline(verdicts))
        assert status["strength"] == verdicts.faces_strength
        assert (status["voice"] or {}).get("strength") == verdicts.voices_strength
    for name, fits in FILTERS.items():
        page = client.get(f"/analyses?finding={name}").text
        assert {file for file, (row, _) in rows.items() if f'data-id="{row.id}"' in page} == {
            file for file, (_, verdicts) in rows.items() if fits(verdicts)
        }
    listed = client.get("/api/v1/analyses?verdict=inconclusive&limit=200").json["items"]
    assert {item["file"] for item in listed} == {
        file for file, (_, verdicts) in rows.items() if verdicts.faces is Verdict.INCONCLUSIVE
    }


PAGES = (
    "weak faces, no sound.mp4",
    "weak faces, strong voice.mp4",
    "strong faces, weak voice.mp4",
    "clean faces, weak voice.mp4",
    "photo of weak faces.jpg",
    "photo of strong faces.jpg",
)


def test_pages_of_results(client, rows):
    for file in PAGES:
        row, verdicts = rows[file]
        page = client.get(f"/analyses/{row.id}").text
        assert f'<h2 id="verdict">{headline(verdicts)}</h2>' in page
        assert f'class="banner banner-{mark_of(verdicts)}"' in page


def test_rows_of_earlier_versions_are_graded_by_their_score(app, client, rows):
    from webapp.storage.tables import AnalysisRow

    chosen = ("weak faces, strong voice.mp4", "photo of weak faces.jpg", "strong voice.opus")
    with app.extensions["database"].begin() as session:
        for file in chosen:
            row = session.get_one(AnalysisRow, rows[file][0].id)
            summary = json.loads(row.summary)
            summary.pop("strength")
            (summary["voice"] or {}).pop("strength", None)
            row.summary = json.dumps(summary)
    page = client.get("/analyses").text
    for file in chosen:
        row, verdicts = rows[file]
        assert f"<span>{headline(verdicts)}</span>" in _cell(page, row)


def test_a_changed_outcome_is_refused(app, client, rows):
    """A filter must not hide a finding from somebody who lists findings."""
    from webapp.storage.tables import AnalysisRow

    row = rows["weak faces, no sound.mp4"][0]
    with app.extensions["database"].begin() as session:
        session.get_one(AnalysisRow, row.id).outcome = "nothing found"
    answer = client.get(f"/analyses/{row.id}")
    assert answer.status_code == 500 and "does not follow from the verdicts" in answer.text
