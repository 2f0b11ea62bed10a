"""Who reaches the threshold for as long as a finding takes, but in too few sampled frames for one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from detector.faces.crop import Face
from detector.faces.detections import DetectionBuffer, Detections
from detector.faces.quality import Assessment
from detector.schema.analysis import MediaKind, Parameters
from detector.segments.candidates import find_all_candidates, reaching_in_few_frames, seconds_shown

DEFAULT = Parameters()


def people(
    times: Sequence[float], smoothed: Mapping[str, Mapping[int, float]], between: Sequence[int] = ()
) -> dict[str, Detections]:
    """Persons of one track each, by their smoothed scores in some of the frames at ``times``."""
    groups = {}
    for track, (name, scores) in enumerate(smoothed.items()):
        buffer, face = DetectionBuffer(), Face((0, 0, 60, 60), 0.9, np.zeros((5, 2), np.float32))
        for frame in scores:
            buffer.add(frame, times[frame], frame, track, face, Assessment(None))
        groups[name] = buffer.take()
        groups[name].rows["smoothed"] = groups[name].rows["logit"] = list(scores.values())
        groups[name].rows["between"] = np.isin(list(scores), between)
    return groups


def few(times: Sequence[float], lasts: float, smoothed: Mapping[str, Mapping[int, float]]) -> dict[str, int]:
    seconds = seconds_shown(times, lasts, DEFAULT.sample_rate, ())
    group = people(times, smoothed)
    candidates = find_all_candidates(group, DEFAULT, MediaKind.VIDEO, math.inf)
    return reaching_in_few_frames(group, candidates, DEFAULT, times, seconds)


def test_time_lapse_frame_lasts_two_seconds() -> None:
    times = [2.0 * number for number in range(26)]
    calm = dict.fromkeys((number for number in range(26) if number != 13), 0.1)
    assert few(times, 52.0, {"A": calm, "B": {13: 0.99}}) == {"B": 1}
    assert few(times, 52.0, {"A": calm, "B": {13: 0.5}}) == {}
    assert few(times, 52.0, {"A": calm, "B": {13: 0.99, 14: 0.99}}) == {}, "flagged"


def test_held_frames_count_for_their_duration() -> None:
    times = [number / 8 for number in range(16)]
    times += [8 + number / 8 for number in range(8)]
    assert few(times, 9.0, {"A": {14: 0.9, 15: 0.9}}) == {"A": 2}
    assert few(times, 9.0, {"A": {12: 0.9, 13: 0.9, 14: 0.1, 15: 0.1}}) == {}


@pytest.mark.parametrize("rate", [8.0, 12.5, 24000 / 1001, 25.0, 30.0])
@pytest.mark.parametrize("frames", [1, 2, 3])
def test_ordinary_video_has_no_such_person(rate: float, frames: int) -> None:
    """Its sampled frames stand for an eighth of a second each."""
    shown = np.arange(round(6 * rate)) / rate
    times = shown[np.unique(np.floor(shown * 8 + 1e-9), return_index=True)[1]].tolist()
    for first in range(len(times) - frames):
        assert few(times, 6.0, {"A": dict.fromkeys(range(first, first + frames), 0.9)}) == {}


def test_frames_between_samples_do_not_count() -> None:
    times = [0.0, 2.0, 4.0]
    group = people([*times, 2.04], {"A": {1: 0.9, 3: 0.9}}, between=[3])
    seconds = seconds_shown(times, 6.0, 8.0, ())
    assert reaching_in_few_frames(group, [], DEFAULT, times, seconds) == {"A": 1}
