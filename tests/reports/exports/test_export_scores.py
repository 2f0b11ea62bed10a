"""Scores as CSV and Parquet: every one of them, once, with the same values in both."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from analyses import build

from detector.schema.analysis import Analysis, MediaKind, Score, Scores
from language.formatting import timecode
from reports.errors import ExportError
from reports.exports.tables import SCORE_COLUMNS, scores_csv, scores_parquet

WORDS = {"time", "person", "segment"}
WHOLE = {"pts", "track"}


def parquet_of(analysis: Analysis) -> bytes:
    out = io.BytesIO()
    scores_parquet(analysis, out)
    return out.getvalue()


def from_csv(data: bytes) -> list[dict[str, Any]]:
    """The rows of a scores CSV with the types ``docs/exports.md`` gives them."""

    def value(name: str, text: str) -> Any:
        if text == "":
            return None
        if name in WORDS:
            return text
        if name in ("usable", "interpolated"):
            return {"true": True, "false": False}[text]
        return int(text) if name in WHOLE else float(text)

    rows = csv.DictReader(io.StringIO(data.decode("ascii"), newline=""))
    return [{name: value(name, text) for name, text in row.items()} for row in rows]


def from_parquet(data: bytes) -> list[dict[str, Any]]:
    return pq.read_table(io.BytesIO(data)).to_pylist()


def assert_whole(rows: list[dict[str, Any]], analysis: Analysis) -> None:
    """Every score of the analysis is there once, in order, with exactly its values."""
    expected = sorted(
        (
            (score.time, rank, score, person.id)
            for rank, person in enumerate(analysis.persons)
            for score in person.scores
        ),
        key=lambda entry: entry[:2],
    )
    assert len(rows) == len(expected)
    for row, (time, _, score, person) in zip(rows, expected, strict=True):
        inside = [s.id for s in analysis.segments if s.person == person and s.start <= time <= s.end]
        assert row == {
            "time_s": score.time,
            "time": timecode(score.time),
            "pts": score.pts,
            "person": person,
            "track": score.track,
            "left_px": score.box[0],
            "top_px": score.box[1],
            "right_px": score.box[2],
            "bottom_px": score.box[3],
            "usable": score.usable,
            "probability": score.probability,
            "smoothed": score.smoothed,
            "segment": inside[0] if inside else None,
            "interpolated": score.interpolated,
        }


@pytest.mark.parametrize("read", ["csv", "parquet"])
def test_every_score_is_there(tmp_path: Path, read: str) -> None:
    analysis = build(tmp_path, persons=3, segments=5, kept=False)
    rows = from_csv(scores_csv(analysis)) if read == "csv" else from_parquet(parquet_of(analysis))
    assert_whole(rows, analysis)
    assert {row["segment"] for row in rows} == {None, *(segment.id for segment in analysis.segments)}
    assert {row["usable"] for row in rows} == {True, False}


def test_both_ends_of_a_segment_are_inside_it(tmp_path: Path) -> None:
    analysis = build(tmp_path, persons=1, segments=1, kept=False)
    times = [score.time for score in analysis.persons[0].scores]
    segment = analysis.segments[0].model_copy(update={"start": times[8], "end": times[12]})
    rows = from_csv(scores_csv(analysis.model_copy(update={"segments": (segment,)})))
    assert [row["time_s"] for row in rows if row["segment"] == "A1"] == times[8:13]


def test_a_segment_holds_no_other_persons_scores(tmp_path: Path) -> None:
    analysis = build(tmp_path, persons=2, segments=1, kept=False)
    rows = from_csv(scores_csv(analysis))
    assert {row["person"] for row in rows if row["segment"]} == {"A"}


def test_types_and_what_the_table_is_about(tmp_path: Path) -> None:
    analysis = build(tmp_path, kept=False, file="Ünterview.mp4")
    schema = pq.read_schema(io.BytesIO(parquet_of(analysis)))
    assert tuple(schema.names) == SCORE_COLUMNS
    for field in schema:
        if field.name in WORDS:
            assert pa.types.is_string(field.type)
        elif field.name in WHOLE:
            assert field.type == pa.int64()
        else:
            assert field.type == (pa.bool_() if field.name in ("usable", "interpolated") else pa.float64())
        assert field.nullable == (field.name in {"probability", "smoothed", "segment"})
    about = {key.decode(): value.decode() for key, value in schema.metadata.items()}
    assert about["reelproof.exhibit"] == "Ünterview.mp4"
    assert about["reelproof.exhibit_sha256"] == analysis.media.sha256
    assert about["reelproof.model_sha256"] == analysis.model.sha256
    assert about["reelproof.time_base"] == "1/12800"


def test_the_same_analysis_makes_the_same_bytes(tmp_path: Path) -> None:
    analysis = build(tmp_path, kept=False)
    assert parquet_of(analysis) == parquet_of(Analysis.from_json(analysis.to_json()))
    assert scores_csv(analysis) == scores_csv(Analysis.from_json(analysis.to_json()))


@pytest.mark.parametrize("persons", [0, 2])
def test_few_scores_or_none(tmp_path: Path, persons: int) -> None:
    kind = MediaKind.IMAGE if persons else MediaKind.VIDEO
    analysis = build(tmp_path, persons=persons, segments=persons, kind=kind, kept=False)
    assert_whole(from_csv(scores_csv(analysis)), analysis)
    assert_whole(from_parquet(parquet_of(analysis)), analysis)


def test_a_number_too_large_for_its_column_is_refused(tmp_path: Path) -> None:
    analysis = build(tmp_path, persons=1, segments=0, kept=False)
    vast = Score(time=0.0, pts=2**80, track=0, box=(0, 0, 1, 1), usable=False)
    person = analysis.persons[0].model_copy(update={"scores": Scores((vast,))})
    analysis = analysis.model_copy(update={"persons": (person,)})
    with pytest.raises(ExportError, match="Parquet"):
        parquet_of(analysis)
    assert from_csv(scores_csv(analysis))[0]["pts"] == 2**80
