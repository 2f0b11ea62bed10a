"""Heatmaps of the sampled frames of a segment, computed on request; no part of an analysis."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from detector.schema.base import Probability, Seconds, Value
from detector.schema.scores import Box

INDEX = "maps.json"
"""Name of the file that lists the pictures."""


class FrameMap(Value):
    """One sampled frame: the head alone, and its heatmap, which is transparent where cold."""

    time: Seconds
    pts: int
    probability: Probability = Field(description="calibrated, of this frame alone")
    heat: Probability = Field(description="strength relative to the strongest heatmap of the segment")
    part: Box = Field(description="what both pictures show, in pixels of the exhibit's frames")
    frame: Annotated[str, Field(pattern=r"^\d{3}\.jpg$", description="file name")]
    map: Annotated[str, Field(pattern=r"^\d{3}\.png$", description="file name")]


class SegmentMaps(Value):
    """The heatmaps of a segment's sampled frames in order of time."""

    segment: str
    frames: tuple[FrameMap, ...]
    complete: bool = Field(default=True, description="false: more frames were to follow")


def read_segment_maps(folder: Path) -> SegmentMaps:
    """Read the list of heatmaps in ``folder``. Raises ``OSError`` and ``ValueError``."""
    return SegmentMaps.model_validate_json((folder / INDEX).read_bytes())
