"""Segments for editing software: EDL, OpenTimelineIO and timecodes."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING
from urllib.parse import quote

from detector.schema.analysis import Analysis, Media, Segment
from detector.schema.formatting import N_, escape_directions, probability
from detector.schema.voice import VoiceSegment
from detector.verdict.finding import finding_of
from language.formatting import file_name, shortened, timecode
from reports.errors import ExportError
from reports.exports.tables import (
    NOT_FLAGGED,
    in_order,
    models,
    refuse_still,
    time_origin,
    voice_phrase,
    voice_segments,
    voice_title,
)
from reports.wording.verbal_scale import segment_phrase

if TYPE_CHECKING:
    import opentimelineio as otio


# The rates at which editing software, and OpenTimelineIO, count timecode.
_WHOLE = (24, 25, 30, 48, 50, 60)
_NTSC = tuple(Fraction(whole * 1000, 1001) for whole in (24, 30, 48, 60))
TIMECODE_RATES = tuple(sorted({*map(Fraction, _WHOLE), *_NTSC}))
# Containers round: Matroska states 29.97 as 2997/100 or from milliseconds. 29.97 and 30 are four times
# as far apart.
_ROUNDING = Fraction(1, 4000)
_AVERAGED = Fraction(1, 200)  # of a variable rate's average
_USUAL = Fraction(25)  # where a file states no rate and holds no two frames


@dataclass(frozen=True)
class Grid:
    """Frames at ``rate`` a second, the first at time 0; ``note`` tells if they are not the exhibit's own."""

    rate: Fraction
    note: str = ""

    @property
    def drop_frame(self) -> bool:
        """Return whether timecode drops numbers to follow the clock, as is usual at 29.97 and 59.94."""
        return self.rate in (Fraction(30000, 1001), Fraction(60000, 1001))

    def frame(self, seconds: float) -> int:
        """Return the number of the frame nearest to a time."""
        return round(Fraction(seconds) * self.rate)

    def timecode(self, frame: int) -> str:
        """Format as ``HH:MM:SS:FF``, or ``HH:MM:SS;FF`` for drop-frame timecode."""
        base = round(self.rate)
        if self.drop_frame:
            # Numbers 0 and 1 (at 59.94, 0 to 3) are left out of each minute but every tenth.
            dropped = base // 15
            minute, ten = 60 * base - dropped, 600 * base - 9 * dropped
            tens, rest = divmod(frame, ten)
            frame += 9 * dropped * tens + (dropped * ((rest - dropped) // minute) if rest >= dropped else 0)
        seconds, number = divmod(frame, base)
        minutes, second = divmod(seconds, 60)
        hour, minute = divmod(minutes, 60)
        return f"{hour:02d}:{minute:02d}:{second:02d}{';' if self.drop_frame else ':'}{number:02d}"


def own_grid(media: Media) -> Grid:
    """Return the exhibit's own frames if its rate is constant, otherwise :func:`timecode_grid`."""
    rate = _stated(media)
    if rate is None or media.variable_frame_rate:
        return timecode_grid(media)
    return Grid(_snapped(rate) or rate)


def timecode_grid(media: Media) -> Grid:
    """Return a grid that timecode can count, if possible the exhibit's own."""
    rate = _stated(media)
    if media.sound_only:
        return Grid(_USUAL, f"The exhibit has no picture; a clock of {named(_USUAL)} is counted.")
    if rate is None:
        return Grid(_USUAL, f"The exhibit states no frame rate; frames of {named(_USUAL)} are counted.")
    if media.variable_frame_rate:
        grid = _lowest_whole(rate * (1 - _AVERAGED))
        return Grid(
            grid,
            f"The exhibit's frame rate is variable, {float(rate):.3f} on average; "
            f"not its frames are counted but those of a clock of {named(grid)}.",
        )
    if (own := _snapped(rate)) is not None:
        return Grid(own)
    # A grid on which the exhibit's frames stand whole, or, above 60, every second or fourth of them.
    fitting = [grid for grid in TIMECODE_RATES if _is_whole(grid / rate)]
    coarser = [grid for grid in TIMECODE_RATES if _is_whole(rate / grid)]
    grid = fitting[0] if fitting else coarser[-1] if coarser else _lowest_whole(rate)
    return Grid(
        grid,
        f"No timecode counts {float(rate):.3f} frames a second, the exhibit's rate; "
        f"frames of {named(grid)} are counted.",
    )


def named(rate: Fraction) -> str:
    """Format a rate, such as ``29.97 frames a second (30000/1001)``."""
    if rate.denominator == 1:
        return f"{rate} {'frame' if rate == 1 else 'frames'} a second"
    return f"{float(rate):.3f}".rstrip("0") + f" frames a second ({rate})"


def _stated(media: Media) -> Fraction | None:
    """Return the rate that the file states, or that follows from its frames and their duration."""
    try:
        rate = Fraction(media.frame_rate) if media.frame_rate else Fraction(0)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if rate <= 0 and media.duration > 0:
        rate = Fraction(media.frames) / Fraction(media.duration)
    return rate if rate > 0 else None


def _snapped(rate: Fraction) -> Fraction | None:
    nearest = min(TIMECODE_RATES, key=lambda known: abs(known - rate))
    return nearest if abs(nearest - rate) <= nearest * _ROUNDING else None


def _is_whole(ratio: Fraction) -> bool:
    return round(ratio) >= 1 and abs(ratio - round(ratio)) <= ratio * _ROUNDING


def _lowest_whole(least: Fraction) -> Fraction:
    return Fraction(next((rate for rate in _WHOLE if rate >= least), _WHOLE[-1]))


_MOST_EVENTS = 999  # an event's number has three digits
_TITLE_ROOM = 50
_HOURS = 24
_FIRST_HOUR = 3600  # where the record side starts, in seconds of timecode, as is usual


def segments_edl(analysis: Analysis) -> bytes:
    """Return a CMX 3600 edit decision list (UTF-8, CRLF).

    Raise :class:`ExportError` for a photo, more than 999 segments, or times past 24 hours.
    """
    refuse_still(analysis, "an EDL")
    segments = in_order(analysis)
    heard = voice_segments(analysis)
    if len(segments) + len(heard) > _MOST_EVENTS:
        raise ExportError(
            N_(
                "An EDL can contain at most %(most_events)s events, but there are %(segments)s segments. "
                "Export OTIO or CSV."
            )
            % {"most_events": _MOST_EVENTS, "segments": f"{len(segments) + len(heard):,}"}
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
    events: list[Segment | VoiceSegment] = [*segments, *heard]
    for event, segment in enumerate(events, 1):
        first, after = _span(segment, grid)
        # The adapters of some programs cut after a field too many: no spaces but between fields.
        times = [grid.timecode(at) for at in (first, after, record, record + after - first)]
        if any(int(time[:2]) >= _HOURS for time in times):
            raise ExportError(
                N_("Some segments are after 24 hours, where timecode starts again. Export OTIO or CSV.")
            )
        record += after - first
        track = "A" if isinstance(segment, VoiceSegment) else "V"
        lines.append(f"{event:03d}  AX       {track}     C        {' '.join(times)}")
        lines.append(f"* FROM CLIP NAME: {name}")
        lines.append(f"* COMMENT: {_described(analysis, segment)}")
        if event == 1:
            lines += [f"* COMMENT: {text}" for text in _about(analysis, grid)]
        lines.append("")
    return "\r\n".join(lines).encode()


def segments_otio(analysis: Analysis) -> bytes:
    """Return an OpenTimelineIO timeline, a marker per segment; raise :class:`ExportError` for a photo."""
    refuse_still(analysis, "OTIO")
    # A quarter of a second to import, and only this export needs it.
    import opentimelineio as otio

    grid = own_grid(analysis.media)
    spans = [(segment, *_span(segment, grid)) for segment in in_order(analysis)]
    heard = [(segment, *_span(segment, grid)) for segment in voice_segments(analysis)]
    length = max([grid.frame(analysis.media.duration), 1, *(after for _, _, after in (*spans, *heard))])
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
    if not analysis.media.sound_only:
        timeline.tracks.append(track(otio.schema.TrackKind.Video, markers))
    if analysis.media.has_sound:
        of_voice = [
            _voice_marker(analysis, segment, _time_range(grid, first, after))
            for segment, first, after in heard
        ]
        timeline.tracks.append(track(otio.schema.TrackKind.Audio, of_voice))
    return (escape_directions(timeline.to_json_string(indent=2)) + "\n").encode()


def _time_range(grid: Grid, first: int, after: int) -> otio.opentime.TimeRange:
    from opentimelineio import opentime

    rate = float(grid.rate)
    return opentime.TimeRange(opentime.RationalTime(first, rate), opentime.RationalTime(after - first, rate))


def _marker(analysis: Analysis, segment: Segment, marked: otio.opentime.TimeRange) -> otio.schema.Marker:
    from opentimelineio.schema import Marker, MarkerColor

    flagged = segment.id in finding_of(analysis).flagged_ids
    return Marker(
        name=f"{file_name(segment.id)} person {file_name(segment.person)} {probability(segment.confidence)}",
        marked_range=marked,
        color=MarkerColor.RED if flagged else MarkerColor.WHITE,
        comment=_described(analysis, segment),
        metadata={"reelproof": _exact(segment)},
    )


def _voice_marker(
    analysis: Analysis, segment: VoiceSegment, marked: otio.opentime.TimeRange
) -> otio.schema.Marker:
    from opentimelineio.schema import Marker, MarkerColor

    return Marker(
        name=f"{file_name(voice_title(analysis, segment))}: {segment.id} {probability(segment.confidence)}"
        if segment.channels
        else f"{segment.id} {probability(segment.confidence)}",
        marked_range=marked,
        color=MarkerColor.RED if segment.flagged else MarkerColor.WHITE,
        comment=_described_voice(analysis, segment),
        metadata={
            "reelproof": {
                "segment": segment.id,
                "start_s": segment.start,
                "end_s": segment.end,
                "confidence": segment.confidence,
                "windows": segment.windows,
                "channels": list(segment.channels),
            }
        },
    )


def _described_voice(analysis: Analysis, segment: VoiceSegment) -> str:
    windows = f"{segment.windows} {'window' if segment.windows == 1 else 'windows'}"
    return file_name(
        f"{voice_title(analysis, segment)} segment {segment.id}, {timecode(max(0.0, segment.start))} to "
        f"{timecode(max(0.0, segment.end))} {time_origin(analysis.media)}, score "
        f"{probability(segment.confidence)} ({voice_phrase(segment)}), {windows} scored"
    )


def _span(segment: Segment | VoiceSegment, grid: Grid) -> tuple[int, int]:
    """Return the first frame of a segment and the first frame after it."""
    first = grid.frame(max(0.0, segment.start))
    return first, max(grid.frame(segment.end), first) + 1


def _described(analysis: Analysis, segment: Segment | VoiceSegment) -> str:
    if isinstance(segment, VoiceSegment):
        return _described_voice(analysis, segment)
    flagged = segment.id in finding_of(analysis).flagged_ids
    strength = segment_phrase(analysis, segment) if flagged else NOT_FLAGGED
    return file_name(
        f"Segment {segment.id}, person {segment.person}, {timecode(segment.start)} to "
        f"{timecode(segment.end)} from the first frame, score {probability(segment.confidence)} "
        f"({strength}), {segment.frames} {'frame' if segment.frames == 1 else 'frames'} scored"
    )


def _about(analysis: Analysis, grid: Grid) -> list[str]:
    heard = voice_segments(analysis)
    segments = len(analysis.segments) + len(heard)
    flagged = len(finding_of(analysis).flagged)
    flagged += sum(segment.flagged for segment in heard)
    did = "Flagged" if flagged == segments else f"{flagged} of {segments} flagged, the others looked at,"
    start = "the start of the recording" if analysis.media.sound_only else "the first frame"
    return [
        f"Exhibit SHA-256 {analysis.media.sha256}",
        f"{did} by Reelproof {file_name(analysis.software.reelproof)}",
        *map(file_name, models(analysis)),
        f"Source timecode counts {named(grid.rate)} from 0 at {start}",
        *([grid.note] if grid.note else []),
    ]


def _facts(analysis: Analysis, grid: Grid) -> dict[str, object]:
    faces = None if analysis.media.sound_only else analysis.model
    voices = analysis.voice.model if analysis.voice else None
    return {
        "exhibit": analysis.media.file,
        "exhibit_sha256": analysis.media.sha256,
        "model": faces and faces.name,
        "model_sha256": faces and faces.sha256,
        "voice_model": voices and voices.name,
        "voice_model_sha256": voices and voices.sha256,
        "software_version": analysis.software.reelproof,
        "verdict": analysis.verdict.value,
        "kind": analysis.kind,
        "voice": analysis.voice.verdict.value if analysis.voice else None,
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
