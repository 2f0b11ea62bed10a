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
    """An interval of a person that reaches the threshold for a finding, before its peaks are explained.

    ``level`` is its :func:`mean_logit`.
    """

    name: str
    person: str
    detections: Detections
    peaks: list[Detection]
    level: float

    @property
    def covered(self) -> float | None:
        """Share of the faces judged in sampled frames of which mouth or eyes are covered."""
        return self.detections.sampled.share_of("covered")


def fill_in_smoothed(detections: Detections, scorer: Scorer, parameters: Parameters) -> None:
    """Fill in ``smoothed`` of all rows, by :func:`smooth`."""
    detections.rows["smoothed"] = smooth(detections, scorer, parameters)


def smooth(detections: Detections, scorer: Scorer, parameters: Parameters) -> rules.Floats:
    """Probability of each detection after the median along its track, ``(n,)``; NaN without a logit."""
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
    """Candidates of each track by their places in ``usable``, whose probabilities are ``smoothed``."""
    times = usable.rows["time"]
    return {
        number: rules.find_in_track(times, smoothed, track, parameters)
        for number, track in usable.by_track().items()
    }


def candidates_of(name: str, group: Detections, parameters: Parameters, kind: MediaKind) -> list[Candidate]:
    """Intervals of one person that reach the threshold (:func:`rules.find_in_person`)."""
    usable = group.only(~np.isnan(group.rows["smoothed"]))
    times, smoothed, raw = (usable.known(field) for field in ("time", "smoothed", "logit"))
    tracks = list(usable.by_track().values())
    intervals = rules.find_in_person(times, smoothed, tracks, parameters, kind is MediaKind.IMAGE)
    found = []
    for rank, interval in enumerate(intervals, start=1):
        inside = usable.only(slice(interval.first, interval.last + 1))
        peaks = [usable[i] for i in rules.peaks(times, smoothed, raw, interval)]
        found.append(
            Candidate(f"{name}{rank}", name, inside, peaks, mean_logit(inside, parameters.sample_rate))
        )
    return found


def mean_logit(detections: Detections, rate: float) -> float:
    """The mean logit of the judged ones; each 1/``rate`` seconds in which any was judged counts alike.

    So frames around boundaries, all of which are judged, weigh no more than sampled ones.
    """
    return mean_of(detections, "logit", rate)


def mean_of(detections: Detections, name: str, rate: float) -> float:
    """The same of the field ``name``."""
    judged = detections.rows[~np.isnan(detections.rows["logit"])]
    return float(np.mean(mean_per_interval(judged["time"], judged[name], rate)))


def candidates_of_all(
    people: Mapping[str, Detections], parameters: Parameters, kind: MediaKind
) -> list[Candidate]:
    """Those of all persons, person by person."""
    return [one for name, group in people.items() for one in candidates_of(name, group, parameters, kind)]


def reaching_in_few_frames(
    people: Mapping[str, Detections],
    found: Sequence[Candidate],
    parameters: Parameters,
    times: Sequence[float],
    seconds: rules.Floats,
) -> dict[str, int]:
    """Who reaches the threshold for as long as a finding takes, but in too few sampled frames for one.

    For each of them, in how many at most at a time. So it is where frames stand for long, as in slide shows
    and time lapses: ``seconds`` (n,) are those for which the frames sampled at ``times`` stand.
    """
    few: dict[str, int] = {}
    for name in people.keys() - {one.person for one in found}:
        group = people[name].sampled
        usable = group.only(~np.isnan(group.rows["smoothed"]))
        at, smoothed = usable.rows["time"], usable.rows["smoothed"]
        lasting = seconds[np.searchsorted(np.asarray(times), at)]
        for track in usable.by_track().values():
            for one in rules.find_reaching(at[track], smoothed[track], parameters):
                inside = track[one.first : one.last + 1]
                if math.fsum(lasting[inside].tolist()) >= parameters.minimum_duration:
                    few[name] = max(few.get(name, 0), len(inside))
    return few


_ROUNDING = 1e-6  # of a sampling interval


