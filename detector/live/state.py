"""The state files that ``live --share`` writes for a page to show: one folder for each session."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from detector.schema.base import Probability, Value
from detector.schema.causes.cause import Cause
from detector.schema.formatting import N_

STATE = "state.json"
STATE_LIMIT = 1_000_000  # bytes
PICTURE_LIMIT = 2_000_000
MOST_LANES, MOST_SCORES, MOST_FACES, MOST_SEGMENTS = 24, 600, 100, 200
MOST_TEXT = 300
SECONDS_SHOWN = 60.0
_AT_FIRST = 16  # frames; two seconds at the usual rate
_TOO_SLOW = N_(
    "More than half of the frames were dropped: this machine is too slow for the source, and a short "
    "manipulation may go unseen. Close other programs, or record the source and analyse the recording, "
    "of which no frame is dropped."
)

_ID = re.compile(r"[0-9a-f]{32}")
_JPEG = b"\xff\xd8\xff"

_Text = Annotated[str, Field(min_length=1, max_length=MOST_TEXT)]
_Time = Annotated[float, Field(ge=0, le=1e10)]
_Count = Annotated[int, Field(ge=0, le=2**53)]
_Pixel = Annotated[float, Field(ge=-1e6, le=1e6)]
_Side = Annotated[int, Field(gt=0, le=100_000)]


class SharedFace(Value):
    """One face of the picture; ``probability`` is of that frame alone, null if it was not judged."""

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
    """A flagged stretch of a track that may still continue."""

    track: _Count
    start: _Time
    end: _Time


class SharedSegment(Value):
    """A closed flagged stretch of a track."""

    track: _Count
    start: _Time
    end: _Time
    confidence: Probability
    frames: _Count
    peak: _Time
    peak_probability: Probability


class LiveState(Value):
    """The state of a session; times in seconds from its first frame."""

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
    cause: Annotated[Cause | None, Field(description="why it ended, as a code")] = None

    @property
    def slowness_warning(self) -> str:
        """Apply :func:`slowness_warning` to this state."""
        return slowness_warning(self.scored, self.dropped)


def slowness_warning(scored: int, dropped: int) -> str:
    """Return a warning if scoring is too slow for the source; empty if it keeps up.

    It is too slow if more frames were dropped than scored, except for the first few while scoring starts.
    """
    return _TOO_SLOW if dropped > max(scored, _AT_FIRST) else ""


def is_id(name: str) -> bool:
    """Check whether ``name`` may be the folder of a session."""
    return _ID.fullmatch(name) is not None


def picture_name(number: int) -> str:
    """Return the file name of a picture."""
    return f"{number}.jpg"


def read_state(folder: Path) -> tuple[LiveState, float] | None:
    """Return a session's state and the time of writing, in seconds since 1970; None if missing or invalid."""
    content = _read(folder, STATE, STATE_LIMIT)
    if content is None:
        return None
    try:
        return LiveState.model_validate_json(content[0]), content[1]
    except ValidationError:
        return None


def read_picture(folder: Path, number: int) -> bytes | None:
    """Return one of a session's JPEG pictures; None if missing or invalid."""
    content = _read(folder, picture_name(number), PICTURE_LIMIT)
    return content[0] if content is not None and content[0].startswith(_JPEG) else None


def _read(folder: Path, name: str, limit: int) -> tuple[bytes, float] | None:
    """Return bytes and age of a plain file of at most ``limit`` bytes, without following links."""
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
