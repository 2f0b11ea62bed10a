"""Finished results, read back from their folders. They never change, so they are remembered."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from detector.analysis import Analysis, Box

if TYPE_CHECKING:
    from reports.view import ReportView

_ROOM = 1.5  # side of a close-up, in sizes of the face


@dataclass(frozen=True)
class Result:
    """What a result page shows: the words, and where in its pictures the faces are.

    ``close_ups`` are SVG view boxes around each peak frame's face, by segment and number;
    ``size`` is the width and height they are measured in.
    """

    view: ReportView
    close_ups: dict[tuple[str, int], str]
    size: tuple[int, int]


@lru_cache(maxsize=4)
def load(folder: Path) -> Result:
    """The finished result in a folder."""
    from reports.view import report_view  # brings OpenCV; only result pages need it

    analysis = _read(folder)
    close_ups = {
        (segment.id, number): _around(peak.box)
        for segment in analysis.segments
        for number, peak in enumerate(segment.peaks, 1)
    }
    return Result(report_view(analysis, folder), close_ups, (analysis.media.width, analysis.media.height))


def _around(box: Box) -> str:
    """The square around a face with some room, as an SVG view box."""
    left, top, right, bottom = box
    side = _ROOM * max(right - left, bottom - top)
    return f"{(left + right - side) / 2:.1f} {(top + bottom - side) / 2:.1f} {side:.1f} {side:.1f}"


@lru_cache(maxsize=64)
def picture_names(folder: Path) -> frozenset[str]:
    """Paths of the pictures the analysis names, relative to its folder; nothing else may be served."""
    peaks = [peak for segment in _read(folder).segments for peak in segment.peaks]
    return frozenset(path for peak in peaks for path in (peak.frame, peak.overlay, peak.map) if path)


def _read(folder: Path) -> Analysis:
    return Analysis.from_json((folder / "analysis.json").read_bytes())
