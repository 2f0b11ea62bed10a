"""Boxes of faces, ``[x0, y0, x1, y1]`` in pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from detector.schema.analysis import Box

# At eight frames a second a turning head moves by a third of its width between frames:
# boxes are grown by that much on each side before their overlap is measured.
_GROWTH = 1 / 3


def rounded(values: Sequence[float] | NDArray[np.float64]) -> Box:
    """Four numbers as a published box, to a hundredth of a pixel."""
    x0, y0, x1, y1 = (round(float(v), 2) for v in values)
    return x0, y0, x1, y1


def grown(box: Box) -> Box:
    """``box`` with the room in which the face may be one sampled frame later."""
    dx, dy = (box[2] - box[0]) * _GROWTH, (box[3] - box[1]) * _GROWTH
    return box[0] - dx, box[1] - dy, box[2] + dx, box[3] + dy


def shared_area(a: Box, b: Box) -> float:
    """What two boxes have in common, px²."""
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))


def overlap(a: Box, b: Box) -> float:
    """Intersection over union of two boxes."""
    shared = shared_area(a, b)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return shared / union if union > 0 else 0.0
