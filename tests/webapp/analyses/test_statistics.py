"""Statistics of the library: correct, to scale, and fast."""

from __future__ import annotations

import re
import time
from collections import Counter
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path

import made_rows
import pytest
from analyses import build, with_stability
from large_library import NEWEST, fill
from made_results import finished, hand_in
from made_rows import say
from second_review_case import review
from voices import recording, voice

from detector.schema.analysis import MediaKind, Verdict
from language import translation
from webapp.analyses import statistics
from webapp.analyses import statistics as library_statistics
from webapp.analyses.statistics import Count
from webapp.exhibits import annotations as review_annotations
from webapp.exhibits import older_rows
from webapp.jobs import claims, states
from webapp.storage.data_folder import Folders
from webapp.storage.tables import AnalysisRow, now


@pytest.fixture
def change(database):
    return partial(made_rows.change, database)


@pytest.fixture
def overview(database):
    def overview() -> library_statistics.Overview:
        with database.begin() as session:
            return library_statistics.overview(session)

    return overview


def test_statistics_of_an_empty_library(client):
    text = client.get("/statistics").text
    assert "Nothing to count yet" in text and '<svg class="chart' not in text
    assert 'aria-current="page">Statistics' in text


def test_verdicts_states_and_hours(app, client, database, overview):
    first = finished(app, segments=1, duration=3600.0)
    finished(app, segments=0, duration=1800.0)
    finished(app, segments=0, persons=0, verdict=Verdict.INCONCLUSIVE, kind=MediaKind.IMAGE, file="p.png")
    client.post(f"/analyses/{first.id}/again", data={})
    again = hand_in(app, b"other")
    states.cancel(database, again.id)
    seen = overview()
    assert (seen.analyses, seen.exhibits) == (5, 4)
    assert seen.verdicts.parts == Counter({"manipulated": 1, "no manipulation found": 1, "inconclusive": 1})
    assert +seen.states.parts == Counter(done=3, queued=1, cancelled=1)
    # An exhibit that was analysed twice was examined once.
    with database.begin() as session:
        queued = session.query(AnalysisRow).filter_by(state="queued").one().id
    claims.finish_analysis(
        database, claims.claim_analysis(database, queued), claims.RecordedResult("manipulated", 0.9, 3600.0)
    )
    seen = overview()
    assert (seen.videos, seen.seconds, seen.photos, seen.unmeasured) == (2, 5400.0, 1, 0)
    text = client.get("/statistics").text
    assert "1.5 h" in text and "01:30:00.000 in 2 videos" in text


def sound_alone(app, tmp_path, **changes):
    """A finished analysis of a recording of 20 s without picture."""
    made = recording(tmp_path / "recording", **changes)
    fields = {name: getattr(made, name) for name in ("verdict", "media", "coverage", "voice")}
    return finished(app, fields, file="message.opus", persons=0, segments=0, kept=False)


def test_verdicts_on_voices_stand_beside_those_on_faces(app, client, overview, tmp_path):
    (tmp_path / "recording").mkdir()
    assert "Verdicts on voices" not in client.get("/statistics").text
    finished(app, segments=0, duration=60.0)  # its sound was not examined
    finished(app, {"voice": voice(spans=())}, segments=1, duration=30.0)
    sound_alone(app, tmp_path)
    seen = overview()
    assert +seen.verdicts.parts == Counter({"manipulated": 1, "no manipulation found": 1})
    assert +seen.voices.parts == Counter({"synthetic speech found": 1, "no synthetic speech found": 1})
    assert (seen.videos, seen.seconds, seen.recordings, seen.recorded) == (2, 90.0, 1, 20.0)
    assert sum(row.total for row in seen.models) == 2
    page = client.get("/statistics").text
    assert "Verdicts on voices" in page and "1 recording, counted once" in page
    assert len(re.findall(r'<svg class="chart[ "]', page)) == page.count("<table")
    assert re.search(r"<title>[^<]*recording of sound: 1</title>", page)
    assert set(re.findall(r"url\(#(fill-[a-z-]+)\)", page)) <= set(
        re.findall(r'<pattern id="(fill-[a-z-]+)"', page)
    )


