"""The logistic function, and its inverse."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

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
