"""Find candidate segments in the scores of each person, and describe persons as they are published."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np

from detector.faces.detections import Detection, Detections
from detector.schema.analysis import (
    Answers,
    MediaKind,
    Parameters,
    Person,
    Score,
    Scores,
    Span,
    is_mostly_covered,
)
from detector.schema.formatting import person_letters
from detector.schema.scores import round_box, sigmoid
from detector.scoring.first_pass import FirstPassResult
from detector.scoring.scorer import Scorer
from detector.segments import rules
from detector.segments.rules import Floats, mean_per_interval, sample_weights


@dataclass(frozen=True)
class Candidate:
    """An interval of a person that reaches the threshold; ``level`` is its :func:`mean_logit`.

    ``calm`` is the face of the same person outside all intervals with the lowest score, if there is one.
    """

    name: str
    person: str
    detections: Detections
    peaks: list[Detection]
    level: float
    calm: Detection | None = None

    @property
    def covered(self) -> float | None:
        """The share of judged faces in sampled frames whose mouth or eyes are covered."""
        return self.detections.sampled.share_of("covered")


def fill_in_smoothed(detections: Detections, scorer: Scorer, parameters: Parameters) -> None:
    """Fill in ``smoothed`` of all rows with :func:`smooth`."""
    detections.rows["smoothed"] = smooth(detections, scorer, parameters)


def smooth(detections: Detections, scorer: Scorer, parameters: Parameters) -> rules.Floats:
    """Return the probability of each detection after the median along its track; NaN without a logit."""
    rows = detections.rows
    probabilities = np.full(len(rows), np.nan)
    for track in detections.by_track().values():
        usable = track[~np.isnan(rows["logit"][track])]
        times, logits = rows["time"][usable], rows["logit"][usable]
        weights = sample_weights(times, parameters.sample_rate)
        smoothed = rules.sliding_median(times, logits, parameters.median_window, weights)
        probabilities[usable] = np.fromiter(map(scorer.probability, smoothed), np.float64, len(usable))
    return probabilities


def track_intervals(
    usable: Detections, smoothed: rules.Floats, parameters: Parameters
) -> dict[int, list[rules.IndexRange]]:
    """Find the candidates of each track, as indices of ``usable``, from ``smoothed`` probabilities."""
    times = usable.rows["time"]
    return {
        number: rules.find_in_track(times, smoothed, track, parameters)
        for number, track in usable.by_track().items()
    }


def find_candidates(
    name: str, group: Detections, parameters: Parameters, kind: MediaKind, opens: float
) -> list[Candidate]:
    """Find the intervals of one person that reach the threshold (:func:`rules.find_in_person`).

    ``opens`` is the logit of a frame at the threshold of a segment.
    """
    usable = group.only(~np.isnan(group.rows["smoothed"]))
    times, smoothed, raw = (usable.known(field) for field in ("time", "smoothed", "logit"))
    tracks = list(usable.by_track().values())
    intervals = rules.find_in_person(times, smoothed, raw, tracks, opens, parameters, kind is MediaKind.IMAGE)
    outside = np.ones(len(usable), np.bool_)
    for interval in intervals:
        outside[interval.first : interval.last + 1] = False
    candidates = []
    for rank, interval in enumerate(intervals, start=1):
        inside = usable.only(slice(interval.first, interval.last + 1))
        peaks = [usable[i] for i in rules.find_peaks(times, smoothed, raw, interval)]
        level = mean_logit(inside, parameters.sample_rate)
        calm = _calmest(usable.only(outside), inside, parameters)
        candidates.append(Candidate(f"{name}{rank}", name, inside, peaks, level, calm))
    return candidates


_ALIKE = 1.5  # times by which the face may be larger or smaller in a calm frame


def _calmest(outside: Detections, inside: Detections, parameters: Parameters) -> Detection | None:
    """Return the face ``outside`` with the lowest score, of about the size of those ``inside``; None above
    the threshold at which a segment ends.
    """
    sampled = outside.sampled
    own, wanted = _widths(sampled), float(np.median(_widths(inside)))
    rows = sampled.rows
    fits = (rows["smoothed"] < parameters.exit_threshold) & ~rows["interpolated"]
    fits &= (own < wanted * _ALIKE) & (own > wanted / _ALIKE)
    if not fits.any():
        return None
    return sampled[int(np.where(fits, rows["smoothed"], np.inf).argmin())]


def _widths(detections: Detections) -> Floats:
    boxes = detections.rows["box"]
    widths: Floats = (boxes[:, 2] - boxes[:, 0]).astype(np.float64)
    return widths


def mean_logit(detections: Detections, rate: float) -> float:
    """Return the mean logit, in which each sampling interval with a judged frame counts the same.

    Frames around boundaries, all of which are judged, thus weigh no more than sampled ones.
    """
    return mean_field(detections, "logit", rate)


def mean_field(detections: Detections, name: str, rate: float) -> float:
    """Return the same mean of the field ``name``."""
    judged = detections.rows[~np.isnan(detections.rows["logit"])]
    return float(np.mean(mean_per_interval(judged["time"], judged[name], rate)))


def find_all_candidates(
    people: Mapping[str, Detections], parameters: Parameters, kind: MediaKind, opens: float
) -> list[Candidate]:
    """Find the candidates of all persons by :func:`find_candidates`."""
    return [
        candidate
        for name, group in people.items()
        for candidate in find_candidates(name, group, parameters, kind, opens)
    ]


def reaching_in_few_frames(
    people: Mapping[str, Detections],
    candidates: Sequence[Candidate],
    parameters: Parameters,
    times: Sequence[float],
    seconds: rules.Floats,
) -> dict[str, int]:
    """Find persons who reach the threshold for the minimum duration, but in too few sampled frames.

    Returns their largest number of frames in a row. This happens where frames are shown for long, as in slide
    shows and time lapses; ``seconds`` are the durations of the frames sampled at ``times``.
    """
    few: dict[str, int] = {}
    for name in people.keys() - {interval.person for interval in candidates}:
        group = people[name].sampled
        usable = group.only(~np.isnan(group.rows["smoothed"]))
        at, smoothed = usable.rows["time"], usable.rows["smoothed"]
        lasting = seconds[np.searchsorted(np.asarray(times), at)]
        for track in usable.by_track().values():
            for interval in rules.find_reaching(at[track], smoothed[track], parameters):
                inside = track[interval.first : interval.last + 1]
                if math.fsum(lasting[inside].tolist()) >= parameters.minimum_duration:
                    few[name] = max(few.get(name, 0), len(inside))
    return few


_ROUNDING = 1e-6  # share of a sampling interval


def seconds_shown(times: Sequence[float], duration: float, rate: float, damaged: Iterable[Span]) -> Floats:
    """Return for how many seconds each of the frames sampled at ``times`` is shown.

    With one frame in each sampling interval all last equally long. Otherwise each lasts to the next one,
    without ``damaged`` spans, in which pictures are missing.
    """
    start = np.asarray(times, np.float64)
    end = np.append(start[1:], max(duration, start[-1]))
    seconds = end - start
    lost = [np.minimum(end, span.end) - np.maximum(start, span.start) for span in damaged]
    for missing in lost:
        seconds -= np.maximum(missing, 0.0)
    places = np.floor(np.append(start, duration) * rate + _ROUNDING)
    apart = np.diff(places)
    if not lost and apart.max() <= 1 and apart[:-1].all():
        return np.full(len(start), duration / len(start))
    return np.maximum(seconds, 0.0)


def group_persons(first_pass: FirstPassResult, seconds: rules.Floats) -> dict[str, Detections]:
    """Group detections by person, in order of time; persons are named in order of screen time."""
    by_track = first_pass.detections.by_track()
    groups = []
    for group in first_pass.person_tracks:
        of_person = np.zeros(len(first_pass.detections), np.bool_)
        for number in group:
            of_person[by_track[number]] = True
        groups.append(first_pass.detections.only(of_person))
    times = first_pass.times
    groups.sort(key=lambda group: (-screen_time(group, times, seconds), group[0].time, group[0].box))
    return {person_letters(rank): group for rank, group in enumerate(groups)}


def screen_time(group: Detections, times: Sequence[float], seconds: rules.Floats) -> float:
    """Return for how long a person is visible: the ``seconds`` of its sampled frames."""
    places = np.searchsorted(np.asarray(times), group.sampled.rows["time"])
    return round(math.fsum(seconds[places].tolist()), 3)


def published_person(
    name: str,
    group: Detections,
    candidates: Sequence[Candidate],
    scorer: Scorer,
    rate: float,
    on_screen: float,
    motionless: Set[int] | None = None,
) -> Person:
    """Build the published value of one person; ``candidates`` are the candidates of all persons.

    ``motionless`` are the tracks that show a single still picture; None if not measured, as for photos.
    """
    sampled = group.sampled
    tracks = tuple(np.unique(group.rows["track"]).tolist())
    own = [candidate for candidate in candidates if candidate.person == name]
    # Intervals with covered faces represent a person only if there are no others.
    counting = [candidate for candidate in own if not is_mostly_covered(candidate.covered)] or own
    levels = [candidate.level for candidate in counting]
    look = scorer.second_look_of(tracks[0])
    if look is not None:
        look = look.model_copy(update={"in_segments": _answers(counting, rate)})
    if not levels and np.any(~np.isnan(group.rows["logit"])):
        levels = [mean_logit(group, rate)]
    return Person(
        id=name,
        median_box=round_box(np.median(sampled.rows["box"], axis=0)),
        screen_time=on_screen,
        tracks=tracks,
        usable_frames=len(sampled.known("logit")),
        motionless=None if motionless is None else motionless >= set(tracks),
        grey=None if motionless is None else sampled.share_of("grey"),
        covered=sampled.share_of("covered"),
        quality=sampled.face_quality(),
        probability=max(map(scorer.person_probability, levels), default=None),
        second_look=look,
        scores=Scores(_score(detection, scorer) for detection in group),
    )


def published_persons(
    people: Mapping[str, Detections],
    candidates: Sequence[Candidate],
    scorer: Scorer,
    rate: float,
    first_pass: FirstPassResult,
    seconds: rules.Floats,
) -> tuple[Person, ...]:
    """Build the published values of all persons of :func:`group_persons`."""
    times, motionless = first_pass.times, first_pass.motionless
    return tuple(
        published_person(
            name, group, candidates, scorer, rate, screen_time(group, times, seconds), motionless
        )
        for name, group in people.items()
    )


def _score(detection: Detection, scorer: Scorer) -> Score:
    return Score(
        time=detection.time,
        pts=detection.pts,
        track=detection.track,
        box=round_box(detection.box),
        usable=detection.usable,
        logit=detection.logit,
        probability=None if detection.logit is None else scorer.probability(detection.logit),
        smoothed=detection.smoothed,
        interpolated=detection.interpolated,
    )


def _answers(candidates: Sequence[Candidate], rate: float) -> Answers | None:
    """Return the second look's answers within the candidates of one person; None without candidates."""
    if not candidates:
        return None
    rows = np.concatenate([candidate.detections.rows for candidate in candidates])
    altered, synthesised = (
        sigmoid(mean_field(Detections(rows), name, rate)) for name in ("altered", "synthesised")
    )
    return Answers(altered=altered, synthesised=synthesised)
