"""Make previews and thumbnails in confined processes of the worker."""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from celery.exceptions import SoftTimeLimitExceeded
from PIL import Image

from detector.errors import MediaError, ReelproofError
from detector.files import flush_file, flush_folder
from detector.progress import Progress
from detector.sandbox import AllowedPaths, LimitError, Limits, Sandbox, UnexpectedError
from detector.schema.analysis import Analysis, Media
from detector.schema.formatting import N_
from detector.verdict.judged_persons import flagged_segments
from webapp.analyses.media.playback import (
    NO_PREVIEW,
    Playback,
    parse_playback,
    read_decision_with_age,
    save_playback,
)
from webapp.storage.data_folder import Folders

log = logging.getLogger(__name__)

_TOO_MUCH = N_("Making one took too much.")


def prepare_playback(
    folders: Folders,
    exhibit: Path,
    media: Media,
    spare: int,
    progress: Callable[[float], None],
    limits: Limits,
) -> Playback:
    """What plays of an exhibit; decided now unless an earlier analysis by this version did.

    What an earlier version decided stays where nothing new can be made.

    Only ``progress``, called with the share done, may raise: whatever else goes wrong is the
    ``reason`` why nothing plays, and the next analysis of the exhibit tries again.
    """
    known, is_current = read_decision_with_age(folders, media.sha256)
    if known is not None and known.source == "none":
        known = None
    if known is not None and is_current:
        return known
    # Containers that share the folder may each have a process of this number, at work on the same exhibit.
    aside = folders.previews / f".{media.sha256}.{secrets.token_hex(8)}.part"

    def start() -> Sandbox:
        from webapp.analyses.media.preview_encoder import decide_playback_confined  # brings FFmpeg

        places = AllowedPaths(readable=(exhibit,), writable=(aside,))
        what = (decide_playback_confined, exhibit, aside, media, spare)
        return Sandbox(*what, limits=limits, places=places, scratch=folders.analyses)

    try:
        aside.touch(0o600)
        decided = _answer(start, media.sha256, progress)
        if decided.source == "none" and known is not None:
            return known
        if decided.source == "preview":
            flush_file(aside)
            os.replace(aside, folders.preview(media.sha256))
            flush_folder(folders.previews)
        save_playback(folders, media.sha256, decided)
    except OSError as problem:
        log.warning("what plays of %s was not recorded: %s", media.sha256, problem)
        decided = _nothing(N_("It could not be written to the disk."))
    finally:
        aside.unlink(missing_ok=True)
    return decided


def _answer(start: Callable[[], Sandbox], sha256: str, progress: Callable[[float], None]) -> Playback:
    """What the process that ``start`` begins decided; where it breaks, that nothing plays, and why."""
    try:
        with start() as confined:
            return parse_playback(confined.result(lambda _stage, share: progress(share)))
    except SoftTimeLimitExceeded:
        return _nothing(N_("The time limit of the analysis came first."))
    except LimitError as problem:
        return _nothing(f"{_TOO_MUCH} {problem}")
    except (ReelproofError, UnexpectedError, ValueError) as problem:
        log.warning("deciding what plays of %s broke off: %s", sha256, problem)
        return _nothing(N_("The process that was to make it ended early."))


def _nothing(reason: str) -> Playback:
    return Playback("none", "", 0.0, 0, 0, f"{NO_PREVIEW} {reason}")


_SIZE = (320, 180)
# A face that shows up later than this is not worth decoding so much again for.
_LATEST = 10.0  # seconds
_LONGEST = 120.0  # seconds that making one may take


def make_confined_thumbnail(
    analysis: Analysis,
    folder: Path,
    exhibit: Path,
    to: Path,
    limits: Limits,
    report: Progress,
) -> None:
    """:func:`make_thumbnail` in a confined process. One that cannot be made fails nothing.

    ``report`` is called many times a second; what it raises ends the process, and no thumbnail is there.
    """
    to.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    aside = to.with_name(f".{to.stem}.{secrets.token_hex(8)}.part")  # the list shows what has its place
    aside.touch(0o600)
    places = AllowedPaths(readable=(exhibit, folder), writable=(aside,))
    limits = replace(limits, wall=min(limits.wall, _LONGEST))
    try:
        with Sandbox(
            _make, analysis, folder, exhibit, aside, limits=limits, places=places, scratch=folder.parent
        ) as confined:
            confined.result(report)
        if aside.stat().st_size:
            os.replace(aside, to)
    except (ReelproofError, UnexpectedError, OSError) as problem:
        log.warning("no thumbnail of %s: %s", exhibit.name, problem)
    finally:
        aside.unlink(missing_ok=True)


def _make(analysis: Analysis, folder: Path, exhibit: Path, to: Path, _report: object) -> None:
    make_thumbnail(analysis, folder, exhibit, to)


def make_thumbnail(analysis: Analysis, folder: Path, exhibit: Path, to: Path) -> None:
    """Write the thumbnail, a JPEG of at most 320 by 180 px.

    It is the first peak frame with its heatmap, of a flagged segment where there is one. Without segments it
    is a frame of the exhibit, one with a face if there is one early on.
    """
    segments = flagged_segments(analysis.persons, analysis.segments) or analysis.segments
    overlays = [peak.overlay for segment in segments for peak in segment.peaks if peak.overlay]
    if overlays:
        with Image.open(folder / overlays[0]) as picture:
            small = picture.convert("RGB")
    elif (frame := _frame(analysis, exhibit)) is not None:
        small = frame
    else:
        return
    small.thumbnail(_SIZE)
    to.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    small.save(to, "JPEG", quality=82)


def _frame(analysis: Analysis, exhibit: Path) -> Image.Image | None:
    """A frame of the exhibit, or none where that cannot be had: the list does well without."""
    from detector.media.open import open_media

    faces = [score.time for person in analysis.persons for score in person.scores[:1]]
    wanted = min((time for time in faces if time <= _LATEST), default=0.0)
    try:
        with open_media(exhibit) as reader:
            reader.turned = analysis.media.turned // 90
            for frame in reader.frames(analysis.parameters.sample_rate):
                if float(frame.time) >= wanted - 1e-6:
                    return Image.fromarray(frame.image)
    except (MediaError, OSError, ValueError) as problem:
        log.warning("no thumbnail of %s: %s", exhibit.name, problem)
    return None
