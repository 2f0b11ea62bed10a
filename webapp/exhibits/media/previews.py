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
from detector.schema.formatting import N_, sentences
from detector.verdict.finding import finding_of
from webapp.exhibits.media.playback import (
    NO_PREVIEW,
    Playback,
    parse_playback,
    read_decision_with_age,
    save_playback,
)
from webapp.storage.data_folder import Folders

log = logging.getLogger(__name__)

_LIMIT_EXCEEDED = N_("Creating one exceeded a limit.")


def prepare_playback(
    folders: Folders,
    exhibit: Path,
    media: Media,
    spare: int,
    progress: Callable[[float], None],
    limits: Limits,
) -> Playback:
    """Decide what plays of an exhibit, unless an earlier analysis by this version did.

    The decision of an earlier version stays if no preview can be made now.

    Only ``progress``, called with the share done, may raise. Any other error becomes the ``reason`` why
    nothing plays, and the next analysis of the exhibit tries again.
    """
    known, is_current = read_decision_with_age(folders, media.sha256)
    if known is not None and known.source == "none":
        known = None
    if known is not None and is_current:
        return known
    # A random name: containers that share the folder may have the same process id and the same exhibit.
    temporary = folders.previews / f".{media.sha256}.{secrets.token_hex(8)}.part"

    def start() -> Sandbox:
        from webapp.exhibits.media.preview_encoder import decide_playback_confined  # loads FFmpeg

        places = AllowedPaths(readable=(exhibit,), writable=(temporary,))
        call = (decide_playback_confined, exhibit, temporary, media, spare)
        return Sandbox(*call, limits=limits, places=places, scratch=folders.analyses)

    try:
        temporary.touch(0o600)
        decision = _run(start, media.sha256, progress)
        if decision.source == "none" and known is not None:
            return known
        if decision.source == "preview":
            flush_file(temporary)
            os.replace(temporary, folders.preview(media.sha256))
            flush_folder(folders.previews)
        save_playback(folders, media.sha256, decision)
    except OSError as problem:
        log.warning("cannot store what plays of %s: %s", media.sha256, problem)
        decision = _nothing(N_("It could not be written to the disk."))
    finally:
        temporary.unlink(missing_ok=True)
    return decision


def _run(start: Callable[[], Sandbox], sha256: str, progress: Callable[[float], None]) -> Playback:
    """Return the decision of the process that ``start`` begins or, if it fails, that nothing plays."""
    try:
        with start() as confined:
            return parse_playback(confined.result(lambda _stage, share: progress(share)))
    except SoftTimeLimitExceeded:
        return _nothing(N_("The analysis reached its time limit first."))
    except LimitError as problem:
        return _nothing(sentences(_LIMIT_EXCEEDED, str(problem)))
    except (ReelproofError, UnexpectedError, ValueError) as problem:
        log.warning("deciding what plays of %s failed: %s", sha256, problem)
        return _nothing(N_("The process that creates it ended early."))


def _nothing(reason: str) -> Playback:
    return Playback("none", "", 0.0, 0, 0, sentences(NO_PREVIEW, reason))


_SIZE = (320, 180)
# Decoding further than this for a face is not worth it.
_LATEST = 10.0  # seconds
_TIME_LIMIT = 120.0  # seconds


def make_confined_thumbnail(
    analysis: Analysis,
    folder: Path,
    exhibit: Path,
    to: Path,
    limits: Limits,
    report: Progress,
) -> None:
    """Run :func:`make_thumbnail` in a confined process; failures are logged.

    ``report`` is called many times a second; what it raises ends the process without a thumbnail.
    """
    to.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = to.with_name(f".{to.stem}.{secrets.token_hex(8)}.part")  # pages show complete files only
    temporary.touch(0o600)
    places = AllowedPaths(readable=(exhibit, folder), writable=(temporary,))
    limits = replace(limits, wall=min(limits.wall, _TIME_LIMIT))
    try:
        with Sandbox(
            _make, analysis, folder, exhibit, temporary, limits=limits, places=places, scratch=folder.parent
        ) as confined:
            confined.result(report)
        if temporary.stat().st_size:
            os.replace(temporary, to)
    except (ReelproofError, UnexpectedError, OSError) as problem:
        log.warning("no thumbnail of %s: %s", exhibit.name, problem)
    finally:
        temporary.unlink(missing_ok=True)


def _make(analysis: Analysis, folder: Path, exhibit: Path, to: Path, _report: object) -> None:
    make_thumbnail(analysis, folder, exhibit, to)


def make_thumbnail(analysis: Analysis, folder: Path, exhibit: Path, to: Path) -> None:
    """Write the thumbnail, a JPEG of at most 320 by 180 px.

    It shows a leading peak frame with its heatmap, preferably of a flagged segment. Without segments it shows
    an early frame of the exhibit, if possible with a face.
    """
    segments = finding_of(analysis).flagged or analysis.segments
    leads = sorted(
        (segment.lead for segment in segments if segment.lead), key=lambda peak: not peak.confirmed
    )
    overlays = [peak.overlay for peak in leads if peak.overlay]
    if overlays:
        with Image.open(folder / overlays[0]) as picture:
            small = picture.convert("RGB")
    elif analysis.media.sound_only:
        if analysis.voice is None or analysis.voice.spectrogram is None:
            return
        with Image.open(folder / analysis.voice.spectrogram.path) as picture:
            small = picture.convert("RGB").resize(_SIZE)
    elif (frame := _frame(analysis, exhibit)) is not None:
        small = frame
    else:
        return
    small.thumbnail(_SIZE)
    to.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    small.save(to, "JPEG", quality=82)


def _frame(analysis: Analysis, exhibit: Path) -> Image.Image | None:
    """Return an early frame of the exhibit, if it can be decoded."""
    from detector.media.open import open_media

    faces = [score.time for person in analysis.persons for score in person.scores[:1]]
    start = min((time for time in faces if time <= _LATEST), default=0.0)
    try:
        with open_media(exhibit) as reader:
            reader.turned = analysis.media.turned // 90
            for frame in reader.frames(analysis.parameters.sample_rate):
                if float(frame.time) >= start - 1e-6:
                    return Image.fromarray(frame.image)
    except (MediaError, OSError, ValueError) as problem:
        log.warning("no thumbnail of %s: %s", exhibit.name, problem)
    return None
