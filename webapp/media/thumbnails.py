"""The small picture of an analysis in the list. Made by the worker: the web process decodes nothing."""

from __future__ import annotations

import logging
import os
import secrets
from dataclasses import replace
from pathlib import Path

from PIL import Image

from detector.errors import MediaError, ReelproofError
from detector.progress import Progress
from detector.sandbox import AllowedPaths, Limits, Sandbox, UnexpectedError
from detector.schema.analysis import Analysis
from detector.verdict.persons.flagged import flagged_segments

log = logging.getLogger(__name__)

_SIZE = (320, 180)
# A face that shows up later than this is not worth decoding so much again for.
_LATEST = 10.0  # seconds
_LONGEST = 120.0  # seconds that making one may take


def confined_thumbnail(
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
