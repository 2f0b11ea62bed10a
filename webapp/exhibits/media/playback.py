"""Playback of exhibits in browsers: of the file itself, or of a preview."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, with_config

from detector.files import flush_folder, write_atomically
from detector.schema.causes.cause import Cause
from detector.schema.causes.failures import cause_of
from detector.schema.formatting import N_, Message, parse_ratio
from webapp.storage.data_folder import Folders
from webapp.storage.tables import AnalysisRow

# Types that are served, with the suffix of their files. Browsers must not guess types.
SUFFIXES = {
    "video/mp4": "mp4",
    "video/webm": "webm",
    "audio/mp4": "m4a",
    "audio/mpeg": "mp3",
    "audio/wav": "wav",
    "audio/ogg": "ogg",
    "audio/flac": "flac",
    "audio/webm": "weba",
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/webp": "webp",
}

NO_PREVIEW = N_("There is no preview of the exhibit.")  # the first sentence of `reason` if nothing plays
_PREVIEWS = ("video/mp4", "audio/mp4", "image/jpeg")
_Side = Annotated[int, Field(ge=0, le=1 << 20)]


@with_config(extra="forbid")
@dataclass(frozen=True)
class Playback:
    """The file that a page plays for an exhibit.

    ``offset``, in seconds, converts a time of the analysis (from the first frame) to the time of the media
    element: its ``currentTime``, and the ``mediaTime`` of ``requestVideoFrameCallback``. To show the frame
    at time *t*, seek to ``offset + t + 0.0005``: Chromium truncates times to whole microseconds, and without
    the half millisecond a third of all seeks show the previous frame.

    ``width`` and ``height`` are those of the played file. Its pixels are square, so its shape is that of the
    analysed frames apart from rounding to even sizes. ``reason`` explains why it is not the exhibit;
    ``cause`` states that as a code, but for decisions before 0.3.
    """

    source: Literal["exhibit", "preview", "none"]
    mimetype: str
    offset: Annotated[float, Field(allow_inf_nan=False)]
    width: _Side
    height: _Side
    reason: Annotated[str, Field(max_length=2000)]
    cause: Cause | None = None

    def __post_init__(self) -> None:
        if isinstance(self.reason, Message):
            object.__setattr__(self, "cause", cause_of(self.reason))


# Increased when the same exhibit would be played differently: with transparency in version 1, sound in 2,
# sound of any layout, and previews of recordings of which browsers compute other times, in 3.
_VERSION = 3
_PLAYBACK = TypeAdapter(Playback)
_USUAL_RATE = 25.0  # frames per second, if the file does not state them


def parse_playback(value: Any) -> Playback:
    """Validate a decision from a file or a confined process. Raises ``ValueError``.

    The type must not be one that a browser would run.
    """
    decision = _PLAYBACK.validate_python(value)
    types = {"exhibit": tuple(SUFFIXES), "preview": _PREVIEWS, "none": ("",)}
    if decision.mimetype not in types[decision.source]:
        raise ValueError(f"{decision.source} of the type {decision.mimetype[:80]!r}")
    return decision


def playback_json(decision: Playback) -> dict[str, Any]:
    """Return a decision as values of JSON."""
    return _PLAYBACK.dump_python(decision, mode="json")


def read_playback(folders: Folders, row: AnalysisRow) -> Playback | None:
    """Return what plays of an analysis's exhibit; None if that was never decided, as for old analyses."""
    sha256 = row.exhibit.sha256
    decision = read_decision(folders, sha256)
    if decision is None or decision.source == "none":  # a later analysis may have made a preview
        folders.store.fetch(folders.playback(sha256), anew=True)
        decision = read_decision(folders, sha256)
    return decision


def playable_file(folders: Folders, row: AnalysisRow) -> tuple[Path, Playback] | None:
    """Return the file that plays and the decision; None if nothing plays."""
    decision = read_playback(folders, row)
    if decision is None or decision.source == "none":
        return None
    exhibit, preview = folders.data / row.exhibit.path, folders.preview(row.exhibit.sha256)
    if decision.source == "exhibit":
        return (exhibit, decision) if folders.store.fetch(exhibit, row.exhibit.sha256) else None
    return (preview, decision) if folders.store.fetch(preview) else None


def frames_per_second(frame_rate: str | None) -> float:
    """Parse the frame rate of an analysis, a fraction, for stepping from frame to frame."""
    return parse_ratio(frame_rate or "") or _USUAL_RATE


def read_decision(folders: Folders, sha256: str) -> Playback | None:
    """Return what plays of an exhibit, whichever version decided it."""
    return read_decision_with_age(folders, sha256)[0]


def read_decision_with_age(folders: Folders, sha256: str) -> tuple[Playback | None, bool]:
    """Return what plays of an exhibit, and whether this version decided it."""
    try:
        value = json.loads(folders.playback(sha256).read_bytes())
        version = value.pop("version", 0) if isinstance(value, dict) else 0
        decision = parse_playback(value)
    except (OSError, ValueError):
        return None, False
    # The object store holds a preview before it holds the decision.
    if decision.source == "preview" and not (folders.store.elsewhere or folders.preview(sha256).is_file()):
        return None, False
    return decision, version == _VERSION


def save_playback(folders: Folders, sha256: str, decision: Playback) -> None:
    """Store a decision atomically. A preview must be in its place before."""
    path = folders.playback(sha256)
    write_atomically(path, (json.dumps(playback_json(decision) | {"version": _VERSION}) + "\n").encode())
    flush_folder(path.parent)
