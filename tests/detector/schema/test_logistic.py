"""The logistic function against hand-computed cases and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from detector.schema.scores import sigmoid


def test_by_hand() -> None:
    assert sigmoid([0, np.log(3), -np.log(3)]) == pytest.approx([0.5, 0.75, 0.25])


def test_single_logit_gives_a_float() -> None:
    assert type(sigmoid(0.0)) is type(sigmoid(float(np.float32(2)))) is float and sigmoid(0.0) == 0.5


def test_extreme_logits() -> None:
    values = np.array([-1e6, -50, -1, 0, 2, 50, 1e6])
    assert sigmoid(values) == pytest.approx(expit(np.clip(values, -60, 60)))
    assert np.isfinite(sigmoid([np.inf, -np.inf])).all()
