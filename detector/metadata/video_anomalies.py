"""Anomalies of a video's container, tracks and time stamps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from detector.schema.analysis import Media
from detector.schema.causes.anomalies import AnomalyCode, AnomalyPart
from detector.schema.causes.cause import Cause
from detector.schema.codec_names import codec_name
from detector.schema.metadata import Anomaly, Details, Edit, Encoding, Picture

_SAME_LENGTH = 0.5  # seconds, for the duration of a frame and the rounding of containers
_REORDERED = 2.5  # intervals between frames
_WITHOUT_BASE = frozenset({"5.0", "10.0"})  # Dolby Vision profiles whose base layer has colours of its own


def container_anomalies(media: Media, details: Details, before: float = 0.0) -> Iterator[Anomaly]:
    """Yield the anomalies of a video's tracks, durations, edit list, encodings and time stamps."""
    yield from _track_anomalies(details)
    yield from _rest_anomalies(details)
    yield from _size_anomalies(media, details)
    if details.picture is not None:
        yield from _display_anomalies(details.picture)
    yield from _length_anomalies(media, details, before)
    yield from _edit_anomalies(details)
    yield from _joint_anomalies(details)
    yield from _time_anomalies(media, details)


def _rest_anomalies(details: Details) -> Iterator[Anomaly]:
    """Yield anomalies of what follows the examined pictures in the file."""
    if details.picture and details.picture.ends_at is not None:
        yield Anomaly.of(AnomalyCode.MORE_BEHIND_PICTURES, share=round(100 * details.picture.ends_at))
    if details.structure and details.structure.boxes.count("moov") > 1:
        yield Anomaly.of(AnomalyCode.SECOND_FILM)


def _size_anomalies(media: Media, details: Details) -> Iterator[Anomaly]:
    if details.picture is not None and details.picture.sizes:
        yield Anomaly.of(
            AnomalyCode.PICTURE_SIZE_CHANGES,
            sizes=tuple(f"{width}×{height}" for width, height in details.picture.sizes),
            width=media.width,
            height=media.height,
        )


def _display_anomalies(picture: Picture) -> Iterator[Anomaly]:
    """Yield anomalies of pictures that players may show differently from how they were examined."""
    if picture.shown is not None:
        yield Anomaly.of(AnomalyCode.CROPPED_BY_PLAYERS, width=picture.shown[0], height=picture.shown[1])
    if picture.dolby_vision in _WITHOUT_BASE:
        yield Anomaly.of(AnomalyCode.DOLBY_VISION, profile=picture.dolby_vision)
    if picture.interlaced:
        yield Anomaly.of(AnomalyCode.INTERLACED, interlaced=picture.interlaced)


def _length_anomalies(media: Media, details: Details, before: float) -> Iterator[Anomaly]:
    picture = details.picture
    if picture is None:
        return
    # If pictures begin later than the file, the duration of the whole file includes that delay.
    compared = [
        (AnomalyPart.FILE_DURATION, {}, picture.container_duration, media.duration + before),
        (AnomalyPart.PICTURES_DURATION, {}, picture.stream_duration, media.duration),
        *(
            (AnomalyPart.SOUND_DURATION, {"index": stream.index}, stream.duration, media.duration)
            for stream in details.streams
            if stream.kind == "audio"
        ),
    ]
    different = tuple(
        part.cause(stated=stated, **index)
        for part, index, stated, length in compared
        if stated is not None and abs(stated - length) > _SAME_LENGTH
    )
    if different:
        yield Anomaly.of(AnomalyCode.DURATIONS_DISAGREE, duration=media.duration, durations=different)


def _track_anomalies(details: Details) -> Iterator[Anomaly]:
    if others := details.other_pictures:
        tracks = (
            AnomalyPart.PICTURE_TRACK.cause(index=track.index, codec=codec_name(track.codec))
            for track in others
        )
        yield Anomaly.of(AnomalyCode.OTHER_PICTURE_TRACK, tracks=tuple(tracks))


def _edit_anomalies(details: Details) -> Iterator[Anomaly]:
    if details.structure is None:
        return
    # Reordering of frames delays the first one by at most two intervals.
    interval = (details.timing.median_interval if details.timing else None) or 0.0
    late = max(_SAME_LENGTH, _REORDERED * interval)
    by_track: dict[int, list[Edit]] = {}
    for edit in details.structure.edits:
        by_track.setdefault(edit.track, []).append(edit)
    changes = [
        AnomalyPart.TRACK_EDITS.cause(track=track, edits=parts)
        for track, edits in by_track.items()
        if (parts := tuple(_describe_edits(edits, late)))
    ]
    hidden = details.timing.packets_not_shown if details.timing else 0
    if hidden == 1:
        changes.append(AnomalyPart.HIDDEN_FRAME.cause())
    elif hidden:
        changes.append(AnomalyPart.HIDDEN_FRAMES.cause(hidden_frames=hidden))
    if changes:
        yield Anomaly.of(AnomalyCode.EDIT_LIST, changes=tuple(changes))


def _describe_edits(edits: Sequence[Edit], late: float) -> Iterator[Cause]:
    """Describe what the edits of one track change; a start after ``late`` seconds counts."""
    begun = False
    for edit in edits:
        if edit.media_start is None:
            # For an empty edit after a stretch FFmpeg plays the beginning of the track again.
            if begun:
                yield AnomalyPart.WAITS_AFTER_STRETCH.cause(delay=edit.duration)
            elif edit.duration > _SAME_LENGTH:
                yield AnomalyPart.WAITS.cause(delay=edit.duration)
            continue
        begun = True
        if edit.media_start > late:
            yield AnomalyPart.BEGINS_LATE.cause(delay=edit.media_start)
        if edit.rate != 1:
            yield AnomalyPart.PLAYS_AT_RATE.cause(rate=edit.rate)
    played = sum(edit.media_start is not None for edit in edits)
    if played > 1:
        yield AnomalyPart.IN_STRETCHES.cause(played=played)


def _joint_anomalies(details: Details) -> Iterator[Anomaly]:
    encoding = details.encoding or Encoding()
    descriptions = details.structure.descriptions if details.structure else ()
    counts = (
        (AnomalyPart.ENCODER_SETTINGS, len(encoding.texts)),
        (AnomalyPart.SEQUENCE_HEADERS, encoding.parameter_sets),
        (AnomalyPart.CODEC_HEADERS, encoding.headers),
        (AnomalyPart.SAMPLE_DESCRIPTIONS, max(descriptions, default=0)),
    )
    if signs := tuple(part.cause(different=count) for part, count in counts if count > 1):
        yield Anomaly.of(AnomalyCode.SEVERAL_ENCODINGS, signs=signs)


def _time_anomalies(media: Media, details: Details) -> Iterator[Anomaly]:
    timing = details.timing
    if timing is None:
        return
    if timing.gaps:
        gaps = (AnomalyPart.GAP.cause(length=gap.length, start=gap.start) for gap in timing.gaps[:4])
        yield Anomaly.of(AnomalyCode.TIME_GAPS, gaps=tuple(gaps), more=max(0, len(timing.gaps) - 4))
    if media.frames_out_of_order or timing.decoding_order_breaks:
        yield Anomaly.of(
            AnomalyCode.TIMES_OUT_OF_ORDER,
            backwards=media.frames_out_of_order,
            backwards_packets=timing.decoding_order_breaks,
        )
