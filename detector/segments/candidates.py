"""From the scores of persons to candidates: intervals that reach the threshold for a finding.

:mod:`detector.segments.explained_peaks` makes the published segments of them; on which of these a finding
rests, :mod:`detector.verdict.persons.flagged` tells.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from detector.faces.detections import Detection, Detections
from detector.schema.analysis import MediaKind, Parameters
from detector.scoring.scorer import Scorer
from detector.segments import rules
from detector.segments.sampling_intervals import mean_per_interval, sample_weights


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
