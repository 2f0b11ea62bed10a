"""Segments and scores as tables: CSV, JSON, WebVTT and Parquet."""

from __future__ import annotations

import csv
import heapq
import io
import itertools
import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple

from detector.schema.analysis import Analysis, Media, Person, Segment
from detector.schema.channel_names import name_channels
from detector.schema.formatting import N_, escape_directions, probability
from detector.schema.voice import ChannelFinding, VoiceSegment
from detector.verdict.finding import finding_of
from language.formatting import file_name, timecode
from reports.errors import ExportError
from reports.wording.verbal_scale import segment_phrase

Cell = str | int | float | bool | None

# What spreadsheets take for the start of a formula, full-width forms included. Also behind what
# may separate cells: where the comma is the decimal sign, a spreadsheet splits at semicolons.
_FORMULA = re.compile(r"((?:^|[,;|\"'])\s*)([=+\-@\uff1d\uff0b\uff0d\uff20])")


def csv_table(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    """Return a table as CSV, as :func:`write_csv` writes it."""
    out = io.BytesIO()
    write_csv(out, header, rows)
    return out.getvalue()


def write_csv(out: BinaryIO, header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """Write a table as CSV row by row; text is made :func:`harmless`, None becomes an empty cell."""
    text = io.TextIOWrapper(out, encoding="utf-8", newline="")
    try:
        writer = csv.writer(text, lineterminator="\r\n")
        writer.writerow(header)
        writer.writerows([_cell(value) for value in row] for row in rows)
    finally:
        text.detach()  # `out` stays open


def harmless(text: str) -> str:
    """Return ``text`` as a cell that no spreadsheet executes: an apostrophe precedes formulas.

    Control characters and bidirectional overrides become escapes.
    """
    return _FORMULA.sub(r"\1'\2", file_name(text))


def _cell(value: Cell) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value)
    return harmless(value) if isinstance(value, str) else str(value)


_PARQUET_GROUP = 2**17  # rows, of about 10 MB
SCORE_COLUMNS = (
    "time_s",
    "time",
    "pts",
    "person",
    "track",
    "left_px",
    "top_px",
    "right_px",
    "bottom_px",
    "usable",
    "probability",
    "smoothed",
    "segment",
    "interpolated",
)
ScoreRow = tuple[
    float, str, int, str, int, float, float, float, float, bool, float | None, float | None, str | None, bool
]


def score_rows(analysis: Analysis) -> Iterator[ScoreRow]:
    """Yield the rows by time and then by person, in the order of :data:`SCORE_COLUMNS`."""
    persons = [_rows_of(analysis, rank, person) for rank, person in enumerate(analysis.persons)]
    for _, _, row in heapq.merge(*persons, key=lambda each: each[:2]):
        yield row


def _rows_of(analysis: Analysis, rank: int, person: Person) -> Iterator[tuple[float, int, ScoreRow]]:
    own = sorted(
        (segment for segment in analysis.segments if segment.person == person.id),
        key=lambda each: each.start,
    )
    starts = [segment.start for segment in own]
    for score in sorted(person.scores, key=lambda each: each.time):
        row = (
            score.time,
            timecode(score.time),
            score.pts,
            person.id,
            score.track,
            *score.box,
            score.usable,
            score.probability,
            score.smoothed,
            _inside(score.time, own, starts),
            score.interpolated,
        )
        yield score.time, rank, row


def _inside(time: float, segments: list[Segment], starts: list[float]) -> str | None:
    """Return the segment of one person that contains a time, ends included; segments do not overlap."""
    index = bisect_right(starts, time) - 1
    return segments[index].id if index >= 0 and time <= segments[index].end else None


def scores_csv(analysis: Analysis) -> bytes:
    """Return all scores as CSV."""
    return csv_table(SCORE_COLUMNS, score_rows(analysis))


def scores_parquet(analysis: Analysis, out: BinaryIO) -> None:
    """Write all scores as typed Parquet, with their origin in the file's metadata, a group of rows at a time.

    Raise :class:`ExportError` if a number is too large for its column.
    """
    # Takes a third of a second to import, and only this export needs it.
    import pyarrow as pa
    import pyarrow.parquet as pq

    text, real, whole = pa.string(), pa.float64(), pa.int64()
    types = (real, text, whole, text, whole, real, real, real, real, pa.bool_(), real, real, text, pa.bool_())
    optional = {"probability", "smoothed", "segment"}
    about = {
        "reelproof.exhibit": file_name(analysis.media.file),
        "reelproof.exhibit_sha256": analysis.media.sha256,
        "reelproof.model": analysis.model.name,
        "reelproof.model_sha256": analysis.model.sha256,
        "reelproof.software_version": analysis.software.reelproof,
        "reelproof.created": analysis.software.created,
        "reelproof.time_base": analysis.media.time_base,
    }
    schema = pa.schema(
        [
            pa.field(name, kind, nullable=name in optional)
            for name, kind in zip(SCORE_COLUMNS, types, strict=True)
        ],
        metadata=about,
    )
    rows = score_rows(analysis)
    try:
        with pq.ParquetWriter(out, schema) as writer:
            while group := list(itertools.islice(rows, _PARQUET_GROUP)):
                columns = zip(*group, strict=True)
                arrays = [pa.array(column, kind) for column, kind in zip(columns, types, strict=True)]
                writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
    except (pa.ArrowInvalid, OverflowError):
        raise ExportError(
            N_(
                "The analysis contains numbers too large for a Parquet column. Use an analysis.json that "
                "Reelproof wrote, or export CSV."
            )
        ) from None


NOT_FLAGGED = "looked at, not flagged"  # of a segment, in words of formats that hold segments alone
JSON_FORMAT = "reelproof-segments"
JSON_VERSION = "1.0"


class _Row(NamedTuple):
    """A row of the CSV; the fields are the columns in their order."""

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
    channels: str | None


SEGMENT_COLUMNS = _Row._fields


def in_order(analysis: Analysis) -> list[Segment]:
    """Sort segments by start, then by person."""
    return sorted(
        analysis.segments, key=lambda segment: (segment.start, segment.end, segment.person, segment.id)
    )


def refuse_still(analysis: Analysis, kind: str) -> None:
    """Raise :class:`ExportError` for a photo, which has no times."""
    if analysis.media.still:
        raise ExportError(
            N_("The exhibit is a photo, and %(kind)s lists times. Export its faces as CSV or JSON.")
            % {"kind": kind}
        )


def segments_csv(analysis: Analysis) -> bytes:
    """Return the segments as CSV."""
    return csv_table(SEGMENT_COLUMNS, segment_rows(analysis))


def segment_rows(analysis: Analysis) -> list[_Row]:
    """Return one row per segment, each with exhibit and model so that rows of several files can be pooled."""
    rows = []
    looks = {person.id: person.second_look for person in analysis.persons}
    for segment in in_order(analysis):
        look = looks.get(segment.person)
        figures = None if look is None else look.in_segments or look
        peak = max(segment.peaks, key=lambda frame: frame.probability, default=None)
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
                kind=finding_of(analysis).kind_of(segment),
                altered=None if figures is None else figures.altered,
                synthesised=None if figures is None else figures.synthesised,
                channels=None,
            )
        )
    return [*rows, *_voice_rows(analysis)]


