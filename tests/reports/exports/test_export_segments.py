"""Segments as CSV, JSON and WebVTT, read back by other means than they were written with."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest
from analyses import build, with_stability
from hypothesis import given
from hypothesis import strategies as st

from detector.schema.analysis import Analysis, Answers, ManipulationKind, MediaKind, SecondLook
from language.formatting import file_name, timecode
from reports.errors import ExportError
from reports.exports.editing import segments_edl
from reports.exports.tables import (
    SEGMENT_COLUMNS,
    csv_table,
    harmless,
    segments_csv,
    segments_json,
    segments_webvtt,
)
from reports.wording.verdict_sentence import second_look


def rows(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode(), newline="")))


def cells(line: str) -> list[str]:
    """A line of a CSV file as RFC 4180 (section 2) reads it, written from its grammar."""
    fields, rest = [], line
    while True:
        if rest.startswith('"'):
            match = re.match(r'"((?:[^"]|"")*)"', rest)
            assert match, line
            fields.append(match[1].replace('""', '"'))
        else:
            match = re.match(r'[^",\r\n]*', rest)
            assert match, line
            fields.append(match[0])
        rest = rest[match.end() :]
        if not rest:
            return fields
        assert rest[0] == ",", line
        rest = rest[1:]


def test_segments_are_rows_sorted_by_time(tmp_path: Path) -> None:
    analysis = build(tmp_path, persons=3, segments=7)
    table = rows(segments_csv(analysis))
    assert tuple(table[0]) == SEGMENT_COLUMNS
    assert {row["segment"] for row in table} == {segment.id for segment in analysis.segments}
    assert len(table) == 7
    assert [float(row["start_s"]) for row in table] == sorted(s.start for s in analysis.segments)
    by_id = {segment.id: segment for segment in analysis.segments}
    for row in table:
        segment = by_id[row["segment"]]
        assert (row["person"], int(row["frames"])) == (segment.person, segment.frames)
        # Floats come back as the very same.
        assert (float(row["start_s"]), float(row["end_s"])) == (segment.start, segment.end)
        assert float(row["confidence"]) == segment.confidence
        assert (row["start"], row["end"]) == (timecode(segment.start), timecode(segment.end))
        assert float(row["peak_s"]) in [peak.time for peak in segment.peaks]
        assert row["exhibit"] == analysis.media.file and row["exhibit_sha256"] == analysis.media.sha256
        assert row["model_sha256"] == analysis.model.sha256


def test_the_peak_is_the_highest(tmp_path: Path) -> None:
    analysis = build(tmp_path, persons=1, segments=1)
    (segment,) = analysis.segments
    values = [0.81, 0.97, 0.9]
    peaks = tuple(
        peak.model_copy(update={"probability": value})
        for peak, value in zip(segment.peaks, values, strict=True)
    )
    analysis = analysis.model_copy(update={"segments": (segment.model_copy(update={"peaks": peaks}),)})
    (row,) = rows(segments_csv(analysis))
    assert float(row["peak_probability"]) == 0.97 and float(row["peak_s"]) == peaks[1].time


def test_csv_follows_the_standard(tmp_path: Path) -> None:
    name = 'say "no", then\r\nleave.mp4'
    data = segments_csv(build(tmp_path, file=name))
    assert data.endswith(b"\r\n") and b"\r" not in data.replace(b"\r\n", b"")
    assert not data.startswith(b"\xef\xbb\xbf")
    lines = data.decode().split("\r\n")[:-1]
    assert {len(cells(line)) for line in lines} == {len(SEGMENT_COLUMNS)}
    # A line break in a name is shown, and is none.
    assert cells(lines[1])[SEGMENT_COLUMNS.index("exhibit")] == 'say "no", then\\r\\nleave.mp4'


FORMULAS = (
    "=cmd|' /C calc'!A0.mp4",
    "+1+1.mp4",
    "-2+3.mp4",
    "@SUM(1).mp4",
    "\t=1+1.mp4",
    "\r\n=1+1.mp4",
    "  =1+1.mp4",
    "\uff1d1+1.mp4",
    "a;=1+1.mp4",  # split at the semicolon where the comma is the decimal sign
    'a,"=1+1".mp4',
    "a;\t-1.mp4",
)


@pytest.mark.parametrize("name", FORMULAS)
def test_no_file_name_becomes_a_formula(tmp_path: Path, name: str) -> None:
    data = segments_csv(build(tmp_path, file=name, kept=False)).decode()
    for delimiter in ",;\t|":  # whatever the spreadsheet splits at, and whether or not it heeds quotes
        for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_NONE):
            for row in csv.reader(data.split("\r\n")[1:], delimiter=delimiter, quoting=quoting):
                for cell in row:
                    assert cell.strip(' "')[:1] not in set("=+-@\uff1d\uff0b\uff0d\uff20"), (delimiter, cell)


@given(st.text(max_size=40))
def test_harmless_text_starts_no_formula_and_keeps_its_letters(text: str) -> None:
    safe = harmless(text)
    assert safe.strip()[:1] not in {"=", "+", "-", "@"}
    # Only apostrophes were added, besides the escapes every page shows too.
    assert safe.replace("'", "") == file_name(text).replace("'", "")


def test_numbers_are_not_touched() -> None:
    data = csv_table(("a", "b", "c", "d"), [(-1.5, 1e-7, None, True), (-3, 0.1 + 0.2, "-3", False)])
    assert data == b"a,b,c,d\r\n-1.5,1e-07,,true\r\n-3,0.30000000000000004,'-3,false\r\n"


@pytest.mark.parametrize(("offset", "ahead"), [(0.8, 0.8), (0.0, 0.0), (None, None)])
def test_an_unrecorded_player_time_is_empty(
    tmp_path: Path, offset: float | None, ahead: float | None
) -> None:
    built = build(tmp_path, segments=1)
    media = built.media.model_copy(update={"start_offset": offset})
    (row,) = csv.DictReader(io.StringIO(segments_csv(built.model_copy(update={"media": media})).decode()))
    start = built.segments[0].start
    assert row["player_start_s"] == ("" if ahead is None else str(start + ahead))


def test_json_holds_what_the_analysis_does(tmp_path: Path) -> None:
    analysis = build(tmp_path, persons=2, segments=3, file="Ünterview \u202e4pm.mp4")
    document = json.loads(segments_json(analysis))
    assert document["format"] == "reelproof-segments" and document["version"] == "1.0"
    assert document["exhibit"] == {
        "file": analysis.media.file,
        "bytes": analysis.media.bytes,
        "sha256": analysis.media.sha256,
        "kind": "video",
        "duration": analysis.media.duration,
        "start_offset": None,
    }
    assert document["verdict"] == "manipulated" and document["probability"] == analysis.probability
    by_id = {segment.id: segment for segment in analysis.segments}
    assert [entry["id"] for entry in document["segments"]] == ["A1", "B1", "A2"]
    for entry in document["segments"]:
        segment = by_id[entry["id"]]
        assert (entry["start"], entry["end"]) == (segment.start, segment.end)
        assert entry["confidence"] == segment.confidence
        assert [(p["time"], p["pts"], p["probability"], tuple(p["box"])) for p in entry["peaks"]] == [
            (p.time, p.pts, p.probability, p.box) for p in segment.peaks
        ]


CUE = re.compile(r"(\d{2,}):([0-5]\d):([0-5]\d)\.(\d{3}) --> (\d{2,}):([0-5]\d):([0-5]\d)\.(\d{3})")


def cues(data: bytes) -> list[tuple[str, float, float, str]]:
    """Cues of a WebVTT file: id, start, end, text. Refuses what the W3C's parser would skip."""
    first, *blocks = data.decode().rstrip("\n").split("\n\n")
    assert first == "WEBVTT"
    captions = []
    for block in blocks:
        if block.startswith("NOTE\n"):
            assert "-->" not in block
            continue
        name, timing, *text = block.split("\n")
        assert "-->" not in name
        match = CUE.fullmatch(timing)
        assert match, timing
        h0, m0, s0, t0, h1, m1, s1, t1 = map(int, match.groups())
        start, end = h0 * 3600 + m0 * 60 + s0 + t0 / 1000, h1 * 3600 + m1 * 60 + s1 + t1 / 1000
        assert start < end
        captions.append((name, start, end, "\n".join(text)))
    return captions