def test_opinions_on_voices_are_counted_apart(app, client, database, overview, tmp_path):
    (tmp_path / "recording").mkdir()
    spoken = voice(spans=((3.0, 8.5), (11.0, 14.0)))
    doubted = spoken.segments[1].model_copy(update={"flagged": False})
    row = sound_alone(app, tmp_path, segments=(spoken.segments[0], doubted), duration=20.0)
    for fields in (
        {"kind": "exhibit", "verdict": "disagree"},
        {"kind": "segment", "segment": "voice-1", "verdict": "agree"},
        {"kind": "segment", "segment": "voice-2", "verdict": "agree"},
    ):
        said = {"author": "Ada", **fields}
        assert client.post(f"/api/v1/analyses/{row.id}/annotations", json=said).status_code == 201
    seen = overview().agreement
    assert [row.total for row in seen.exhibits] == [0, 0, 0] and seen.segments.total == 0
    assert [(row.label, dict(row.parts)) for row in seen.voices] == [
        ("synthetic speech found", {"disagree": 1})
    ]
    assert (dict(seen.voice_segments.parts), seen.marked, seen.total) == ({"agree": 1}, 1, 2)
    assert "flagged segments of voices" in client.get("/statistics").text


def test_days_are_localized(app, client):
    finished(app, segments=0)
    today = now().date()
    page = client.get("/statistics", headers={"Accept-Language": "de"}).text
    assert f">{today:%d.%m.%Y}</th>" in page and f">{today.day}.{today.month}.</text>" in page
    assert today.isoformat() not in page
    page = client.get("/statistics").text
    assert f">{today.isoformat()}</th>" in page and f">{today:%m-%d}</text>" in page


def test_verdicts_are_spelled_out_in_german(app, client):
    finished(app, segments=0)
    text = client.get("/statistics", headers={"Accept-Language": "de"}).text
    assert re.search(r'<text class="chart-name"[^>]*>keine Manipulation gefunden</text>', text)


def test_durations_of_old_rows(app, client, database, overview, change):
    row, lost = finished(app, duration=90.0), finished(app, duration=30.0)
    for analysis in (row, lost):
        change(analysis.id, duration=None)
    assert overview().unmeasured == 2
    assert "2 analyses were made before" in client.get("/statistics").text
    folders = Folders.local(app.extensions["settings"].data)
    (folders.result(lost.id) / "analysis.json").write_text("{}")
    older_rows.backfill_durations(database, folders)
    assert (overview().unmeasured, overview().seconds) == (1, 90.0)
    assert "<dd>1.5 min</dd>" in client.get("/statistics").text


def test_over_time(app, database, change):
    today = date(2026, 11, 20)  # a Friday
    for days, verdict in (
        (0, "manipulated"),
        (0, None),
        (1, "inconclusive"),
        (5, "manipulated"),
        (200, None),
    ):
        row = hand_in(app, b"x")
        moment = datetime.fromisoformat("2026-11-20T23:59:59.5Z") - timedelta(days=days)
        change(row.id, created=moment, verdict=verdict)
    with database.begin() as session:
        daily = library_statistics.analyses_over_time(session, False, today)
        weekly = library_statistics.analyses_over_time(session, True, today)
    assert len(daily) == 31 and daily[-1].label == "2026-11-20" and daily[0].label == "2026-10-21"
    assert daily[-1].parts == Counter({"manipulated": 1, "no result": 1})
    assert [day.total for day in daily[-6:]] == [1, 0, 0, 0, 1, 2]
    assert weekly[-1].label == "2026-11-16" and [week.total for week in weekly[-2:]] == [1, 3]
    assert sum(week.total for week in weekly) == 4
    assert all(date.fromisoformat(week.label).weekday() == 0 for week in weekly)


