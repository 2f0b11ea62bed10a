"""A session written down a few times a second, for a page of another process to show."""

from __future__ import annotations

import math
import secrets
import statistics
import sys
import threading
import time
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Any

import cv2

from detector.errors import ParameterError, ReelproofError
from detector.files import write_atomically
from detector.live.session import LiveSession
from detector.live.sources import LiveSource
from detector.live.state import (
    MOST_FACES,
    MOST_LANES,
    MOST_SCORES,
    MOST_TEXT,
    STATE,
    LiveState,
    picture_name,
)
from detector.media.frame import Image
from detector.schema.analysis import Parameters
from detector.schema.translatable import N_

_EVERY = 0.4  # seconds
_LONGER_SIDE = 960
_QUALITY = 80
_PICTURES = 8  # kept, for who read a state three seconds ago
_DELAYS = 50


class SharedSession:
    """Writes ``session`` into a folder of its own below ``place`` while the ``with`` block runs.

    ``ended``, set before its end, says why it ended. Nothing here stops a session: where it cannot
    be written, that is said once on standard error. Raises :class:`ParameterError` where there is
    no folder ``place``.
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
        """A frame was scored ``delay`` seconds after it came; ``dropped`` were, of all until now."""
        self._delays.append(delay)
        self._dropped = dropped

    def _keep_writing(self) -> None:
        while True:
            self._write()
            if self._stopping.wait(_EVERY):
                return

    def _write(self) -> None:
        """The picture first: whoever reads the state finds it."""
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
            # Every second one, or third …, back from the latest, where there are too many.
            step = math.ceil(len(lane["scores"]) / MOST_SCORES)
            kept = lane["scores"][::-step][::-1]
            lane["scores"] = [(round(at, 3), round(value, 4)) for at, value in kept]
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
            }
        )

    def _publish(self, name: str, data: bytes) -> None:
        # Of use only while the session runs: nothing of it need outlive a power cut.
        write_atomically(self.folder / name, data, durable=False)

    def _remove_old(self) -> None:
        numbers = sorted(int(path.stem) for path in self.folder.glob("[0-9]*.jpg"))
        for old in numbers[:-_PICTURES]:
            (self.folder / picture_name(old)).unlink(missing_ok=True)


def _text(text: str) -> str:
    """What JSON can hold of it: a file's name need not be Unicode."""
    return text.encode(errors="backslashreplace").decode()[:MOST_TEXT]


def _jpeg(picture: Image) -> bytes:
    """``picture``, RGB, at most 960 px on its longer side and within what is read of one."""
    height, width = picture.shape[:2]
    scale = min(1.0, _LONGER_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA) if scale < 1 else picture
    return cv2.imencode(".jpg", small[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, _QUALITY))[1].tobytes()