def test_a_cue_a_segment(tmp_path: Path) -> None:
    analysis = build(tmp_path, persons=2, segments=4, duration=8000.0, kept=False, count=1)
    captions = cues(segments_webvtt(analysis))
    assert [start for _, start, _, _ in captions] == sorted(start for _, start, _, _ in captions)
    by_id = {segment.id: segment for segment in analysis.segments}
    assert len(captions) == 4
    for name, start, end, text in captions:
        segment = by_id[name]
        assert start == pytest.approx(segment.start, abs=6e-4)
        assert end == pytest.approx(segment.end, abs=6e-4)
        assert f"Person {segment.person}" in text


def test_a_cue_that_would_have_no_length(tmp_path: Path) -> None:
    analysis = build(tmp_path, persons=1, segments=1)
    (segment,) = analysis.segments
    single = segment.model_copy(update={"end": segment.start})
    ((_, start, end, _),) = cues(segments_webvtt(analysis.model_copy(update={"segments": (single,)})))
    assert end - start == pytest.approx(0.001)


def test_no_name_breaks_webvtt(tmp_path: Path) -> None:
    name = "a\n\nB9\n00:00:01.000 --> 00:00:02.000\n<v Bob>&amp; --> x.mp4"
    analysis = build(tmp_path, persons=1, segments=1, file=name)
    segment = analysis.segments[0].model_copy(update={"id": "<b>-->", "person": "A\n\n"})
    data = segments_webvtt(analysis.model_copy(update={"segments": (segment,)}))
    ((identifier, *_),) = cues(data)
    assert identifier == "&lt;b&gt;--&gt;"


