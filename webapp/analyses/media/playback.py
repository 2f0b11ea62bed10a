"""What a browser plays of an exhibit: the file itself, or a preview."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, with_config

from detector.files import flush_folder, write_atomically
from detector.schema.formatting import N_, parse_ratio
from webapp.storage.data_folder import Folders
from webapp.storage.tables import AnalysisRow

# How files are served and named. A browser is told what it gets and may not guess.
SUFFIXES = {
    "video/mp4": "mp4",
    "video/webm": "webm",
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/webp": "webp",
}


NO_PREVIEW = N_("There is no preview of the exhibit.")  # what begins the reason why nothing plays
_PREVIEWS = ("video/mp4", "image/jpeg")
_Side = Annotated[int, Field(ge=0, le=1 << 20)]


@with_config(extra="forbid")
@dataclass(frozen=True)
class Playback:
    """What a page shows of an exhibit.

    ``offset``, in seconds, makes a time of the analysis (from the first frame) one of the media
    element: its ``currentTime``, and the ``mediaTime`` of ``requestVideoFrameCallback``. To see
    the frame of time *t*, seek to ``offset + t + 0.0005``: Chromium cuts times down to whole
    microseconds, and without the half millisecond a third of all seeks show the frame before.

    ``width`` and ``height`` are those of what plays. Its pixels are square, so its shape is that of
    the analysed frames but for rounding to even sizes. ``reason`` says why it is not the exhibit.
    """

    source: Literal["exhibit", "preview", "none"]
    mimetype: str
    offset: Annotated[float, Field(allow_inf_nan=False)]
    width: _Side
    height: _Side
    reason: Annotated[str, Field(max_length=2000)]


# Raised where the same exhibit would be shown otherwise than before, as by version 1 what is transparent.
_VERSION = 1
_PLAYBACK = TypeAdapter(Playback)
_USUAL_RATE = 25.0  # frames a second, where the file does not say


def parse_playback(said: Any) -> Playback:
    """The value in what a file says, or a confined process, which may be taken over; else ``ValueError``.

    A browser is told the kind of a file, and must not be told one that it could run.
    """
    found = _PLAYBACK.validate_python(said)
    if found.mimetype not in {"exhibit": tuple(SUFFIXES), "preview": _PREVIEWS, "none": ("",)}[found.source]:
        raise ValueError(f"{found.source} of the kind {found.mimetype[:80]!r}")
    return found


def read_playback(folders: Folders, row: AnalysisRow) -> Playback | None:
    """What plays of an analysis's exhibit; None where nothing was decided, as for older analyses."""
    found = read_decision(folders, row.exhibit.sha256)
    if found is None or found.source == "none":  # a later analysis may have made one
        folders.store.fetch(folders.playback(row.exhibit.sha256), anew=True)
        found = read_decision(folders, row.exhibit.sha256)
    return found


def playable_file(folders: Folders, row: AnalysisRow) -> tuple[Path, Playback] | None:
    """The file that plays and what it is; None where there is none."""
    found = read_playback(folders, row)
    if found is None or found.source == "none":
        return None
    exhibit, preview = folders.data / row.exhibit.path, folders.preview(row.exhibit.sha256)
    if found.source == "exhibit":
        return (exhibit, found) if folders.store.fetch(exhibit, row.exhibit.sha256) else None
    return (preview, found) if folders.store.fetch(preview) else None


def frames_per_second(frame_rate: str | None) -> float:
    """By which a page steps from frame to frame; ``frame_rate`` is the fraction that an analysis states."""
    return parse_ratio(frame_rate or "") or _USUAL_RATE


def read_decision(folders: Folders, sha256: str) -> Playback | None:
    """What was decided for the exhibit of this SHA-256, by whichever version."""
    return read_decision_with_age(folders, sha256)[0]


def read_decision_with_age(folders: Folders, sha256: str) -> tuple[Playback | None, bool]:
    """The same, and whether this version decided it; files of the first ones do not say which did."""
    try:
        said = json.loads(folders.playback(sha256).read_bytes())
        version = said.pop("version", 0) if isinstance(said, dict) else 0
        found = parse_playback(said)
    except (OSError, ValueError):
        return None, False
    # In the store a preview is there before what was decided is.
    if found.source == "preview" and not (folders.store.elsewhere or folders.preview(sha256).is_file()):
        return None, False
    return found, version == _VERSION


def save_playback(folders: Folders, sha256: str, decided: Playback) -> None:
    """Write down what was decided, whole or not at all. A preview has to be in its place before."""
    place = folders.playback(sha256)
    write_atomically(place, (json.dumps(asdict(decided) | {"version": _VERSION}) + "\n").encode())
    flush_folder(place.parent)
