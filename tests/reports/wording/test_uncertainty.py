"""The interval of a segment's probability covers the true mean, and is no wider than it has to be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from analyses import build

from detector.schema.analysis import Analysis, Platt, Scores
from reports.wording.intervals import ProbabilityInterval, calibrated, mean_interval, segment_interval


def series(rng: np.random.Generator, count: int, correlation: float) -> np.ndarray:
    """A first-order autoregression of mean 0 and variance 1."""
    values = rng.normal(size=count) * np.sqrt(1 - correlation**2)
    values[0] = rng.normal()
    for index in range(1, count):
        values[index] += correlation * values[index - 1]
    return values


@pytest.mark.parametrize("count", [6, 12, 24, 100, 300])
@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.6, 0.8, 0.93])
def test_covers_the_true_mean(count: int, correlation: float) -> None:
    """95 % are meant. Short, strongly correlated series are hardest: there 88 % are asked for."""
    rng = np.random.default_rng([count, int(100 * correlation)])
    runs = 600
    hits = 0
    for _ in range(runs):
        interval = mean_interval((series(rng, count, correlation) + 3.0).tolist())
        assert interval is not None
        hits += interval[0] <= 3.0 <= interval[1]
    hard = correlation > 0.7 and count < 50
    assert hits / runs >= (0.88 if hard else 0.93), hits / runs


def test_intervals_are_not_too_wide() -> None:
    """Three hundred independent frames: nearly the textbook's 1.96 standard errors on either side."""
    rng = np.random.default_rng(5)
    widths = [
        interval[1] - interval[0]
        for _ in range(100)
        if (interval := mean_interval(series(rng, 300, 0.0).tolist())) is not None
    ]
    assert np.median(widths) == pytest.approx(2 * 1.96 / np.sqrt(300), rel=0.2)


def test_effective_number() -> None:
    rng = np.random.default_rng(6)
    free, bound = (mean_interval(series(rng, 200, correlation).tolist()) for correlation in (0.0, 0.9))
    assert free is not None and bound is not None
    assert 100 < free[2] <= 200 and 2 <= bound[2] < 25


def test_too_few_or_equal_frames_have_no_spread() -> None:
    assert mean_interval([1.0, 2.0, 3.0, 1.0, 2.0]) is None
    assert mean_interval([2.5] * 8) is None  # one value, measured many times


def flagged(tmp_path: Path, confidence: float, figures: dict[str, float]) -> Analysis:
    analysis = build(tmp_path, segments=1, kept=False)
    segment = analysis.segments[0].model_copy(update={"confidence": confidence})
    model = analysis.model.model_copy(update={"figures": figures})
    return analysis.model_copy(update={"segments": (segment,), "model": model})


def test_a_motionless_video_counts_as_one_moment(tmp_path: Path) -> None:
    plain = flagged(tmp_path, 0.8, {"expected calibration error": 0.05})
    still = plain.model_copy(
        update={"persons": tuple(person.model_copy(update={"motionless": True}) for person in plain.persons)}
    )
    moving, interval = (segment_interval(analysis, analysis.segments[0]) for analysis in (plain, still))
    assert moving is not None and moving.effective is not None
    assert interval is not None and interval.frames is None and interval.effective is None
    assert (interval.low, interval.high) == pytest.approx((0.75, 0.85))


def test_an_interval_uses_the_segments_frames_and_the_cards_error(tmp_path: Path) -> None:
    plain = flagged(tmp_path, 0.8, {})
    own = [
        score.logit
        for score in plain.persons[0].scores
        if score.logit is not None and plain.segments[0].start <= score.time <= plain.segments[0].end
    ]
    narrow = segment_interval(plain, plain.segments[0])
    assert narrow is not None and narrow.frames == len(own) and narrow.calibration is None
    assert narrow.low <= 0.8 <= narrow.high
    wide_of = flagged(tmp_path, 0.8, {"expected calibration error": 0.1})
    wide = segment_interval(wide_of, wide_of.segments[0])
    assert wide is not None and wide.calibration == 0.1
    assert wide.low == pytest.approx(narrow.low - 0.1)
    assert wide.high == pytest.approx(min(1.0, narrow.high + 0.1))


def test_one_picture_has_the_cards_error_only(tmp_path: Path) -> None:
    from detector.schema.analysis import MediaKind

    still = build(tmp_path, kind=MediaKind.IMAGE, segments=1, kept=False)
    interval = segment_interval(still, still.segments[0])
    assert interval is not None and interval.frames is None and interval.calibration == 0.021
    bare = still.model_copy(update={"model": still.model.model_copy(update={"figures": {}})})
    assert segment_interval(bare, bare.segments[0]) is None


def test_an_interval_of_nearly_all_probabilities_is_not_stated() -> None:
    """As of a finding of 0.90 whose 26 sampled moments were worth three independent ones."""
    wide = ProbabilityInterval(low=0.004, high=0.998, frames=26, effective=3.0, calibration=0.05)
    assert wide.says_nothing
    assert not replace(wide, low=0.4).says_nothing
    assert not replace(wide, frames=None, effective=None).says_nothing  # the calibration alone made it


def test_probabilities_are_the_engines(tmp_path: Path) -> None:
    analysis = build(tmp_path, segments=1, kept=False)
    assert calibrated(analysis, None)(1.734) == pytest.approx(1 / (1 + np.exp(-1.0)))
    assert calibrated(analysis, Platt(scale=2.0, offset=-1.0))(0.5) == pytest.approx(0.5)


def test_frames_between_samples_add_no_certainty(tmp_path: Path) -> None:
    """Each sampling interval counts once, however many of its frames were judged."""
    analysis = build(tmp_path, segments=1, kept=False)
    segment = analysis.segments[0]
    (person,) = (candidate for candidate in analysis.persons if candidate.id == segment.person)
    dense = [
        score.model_copy(update={"time": score.time + step * 0.04, "pts": score.pts + step})
        for score in person.scores
        for step in range(3)
    ]
    persons = tuple(
        candidate.model_copy(update={"scores": Scores(dense)}) if candidate is person else candidate
        for candidate in analysis.persons
    )
    assert len(dense) == 3 * len(person.scores)
    whole = segment.model_copy(update={"end": segment.end + 0.1})
    before, after = (
        segment_interval(analysis, whole),
        segment_interval(analysis.model_copy(update={"persons": persons}), whole),
    )
    assert before is not None and after is not None and before.frames == after.frames
    assert (before.low, before.high) == pytest.approx((after.low, after.high))


@pytest.mark.parametrize("moments", [3, 5, 8])
def test_covers_the_mean_of_interpolated_moments(moments: int) -> None:
    """Independent moments a second apart, scores interpolated between them as after a second look."""
    rng = np.random.default_rng(moments)
    at = np.arange(moments) + 0.5
    times = np.arange(8 * moments) / 8
    runs, hits, widths, unaware = 600, 0, [], []
    for _ in range(runs):
        values = np.interp(times, at, rng.normal(3.0, 1.0, moments)) + rng.normal(0, 0.3, len(times))
        interval, wide = mean_interval(values.tolist(), moments), mean_interval(values.tolist())
        assert interval is not None and wide is not None
        hits += interval[0] <= 3.0 <= interval[1]
        widths.append(interval[1] - interval[0])
        unaware.append(wide[1] - wide[0])
    assert hits / runs >= 0.85, hits / runs
    assert np.median(widths) < np.median(unaware) / 2
