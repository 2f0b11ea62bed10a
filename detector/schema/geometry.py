"""Boxes of faces, and the logistic function."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from detector.schema.analysis import Box

# At eight frames a second a turning head moves by a third of its width between frames. Boxes are grown by
# that much on each side before their overlap is measured.
_GROWTH = 1 / 3


def round_box(values: Sequence[float] | NDArray[np.float64]) -> Box:
    """Round four numbers to a published box, to a hundredth of a pixel."""
    x0, y0, x1, y1 = (round(float(v), 2) for v in values)
    return x0, y0, x1, y1


def grow_box(box: Box) -> Box:
    """Grow a box to the area in which the face may be one sampled frame later."""
    dx, dy = (box[2] - box[0]) * _GROWTH, (box[3] - box[1]) * _GROWTH
    return box[0] - dx, box[1] - dy, box[2] + dx, box[3] + dy


def intersection_area(a: Box, b: Box) -> float:
    """Return the area that two boxes have in common, px²."""
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))


def overlap(a: Box, b: Box) -> float:
    """Return the intersection over union of two boxes."""
    shared = intersection_area(a, b)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return shared / union if union > 0 else 0.0


_LARGEST = 60.0  # logit beyond which a probability is 0 or 1
_LEAST = 1e-9  # distance of a probability from 0 and 1 that keeps its logit finite


@overload
def sigmoid(logits: float) -> float: ...


@overload
def sigmoid(logits: Sequence[float] | NDArray[Any]) -> NDArray[np.float64]: ...


def sigmoid(logits: float | Sequence[float] | NDArray[Any]) -> float | NDArray[np.float64]:
    """Return the probability of a logit, or of each of several."""
    out = 1 / (1 + np.exp(-np.clip(np.asarray(logits, np.float64), -_LARGEST, _LARGEST)))
    return out if isinstance(out, np.ndarray) else float(out)


def logit_of(probability: float) -> float:
    """Return the logit of a ``probability`` strictly between 0 and 1, such as a threshold."""
    return float(np.log(probability / (1 - probability)))


def finite_logit(probability: float) -> float:
    """Return the logit of a computed ``probability``, finite also if it was rounded to 0 or 1."""
    inside = min(max(probability, _LEAST), 1 - _LEAST)
    return math.log(inside / (1 - inside))