def test_models_and_their_verdicts(app, overview, change):
    for model, verdict in (("a", "manipulated"), ("a", "inconclusive"), ("b", "manipulated"), (None, None)):
        row = hand_in(app, b"x", "clip.mp4", model)
        if verdict:
            change(row.id, state="done", verdict=verdict)
    assert [(count.label, dict(count.parts)) for count in overview().models] == [
        ("a", {"manipulated": 1, "inconclusive": 1}),
        ("b", {"manipulated": 1}),
    ]


def test_agreement_counts_current_annotations(app, client, database, overview):
    flagged, clear = finished(app, segments=2), finished(app, segments=0)
    say(database, flagged.id, author="Ada", verdict="disagree")
    say(database, flagged.id, author="Ada", verdict="agree")  # in place of the first
    say(database, flagged.id, author="Grace", verdict="disagree")
    say(database, flagged.id, author="Ada", kind="segment", segment="A1", verdict="agree")
    say(database, flagged.id, author="Ada", kind="segment", segment="B1", verdict="unsure")
    say(database, clear.id, author="Grace", verdict="disagree")
    say(database, clear.id, author="Grace", kind="span", start=1.0, end=2.0, verdict="manipulated")
    say(database, clear.id, author="Grace", kind="span", start=1.0, end=2.0, verdict="unsure")
    seen = overview().agreement
    assert {row.label: dict(row.parts) for row in seen.exhibits if row.total} == {
        "manipulated": {"agree": 1, "disagree": 1},
        "no manipulation found": {"disagree": 1},
    }
    assert dict(seen.segments.parts) == {"agree": 1, "unsure": 1}
    assert {row.label: dict(row.parts) for row in seen.reviewers} == {
        "Ada": {"agree": 2, "unsure": 1},
        "Grace": {"disagree": 2},
    }
    assert (seen.marked, seen.judged, seen.total) == (1, 2, 5)
    assert "Reviewers marked <strong>1</strong> stretch" in client.get("/statistics").text


def test_unflagged_segments_do_not_count_as_flagged(app, client, database, overview, change):
    made = build(Path("nowhere"), persons=2, segments=2, kept=False)
    persons = {"persons": with_stability(made, A=1.0, B=0.6).persons}
    row = finished(app, persons, persons=2, segments=2, kept=False)
    for segment in ("A1", "B1"):
        body = {"kind": "segment", "segment": segment, "verdict": "agree", "author": "Ada"}
        assert client.post(f"/api/v1/analyses/{row.id}/annotations", json=body).status_code == 201
    for _ in range(2):
        seen = overview().agreement
        assert (seen.segments.parts, seen.marked, seen.total) == (Counter(agree=1), 1, 1)
        assert [(reviewer.label, reviewer.total) for reviewer in seen.reviewers] == [("Ada", 1)]
        # Annotated before rows said which segments are flagged.
        change(row.id, unflagged=None)
        review_annotations.backfill_unflagged(database, Folders.local(app.extensions["settings"].data))
    change(row.id, unflagged=None)
    (Folders.local(app.extensions["settings"].data).result(row.id) / "analysis.json").write_text("{}")
    review_annotations.backfill_unflagged(database, Folders.local(app.extensions["settings"].data))
    assert overview().agreement.segments.parts == Counter(agree=2)


def test_uncertain_spans_are_annotations(app, client, database):
    row = finished(app)
    assert "There are no annotations yet" in client.get("/statistics").text
    say(database, row.id, kind="span", start=1.0, end=2.0, verdict="unsure")
    page = client.get("/statistics").text
    assert "There are no annotations yet" not in page
    assert "<dt>Annotated by reviewers</dt><dd>1</dd>" in page
    assert "Reviewers marked <strong>0</strong> stretches" in page


def test_hostile_names_of_reviewers_are_shown_as_text(app, client, database):
    say(database, finished(app).id, author="<script>alert(1)</script>")
    text = client.get("/statistics").text
    assert "<script>alert" not in text and "&lt;script&gt;" in text


