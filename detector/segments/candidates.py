"""From detections to persons, and to candidates: intervals of each that reach the threshold for a finding.

:mod:`detector.segments.explained_peaks` makes the published segments of them; on which of these a finding
rests, :mod:`detector.verdict.persons.flagged` tells.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np

from detector.faces.detections import Detection, Detections
from detector.schema.analysis import Answers, MediaKind, Parameters, Person, Score, Scores, is_mostly_covered
from detector.schema.boxes import rounded
from detector.schema.formatting import name_of
from detector.scoring.first_pass.first_pass import FirstPassResult
from detector.scoring.scorer import Scorer, sigmoid
from detector.segments import rules


@dataclass(frozen=True)
class Candidate:
    """An interval of a person that reaches the threshold for a finding, before its peaks are explained.

    ``level`` is its mean logit.
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


def group_persons(first_pass: FirstPassResult, seconds: rules.Floats) -> dict[str, Detections]:
    """Detections in order of time, by person, who are named in order of screen time.

    ``seconds`` (n,) are those for which each sampled frame stands (:mod:`detector.segments.frame_seconds`).
    """
    by_track = first_pass.detections.by_track()
    groups = []
    for group in first_pass.persons:
        theirs = np.zeros(len(first_pass.detections), np.bool_)
        for number in group:
            theirs[by_track[number]] = True
        groups.append(first_pass.detections.only(theirs))
    times = first_pass.times
    groups.sort(key=lambda group: (-screen_time(group, times, seconds), group[0].time, group[0].box))
    return {name_of(rank): group for rank, group in enumerate(groups)}


def screen_time(group: Detections, times: Sequence[float], seconds: rules.Floats) -> float:
    """For how long a person is seen: the ``seconds`` of those of the frames sampled at ``times``."""
    places = np.searchsorted(np.asarray(times), group.sampled.rows["time"])
    return round(math.fsum(seconds[places].tolist()), 3)


def smooth(detections: Detections, scorer: Scorer, parameters: Parameters) -> rules.Floats:
    """Probability of each detection after the median along its track, ``(n,)``; NaN without a logit."""
    rows = detections.rows
    probabilities = np.full(len(rows), np.nan)
    for track in detections.by_track().values():
        usable = track[~np.isnan(rows["logit"][track])]
        times, logits = rows["time"][usable], rows["logit"][usable]
        weights = rules.sample_weights(times, parameters.sample_rate)
        smoothed = rules.sliding_median(times, logits, parameters.median_window, weights)
        probabilities[usable] = np.fromiter(map(scorer.probability, smoothed), np.float64, len(usable))
    return probabilities


def published_person(
    name: str,
    group: Detections,
    found: Sequence[Candidate],
    scorer: Scorer,
    rate: float,
    on_screen: float,
    still: Set[int] | None = None,
) -> Person:
    """The published value of one person; ``found`` are the candidates of all.

    ``rate`` is that of sampling, ``on_screen`` the person's :func:`screen_time`; ``still`` are tracks that
    show one picture (:mod:`detector.faces.stillness`), if that is known.
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
        levels = [_mean_logit(group, rate)]
    return Person(
        id=name,
        median_box=rounded(np.median(sampled.rows["box"], axis=0)),
        screen_time=on_screen,
        tracks=tracks,
        usable_frames=len(_known(sampled, "logit")),
        motionless=None if still is None else still >= set(tracks),
        grey=None if still is None else sampled.share_of("grey"),
        covered=sampled.share_of("covered"),
        quality=sampled.face_quality(),
        probability=max(map(scorer.person_probability, levels), default=None),
        second_look=look,
        scores=Scores(
            Score(
                time=s.time,
                pts=s.pts,
                track=s.track,
                box=rounded(s.box),
                usable=s.usable,
                logit=s.logit,
                probability=None if s.logit is None else scorer.probability(s.logit),
                smoothed=s.smoothed,
                interpolated=s.interpolated,
            )
            for s in group
        ),
    )


def published_persons(
    people: Mapping[str, Detections],
    found: Sequence[Candidate],
    scorer: Scorer,
    rate: float,
    on_screen: Callable[[Detections], float],
    still: Set[int] | None = None,
) -> tuple[Person, ...]:
    """The published values of all persons; arguments as of :func:`published_person`."""
    return tuple(
        published_person(name, group, found, scorer, rate, on_screen(group), still)
        for name, group in people.items()
    )


def track_intervals(
    usable: Detections, smoothed: rules.Floats, parameters: Parameters
) -> dict[int, list[rules.Interval]]:
    """Candidates of each track by their places in ``usable``, whose probabilities are ``smoothed``."""
    times = usable.rows["time"]
    return {
        number: rules.find_in_track(times, smoothed, track, parameters)
        for number, track in usable.by_track().items()
    }


def candidates_of(name: str, group: Detections, parameters: Parameters, kind: MediaKind) -> list[Candidate]:
    """Intervals of one person that reach the threshold (:func:`rules.find_in_person`)."""
    usable = group.only(~np.isnan(group.rows["smoothed"]))
    times, smoothed, raw = (_known(usable, field) for field in ("time", "smoothed", "logit"))
    tracks = list(usable.by_track().values())
    intervals = rules.find_in_person(times, smoothed, tracks, parameters, kind is MediaKind.IMAGE)
    found = []
    for rank, interval in enumerate(intervals, start=1):
        inside = usable.only(slice(interval.first, interval.last + 1))
        peaks = [usable[i] for i in rules.peaks(times, smoothed, raw, interval)]
        found.append(
            Candidate(f"{name}{rank}", name, inside, peaks, _mean_logit(inside, parameters.sample_rate))
        )
    return found


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


def _answers(found: Sequence[Candidate], rate: float) -> Answers | None:
    """The second look's answers within ``found``, which are of one person; None where nothing was found."""
    if not found:
        return None
    rows = np.concatenate([one.detections.rows for one in found])
    altered, synthesised = (
        sigmoid(_mean(Detections(rows), name, rate)) for name in ("altered", "synthesised")
    )
    return Answers(altered=altered, synthesised=synthesised)


def _mean_logit(detections: Detections, rate: float) -> float:
    """The mean logit, of each sampling interval alike."""
    return _mean(detections, "logit", rate)


def _mean(detections: Detections, name: str, rate: float) -> float:
    """The mean of the field ``name`` of those that are judged, of each sampling interval alike."""
    judged = detections.rows[~np.isnan(detections.rows["logit"])]
    return float(np.mean(rules.mean_per_interval(judged["time"], judged[name], rate)))


def _known(detections: Detections, field: str) -> rules.Floats:
    """One field of those of which it is known."""
    values: rules.Floats = detections.rows[field]
    return values[~np.isnan(values)]
