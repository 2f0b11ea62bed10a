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
from reports.language.formatting import probability
from reports.language.translation import gettext

ACTIVE_WITHIN = 5.0  # seconds; a session writes more than twice in one
RETENTION = timedelta(days=1)
_MOST = 50  # listed
# Units of the figure of a lane, which is stretched to the room there is.
WIDTH, HEIGHT = 600.0, 100.0
_GAP = 1.0  # seconds without a score, across which no line is drawn


class SessionStatus(StrEnum):
    """Whether a session still goes on."""

    RUNNING = "running"
    SILENT = "silent"  # it did not say that it ended
    ENDED = "ended"


@dataclass(frozen=True)
class FaceView:
    """A face as it is drawn over the picture, whose sides are 100 long."""

    left: float
    top: float
    width: float
    height: float
    words: str
    kind: str  # flagged, judged or unjudged

    @property
    def label_above(self) -> bool:
        """Whether there is room for its words above it."""
        return self.top > 8

    @property
    def label_ends(self) -> bool:
        """Whether its words end where the box does: begun where it begins, they would not fit."""
        return self.left > 60

    @property
    def label_at(self) -> float:
        """Where its words begin or end."""
        return min(100.0, self.left + self.width) if self.label_ends else max(0.0, self.left)


@dataclass(frozen=True)
class LiveBand:
    """A flagged stretch in the figure of a lane."""

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
    seen_until: float | None  # None: it is in the picture


@dataclass(frozen=True)
class LiveSession:
    """One session, as it was written last."""

    id: str
    state: LiveState
    standing: SessionStatus
    last: datetime

    @property
    def started(self) -> datetime:
        """When it began, by the clock of the process that writes it."""
        return datetime.fromtimestamp(self.state.started, UTC)

    @property
    def removed(self) -> datetime:
        """From when on it is no longer kept."""
        return self.last + RETENTION

    @property
    def faces(self) -> list[FaceView]:
        """The boxes of the picture."""
        picture, opened = self.state.picture, {each.track for each in self.state.open}
        if picture is None:
            return []
        return [_face(face, picture, opened, self.state.enter_threshold) for face in picture.faces]

    @property
    def lanes(self) -> list[LaneView]:
        """The tracks of the last minute, those in the picture first."""
        picture = self.state.picture
        there = {face.track for face in picture.faces} if picture is not None else set()
        found = [_lane(self.state, lane, lane.track in there) for lane in self.state.lanes if lane.scores]
        return sorted(found, key=lambda lane: (lane.seen_until is not None, lane.track))


def get_session(place: Path, live_id: str) -> LiveSession | None:
    """The session of this id; None where there is none, or none that can be read."""
    if not is_id(live_id):
        return None
    found = read_state(place / live_id)
    if found is None or _age(found[1]) > RETENTION.total_seconds():
        return None
    state, written = found
    if state.ended is not None:
        standing = SessionStatus.ENDED
    else:
        standing = SessionStatus.RUNNING if _age(written) < ACTIVE_WITHIN else SessionStatus.SILENT
    return LiveSession(live_id, state, standing, datetime.fromtimestamp(written, UTC))


def list_sessions(place: Path) -> list[LiveSession]:
    """Those that are kept: running ones first, then the latest."""
    latest = sorted(_written(place), key=lambda each: -each[1])[:_MOST]
    found = [session for name, _ in latest if (session := get_session(place, name)) is not None]
    return sorted(found, key=lambda session: session.standing != SessionStatus.RUNNING)


def has_sessions(place: Path) -> bool:
    """Whether there may be sessions to show; looked at for every page, so nothing is read."""
    return next(_written(place), None) is not None


def remove_old_sessions(place: Path) -> None:
    """Remove sessions that have not been written for a day."""
    for name, written in _written(place):
        if _age(written) > RETENTION.total_seconds():
            shutil.rmtree(place / name, ignore_errors=True)


def _written(place: Path) -> Iterator[tuple[str, float]]:
    """Folders that may be sessions, and when each was written."""
    try:
        names = [name for name in os.listdir(place) if is_id(name)]
    except OSError:
        return
    for name in names:
        for path in (place / name / STATE, place / name):
            try:
                yield name, path.lstat().st_mtime
                break
            except OSError:
                continue


def _age(moment: float) -> float:
    """Seconds since, or until where another clock is ahead."""
    return abs(time.time() - moment)


def _face(face: SharedFace, picture: SharedPicture, opened: set[int], threshold: float) -> FaceView:
    left, top, right, bottom = face.box
    kind = "flagged" if face.track in opened else "judged" if face.probability is not None else "unjudged"
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


def _lane(state: LiveState, lane: SharedLane, there: bool) -> LaneView:
    begin = state.time - SECONDS_SHOWN
    opened = [(each.start, each.end) for each in state.open if each.track == lane.track]
    closed = [(each.start, each.end) for each in state.segments if each.track == lane.track]
    last, latest = lane.scores[-1]
    return LaneView(
        lane.track,
        _line(lane, begin),
        tuple(
            LiveBand(
                _across(max(start, begin), begin), _across(end, begin) - _across(max(start, begin), begin)
            )
            for start, end in (*closed, *opened)
            if begin < end
        ),
        latest,
        opened[0][0] if opened else None,
        None if there else last,
    )


def _line(lane: SharedLane, begin: float) -> str:
    parts, before = [], float("-inf")
    for at, value in lane.scores:
        # Of a score alone the end of the line is seen, which is round.
        pen = "M{0:.1f} {1:.1f}h0" if at - before > _GAP else "L{0:.1f} {1:.1f}"
        parts.append(pen.format(_across(at, begin), HEIGHT * (1 - value)))
        before = at
    return "".join(parts)


def _across(at: float, begin: float) -> float:
    return max(0.0, (at - begin) / SECONDS_SHOWN * WIDTH)
