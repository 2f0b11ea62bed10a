"""The logistic function."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

_LARGEST = 60.0  # of logits, beyond which a probability is 0 or 1


@overload
def sigmoid(logits: float) -> float: ...


@overload
def sigmoid(logits: Sequence[float] | NDArray[Any]) -> NDArray[np.float64]: ...


def sigmoid(logits: float | Sequence[float] | NDArray[Any]) -> float | NDArray[np.float64]:
    """The probability that a logit stands for; of several, each one's."""
    out = 1 / (1 + np.exp(-np.clip(np.asarray(logits, np.float64), -_LARGEST, _LARGEST)))
    return out if isinstance(out, np.ndarray) else float(out)
