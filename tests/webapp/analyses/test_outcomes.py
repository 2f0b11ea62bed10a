"""Rows, filters, statuses and the PDF's box state both verdicts, those on faces and those on voices."""

from __future__ import annotations

import pytest
from made_results import finished
from voices import recording, voice

from detector.schema.analysis import Verdict
from detector.schema.summary import Verdicts
from detector.schema.voice import VoiceVerdict
from language.headlines import headline
from reports.wording.verdict_sentence import MARKS
from webapp.storage.finding_columns import read_verdicts

_SPANS = {VoiceVerdict.SYNTHETIC: ((3.0, 8.5),)}
EXHIBITS = {
    f"{faces.value}, {spoken.value if spoken else 'no sound'}.mp4": (faces, spoken)
    for faces in Verdict
    for spoken in (*VoiceVerdict, None)
}
FILTERS = {
    "any": lambda faces, spoken: faces is Verdict.MANIPULATED or spoken is VoiceVerdict.SYNTHETIC,
    "faces": lambda faces, spoken: faces is Verdict.MANIPULATED,
    "voices": lambda faces, spoken: spoken is VoiceVerdict.SYNTHETIC,
    "open": lambda faces, spoken: Verdicts(faces, spoken).outcome == "open",
    "nothing": lambda faces, spoken: Verdicts(faces, spoken).outcome == "nothing found",
}


@pytest.fixture
def rows(app, tmp_path):
    """A video for each pair of verdicts, and a flagged recording of sound."""
    made = {}
    for file, (faces, spoken) in EXHIBITS.items():
        heard = spoken and voice(verdict=spoken, spans=_SPANS.get(spoken, ()))
        segments = int(faces is Verdict.MANIPULATED)
        made[file] = finished(app, {"voice": heard, "verdict": faces}, file=file, segments=segments)
    spoken = recording(tmp_path)
    same = {name: getattr(spoken, name) for name in ("voice", "verdict", "persons", "segments", "media")}
    made["message.opus"] = finished(app, same, file="message.opus", segments=0)
    return made


def test_lists_filters_and_statuses(app, client, rows):
    page = client.get("/analyses").text
    for file, row in rows.items():
        verdicts = read_verdicts(row.verdict, row.summary)
        assert verdicts == (
            Verdicts(None, VoiceVerdict.SYNTHETIC) if file == "message.opus" else Verdicts(*EXHIBITS[file])
        )
        (cell,) = [part for part in page.split("<tr ") if f'data-id="{row.id}"' in part]
        assert f"<span>{headline(verdicts)}</span>" in cell
        assert f"verdict-{MARKS[verdicts.outcome]}" in cell
        status = client.get(f"/api/v1/analyses/{row.id}").json
        assert (status["outcome"], status["headline"]) == (verdicts.outcome, headline(verdicts))
        if file != "message.opus":
            assert f'<h2 id="verdict">{headline(verdicts)}</h2>' in client.get(f"/analyses/{row.id}").text
    for name, fits in FILTERS.items():
        expected = {file for file, pair in EXHIBITS.items() if fits(*pair)}
        expected |= {"message.opus"} if name in ("any", "voices") else set()
        page = client.get(f"/analyses?finding={name}").text
        assert {file for file, row in rows.items() if f'data-id="{row.id}"' in page} == expected
    listed = client.get("/api/v1/analyses?verdict=inconclusive&limit=200").json["items"]
    assert {item["file"] for item in listed} == {
        f for f, (faces, _) in EXHIBITS.items() if faces is Verdict.INCONCLUSIVE
    }


def test_a_changed_outcome_is_refused(app, client, rows):
    """A filter must not hide a finding from somebody who lists findings."""
    from webapp.storage.tables import AnalysisRow

    row = rows["manipulated, no sound.mp4"]
    with app.extensions["database"].begin() as session:
        session.get_one(AnalysisRow, row.id).outcome = "nothing found"
    answer = client.get(f"/analyses/{row.id}")
    assert answer.status_code == 500 and "does not follow from the verdicts" in answer.text
