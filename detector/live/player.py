"""Play a source into a live session, dropping frames rather than lagging, and publish its state."""

from __future__ import annotations

import math
import queue
import secrets
import statistics
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import cv2
import numpy as np

from detector.errors import ParameterError, ReelproofError
from detector.files import write_atomically
from detector.live.session import LiveSegment, LiveSession
from detector.live.sources import LiveSource, open_confined
from detector.live.state import MOST_FACES, MOST_LANES, MOST_SCORES, MOST_TEXT, STATE, LiveState, picture_name
from detector.media.frame import Frame, Image
from detector.schema.analysis import Parameters
from detector.schema.causes.failures import cause_of
from detector.schema.formatting import N_

_LOOK_EVERY = 0.2  # seconds between checks whether to stop
_REMEMBERED = 10_000  # number of latest delays for the summary's percentiles


@dataclass(frozen=True)
class Played:
    """Counts of frames, and delays in seconds from a frame's arrival to its score."""

    sampled: int
    scored: int
    dropped: int
    segments: int
    seconds: float
    delay_p50: float | None
    delay_p95: float | None
    ended: str


class _Latest:
    """A queue for one frame. Putting waits if the source can wait; otherwise it drops the older frame."""

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
        """Return the next frame and its arrival; None at the end. Raises ``queue.Empty`` if there is none
        yet.
        """
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
    """Play ``source`` into ``session`` until it ends or ``stopping`` returns True.

    ``closed`` is called with each closed segment, ``scored`` after each frame with its delay and the number
    of frames dropped so far. A file is read as fast as it is scored, or with ``pace`` at its own speed; then,
    and for cameras and streams, a frame that arrives while an earlier one waits replaces it. Decoding runs in
    a confined process. Raises :class:`~detector.errors.MediaError` if the source cannot be opened or decoded.
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
        # Report what was scored before the source broke off.
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
    """Score frames as they arrive; return the outcome and the latest delays in seconds."""
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
    """Reads the frames of a source into ``latest``; ``problem`` is the error that ended it."""

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
        except BaseException as problem:  # raised in the thread that waits
            self.problem = problem
        finally:
            latest.end()


def _paced(frames: Iterator[Frame], latest: _Latest) -> Iterator[Frame]:
    """Yield frames when they are due."""
    start: float | None = None
    for frame in frames:
        now = time.monotonic()
        start = now - float(frame.time) if start is None else start
        while (early := start + float(frame.time) - time.monotonic()) > 0 and not latest.stopped:
            time.sleep(min(early, _LOOK_EVERY))
        yield frame


_EVERY = 0.4  # seconds
_LONGER_SIDE = 960
_QUALITY = 80
_PICTURES = 8  # pictures kept for readers of a state a few seconds old
_DELAYS = 50


class SharedSession:
    """Writes ``session`` into a folder of its own below ``place`` while the ``with`` block runs.

    ``ended`` may be set before the end to give its cause. Failures to write never stop the session; they are
    reported once on standard error. Raises :class:`ParameterError` if there is no folder ``place``.
    """

    def __init__(
        self, place: Path, session: LiveSession, source: LiveSource, model: str, parameters: Parameters
    ) -> None:
        if not place.is_dir():
            raise ParameterError(
                f"--share {place}: there is no such folder. Name the folder live in the web app's data "
                "folder; it is there once the web app has been started."
            )
        self.folder = place / secrets.token_hex(16)
        self.folder.mkdir(mode=0o700)
        self.ended: str | None = None
        self._session, self._parameters = session, parameters
        self._fixed = {"source": _text(source.label), "model": _text(model), "started": time.time()}
        self._delays: deque[float] = deque(maxlen=_DELAYS)
        self._dropped = 0
        self._shown: dict[str, Any] | None = None
        self._complained = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep_writing, name="share", daemon=True)

    def __enter__(self) -> SharedSession:
        self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, problem: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join()
        if problem is not None:
            self.ended = str(problem) if isinstance(problem, ReelproofError) else N_("it broke off")
        self._write()

    def scored(self, delay: float, dropped: int) -> None:
        """Record the ``delay`` of a scored frame in seconds, and how many were ``dropped`` until now."""
        self._delays.append(delay)
        self._dropped = dropped

    def _keep_writing(self) -> None:
        while True:
            self._write()
            if self._stopping.wait(_EVERY):
                return

    def _write(self) -> None:
        """Write the picture, then the state, so that readers of the state find the picture."""
        try:
            snapshot, picture = self._session.snapshot()
            number = snapshot["frames"]
            if picture is not None and (self._shown is None or self._shown["number"] != number):
                self._publish(picture_name(number), _jpeg(picture))
                height, width = picture.shape[:2]
                self._shown = {"number": number, "time": snapshot["time"], "width": width, "height": height}
                self._shown["faces"] = snapshot["faces"][:MOST_FACES]
                self._remove_old()
            self._publish(STATE, self._state(snapshot).model_dump_json().encode())
        except OSError as problem:
            if not self._complained:
                print(f"reelproof: the session cannot be shared: {problem}", file=sys.stderr)
            self._complained = True

    def _state(self, snapshot: dict[str, Any]) -> LiveState:
        lanes = sorted(snapshot["lanes"], key=lambda lane: lane["scores"][-1][0])[-MOST_LANES:]
        for lane in lanes:
            # Thin out too many scores, counting back from the latest.
            step = math.ceil(len(lane["scores"]) / MOST_SCORES)
            thinned = lane["scores"][::-step][::-1]
            lane["scores"] = [(round(at, 3), round(value, 4)) for at, value in thinned]
        return LiveState.model_validate(
            {
                **self._fixed,
                "enter_threshold": self._parameters.enter_threshold,
                "exit_threshold": self._parameters.exit_threshold,
                "time": snapshot["time"],
                "scored": snapshot["frames"],
                "dropped": self._dropped,
                "delay": statistics.median(list(self._delays)) if self._delays else None,
                "picture": self._shown,
                "lanes": sorted(lanes, key=lambda lane: lane["track"]),
                "open": snapshot["open"][-MOST_LANES:],
                "segments": snapshot["segments"],
                "segments_in_all": snapshot["segments_in_all"],
                "ended": _text(self.ended) if self.ended else None,
                "cause": cause_of(self.ended) if self.ended else None,
            }
        )

    def _publish(self, name: str, data: bytes) -> None:
        # Only needed while the session runs, so it need not survive a power cut.
        write_atomically(self.folder / name, data, durable=False)

    def _remove_old(self) -> None:
        numbers = sorted(int(path.stem) for path in self.folder.glob("[0-9]*.jpg"))
        for old in numbers[:-_PICTURES]:
            (self.folder / picture_name(old)).unlink(missing_ok=True)


def _text(text: str) -> str:
    """Replace characters that JSON cannot hold; a file's name need not be Unicode."""
    return text.encode(errors="backslashreplace").decode()[:MOST_TEXT]


def _jpeg(picture: Image) -> bytes:
    """Encode ``picture`` (RGB) with at most 960 px on its longer side, within the size limit of readers."""
    height, width = picture.shape[:2]
    scale = min(1.0, _LONGER_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA) if scale < 1 else picture
    return cv2.imencode(".jpg", small[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, _QUALITY))[1].tobytes()
