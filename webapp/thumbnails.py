"""The small picture of an analysis in the list: the first peak frame with its heatmap."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from detector.analysis import Analysis

_SIZE = (320, 180)


def make_thumbnail(analysis: Analysis, folder: Path, to: Path) -> None:
    """Write the thumbnail, a JPEG of at most 320 by 180, if the analysis has a picture at all."""
    overlays = [peak.overlay for segment in analysis.segments for peak in segment.peaks if peak.overlay]
    if not overlays:
        return
    with Image.open(folder / overlays[0]) as picture:
        small = picture.convert("RGB")
    small.thumbnail(_SIZE)
    to.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    small.save(to, quality=82)
