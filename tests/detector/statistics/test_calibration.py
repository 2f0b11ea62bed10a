"""Calibration figures against cases worked out by hand, and against scikit-learn and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from detector.schema.scores import sigmoid
from detector.statistics.metrics import expected_calibration_error, fit_platt, fit_temperature


class TestTemperature:
    @pytest.mark.parametrize("true", [0.25, 1.0, 3.0])
    def test_temperature_is_recovered(self, true: float) -> None:
        rng = np.random.default_rng(0)
        calibrated = rng.normal(0, 2.5, 20_000)
        labels = rng.random(20_000) < expit(calibrated)
        assert fit_temperature(labels, calibrated * true) == pytest.approx(true, rel=0.06)

    def test_by_hand(self) -> None:
        """Three of four right at logit ±2, and targets 5/6 and 1/6: the best probability is 2/3."""
        labels, logits = [1, 1, 1, 0, 0, 0, 0, 1], [2, 2, 2, 2, -2, -2, -2, -2]
        assert fit_temperature(labels, logits) == pytest.approx(2 / np.log(2), rel=1e-3)

    def test_few_separable_examples_give_no_certainty(self) -> None:
        logits = np.array([-3, -2.5, -2, -1.5, -1, -0.5, 0.5, 1, 1.5, 2, 2.5, 3])
        temperature = fit_temperature([0] * 6 + [1] * 6, logits)
        assert sigmoid(logits[-1] / temperature) < 0.98, "Platt's targets for six of each are 1/8 and 7/8"

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


class TestPlatt:
    def test_platt_recovers_its_parameters(self) -> None:
        rng = np.random.default_rng(0)
        means = rng.normal(0, 2, 20_000)
        labels = rng.random(20_000) < sigmoid(0.6 * means - 0.8)
        fitted = fit_platt(labels, means)
        assert fitted.scale == pytest.approx(0.6, abs=0.05)
        assert fitted.offset == pytest.approx(-0.8, abs=0.06)

    def test_few_separable_examples_give_no_certainty(self) -> None:
        fitted = fit_platt([0, 0, 1, 1], [-2.0, -1.0, 1.0, 2.0])
        surest = sigmoid(fitted.scale * 2.0 + fitted.offset)
        assert 0.6 < surest < 0.8, "Platt's targets for two of each are 1/4 and 3/4"

    def test_more_examples_give_more_certainty(self) -> None:
        few, many = (fit_platt([0] * n + [1] * n, [-1.0] * n + [1.0] * n) for n in (2, 50))
        assert sigmoid(many.scale + many.offset) > sigmoid(few.scale + few.offset)
