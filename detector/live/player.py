"""A source played into a session: read in one thread, scored in another, dropping rather than lagging."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from detector.errors import ReelproofError
from detector.live.confined_source import open_confined
from detector.live.session import LiveSegment, LiveSession
from detector.live.sources import LiveSource
from detector.media.frame import Frame
from detector.schema.translatable import N_

_LOOK_EVERY = 0.2  # seconds between two looks whether to stop
_REMEMBERED = 10_000  # delays of which the summary gives percentiles


@dataclass(frozen=True)
class Played:
    """What became of the frames. Delays are seconds from a frame's arrival to its score."""

    sampled: int
    scored: int
    dropped: int
    segments: int
    seconds: float
    delay_p50: float | None
    delay_p95: float | None
    ended: str


class _Latest:
    """Room for one frame. Where the source waits, so does putting; where not, the older frame is dropped."""

    def __init__(self, waits: bool) -> None:
        self._queue: queue.Queue[tuple[Frame, float] | None] = queue.Queue(maxsize=1)
        self._waits = waits
        self.put_in = self.dropped = 0
        self.stopped = False

    def put(self, frame: Frame) -> None:
        self.put_in += 1
        item = (frame, time.monotonic())
        while not self.stopped:
            try:
                self._queue.put(item, timeout=_LOOK_EVERY if self._waits else 0)
                return
            except queue.Full:
                if not self._waits:
                    self._drop()

    def end(self) -> None:
        while not self.stopped:
            try:
                self._queue.put(None, timeout=_LOOK_EVERY)
                return
            except queue.Full:
                continue

    def get(self) -> tuple[Frame, float] | None:
        """The next frame and when it came; None at the end. Raises ``queue.Empty`` when there is none yet."""
        return self._queue.get(timeout=_LOOK_EVERY)

    def _drop(self) -> None:
        try:
            self._queue.get_nowait()
            self.dropped += 1
        except queue.Empty:
            pass


def play(
    source: LiveSource,
    session: LiveSession,
    sample_rate: float,
    *,
    pace: bool = False,
    stopping: Callable[[], bool] = lambda: False,
    closed: Callable[[LiveSegment], None] = lambda _segment: None,
    scored: Callable[[float, int], None] = lambda _delay, _dropped: None,
) -> Played:
    """Play ``source`` into ``session`` until it ends or ``stopping`` says so.

    ``closed`` is called with each segment as it closes, ``scored`` after each frame with its delay and
    how many were dropped until then. A file is read as fast as it is scored, or
    with ``pace`` at its own speed; then, and from cameras and streams, a frame that comes while an
    earlier one still waits takes its place. Decoding is done in a confined process
    (:mod:`detector.live.confined_source`). Raises :class:`~detector.errors.MediaError` when the source cannot
    be opened or holds nothing that can be decoded.
    """
    latest = _Latest(waits=not (source.live or pace))
    reader = _Reader(source, sample_rate, latest, pace=pace and not source.live)
    started = time.monotonic()
    reader.start()
    try:
        ended, delays = _score_all(latest, session, stopping, closed, scored)
    finally:
        latest.stopped = True
        reader.join(timeout=15)
    if reader.problem is not None:
        # What had been scored before a broken source is worth reporting.
        if not (session.frames_scored and isinstance(reader.problem, ReelproofError)):
            raise reader.problem
        ended = str(reader.problem)
    for segment in session.finish():
        closed(segment)
    middle, late = (float(np.percentile(delays, share)) for share in (50, 95)) if delays else (None, None)
    return Played(
        latest.put_in,
        session.frames_scored,
        latest.dropped,
        session.segments_closed,
        time.monotonic() - started,
        middle,
        late,
        ended,
    )


def _score_all(
    latest: _Latest,
    session: LiveSession,
    stopping: Callable[[], bool],
    closed: Callable[[LiveSegment], None],
    scored: Callable[[float, int], None],
) -> tuple[str, Sequence[float]]:
    """Score frames as they come: how it ended, and their delays in seconds, the latest of them."""
    delays: deque[float] = deque(maxlen=_REMEMBERED)
    while not stopping():
        try:
            item = latest.get()
        except queue.Empty:
            continue
        if item is None:
            return N_("the source ended"), delays
        frame, came = item
        for segment in session.process_frame(frame):
            closed(segment)
        delays.append(time.monotonic() - came)
        scored(delays[-1], latest.dropped)
    return N_("stopped"), delays


class _Reader(threading.Thread):
    """Reads the frames of a source into ``latest``; ``problem`` is what ended it, if not the source."""

    def __init__(self, source: LiveSource, sample_rate: float, latest: _Latest, *, pace: bool) -> None:
        super().__init__(name="frames", daemon=True)
        self._source, self._sample_rate, self._latest, self._pace = source, sample_rate, latest, pace
        self.problem: BaseException | None = None

    def run(self) -> None:
        latest = self._latest
        try:
            with open_confined(self._source, self._sample_rate, lambda: latest.stopped) as frames:
                for frame in _paced(frames, latest) if self._pace else frames:
                    if latest.stopped:
                        return
                    latest.put(frame)
        except BaseException as problem:  # told in the thread that is waited for
            self.problem = problem
        finally:
            latest.end()


def _paced(frames: Iterator[Frame], latest: _Latest) -> Iterator[Frame]:
    """Frames when their time has come."""
    start: float | None = None
    for frame in frames:
        now = time.monotonic()
        start = now - float(frame.time) if start is None else start
        while (early := start + float(frame.time) - time.monotonic()) > 0 and not latest.stopped:
            time.sleep(min(early, _LOOK_EVERY))
        yield frame
