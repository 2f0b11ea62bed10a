"""Fields of an analysis that follow from others: what was changed alone is named, without the exhibit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from analyses import build, model, peak
from changed_parts import person, segment

from detector.schema.analysis import (
    Analysis,
    MediaKind,
    OtherModel,
    Peak,
    Ran,
    Score,
    Scores,
    Segment,
)
from detector.schema.measurements import Cause
from detector.schema.model import SecondLookModel
from detector.schema.scores import logit_of, sigmoid
from detector.segments import rules
from detector.segments.rules import interval_index, mean_per_interval, sample_weights
from detector.verdict.derived_fields import contradictions


def as_it_follows(analysis: Analysis) -> Analysis:
    """A made-up analysis whose logits, segments and peaks are what the engine makes of its probabilities."""
    (person,), parameters, temperature = analysis.persons, analysis.parameters, analysis.model.temperature
    scores = person.scores
    judged = np.flatnonzero(scores.usable)
    times, logits = scores.time[judged], temperature * scores.logit[judged]
    tracks = [np.flatnonzero(scores.track[judged] == number) for number in np.unique(scores.track[judged])]
    smoothed = np.empty(len(judged))
    for track in tracks:
        weights = sample_weights(times[track], parameters.sample_rate)
        medians = rules.sliding_median(times[track], logits[track], parameters.median_window, weights)
        smoothed[track] = [sigmoid(median / temperature) for median in medians]
    values = dict(zip(judged.tolist(), zip(logits.tolist(), smoothed.tolist(), strict=True), strict=True))
    new = Scores(
        entry.model_copy(update=dict(zip(("logit", "smoothed"), values[at], strict=True)))
        if at in values
        else entry
        for at, entry in enumerate(scores)
    )
    still = analysis.media.kind is MediaKind.IMAGE
    segments = []
    opens = temperature * logit_of(parameters.enter_threshold)
    spans = rules.find_in_person(times, smoothed, logits, tracks, opens, parameters, still)
    for number, entry in enumerate(spans, start=1):
        inside = slice(entry.first, entry.last + 1)
        level = float(mean_per_interval(times[inside], logits[inside], parameters.sample_rate).mean())
        tops = [new[int(judged[at])] for at in rules.find_peaks(times, smoothed, logits, entry)]
        start, end = float(times[entry.first]), float(times[entry.last])
        segments.append(
            Segment(
                id=f"A{number}",
                person="A",
                start=start,
                end=end,
                start_frame=number_of(start),
                end_frame=number_of(end),
                confidence=sigmoid(level / temperature),
                frames=entry.last - entry.first + 1,
                peaks=tuple(peak_of(score) for score in tops),
            )
        )
    sampled = np.unique(interval_index(new.time, parameters.sample_rate), return_index=True)[1]
    middle = tuple(np.median(new.box[sampled], axis=0).tolist())
    tracks_of = tuple(np.unique(new.track).tolist())
    person = person.model_copy(update={"scores": new, "median_box": middle, "tracks": tracks_of})
    software = analysis.software.model_copy(update={"source_sha256": "5" * 64})
    return analysis.model_copy(
        update={"persons": (person,), "segments": tuple(segments), "software": software}
    )


def number_of(time: float) -> int:
    return round(time * 29.97)


def peak_of(score: Score) -> Peak:
    changes = {"pts": score.pts, "probability": score.probability, "box": score.box}
    changes["frame_index"] = number_of(score.time)
    return peak("A1", 1, score.time, kept=False).model_copy(update=changes)


@pytest.fixture
def made(tmp_path: Path) -> Analysis:
    return as_it_follows(build(tmp_path, persons=1, segments=1, kept=False, duration=20.0))


def scores(analysis: Analysis, change: Callable[[Score], Mapping[str, Any]]) -> Analysis:
    """With the judged scores of the segment changed."""
    (subject,), (segment,) = analysis.persons, analysis.segments
    inside = [segment.start <= score.time <= segment.end and score.usable for score in subject.scores]
    pairs = zip(subject.scores, inside, strict=True)
    changed = (score.model_copy(update=change(score)) if within else score for score, within in pairs)
    return person(analysis, scores=Scores(changed))


def first_peak(analysis: Analysis, **values: Any) -> Analysis:
    (stretch,) = analysis.segments
    first, *others = stretch.peaks
    return segment(analysis, peaks=(first.model_copy(update=values), *others))


FORGED: dict[str, tuple[str, Callable[[Analysis], Analysis]]] = {
    "logits": ("probabilities of person A do not", lambda a: scores(a, lambda _: {"logit": 5.0})),
    "smoothed": ("smoothed probabilities of person A", lambda a: scores(a, lambda _: {"smoothed": 1.0})),
    "tracks": ("tracks of person A", lambda a: person(a, tracks=(7, 9))),
    "half": ("half judged", lambda a: scores(a, lambda _: {"smoothed": None})),
    "start": ("begins or ends at no scored frame", lambda a: segment(a, start=a.segments[0].start + 0.01)),
    "frames": ("scored frames, where", lambda a: segment(a, frames=9000)),
    "order": ("contradict each other", lambda a: segment(a, start_frame=a.segments[0].end_frame)),
    "beyond": ("contradict each other", lambda a: segment(a, end_frame=90_000)),
    "few": ("contradict each other", lambda a: segment(a, start_frame=110, end_frame=112, peaks=())),
    "pts": ("no scored frame", lambda a: first_peak(a, pts=a.segments[0].peaks[0].pts + 1)),
    "time": ("no scored frame", lambda a: first_peak(a, time=a.segments[0].peaks[1].time)),
    "frame": ("contradict each other", lambda a: first_peak(a, frame_index=1)),
    "box": ("no scored frame", lambda a: first_peak(a, box=(900.0, 100.0, 1100.0, 300.0))),
    "probability": ("no scored frame", lambda a: first_peak(a, probability=0.5)),
}
BY_THESE_RULES: dict[str, tuple[str, Callable[[Analysis], Analysis]]] = {
    "place": ("the middle place of person A", lambda a: person(a, median_box=(0.0, 0.0, 10.0, 10.0))),
    "smoothed a little": (
        "smoothed probabilities",
        lambda a: scores(a, lambda each: {"smoothed": each.smoothed - 0.01}),
    ),
    "shorter": ("segments of person A are not", lambda a: shorter(a)),
    "none": ("segments of person A are not", lambda a: a.model_copy(update={"segments": ()})),
    "another peak": ("the peaks of segment A1 are not", lambda a: another_peak(a)),
    "a peak twice": (
        "the peaks of segment A1 are not",
        lambda a: segment(a, peaks=(a.segments[0].peaks[0],) * 2),
    ),
    "confidence": ("the confidence of segment A1", lambda a: segment(a, confidence=0.5)),
    "cause": (
        "the codes of the reason",
        lambda a: a.model_copy(update={"causes": (Cause(code="no_face"),)}),
    ),
    "unknown cause": (
        "the codes of the reason",
        lambda a: a.model_copy(update={"causes": (Cause(code="invented"),)}),
    ),
}


def shorter(analysis: Analysis) -> Analysis:
    (subject,) = analysis.persons
    (there,) = analysis.segments
    inside = [score for score in subject.scores if score.usable and there.start <= score.time <= there.end]
    return segment(analysis, start=inside[1].time, frames=len(inside) - 1)


def another_peak(analysis: Analysis) -> Analysis:
    (subject,) = analysis.persons
    (there,) = analysis.segments
    second = next(score for score in subject.scores if score.time > there.start)
    return segment(analysis, peaks=(peak_of(second),))


def told(analysis: Analysis, this_version: bool = True) -> list[str]:
    """Read again, as it is verified."""
    return list(contradictions(Analysis.from_json(analysis.to_json()), this_version))


def test_consistent_analysis_has_no_contradictions(made: Analysis, tmp_path: Path) -> None:
    assert len(made.segments) == 1 and len(made.segments[0].peaks) > 1
    assert told(made) == told(made, this_version=False) == []
    still = build(tmp_path, persons=1, segments=1, kind=MediaKind.IMAGE, kept=False)
    photo = as_it_follows(still)
    assert len(photo.segments) == 1 and told(photo) == []
    assert told(photo.model_copy(update={"segments": ()})) == []  # outweighed by other faces


@pytest.mark.parametrize("name", FORGED)
def test_forged_field_is_reported(made: Analysis, name: str) -> None:
    words, forge = FORGED[name]
    for this_version in (True, False):
        assert any(words in problem for problem in told(forge(made), this_version)), told(forge(made))


@pytest.mark.parametrize("name", BY_THESE_RULES)
def test_rules_of_earlier_versions_are_tolerated(made: Analysis, name: str) -> None:
    words, forge = BY_THESE_RULES[name]
    assert any(words in problem for problem in told(forge(made))), told(forge(made))
    assert told(forge(made), this_version=False) == []


def test_analysis_without_source_hash_is_not_checked(made: Analysis) -> None:
    software = made.software.model_copy(update={"source_sha256": None})
    assert told(FORGED["logits"][1](made).model_copy(update={"software": software})) == []


def test_other_models(made: Analysis) -> None:
    """Of one with a second look earlier versions told no calibration; all else is held against its scores."""
    second = SecondLookModel(name="x", architecture="y", sha256="c" * 64)
    for look, forged, this_version, words in (
        (None, "logits", False, "by model 2, probabilities of person A"),
        (second, "logits", True, "by model 2, probabilities of person A"),
        (second, "logits", False, None),
        (second, "pts", True, "by model 2, peak 1 of segment A1"),
    ):
        changed = FORGED[forged][1](made)
        other = OtherModel(
            model=model().model_copy(update={"second_look": look}),
            verdict=made.verdict,
            reason="",
            probability=made.probability,
            segments=changed.segments,
            persons=changed.persons,
            ran=Ran(backend="torch", precision="float32", device="cpu"),
        )
        problems = told(made.model_copy(update={"others": (other,)}), this_version)
        assert (
            any(words in problem for problem in problems)
            if words
            else not any("probab" in problem for problem in problems)
        )