def test_nothing_flagged(tmp_path: Path) -> None:
    analysis = build(tmp_path, segments=0)
    assert rows(segments_csv(analysis)) == []
    assert json.loads(segments_json(analysis))["segments"] == []
    assert cues(segments_webvtt(analysis)) == []


def test_a_photo_has_a_table_and_no_times(tmp_path: Path) -> None:
    analysis: Analysis = build(tmp_path, kind=MediaKind.IMAGE, persons=2, segments=2)
    table = rows(segments_csv(analysis))
    assert [(row["start_s"], row["end_s"]) for row in table] == [("0.0", "0.0")] * 2
    assert json.loads(segments_json(analysis))["exhibit"]["kind"] == "image"
    look = SecondLook(scan=0.4, altered=0.91, synthesised=0.3, stability=None, moments=())
    persons = tuple(person.model_copy(update={"second_look": look}) for person in analysis.persons)
    looked = analysis.model_copy(update={"persons": persons, "kind": ManipulationKind.EDITED})
    assert {row["kind"] for row in table} == {""}
    assert [(r["kind"], r["altered"]) for r in rows(segments_csv(looked))] == [
        ("face swap or edit", "0.91")
    ] * 2
    document = json.loads(segments_json(looked))
    assert document["kind"] == document["segments"][0]["kind"] == "face swap or edit"
    with pytest.raises(ExportError, match="photo"):
        segments_webvtt(analysis)


def test_kind_and_answers_come_from_flagged_frames(tmp_path: Path) -> None:
    analysis = build(tmp_path, persons=1, segments=1, kept=False)
    inside = Answers(altered=0.99, synthesised=0.9)
    look = SecondLook(
        scan=0.4, altered=0.34, synthesised=0.51, in_segments=inside, stability=None, moments=()
    )
    (person,) = analysis.persons
    looked = analysis.model_copy(update={"persons": (person.model_copy(update={"second_look": look}),)})
    (row,) = rows(segments_csv(looked))
    assert (row["kind"], row["altered"], row["synthesised"]) == ("face swap or edit", "0.99", "0.9")
    assert "synthesised 0.51 (0.99 and 0.90 where the threshold for a finding is reached)" in second_look(
        looked.persons[0]
    )


def test_a_segment_that_other_views_do_not_confirm_is_not_called_flagged(tmp_path: Path) -> None:
    analysis = with_stability(build(tmp_path, persons=2, segments=2, kept=False), A=1.0, B=0.6)
    expected = ["strong signs of manipulation", "not flagged"]
    assert [row["strength"] for row in rows(segments_csv(analysis))] == expected
    assert [entry["strength"] for entry in json.loads(segments_json(analysis))["segments"]] == expected
    subtitles = segments_webvtt(analysis).decode()
    assert "Person A: strong signs of manipulation, 0.97" in subtitles
    assert "flagged as manipulated, and those it looked at and did not flag, marked" in subtitles
    assert "Person B: looked at, not flagged, 0.88" in subtitles
    assert "did not flag" not in segments_webvtt(with_stability(analysis, B=1.0)).decode()
    edl = segments_edl(analysis).decode()
    assert "score 0.97 (strong signs of manipulation)" in edl and "score 0.88 (looked at, not flagged)" in edl
