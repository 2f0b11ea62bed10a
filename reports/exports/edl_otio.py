"""Segments for editing software: an EDL of clips, and an OpenTimelineIO timeline of markers.

The EDL (CMX 3600) has one event a segment, whose source times are the segment's; the record side
puts the events one behind the other, because it has one picture track and segments of two persons
may overlap. The OTIO timeline holds the whole exhibit with one marker a segment. In both the last
frame is inside, as it is in a segment: an out point, which is the first frame after, is one later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from detector.schema.analysis import Analysis, Segment
from detector.schema.formatting import probability
from detector.schema.translatable import N_
from detector.verdict.persons.flagged import flagged_segments, is_flagged
from reports.errors import ExportError
from reports.exports.segments import NOT_FLAGGED, in_order, refuse_still
from reports.exports.timecode import Grid, named, own_grid, timecode_grid
from reports.text.certainty.verbal_scale import segment_phrase
from reports.text.numbers import file_name, shortened, timecode

if TYPE_CHECKING:
    import opentimelineio as otio

_MOST_EVENTS = 999  # an event's number has three digits
_TITLE_ROOM = 50
_HOURS = 24
_FIRST_HOUR = 3600  # where the record side starts, in seconds of timecode, as is usual


def segments_edl(analysis: Analysis) -> bytes:
    """A CMX 3600 edit decision list; UTF-8, CRLF.

    Raises :class:`ExportError` for a photo, more than 999 segments, or times past 24 hours.
    """
    refuse_still(analysis, "an EDL")
    segments = in_order(analysis)
    if len(segments) > _MOST_EVENTS:
        raise ExportError(
            N_(
                "An EDL holds at most %(most_events)s events, and there are %(segments)s segments. "
                "Export OTIO or CSV."
            )
            % {"most_events": _MOST_EVENTS, "segments": f"{len(segments):,}"}
        )
    grid = timecode_grid(analysis.media)
    name = file_name(analysis.media.file)
    lines = [
        f"TITLE: REELPROOF {shortened(name, _TITLE_ROOM)}",
        f"FCM: {'DROP FRAME' if grid.drop_frame else 'NON-DROP FRAME'}",
        "",
    ]
    record = _FIRST_HOUR * round(grid.rate)
    if grid.drop_frame:
        record -= 108 * round(grid.rate) // 30  # the numbers an hour leaves out
    for event, segment in enumerate(segments, 1):
        first, after = _span(segment, grid)
        # The adapters of some programs cut after a field too many: no spaces but between fields.
        times = [grid.timecode(at) for at in (first, after, record, record + after - first)]
        if any(int(time[:2]) >= _HOURS for time in times):
            raise ExportError(
                N_("The segments reach past 24 hours, where timecode starts again. Export OTIO or CSV.")
            )
        record += after - first
        lines.append(f"{event:03d}  AX       V     C        {' '.join(times)}")
        lines.append(f"* FROM CLIP NAME: {name}")
        lines.append(f"* COMMENT: {_described(analysis, segment)}")
        if event == 1:
            lines += [f"* COMMENT: {text}" for text in _about(analysis, grid)]
        lines.append("")
    return "\r\n".join(lines).encode()


def segments_otio(analysis: Analysis) -> bytes:
    """An OpenTimelineIO timeline (JSON) of the exhibit with a marker a segment.

    Raises :class:`ExportError` for a photo.
    """
    refuse_still(analysis, "OTIO")
    # A quarter of a second to import, and only this export needs it.
    import opentimelineio as otio

    grid = own_grid(analysis.media)
    spans = [(segment, *_span(segment, grid)) for segment in in_order(analysis)]
    length = max([grid.frame(analysis.media.duration), 1, *(after for _, _, after in spans)])
    whole = _time_range(grid, 0, length)
    name = file_name(analysis.media.file)

    def track(kind: str, markers: list[otio.schema.Marker]) -> otio.schema.Track:
        clip = otio.schema.Clip(
            name=name,
            source_range=whole,
            # The exhibit's own name, beside the timeline: no path of the machine that examined it.
            media_reference=otio.schema.ExternalReference(
                target_url=quote(analysis.media.file, safe=""), available_range=whole
            ),
            markers=markers,
        )
        return otio.schema.Track(name=str(kind), kind=kind, children=[clip])

    timeline = otio.schema.Timeline(
        name=f"Reelproof {shortened(name, _TITLE_ROOM)}",
        global_start_time=otio.opentime.RationalTime(0, float(grid.rate)),
        metadata={"reelproof": _facts(analysis, grid)},
    )
    markers = [_marker(analysis, segment, _time_range(grid, first, after)) for segment, first, after in spans]
    timeline.tracks.append(track(otio.schema.TrackKind.Video, markers))
    if analysis.media.has_sound:
        timeline.tracks.append(track(otio.schema.TrackKind.Audio, []))
    return (timeline.to_json_string(indent=2) + "\n").encode()


def _time_range(grid: Grid, first: int, after: int) -> otio.opentime.TimeRange:
    from opentimelineio import opentime

    rate = float(grid.rate)
    return opentime.TimeRange(opentime.RationalTime(first, rate), opentime.RationalTime(after - first, rate))


def _marker(analysis: Analysis, segment: Segment, marked: otio.opentime.TimeRange) -> otio.schema.Marker:
    from opentimelineio.schema import Marker, MarkerColor

    flagged = is_flagged(analysis.persons, segment)
    return Marker(
        name=f"{file_name(segment.id)} person {file_name(segment.person)} {probability(segment.confidence)}",
        marked_range=marked,
        color=MarkerColor.RED if flagged else MarkerColor.WHITE,
        comment=_described(analysis, segment),
        metadata={"reelproof": _exact(segment)},
    )


def _span(segment: Segment, grid: Grid) -> tuple[int, int]:
    """First frame of a segment and the first one after it."""
    first = grid.frame(segment.start)
    return first, max(grid.frame(segment.end), first) + 1


def _described(analysis: Analysis, segment: Segment) -> str:
    flagged = is_flagged(analysis.persons, segment)
    strength = segment_phrase(analysis, segment) if flagged else NOT_FLAGGED
    return file_name(
        f"Segment {segment.id}, person {segment.person}, {timecode(segment.start)} to "
        f"{timecode(segment.end)} from the first frame, probability {probability(segment.confidence)} "
        f"({strength}), {segment.frames} {'frame' if segment.frames == 1 else 'frames'} scored"
    )


def _about(analysis: Analysis, grid: Grid) -> list[str]:
    segments, flagged = analysis.segments, flagged_segments(analysis.persons, analysis.segments)
    all_flagged = len(flagged) == len(segments)
    did = "Flagged" if all_flagged else f"{len(flagged)} of {len(segments)} flagged, the others looked at,"
    return [
        f"Exhibit SHA-256 {analysis.media.sha256}",
        f"{did} by Reelproof {file_name(analysis.software.reelproof)}, "
        f"model {file_name(analysis.model.name)}",
        f"Source timecode counts {named(grid.rate)} from 0 at the first frame",
        *([grid.note] if grid.note else []),
    ]


def _facts(analysis: Analysis, grid: Grid) -> dict[str, object]:
    return {
        "exhibit": analysis.media.file,
        "exhibit_sha256": analysis.media.sha256,
        "model": analysis.model.name,
        "model_sha256": analysis.model.sha256,
        "software_version": analysis.software.reelproof,
        "verdict": analysis.verdict.value,
        "kind": analysis.kind,
        "frame_rate": f"{grid.rate.numerator}/{grid.rate.denominator}",
        "frame_rate_note": grid.note,
    }


def _exact(segment: Segment) -> dict[str, object]:
    return {
        "segment": segment.id,
        "person": segment.person,
        "start_s": segment.start,
        "end_s": segment.end,
        "confidence": segment.confidence,
        "frames": segment.frames,
    }