def seconds_shown(times: Sequence[float], duration: float, rate: float, damaged: Iterable[Span]) -> Floats:
    """(n,): the seconds for which each of the frames sampled at ``times`` stands.

    All alike where one frame was sampled in each 1/``rate`` seconds of the ``duration``. Else each lasts to
    the next one, the last one to the end, without the ``damaged`` spans, in which pictures are missing.
    """
    start = np.asarray(times, np.float64)
    end = np.append(start[1:], max(duration, start[-1]))
    seconds = end - start
    lost = [np.minimum(end, span.end) - np.maximum(start, span.start) for span in damaged]
    for one in lost:
        seconds -= np.maximum(one, 0.0)
    places = np.floor(np.append(start, duration) * rate + _ROUNDING)
    apart = np.diff(places)
    if not lost and apart.max() <= 1 and apart[:-1].all():
        return np.full(len(start), duration / len(start))
    return np.maximum(seconds, 0.0)


def group_persons(first_pass: FirstPassResult, seconds: rules.Floats) -> dict[str, Detections]:
    """Detections in order of time, by person, who are named in order of screen time.

    ``seconds`` (n,) are those for which each sampled frame stands (:mod:`detector.segments.candidates`).
    """
    by_track = first_pass.detections.by_track()
    groups = []
    for group in first_pass.person_tracks:
        theirs = np.zeros(len(first_pass.detections), np.bool_)
        for number in group:
            theirs[by_track[number]] = True
        groups.append(first_pass.detections.only(theirs))
    times = first_pass.times
    groups.sort(key=lambda group: (-screen_time(group, times, seconds), group[0].time, group[0].box))
    return {person_letters(rank): group for rank, group in enumerate(groups)}


def screen_time(group: Detections, times: Sequence[float], seconds: rules.Floats) -> float:
    """For how long a person is seen: the ``seconds`` of those of the frames sampled at ``times``."""
    places = np.searchsorted(np.asarray(times), group.sampled.rows["time"])
    return round(math.fsum(seconds[places].tolist()), 3)


def published_person(
    name: str,
    group: Detections,
    found: Sequence[Candidate],
    scorer: Scorer,
    rate: float,
    on_screen: float,
    motionless: Set[int] | None = None,
) -> Person:
    """The published value of one person; ``found`` are the candidates of all.

    ``rate`` is that of sampling, ``on_screen`` the person's :func:`screen_time`; ``motionless`` are tracks
    that show one picture (:mod:`detector.faces.tracks`); None where that was not asked, as of photos.
    """
    sampled = group.sampled
    tracks = tuple(np.unique(group.rows["track"]).tolist())
    own = [f for f in found if f.person == name]
    # What covered faces say is nobody's figure where others say something.
    counting = [f for f in own if not is_mostly_covered(f.covered)] or own
    levels = [f.level for f in counting]
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
        scores=Scores(_score(each, scorer) for each in group),
    )


def published_persons(
    people: Mapping[str, Detections],
    found: Sequence[Candidate],
    scorer: Scorer,
    rate: float,
    first_pass: FirstPassResult,
    seconds: rules.Floats,
) -> tuple[Person, ...]:
    """The published values of all ``people``, of :func:`group_persons` with the same last two arguments.

    Others are as of :func:`published_person`.
    """
    times, motionless = first_pass.times, first_pass.motionless
    return tuple(
        published_person(name, group, found, scorer, rate, screen_time(group, times, seconds), motionless)
        for name, group in people.items()
    )


def _score(seen: Detection, scorer: Scorer) -> Score:
    return Score(
        time=seen.time,
        pts=seen.pts,
        track=seen.track,
        box=round_box(seen.box),
        usable=seen.usable,
        logit=seen.logit,
        probability=None if seen.logit is None else scorer.probability(seen.logit),
        smoothed=seen.smoothed,
        interpolated=seen.interpolated,
    )


def _answers(found: Sequence[Candidate], rate: float) -> Answers | None:
    """The second look's answers within ``found``, which are of one person; None where nothing was found."""
    if not found:
        return None
    rows = np.concatenate([one.detections.rows for one in found])
    altered, synthesised = (
        sigmoid(mean_of(Detections(rows), name, rate)) for name in ("altered", "synthesised")
    )
    return Answers(altered=altered, synthesised=synthesised)