def test_durations_of_analyses(app, overview, change):
    for length, taken in ((20.0, 10.0), (30.0, 30.0), (40.0, 80.0), (5000.0, 2500.0), (0.0, 3.0)):
        row = hand_in(app, repr(length).encode())
        moment = datetime.fromisoformat("2026-11-20T10:00:00Z")
        change(
            row.id,
            state="done",
            duration=length,
            started=moment,
            finished=moment + timedelta(seconds=taken),
        )
    assert [(s.label, s.count, s.taken, s.ratio) for s in overview().speeds] == [
        ("10 s to 1 min", 3, 30.0, 1.0),
        ("1 h and longer", 1, 2500.0, 0.5),
    ]


@pytest.mark.parametrize("most", [0, 1, 4, 5, 6, 11, 99, 100, 101, 4818, 10_000])
def test_axes_end_at_round_numbers(most):
    chart = statistics.bar_chart([Count("x", Counter(agree=most))], ("agree",), 100.0)
    ends = [int(tick.label.replace(",", "")) for tick in chart.ticks]
    assert ends[0] == 0 and ends[-1] >= max(most, 1) and 2 <= len(ends) <= 6
    assert chart.ticks[-1].at == pytest.approx(100.0)
    assert len({b - a for a, b in zip(ends, ends[1:], strict=False)}) == 1


def test_bars_are_to_scale():
    counts = [Count("x", Counter(agree=30, unsure=10)), Count("y", Counter(disagree=20))]
    chart = statistics.bar_chart(counts, ("agree", "disagree", "unsure"), 200.0)
    assert [(p.kind, p.start, p.length) for p in chart.bars[0].pieces] == [
        ("agree", 0.0, 150.0),
        ("unsure", 150.0, 50.0),
    ]
    assert [(p.kind, p.start, p.length) for p in chart.bars[1].pieces] == [("disagree", 0.0, 100.0)]


def test_points_match_both_axes():
    chart = statistics.scatter_plot([(1.0, 100.0), (100.0, 1.0), (60.0, 60.0)], 200.0)
    (left, upper), (right, lower), (x, y) = chart.points
    assert left == 0.0 and lower == 200.0 and right == pytest.approx(200.0 - upper)
    assert x == pytest.approx(200.0 - y)  # on the diagonal
    assert chart.ticks[0].label == "1 s" and chart.ticks[-1].label == "10 min"
    assert statistics.scatter_plot([], 200.0).points == ()
    with translation.speaking("de"):
        assert statistics.scatter_plot([(0.2, 2.0)], 200.0).ticks[0].label == "0,1 s"
    assert statistics.scatter_plot([(0.0001, 1e9)], 200.0).points == ((0.0, 0.0),)


def test_each_chart_has_a_table(app, client, database, change):
    row = finished(app, segments=1)
    change(row.id, started=row.finished - timedelta(seconds=20))
    say(database, row.id)
    text = client.get("/statistics?per=week").text
    assert len(re.findall(r"<svg class=\"chart[ \"]", text)) == 7
    assert text.count("<table") == 7
    assert " style=" not in text
    used = set(re.findall(r"url\(#(fill-[a-z-]+)\)", text))
    assert used <= set(re.findall(r'<pattern id="(fill-[a-z-]+)"', text))


@pytest.mark.slow
def test_ten_thousand_analyses_are_counted_fast(client, database, overview):
    fill(database, 10_000)
    client.get("/statistics")
    seconds = []
    for _ in range(5):
        began = time.thread_time()  # of this thread alone: other tests may keep the machine busy
        assert client.get("/statistics").status_code == 200
        seconds.append(time.thread_time() - began)
    assert min(seconds) < 0.5  # the shortest: who shares the core only lengthens them
    seen = overview()
    assert seen.analyses == seen.states.total == 10_000 and seen.exhibits == 7_500
    assert seen.verdicts.total == seen.states.parts["done"] == sum(m.total for m in seen.models)
    with database.begin() as session:
        over_time = library_statistics.analyses_over_time(session, False, NEWEST.date())
    assert over_time[-2].total == 24 * 60 // 17 or over_time[-2].total == 24 * 60 // 17 + 1


