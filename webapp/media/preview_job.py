"""Decides what plays of an exhibit, once, in a confined process (:mod:`webapp.media.preview_encoder`).

A process of its own, because the analysis is done by then: whatever a file does to the
decoder or to memory in this last step must not take the result with it.
"""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from celery.exceptions import SoftTimeLimitExceeded

from detector.errors import ReelproofError
from detector.files import flush_file, flush_folder
from detector.sandbox import AllowedPaths, LimitError, Limits, Sandbox, UnexpectedError
from detector.schema.analysis import Media
from detector.schema.translatable import N_
from webapp.media.playback import NO_PREVIEW, Playback, checked, recorded_with_age, save_playback
from webapp.storage.data_folder import Folders

log = logging.getLogger(__name__)

_TOO_MUCH = N_("Making one took too much.")


def prepare(
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
    known, is_current = recorded_with_age(folders, media.sha256)
    if known is not None and known.source == "none":
        known = None
    if known is not None and is_current:
        return known
    # Containers that share the folder may each have a process of this number, at work on the same exhibit.
    aside = folders.previews / f".{media.sha256}.{secrets.token_hex(8)}.part"

    def start() -> Sandbox:
        from webapp.media.preview_encoder import decide_confined  # brings FFmpeg

        places = AllowedPaths(readable=(exhibit,), writable=(aside,))
        what = (decide_confined, exhibit, aside, media, spare)
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
            return checked(confined.result(lambda _stage, share: progress(share)))
    except SoftTimeLimitExceeded:
        return _nothing(N_("The time limit of the analysis came first."))
    except LimitError as problem:
        return _nothing(f"{_TOO_MUCH} {problem}")
    except (ReelproofError, UnexpectedError, ValueError) as problem:
        log.warning("deciding what plays of %s broke off: %s", sha256, problem)
        return _nothing(N_("The process that was to make it ended early."))


def _nothing(reason: str) -> Playback:
    return Playback("none", "", 0.0, 0, 0, f"{NO_PREVIEW} {reason}")
