"""For how long each sampled frame stands, and how long persons are seen by that."""

from __future__ import annotations

import numpy as np
import pytest

from detector.faces.crop import Face
from detector.faces.detections import DetectionBuffer
from detector.faces.quality import Assessment
from detector.schema.analysis import Span
from detector.scoring.first_pass import FirstPassResult
from detector.segments.candidates import group_persons, screen_time, seconds_shown
from detector.verdict.coverage import NOT_DECODED

RECORDED = [n / 8 for n in range(16)]  # two seconds of somebody, then slides
SLIDES = [*RECORDED, 2.0, 20.0, 40.0, 60.0]
LASTS = 60.04


def sampled(rate: float, seconds: float, every: float = 8.0) -> list[float]:
    times = np.arange(round(seconds * rate)) / rate
    return times[np.unique(np.floor(times * every + 1e-9), return_index=True)[1]].tolist()


@pytest.mark.parametrize("rate", [8.0, 12.5, 24000 / 1001, 25.0, 30.0])
def test_constant_rate_frames_last_equally_long(rate: float) -> None:
    times = sampled(rate, 10.0)
    assert set(seconds_shown(times, 10.0, 8.0, ()).tolist()) == {10.0 / len(times)}


@pytest.mark.parametrize("rate", [1.0, 2.0, 5.0])
def test_low_rate_frames_last_equally_long(rate: float) -> None:
    assert seconds_shown(sampled(rate, 10.0), 10.0, 8.0, ()) == pytest.approx(1 / rate)


def test_variable_rate_frames_last_until_the_next() -> None:
    seconds = seconds_shown(SLIDES, LASTS, 8.0, ())
    assert seconds.sum() == pytest.approx(LASTS)
    assert seconds[:16] == pytest.approx(1 / 8)
    assert seconds[16:] == pytest.approx([18.0, 20.0, 20.0, 0.04])


@pytest.mark.parametrize("stays", [0.2, 6.0])
def test_held_frame_counts_even_if_not_first_in_its_interval(
    stays: float,
) -> None:
    times = [n / 8 for n in range(8)] + [0.96, *(0.96 + stays + n / 8 for n in range(8))]
    seconds = seconds_shown(times, times[-1] + 1 / 8, 8.0, ())
    assert seconds[7:9] == pytest.approx([0.96 - 7 / 8, stays])
    assert seconds.sum() == pytest.approx(times[-1] + 1 / 8)


def test_long_last_frame_counts_fully() -> None:
    assert seconds_shown(RECORDED, 32.0, 8.0, ())[-2:] == pytest.approx([1 / 8, 30 + 1 / 8])


def test_undecodable_time_is_not_counted() -> None:
    damaged = Span(start=1.0, end=9.0, cause=NOT_DECODED)
    times = [n / 8 for n in range(80) if not 8 < n < 72]
    seconds = seconds_shown(times, 10.0, 8.0, [damaged])
    assert seconds[8] == 0 and seconds.sum() == pytest.approx(2.0)


def test_photo_has_no_duration() -> None:
    assert seconds_shown([0.0], 0.0, 8.0, ()).tolist() == [0.0]


def test_persons_are_ordered_by_screen_time() -> None:
    """Not by how many frames they are in: one in sixteen frames for two seconds, one in three slides."""
    buffer, face = DetectionBuffer(), Face((0, 0, 60, 60), 0.9, np.zeros((5, 2), np.float32))
    for number, time in enumerate(SLIDES):
        buffer.add(number, time, number, int(time >= 2), face, Assessment(None))
    first_pass = FirstPassResult(buffer.take(), [[0], [1]], SLIDES, [], 0)
    seconds = seconds_shown(SLIDES, LASTS, 8.0, ())
    people = group_persons(first_pass, seconds)
    assert [set(group.rows["track"].tolist()) for group in people.values()] == [{1}, {0}]
    assert [screen_time(group, SLIDES, seconds) for group in people.values()] == [58.04, 2.0]
