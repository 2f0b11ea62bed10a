"""The state files that ``live --share`` writes for a page to show: one folder for each session."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from detector.schema.base import Probability, Value
from detector.schema.formatting import N_

STATE = "state.json"
STATE_LIMIT = 1_000_000  # bytes
PICTURE_LIMIT = 2_000_000
MOST_LANES, MOST_SCORES, MOST_FACES, MOST_SEGMENTS = 24, 600, 100, 200
MOST_TEXT = 300
SECONDS_SHOWN = 60.0
_AT_FIRST = 16  # frames: two seconds at the usual rate
_TOO_SLOW = N_(
    "More than half of the frames were dropped: this machine is too slow for the source, and a short "
    "manipulation may go unseen. End other programs, or record the source and analyse the recording: of that "
    "none is dropped."
)

_ID = re.compile(r"[0-9a-f]{32}")
_JPEG = b"\xff\xd8\xff"

_Text = Annotated[str, Field(min_length=1, max_length=MOST_TEXT)]
_Time = Annotated[float, Field(ge=0, le=1e10)]
_Count = Annotated[int, Field(ge=0, le=2**53)]
_Pixel = Annotated[float, Field(ge=-1e6, le=1e6)]
_Side = Annotated[int, Field(gt=0, le=100_000)]


class SharedFace(Value):
    """One face of the picture; ``probability`` is that frame's alone, null where it was not judged."""

    track: _Count
    box: tuple[_Pixel, _Pixel, _Pixel, _Pixel]
    probability: Probability | None


class SharedPicture(Value):
    """The frame shown. Boxes are in pixels of the frame, ``width`` × ``height``; the JPEG may be smaller."""

    number: _Count
    time: _Time
    width: _Side
    height: _Side
    faces: Annotated[tuple[SharedFace, ...], Field(max_length=MOST_FACES)]


class SharedLane(Value):
    """The latest smoothed scores of one track, as (time, probability), in order of time."""

    track: _Count
    scores: Annotated[tuple[tuple[_Time, Probability], ...], Field(max_length=MOST_SCORES)]


class OpenSegment(Value):
    """A stretch of a track that is flagged so far and may still go on."""

    track: _Count
    start: _Time
    end: _Time


class SharedSegment(Value):
    """A stretch of a track that was flagged, and that has closed."""

    track: _Count
    start: _Time
    end: _Time
    confidence: Probability
    frames: _Count
    peak: _Time
    peak_probability: Probability


class LiveState(Value):
    """What a session knows at one moment. Times in seconds from its first frame."""

    version: Literal[1] = 1
    source: _Text
    model: _Text
    started: Annotated[float, Field(ge=0, le=1e11, description="seconds since 1970")]
    enter_threshold: Probability
    exit_threshold: Probability
    time: _Time
    scored: _Count
    dropped: _Count
    delay: Annotated[float, Field(ge=0, le=1e10)] | None
    picture: SharedPicture | None
    lanes: Annotated[tuple[SharedLane, ...], Field(max_length=MOST_LANES)]
    open: Annotated[tuple[OpenSegment, ...], Field(max_length=MOST_LANES)]
    segments: Annotated[tuple[SharedSegment, ...], Field(max_length=MOST_SEGMENTS)]
    segments_in_all: _Count
    ended: _Text | None

    @property
    def slowness_warning(self) -> str:
        """As of :func:`slowness_warning`."""
        return slowness_warning(self.scored, self.dropped)


def slowness_warning(scored: int, dropped: int) -> str:
    """What to say and do where scoring is too slow for the source, in a sentence; empty where it keeps up.

    It is where more frames were dropped than scored, not counting the first few, while scoring begins.
    """
    return _TOO_SLOW if dropped > max(scored, _AT_FIRST) else ""


def is_id(name: str) -> bool:
    """Whether ``name`` may be that of a session's folder."""
    return _ID.fullmatch(name) is not None


def picture_name(number: int) -> str:
    """The name of a picture's file."""
    return f"{number}.jpg"


def read_state(folder: Path) -> tuple[LiveState, float] | None:
    """A session's state and when it was written, in seconds since 1970; None without a sound one."""
    found = _read(folder, STATE, STATE_LIMIT)
    if found is None:
        return None
    try:
        return LiveState.model_validate_json(found[0]), found[1]
    except ValidationError:
        return None


def read_picture(folder: Path, number: int) -> bytes | None:
    """One of a session's pictures, a JPEG; None if it is not there (any more) or not one."""
    found = _read(folder, picture_name(number), PICTURE_LIMIT)
    return found[0] if found is not None and found[0].startswith(_JPEG) else None


def _read(folder: Path, name: str, limit: int) -> tuple[bytes, float] | None:
    """A file's bytes and age, if it is a plain file of at most ``limit`` bytes and no link leads there."""
    try:
        # Opening a pipe would wait for somebody to write to it.
        inside = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=inside)
        finally:
            os.close(inside)
        with open(descriptor, "rb") as file:
            about = os.fstat(descriptor)
            if not stat.S_ISREG(about.st_mode) or about.st_size > limit:
                return None
            data = file.read(limit + 1)
    except OSError:
        return None
    return (data, about.st_mtime) if len(data) <= limit else None