def test_dependent_reviews_are_excluded(tmp_path, sent):
    """Earlier versions allowed that, even through annotations of another analysis of the exhibit."""
    made = review(tmp_path / "lab", sent)
    with made.app.extensions["database"].begin() as session:
        other = states.create_analysis(
            session, session.get_one(AnalysisRow, made.row.id).exhibit, "b.mp4", "reelproof"
        )
        other.case_id = made.case
    say(made.app.extensions["database"], other.id, author=made.users["ben"].display)
    made.judge("ben", "manipulated")
    made.judge("ada", "manipulated")
    with made.app.extensions["database"].begin() as session:
        seen = library_statistics.overview(session).reviews
    assert (seen.not_alone, seen.total, seen.judgements.units, seen.standings) == (1, 0, 0, {})
    page = made.clients["ada"].get("/statistics").text
    assert "1 second review is not counted here" in page and "Krippendorff" not in page
    made.app.extensions["database"].close()


def test_agreement_between_reviewers(tmp_path, sent):
    made = review(tmp_path / "lab", sent)
    database = made.app.extensions["database"]
    with database.begin() as session:
        assert library_statistics.overview(session).reviews.total == 0
    made.judge("ada", "inconclusive")
    assert "Reviewers among themselves" not in made.clients["ada"].get("/statistics").text
    made.judge("ben", "manipulated")
    with database.begin() as session:
        seen = library_statistics.overview(session).reviews
    assert (seen.judgements.units, seen.judgements.share, seen.total) == (1, 0.0, 1)
    assert seen.table == ((0, 0, 0), (0, 0, 0), (1, 0, 0)) and seen.standings == {"differs": 1}
    assert seen.segments.units == 0  # one person alone
    assert made.annotate("ben", kind="segment", segment="A1", verdict="agree").status_code == 201
    with database.begin() as session:
        assert library_statistics.overview(session).reviews.segments.units == 1
    page = made.clients["ada"].get("/statistics").text
    assert "Reviewers among themselves" in page and "Krippendorff" in page
    assert "Reviewers among themselves" not in made.clients["dora"].get("/statistics").text
    database.close()


def test_agreement_on_voices_is_apart_from_that_on_faces(tmp_path, sent):
    made = review(tmp_path / "lab", sent)
    database = made.app.extensions["database"]
    made.judge("ada", "manipulated", voice="synthetic speech found")
    made.judge("ben", "manipulated")
    with database.begin() as session:
        seen = library_statistics.overview(session).reviews
    assert (seen.judgements.units, seen.voices.units) == (1, 0)  # one of them did not judge the voices
    assert "conclusions on the voices" not in made.clients["ada"].get("/statistics").text
    database.close()

    made = review(tmp_path / "other lab", sent)
    database = made.app.extensions["database"]
    made.judge("ada", "manipulated", voice="synthetic speech found")
    made.judge("ben", "manipulated", voice="inconclusive")
    opinions = [("A1", "Ada", "agree"), ("A1", "Ben", "agree")]
    opinions += [("voice-1", "Ada", "agree"), ("voice-1", "Ben", "disagree")]
    for segment, author, verdict in opinions:
        say(database, made.row.id, kind="segment", segment=segment, author=author, verdict=verdict)
    with database.begin() as session:
        seen = library_statistics.overview(session).reviews
    assert (seen.judgements.share, seen.voices.share) == (1.0, 0.0)
    assert (seen.segments.units, seen.segments.share) == (1, 1.0)
    assert (seen.voice_segments.units, seen.voice_segments.share) == (1, 0.0)
    page = made.clients["ada"].get("/statistics").text
    assert "Second reviews, conclusions on the voices, judged blind" in page
    assert "Annotations of segments of voices, not blind" in page
    database.close()