VOICE = "voice"  # in place of a person, of a segment of the voice


def voice_segments(analysis: Analysis) -> tuple[VoiceSegment, ...]:
    """Return the segments of the voice in order of time; none if sound was not examined."""
    return tuple(sorted(analysis.voice.segments, key=lambda segment: segment.start)) if analysis.voice else ()


def voice_title(analysis: Analysis, segment: VoiceSegment) -> str:
    """Return what a segment of the voice is of, such as "Voice" or "Voice, channel 2 (right)"."""
    names = analysis.voice.stream.channel_names if analysis.voice and analysis.voice.stream else ()
    return ", ".join(filter(None, ("Voice", name_channels(segment.channels, names))))


def voice_phrase(segment: VoiceSegment) -> str:
    """Describe a segment of the voice in a few words."""
    return "synthetic speech" if segment.flagged else NOT_FLAGGED


def _voice_rows(analysis: Analysis) -> Iterator[_Row]:
    """Yield a row for each segment of the voice, whose person is :data:`VOICE` and whose frames are "
    "windows."""
    media = analysis.media
    for segment in voice_segments(analysis):
        assert analysis.voice is not None
        start, end = max(0.0, segment.start), max(0.0, segment.end)
        peak = max(segment.peaks, key=lambda window: window.probability, default=None)
        yield _Row(
            segment=segment.id,
            person=VOICE,
            start_s=start,
            end_s=end,
            start=timecode(start),
            end=timecode(end),
            confidence=segment.confidence,
            strength=voice_phrase(segment),
            frames=segment.windows,
            peak_s=None if peak is None else peak.time,
            peak=None if peak is None else timecode(max(0.0, peak.time)),
            peak_probability=None if peak is None else peak.probability,
            exhibit=media.file,
            exhibit_sha256=media.sha256,
            model=analysis.voice.model.name,
            model_sha256=analysis.voice.model.sha256,
            player_start_s=_player_time(start, media),
            player_end_s=_player_time(end, media),
            kind=None,
            altered=None,
            synthesised=None,
            channels=" ".join(map(str, segment.channels)) or None,
        )


