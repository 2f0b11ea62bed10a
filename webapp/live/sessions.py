"""Read live sessions from the files that ``python -m detector live --share`` writes."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from detector.live.state import (
    SECONDS_SHOWN,
    STATE,
    LiveState,
    SharedFace,
    SharedLane,
    SharedPicture,
    is_id,
    read_state,
)
from language.formatting import probability
from language.translation import gettext

ACTIVE_WITHIN = 5.0  # seconds; a running session writes several times in this time
RETENTION = timedelta(days=1)
_MAX_LISTED = 50
WIDTH, HEIGHT = 600.0, 100.0  # units of a lane's figure, which is stretched on the page
_GAP = 1.0  # seconds without a score that interrupt the line


class SessionStatus(StrEnum):
    """Whether a session goes on."""

    RUNNING = "running"
    SILENT = "silent"  # it stopped writing without an end
    ENDED = "ended"


@dataclass(frozen=True)
class FaceView:
    """A face to draw over the picture, in percent of the picture's width and height."""

    left: float
    top: float
    width: float
    height: float
    words: str
    kind: str  # flagged, judged or unjudged

    @property
    def label_above(self) -> bool:
        """Whether there is room for the label above the box."""
        return self.top > 8

    @property
    def label_ends(self) -> bool:
        """Whether the label ends where the box does, because it would not fit from its left side."""
        return self.left > 60

    @property
    def label_at(self) -> float:
        """The position where the label begins or ends."""
        return min(100.0, self.left + self.width) if self.label_ends else max(0.0, self.left)


@dataclass(frozen=True)
class LiveBand:
    """A flagged stretch in a lane."""

    start: float
    width: float


@dataclass(frozen=True)
class LaneView:
    """The latest scores of one track; ``line`` is the path of an SVG."""

    track: int
    line: str
    bands: tuple[LiveBand, ...]
    latest: float
    flagged_since: float | None
    seen_until: float | None  # None if it is in the picture


@dataclass(frozen=True)
class LiveSession:
    """The last written state of a session."""

    id: str
    state: LiveState
    standing: SessionStatus
    last: datetime

    @property
    def started(self) -> datetime:
        """The start, by the clock of the process that writes the session."""
        return datetime.fromtimestamp(self.state.started, UTC)

    @property
    def removed(self) -> datetime:
        """When the session is removed."""
        return self.last + RETENTION

    @property
    def faces(self) -> list[FaceView]:
        """The boxes to draw over the picture."""
        picture, flagged = self.state.picture, {segment.track for segment in self.state.open}
        if picture is None:
            return []
        return [_face(face, picture, flagged, self.state.enter_threshold) for face in picture.faces]

    @property
    def lanes(self) -> list[LaneView]:
        """The tracks of the last minute, those in the picture first."""
        picture = self.state.picture
        present = {face.track for face in picture.faces} if picture is not None else set()
        lanes = [_lane(self.state, lane, lane.track in present) for lane in self.state.lanes if lane.scores]
        return sorted(lanes, key=lambda lane: (lane.seen_until is not None, lane.track))


def get_session(folder: Path, live_id: str) -> LiveSession | None:
    """Return the session of this id; None if it is missing or unreadable."""
    if not is_id(live_id):
        return None
    result = read_state(folder / live_id)
    if result is None:
        return None
    state, written = result
    if _age(written) > RETENTION.total_seconds():
        return None
    if state.ended is not None:
        standing = SessionStatus.ENDED
    else:
        standing = SessionStatus.RUNNING if _age(written) < ACTIVE_WITHIN else SessionStatus.SILENT
    return LiveSession(live_id, state, standing, datetime.fromtimestamp(written, UTC))


def list_sessions(folder: Path) -> list[LiveSession]:
    """List stored sessions: running ones first, then the latest."""
    latest = sorted(_write_times(folder), key=lambda entry: -entry[1])[:_MAX_LISTED]
    sessions = [session for name, _ in latest if (session := get_session(folder, name)) is not None]
    return sorted(sessions, key=lambda session: session.standing != SessionStatus.RUNNING)


def has_sessions(folder: Path) -> bool:
    """Tell whether there may be sessions. Called for every page, so it reads no file."""
    return next(_write_times(folder), None) is not None


def remove_old_sessions(folder: Path) -> None:
    """Remove sessions that were last written more than a day ago."""
    for name, written in _write_times(folder):
        if _age(written) > RETENTION.total_seconds():
            shutil.rmtree(folder / name, ignore_errors=True)


def _write_times(folder: Path) -> Iterator[tuple[str, float]]:
    """Yield the folders of possible sessions with the time of the last write."""
    try:
        names = [name for name in os.listdir(folder) if is_id(name)]
    except OSError:
        return
    for name in names:
        for path in (folder / name / STATE, folder / name):
            try:
                yield name, path.lstat().st_mtime
                break
            except OSError:
                continue


def _age(moment: float) -> float:
    """Return the seconds since a moment; absolute, because another clock may be ahead."""
    return abs(time.time() - moment)


def _face(face: SharedFace, picture: SharedPicture, flagged: set[int], threshold: float) -> FaceView:
    left, top, right, bottom = face.box
    kind = "flagged" if face.track in flagged else "judged" if face.probability is not None else "unjudged"
    named = {"track": face.track, "score": probability(face.probability, threshold)}
    if kind == "flagged":
        words = gettext("Track %(track)s · %(score)s, flagged", **named)
    else:
        words = gettext("Track %(track)s · %(score)s", **named)
    return FaceView(
        100 * left / picture.width,
        100 * top / picture.height,
        100 * max(0.0, right - left) / picture.width,
        100 * max(0.0, bottom - top) / picture.height,
        words,
        kind,
    )


def _lane(state: LiveState, lane: SharedLane, present: bool) -> LaneView:
    begin = state.time - SECONDS_SHOWN
    opened = [(segment.start, segment.end) for segment in state.open if segment.track == lane.track]
    closed = [(segment.start, segment.end) for segment in state.segments if segment.track == lane.track]
    bands = []
    for start, end in (*closed, *opened):
        if begin < end:
            left = _x(max(start, begin), begin)
            bands.append(LiveBand(left, _x(end, begin) - left))
    last, latest = lane.scores[-1]
    line = _line(lane, begin)
    since, until = opened[0][0] if opened else None, None if present else last
    return LaneView(lane.track, line, tuple(bands), latest, since, until)


def _line(lane: SharedLane, begin: float) -> str:
    parts, before = [], float("-inf")
    for at, value in lane.scores:
        # A score by itself becomes a dot: the round cap of a line of no length.
        pen = "M{0:.1f} {1:.1f}h0" if at - before > _GAP else "L{0:.1f} {1:.1f}"
        parts.append(pen.format(_x(at, begin), HEIGHT * (1 - value)))
        before = at
    return "".join(parts)


def _x(at: float, begin: float) -> float:
    return max(0.0, (at - begin) / SECONDS_SHOWN * WIDTH)
