"""Segments as CSV, JSON and WebVTT: those that are flagged, and those looked at and not flagged."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from detector.schema.analysis import Analysis, Media, Segment
from detector.schema.formatting import probability
from detector.schema.translatable import N_
from detector.verdict.persons.flagged import is_flagged, unflagged_segments
from detector.verdict.persons.kinds import kind_of
from reports.errors import ExportError
from reports.exports.csv_writing import csv_table
from reports.text.certainty.verbal_scale import segment_phrase
from reports.text.numbers import file_name, timecode

NOT_FLAGGED = "looked at, not flagged"  # of a segment, in words of formats that hold segments alone
JSON_FORMAT = "reelproof-segments"
JSON_VERSION = "1.0"


class _Row(NamedTuple):
    """A row of the CSV; columns stand in it in this order."""

    segment: str
    person: str
    start_s: float
    end_s: float
    start: str
    end: str
    confidence: float
    strength: str
    frames: int
    peak_s: float | None
    peak: str | None
    peak_probability: float | None
    exhibit: str
    exhibit_sha256: str
    model: str
    model_sha256: str
    player_start_s: float | None
    player_end_s: float | None
    kind: str | None
    altered: float | None
    synthesised: float | None


COLUMNS = _Row._fields


def in_order(analysis: Analysis) -> list[Segment]:
    """Segments by start, those that start together by person."""
    return sorted(analysis.segments, key=lambda each: (each.start, each.end, each.person, each.id))


def refuse_still(analysis: Analysis, kind: str) -> None:
    """Raise :class:`ExportError` for a photo, which has no times."""
    if analysis.media.still:
        raise ExportError(
            N_("The exhibit is a photo, and %(kind)s lists times. Export its faces as CSV or JSON.")
            % {"kind": kind}
        )


def segments_csv(analysis: Analysis) -> bytes:
    """One row a segment, with the exhibit and the model in each, so that rows can be pooled."""
    rows = []
    looks = {person.id: person.second_look for person in analysis.persons}
    for segment in in_order(analysis):
        look = looks.get(segment.person)
        figures = None if look is None else look.in_segments or look
        peak = max(segment.peaks, key=lambda each: each.probability, default=None)
        rows.append(
            _Row(
                segment=segment.id,
                person=segment.person,
                start_s=segment.start,
                end_s=segment.end,
                start=timecode(segment.start),
                end=timecode(segment.end),
                confidence=segment.confidence,
                strength=segment_phrase(analysis, segment),
                frames=segment.frames,
                peak_s=None if peak is None else peak.time,
                peak=None if peak is None else timecode(peak.time),
                peak_probability=None if peak is None else peak.probability,
                exhibit=analysis.media.file,
                exhibit_sha256=analysis.media.sha256,
                model=analysis.model.name,
                model_sha256=analysis.model.sha256,
                player_start_s=_player_time(segment.start, analysis.media),
                player_end_s=_player_time(segment.end, analysis.media),
                kind=kind_of(look),
                altered=None if figures is None else figures.altered,
                synthesised=None if figures is None else figures.synthesised,
            )
        )
    return csv_table(COLUMNS, rows)


def segments_json(analysis: Analysis) -> bytes:
    """Segments and what they are about; UTF-8, two-space indent."""
    media, model = analysis.media, analysis.model
    looks = {person.id: person.second_look for person in analysis.persons}
    document: dict[str, Any] = {
        "format": JSON_FORMAT,
        "version": JSON_VERSION,
        "exhibit": {
            "file": media.file,
            "bytes": media.bytes,
            "sha256": media.sha256,
            "kind": media.kind.value,
            "duration": media.duration,
            "start_offset": media.start_offset,
        },
        "model": {"name": model.name, "sha256": model.sha256},
        "software_version": analysis.software.reelproof,
        "created": analysis.software.created,
        "verdict": analysis.verdict.value,
        "kind": analysis.kind,
        "probability": analysis.probability,
        "answers": None if analysis.answers is None else analysis.answers.model_dump(),
        "declarations": None
        if analysis.declarations is None
        else [each.model_dump(mode="json") for each in analysis.declarations],
        "segments": [
            _object(segment, segment_phrase(analysis, segment)) | {"kind": kind_of(looks.get(segment.person))}
            for segment in in_order(analysis)
        ],
    }
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()


def _object(segment: Segment, phrase: str) -> dict[str, Any]:
    return {
        "id": segment.id,
        "person": segment.person,
        "start": segment.start,
        "end": segment.end,
        "start_timecode": timecode(segment.start),
        "end_timecode": timecode(segment.end),
        "confidence": segment.confidence,
        "strength": phrase,
        "frames": segment.frames,
        "peaks": [
            {
                "time": peak.time,
                "timecode": timecode(peak.time),
                "pts": peak.pts,
                "probability": peak.probability,
                "box": list(peak.box),
            }
            for peak in segment.peaks
        ],
    }


def segments_webvtt(analysis: Analysis) -> bytes:
    """One cue a segment (W3C WebVTT), for players that show subtitles or chapters.

    Raises :class:`ExportError` for a photo.
    """
    refuse_still(analysis, "WebVTT")
    others = unflagged_segments(analysis.persons, analysis.segments)
    but = f", and those it looked at and did not flag, marked “{NOT_FLAGGED}”" if others else ""
    blocks = [
        "WEBVTT",
        "NOTE\n"
        f"Segments that Reelproof {_line(analysis.software.reelproof)} flagged as manipulated{but}.\n"
        f"Exhibit: {_line(analysis.media.file)}\n"
        f"SHA-256: {analysis.media.sha256}\n"
        f"Model: {_line(analysis.model.name)}\n"
        f"Times count from the first frame{_in_player(analysis.media.start_offset)}.",
    ]
    for segment in in_order(analysis):
        start = _milliseconds(segment.start)
        end = max(_milliseconds(segment.end), start + 1)  # a cue must end after it starts
        blocks.append(
            f"{_line(segment.id)}\n"
            f"{timecode(start / 1000)} --> {timecode(end / 1000)}\n"
            f"Person {_line(segment.person)}: {_strength(analysis, segment)}, "
            f"{_line(probability(segment.confidence))}"
        )
    return ("\n\n".join(blocks) + "\n").encode()


def _strength(analysis: Analysis, segment: Segment) -> str:
    if not is_flagged(analysis.persons, segment):
        return NOT_FLAGGED
    return f"{segment_phrase(analysis, segment)} of manipulation"


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _player_time(time: float, media: Media) -> float | None:
    """Of a photo its only moment; None where nobody recorded when the first frame is shown."""
    if media.start_offset is None:
        return time if media.still else None
    return time + media.start_offset


def _in_player(offset: float | None) -> str:
    return f", which a player shows at {timecode(offset)}" if offset else ""


def _line(text: str) -> str:
    """Text that stays on its line and is neither markup nor an arrow."""
    return file_name(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
