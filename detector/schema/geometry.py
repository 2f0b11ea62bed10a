"""Boxes of faces, and the logistic function."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from detector.schema.analysis import Box

# At eight frames a second a turning head moves by a third of its width between frames:
# boxes are grown by that much on each side before their overlap is measured.
_GROWTH = 1 / 3


def round_box(values: Sequence[float] | NDArray[np.float64]) -> Box:
    """Four numbers as a published box, to a hundredth of a pixel."""
    x0, y0, x1, y1 = (round(float(v), 2) for v in values)
    return x0, y0, x1, y1


def grow_box(box: Box) -> Box:
    """``box`` with the room in which the face may be one sampled frame later."""
    dx, dy = (box[2] - box[0]) * _GROWTH, (box[3] - box[1]) * _GROWTH
    return box[0] - dx, box[1] - dy, box[2] + dx, box[3] + dy


def intersection_area(a: Box, b: Box) -> float:
    """What two boxes have in common, px²."""
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))


def overlap(a: Box, b: Box) -> float:
    """Intersection over union of two boxes."""
    shared = intersection_area(a, b)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return shared / union if union > 0 else 0.0


_LARGEST = 60.0  # of logits, beyond which a probability is 0 or 1
_LEAST = 1e-9  # of a probability, and of what is left to 1, so that its logit is finite


@overload
def sigmoid(logits: float) -> float: ...


@overload
def sigmoid(logits: Sequence[float] | NDArray[Any]) -> NDArray[np.float64]: ...


def sigmoid(logits: float | Sequence[float] | NDArray[Any]) -> float | NDArray[np.float64]:
    """The probability that a logit stands for; of several, each one's."""
    out = 1 / (1 + np.exp(-np.clip(np.asarray(logits, np.float64), -_LARGEST, _LARGEST)))
    return out if isinstance(out, np.ndarray) else float(out)


def logit_of(probability: float) -> float:
    """The logit of a ``probability`` between 0 and 1, such as a threshold's."""
    return float(np.log(probability / (1 - probability)))


def finite_logit(probability: float) -> float:
    """The same of a ``probability`` that was computed, a finite one also where it is rounded to 0 or 1."""
    inside = min(max(probability, _LEAST), 1 - _LEAST)
    return math.log(inside / (1 - inside))
