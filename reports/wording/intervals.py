"""Intervals of probabilities, from the spread of frames and the error of calibration."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from detector.schema.analysis import Analysis, Person, Platt, Segment
from detector.schema.scores import sigmoid
from detector.segments.rules import mean_per_interval
from language.formatting import probability
from language.translation import gettext
from reports.wording.verbal_scale import calibration_error

LEVEL = 0.95
# Fewer frames than this show no spread worth the name.
LEAST_FRAMES = 6
_MOST_CORRELATED = 0.99
_WIDEST = 0.9  # an interval as wide as this says of a probability hardly more than that it is one


@dataclass(frozen=True)
class ProbabilityInterval:
    """Limits of a probability, and their sources.

    ``frames`` is the number of sampling intervals, ``effective`` the number of independent ones they are
    worth (both None for too few frames, or one picture); ``calibration`` is the calibration error by which
    the limits were moved outwards, None if the card states none.
    """

    low: float
    high: float
    frames: int | None
    effective: float | None
    calibration: float | None

    @property
    def says_nothing(self) -> bool:
        """Return whether so few independent frames remain that it covers nearly all probabilities."""
        return self.effective is not None and self.high - self.low >= _WIDEST


def _logits(person: Person, segment: Segment, rate: float) -> list[float]:
    """Of each sampling interval with a judged frame."""
    times, logits = person.scores.time, person.scores.logit
    inside = (segment.start <= times) & (times <= segment.end) & ~np.isnan(logits)
    return mean_per_interval(times[inside], logits[inside], rate).tolist()


def segment_interval(analysis: Analysis, segment: Segment) -> ProbabilityInterval | None:
    """Return the interval of a segment's confidence; None if neither source of uncertainty is known."""
    return _interval(analysis, segment, segment.confidence, analysis.model.segment)


def exhibit_interval(analysis: Analysis, segment: Segment) -> ProbabilityInterval | None:
    """Return the interval of the exhibit's probability, which is that of ``segment``."""
    if analysis.probability is None:
        return None
    return _interval(analysis, segment, analysis.probability, analysis.model.exhibit)


def _interval(
    analysis: Analysis, segment: Segment, figure: float, platt: Platt | None
) -> ProbabilityInterval | None:
    """Return the interval of ``figure``, which ``platt`` computes from the frames of ``segment``."""
    logits = [
        logit
        for person in analysis.persons
        if person.id == segment.person and not person.motionless
        for logit in _logits(person, segment, analysis.parameters.sample_rate)
    ]
    spread = mean_interval(logits, _moments(analysis, segment))
    calibration = calibration_error(analysis.model, still=analysis.media.still)
    if spread is None and calibration is None:
        return None
    low = high = figure
    if spread is not None:
        as_probability = calibrated(analysis, platt)
        low, high = as_probability(spread[0]), as_probability(spread[1])
        # The figure itself always lies inside, whatever a card's rounding does.
        low, high = min(low, figure), max(high, figure)
    moved = calibration or 0.0
    return ProbabilityInterval(
        low=max(0.0, low - moved),
        high=min(1.0, high + moved),
        frames=len(logits) if spread is not None else None,
        effective=spread[2] if spread is not None else None,
        calibration=calibration,
    )


def _moments(analysis: Analysis, segment: Segment) -> int:
    """How many moments of a second look lie in ``segment``."""
    looks = [person.second_look for person in analysis.persons if person.id == segment.person]
    return sum(
        segment.start <= moment.time <= segment.end for look in looks if look for moment in look.moments
    )


def mean_interval(values: Sequence[float], independent: int = 0) -> tuple[float, float, float] | None:
    """Return a 95 % interval of the mean of a correlated series, and its effective number of values.

    ``values`` are sorted by time; at least ``independent`` of them are known to be independent. Return None
    for fewer than :data:`LEAST_FRAMES` values and for equal values, which are one picture measured
    repeatedly.
    """
    count = len(values)
    if count < LEAST_FRAMES:
        return None
    # Imported here: it takes as long as all routes of the web app, which starts without it.
    from scipy.special import stdtrit

    series = np.asarray(values, np.float64)
    mean = float(series.mean())
    spread = series - mean
    total = float(spread @ spread)
    if total <= 1e-18:
        return None
    raw = float(spread[1:] @ spread[:-1]) / total
    # The estimate of a short series is too low, on average by (1 + 3 r) / n.
    corrected = min(max((count * raw + 1) / (count - 3), 0.0), _MOST_CORRELATED)
    # And it is itself unsure: one standard error more, rather too wide than too narrow.
    correlation = min(corrected + math.sqrt((1 - corrected**2) / count), _MOST_CORRELATED)
    effective = max(_effective(count, correlation), 2.0, min(count, independent))
    # The sample's variance is too small as well: values that resemble each other hide their spread.
    variance = total / count * effective / (effective - 1)
    half = float(stdtrit(effective - 1, (1 + LEVEL) / 2)) * math.sqrt(variance / effective)
    return mean - half, mean + half, effective


def _effective(count: int, correlation: float) -> float:
    lags = np.arange(1, count)
    return float(count / (1 + 2 * np.sum((1 - lags / count) * correlation**lags)))


def calibrated(analysis: Analysis, by: Platt | None) -> Callable[[float], float]:
    """Return the function from mean logit to probability; without calibration ``by``, that of frames."""
    platt = by or Platt(scale=1 / analysis.model.temperature, offset=0.0)
    return lambda logit: sigmoid(platt.scale * logit + platt.offset)


def below_threshold(analysis: Analysis, interval: ProbabilityInterval | None) -> str:
    """Explain an interval that reaches below the threshold for a finding; "" for others."""
    enter = analysis.parameters.enter_threshold
    if interval is None or interval.says_nothing or interval.low >= enter:
        return ""
    if analysis.media.still:
        return gettext(
            "The interval reaches below %(enter)s, the threshold for a finding: with a slightly different "
            "calibration the face might not have been flagged.",
            enter=probability(enter),
        )
    return gettext(
        "The interval reaches below %(enter)s, the threshold for a finding: with other frames of the same "
        "period, or a slightly different calibration, the segment might not have been flagged.",
        enter=probability(enter),
    )
