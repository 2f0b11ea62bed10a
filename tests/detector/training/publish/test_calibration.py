"""Calibration figures against cases worked out by hand, and against scikit-learn and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import roc_curve

from detector.training.publish.calibration import (
    equal_error_rate,
    expected_calibration_error,
    fit_platt,
    fit_temperature,
    sigmoid,
)


class TestSigmoid:
    def test_by_hand(self) -> None:
        assert sigmoid([0, np.log(3), -np.log(3)]) == pytest.approx([0.5, 0.75, 0.25])

    def test_far_out(self) -> None:
        values = np.array([-1e6, -50, -1, 0, 2, 50, 1e6])
        assert sigmoid(values) == pytest.approx(expit(np.clip(values, -60, 60)))
        assert np.isfinite(sigmoid([np.inf, -np.inf])).all()


class TestTemperature:
    @pytest.mark.parametrize("true", [0.25, 1.0, 3.0])
    def test_it_is_found_again(self, true: float) -> None:
        rng = np.random.default_rng(0)
        calibrated = rng.normal(0, 2.5, 20_000)
        labels = rng.random(20_000) < expit(calibrated)
        assert fit_temperature(labels, calibrated * true) == pytest.approx(true, rel=0.06)

    def test_by_hand(self) -> None:
        """Three of four right at logit ±2: the best probability is 3/4, so the divisor is 2 / ln 3."""
        labels, logits = [1, 1, 1, 0, 0, 0, 0, 1], [2, 2, 2, 2, -2, -2, -2, -2]
        assert fit_temperature(labels, logits) == pytest.approx(2 / np.log(3), rel=1e-3)

    def test_order_does_not_change(self) -> None:
        logits = np.array([-3.0, -0.2, 0.4, 5.0])
        temperature = fit_temperature([0, 1, 0, 1], logits)
        assert (np.diff(sigmoid(logits / temperature)) > 0).all()


class TestExpectedCalibrationError:
    def test_by_hand(self) -> None:
        """Two bins of two: |1/2 - 0.2| and |1 - 0.9|, each with half of the weight."""
        labels, probabilities = [0, 1, 1, 1], [0.2, 0.2, 0.9, 0.9]
        assert expected_calibration_error(labels, probabilities) == pytest.approx(0.5 * 0.3 + 0.5 * 0.1)

    def test_perfect(self) -> None:
        assert expected_calibration_error([0, 0, 1, 1], [0, 0, 1, 1]) == 0
        assert expected_calibration_error([0, 1], [0.5, 0.5]) == 0

    def test_worst(self) -> None:
        assert expected_calibration_error([1, 1, 0], [0.0, 0.0, 1.0]) == 1

    def test_errors_within_a_bin_cancel_and_across_bins_do_not(self) -> None:
        labels, probabilities = [1, 0], [0.45, 0.55]
        assert expected_calibration_error(labels, probabilities, bins=1) == pytest.approx(0)
        assert expected_calibration_error(labels, probabilities, bins=2) == pytest.approx(0.55)

    def test_calibrated_by_construction(self) -> None:
        rng = np.random.default_rng(1)
        probabilities = rng.random(50_000)
        assert expected_calibration_error(rng.random(50_000) < probabilities, probabilities) < 0.02


class TestEqualErrorRate:
    def test_by_hand(self) -> None:
        assert equal_error_rate([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9]) == 0
        assert equal_error_rate([0, 0, 1, 1], [0.9, 0.8, 0.2, 0.1]) == 1
        assert equal_error_rate([0, 1, 0, 1], [0.1, 0.4, 0.6, 0.9]) == pytest.approx(0.5)
        # Of four each, one false alarm and one miss at any threshold between 0.4 and 0.6.
        assert equal_error_rate(
            [0, 0, 0, 0, 1, 1, 1, 1], [0.1, 0.2, 0.3, 0.7, 0.35, 0.8, 0.85, 0.9]
        ) == pytest.approx(0.25)  # fmt: skip

    def test_interpolated_between_the_steps(self) -> None:
        """One tie holds everything: the line from (0, 0) to (1, 1) crosses at one half."""
        assert equal_error_rate([0, 1, 1], [0.5, 0.5, 0.5]) == pytest.approx(0.5)

    @pytest.mark.parametrize("seed", range(5))
    def test_both_errors_are_equal_there(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        labels = rng.random(400) < 0.4
        scores = rng.normal(labels.astype(float), 1.0)
        rate = equal_error_rate(labels, scores)
        false_positive, true_positive, _ = roc_curve(labels, scores)
        false_negative = 1 - np.interp(rate, false_positive, true_positive)
        assert 0.2 < rate < 0.45
        assert false_negative == pytest.approx(rate, abs=0.02)
        assert equal_error_rate(1 - labels.astype(int), -scores) == pytest.approx(rate, abs=0.01)


class TestPlatt:
    def test_it_finds_what_made_the_labels(self) -> None:
        rng = np.random.default_rng(0)
        means = rng.normal(0, 2, 20_000)
        labels = rng.random(20_000) < sigmoid(0.6 * means - 0.8)
        fitted = fit_platt(labels, means)
        assert fitted.scale == pytest.approx(0.6, abs=0.05)
        assert fitted.offset == pytest.approx(-0.8, abs=0.06)

    def test_few_that_separate_give_no_certainty(self) -> None:
        fitted = fit_platt([0, 0, 1, 1], [-2.0, -1.0, 1.0, 2.0])
        surest = sigmoid(fitted.scale * 2.0 + fitted.offset)
        assert 0.6 < surest < 0.8, "Platt's targets for two of each are 1/4 and 3/4"

    def test_more_of_a_kind_gives_more(self) -> None:
        few, many = (fit_platt([0] * n + [1] * n, [-1.0] * n + [1.0] * n) for n in (2, 50))
        assert sigmoid(many.scale + many.offset) > sigmoid(few.scale + few.offset)
