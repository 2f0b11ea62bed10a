"""The odds of a photograph's faces averaged, against what they stand for: a mixture."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.verdict.judged_persons import average_of_odds, could_be_average

probabilities = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=40)


@given(st.floats(0.0, 1.0))
def test_single_face_keeps_its_exact_probability(probability: float) -> None:
    assert average_of_odds([probability]) == probability


@given(probabilities)
def test_average_lies_between_lowest_and_highest(several: list[float]) -> None:
    average = average_of_odds(several)
    assert min(several) - 1e-8 <= average <= max(several) + 1e-12


@given(probabilities, st.floats(0.0, 1.0))
def test_lower_face_never_raises_the_average(several: list[float], calm: float) -> None:
    before = average_of_odds(several)
    if calm <= before:
        assert average_of_odds([*several, calm]) <= before + 1e-12


def test_one_high_face_is_diluted_by_others() -> None:
    assert average_of_odds([0.8, 0.0, 0.0, 0.0]) == pytest.approx(0.5)  # odds of 4 among 4 faces


def test_tolerance_of_faces_applies_to_the_average() -> None:
    """Near 1 the odds of one face move the photograph's probability by more than its own moved."""
    faces = [0.997, *[0.2] * 12]
    again = average_of_odds([0.998, *[0.2] * 12])
    assert again - average_of_odds(faces) > 0.01
    assert could_be_average(again, faces, 0.01)
    assert not could_be_average(average_of_odds([0.9, *[0.2] * 12]), faces, 0.01)


@pytest.mark.parametrize("faces", [1, 3, 12])
def test_average_is_calibrated_where_the_maximum_is_not(faces: int) -> None:
    """40,000 made photographs, in half of which one face is manipulated; scores are normal, 2 apart."""
    random = np.random.default_rng(5)
    scores = random.normal(0, 1, (40_000, faces))
    manipulated = np.arange(len(scores)) % 2 == 1
    scores[manipulated, 0] += 2
    face_probabilities = 1 / (1 + np.exp(2 - 2 * scores))  # calibrated for one face: the log ratio is 2 s - 2
    averages = np.array([average_of_odds(row) for row in face_probabilities.tolist()])
    highest = face_probabilities.max(axis=1)

    def off(figures: np.ndarray) -> float:
        """Expected calibration error in ten bins."""
        bins = np.minimum((figures * 10).astype(int), 9)
        return sum(
            abs(np.sum(figures[bins == number]) - np.sum(manipulated[bins == number])) for number in range(10)
        ) / len(figures)

    assert off(averages) < 0.01
    if faces > 1:
        assert off(highest) > 0.1
        alarms = highest[~manipulated] >= 0.65
        assert np.mean(averages[~manipulated] >= 0.65) < 0.5 * np.mean(alarms)
