"""Check whether a file held all the frames that it promised; valid once it has been read to the end."""

from __future__ import annotations

from detector.media.stream.decoder import WHOLE_DURATION, FrameDecoder
from detector.schema.analysis import MediaKind

_TOLERATED_FRAMES = 2  # frames
# Seconds. Containers round, and differ in how they count the duration of the last frame.
_TOLERATED_SECONDS = 0.5


def missing_seconds(reader: FrameDecoder) -> float:
    """Return the seconds of picture that the file promises and that are missing at its end.

    Content that is present but cannot be decoded (:func:`seconds_lost_at_end`) is not missing. A container
    that states only a total duration may mean a longer sound or other track; those must end early as well.
    """
    if reader.kind is MediaKind.IMAGE:
        return 0.0
    expected, picture = reader.expected_duration, float(reader.duration) + seconds_lost_at_end(reader)
    slack, rate = _TOLERATED_SECONDS, reader.stream.average_rate
    if reader.states_whole_duration:
        if reader.tally.others_end > expected - _TOLERATED_SECONDS:
            return 0.0
        expected -= _before_first_frame(reader)
    else:
        expected -= _undecoded_at_start(reader)
    lost = _count_promised_frames(reader)
    if not lost and reader.holds_all_parts and reader.tally.last_position >= reader.last_block:
        return 0.0  # the last picture stays
    if lost and rate:
        interval = 1 / float(rate)
        slack = 1.5 * interval
        if reader.container_format == "avi":  # FFmpeg estimates its duration from the file size
            expected = max(expected, reader.stream.frames * interval)
    return expected - picture if expected - picture > slack else 0.0


def seconds_after_last_frame(reader: FrameDecoder) -> float:
    """Return for how many seconds the file goes on after the last frame; 0 if negligible."""
    stated = reader.container_duration
    if stated is None or not reader.expected_duration or reader.container_format == "avi":
        return 0.0  # FFmpeg estimates the duration of an AVI from the file size
    after = stated - _before_first_frame(reader) - float(reader.duration) - seconds_lost_at_end(reader)
    return after if after > _TOLERATED_SECONDS else 0.0


def seconds_before_first_frame(reader: FrameDecoder) -> float:
    """Return the seconds before the first frame that a duration stated for the whole file includes."""
    return _before_first_frame(reader) if reader.container_format in WHOLE_DURATION else 0.0


def _before_first_frame(reader: FrameDecoder) -> float:
    if reader.container_format == "flv":  # its duration counts from the stream that begins first
        return reader.start_offset or 0.0
    return max(0.0, float((reader.tally.first_pts or 0) * reader.time_base))


def seconds_lost_at_start(reader: FrameDecoder) -> float:
    """Return the seconds of picture before the first frame that cannot be decoded; 0 if negligible.

    A file cut at an arbitrary place, such as a capture of a broadcast, begins between two key frames.
    Decoders skip everything before the first of them, most without a warning.
    """
    lost, rate = _undecoded_at_start(reader), reader.stream.average_rate
    # An open group of pictures lacks a few frames at a cut, by design of its encoder.
    slack = _TOLERATED_SECONDS
    if reader.tally.packets.begins_with_key is False and rate:
        slack = (_TOLERATED_FRAMES + 0.5) / float(rate)
    return lost if lost > slack else 0.0


def seconds_lost_at_end(reader: FrameDecoder) -> float:
    """Return the seconds of picture after the last frame that cannot be decoded; 0 if negligible.

    Only files known to be damaged are considered, because containers round durations.
    """
    end, packets, rate = reader.tally.end_pts, reader.tally.packets.end, reader.stream.average_rate
    if reader.kind is MediaKind.IMAGE or end is None or packets is None or not rate:
        return 0.0
    if reader.container_format == "avi" or not (reader.tally.undecodable or _count_promised_frames(reader)):
        return 0.0
    lost = float((packets - end) * reader.time_base)
    return lost if lost > (_TOLERATED_FRAMES + 0.5) / float(rate) else 0.0


def _undecoded_at_start(reader: FrameDecoder) -> float:
    first = reader.tally.first_pts
    if first is None or reader.kind is MediaKind.IMAGE or reader.container_format == "avi":
        return 0.0  # AVI has no times of its own
    return float(reader.tally.packets.count_before(first)[1] * reader.time_base)


def lost_frames(reader: FrameDecoder) -> int:
    """Return the number of frames that the file promises and that were neither decoded nor refused.

    For containers whose tables do not count frames, these are the frames before the first key frame.
    """
    if lost := _count_promised_frames(reader):
        return lost
    if not seconds_lost_at_start(reader):
        return 0
    return max(
        0, reader.tally.packets.count_before(reader.tally.first_pts or 0)[0] - reader.tally.undecodable
    )


def _count_promised_frames(reader: FrameDecoder) -> int:
    """Return the missing frames of a container whose table counts frames; a few do not matter."""
    tally = reader.tally
    few = float(_TOLERATED_FRAMES)
    came = tally.frames + tally.undecodable + tally.out_of_order
    not_coded = tally.packets.not_coded
    if reader.container_format == "avi":
        promised = reader.indexed_pictures
        if not reader.holds_all_parts or not promised:
            # The header counts repetitions, which have a place and no bytes, as pictures.
            came, promised = tally.packets.reach, reader.stream.frames
            not_coded = 0
        # Programs pad with empty frames if sound and picture differ in length.
        few = max(few, _TOLERATED_SECONDS * float(reader.stream.average_rate or 0))
    elif reader.container_format.startswith("mov") and reader.kind is MediaKind.VIDEO:
        promised = len(reader.stream.index_entries)  # after edit lists
    elif reader.container_format == "gif" and reader.kind is MediaKind.VIDEO:
        promised = reader.stream.frames
    else:
        return 0
    gone = promised - tally.packets.not_shown - not_coded - came
    return gone if gone > few else 0