def segments_json(analysis: Analysis) -> bytes:
    """Return the segments and their origin as JSON (UTF-8, two-space indent)."""
    media, model = analysis.media, analysis.model
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
        else [declaration.model_dump(mode="json") for declaration in analysis.declarations],
        "segments": [
            _object(segment, segment_phrase(analysis, segment))
            | {"kind": finding_of(analysis).kind_of(segment)}
            for segment in in_order(analysis)
        ],
        "voice": _voice_object(analysis),
    }
    return (escape_directions(json.dumps(document, indent=2, ensure_ascii=False)) + "\n").encode()


def _voice_object(analysis: Analysis) -> dict[str, Any] | None:
    voice = analysis.voice
    if voice is None:
        return None
    return {
        **_channel_object(voice),
        "other_channels": [_channel_object(finding) for finding in voice.other_channels],
        "channels_left_out": list(voice.stream.channels_left_out) if voice.stream else [],
        "model": {"name": voice.model.name, "sha256": voice.model.sha256},
        "segments": [
            {
                "id": segment.id,
                "start": segment.start,
                "end": segment.end,
                "start_timecode": timecode(max(0.0, segment.start)),
                "end_timecode": timecode(max(0.0, segment.end)),
                "confidence": segment.confidence,
                "flagged": segment.flagged,
                "windows": segment.windows,
                "channels": list(segment.channels),
            }
            for segment in voice_segments(analysis)
        ],
    }


def _channel_object(finding: ChannelFinding) -> dict[str, Any]:
    return {
        "verdict": finding.verdict.value,
        "probability": finding.probability,
        "speech": finding.speech,
        "not_judged": finding.not_judged,
        "channels": list(finding.channels),
    }


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
    """Return one cue per segment (W3C WebVTT); raise :class:`ExportError` for a photo."""
    refuse_still(analysis, "WebVTT")
    media = analysis.media
    times = f"Times count {time_origin(media)}{_in_player(media.start_offset)}."
    about = [
        f"Exhibit: {_line(media.file)}",
        f"SHA-256: {media.sha256}",
        *map(_line, models(analysis)),
        times,
    ]
    blocks = ["WEBVTT", "\n".join(("NOTE", *_cues_of(analysis), *about))]
    for segment in in_order(analysis):
        start = _milliseconds(segment.start)
        end = max(_milliseconds(segment.end), start + 1)  # a cue must end after it starts
        blocks.append(
            f"{_line(segment.id)}\n"
            f"{timecode(start / 1000)} --> {timecode(end / 1000)}\n"
            f"Person {_line(segment.person)}: {_strength(analysis, segment)}, "
            f"{_line(probability(segment.confidence))}"
        )
    for heard in voice_segments(analysis):
        start = _milliseconds(max(0.0, heard.start))
        end = max(_milliseconds(heard.end), start + 1)
        title = _line(voice_title(analysis, heard))
        blocks.append(
            f"{heard.id}\n{timecode(start / 1000)} --> {timecode(end / 1000)}\n"
            f"{title}: {voice_phrase(heard)}, {_line(probability(heard.confidence))}"
        )
    return ("\n\n".join(blocks) + "\n").encode()


def _cues_of(analysis: Analysis) -> Iterator[str]:
    """Yield a sentence about the cues of faces, and one about those of the voice."""
    program, heard = _line(analysis.software.reelproof), voice_segments(analysis)
    if not analysis.media.sound_only:
        others = bool(finding_of(analysis).unflagged)
        what = "Segments of faces" if heard else "Segments"
        yield f"{what} that Reelproof {program} flagged as manipulated{_and_others(others)}."
    if heard or analysis.media.sound_only:
        others = not all(segment.flagged for segment in heard)
        flagged = f"Segments of the voice that Reelproof {program} flagged as synthetic speech"
        yield f"{flagged}{_and_others(others)}."


def _and_others(present: bool) -> str:
    return f", and those it looked at and did not flag, marked “{NOT_FLAGGED}”" if present else ""


def models(analysis: Analysis) -> tuple[str, ...]:
    """Name the models that judged the faces and the voices, each in a line."""
    lines = [] if analysis.media.sound_only else [f"Model: {analysis.model.name}"]
    if analysis.voice is not None:
        lines.append(f"Model of voices: {analysis.voice.model.name}")
    return tuple(lines)


def time_origin(media: Media) -> str:
    """Say where the times of an exhibit begin."""
    return "from the start of the recording" if media.sound_only else "from the first frame"


def _strength(analysis: Analysis, segment: Segment) -> str:
    if segment.id not in finding_of(analysis).flagged_ids:
        return NOT_FLAGGED
    return segment_phrase(analysis, segment)


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _player_time(time: float, media: Media) -> float | None:
    """Return the time on a player's clock, None if the time of the first frame is unknown."""
    if media.start_offset is None:
        return time if media.still else None
    return time + media.start_offset


def _in_player(offset: float | None) -> str:
    return f", which a player shows at {timecode(offset)}" if offset else ""


def _line(text: str) -> str:
    """Return text that stays on one line and contains neither markup nor an arrow."""
    return file_name(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
