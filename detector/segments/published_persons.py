"""Persons as they are published: who they are, for how long each is seen, and their figures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Set

import numpy as np

from detector.faces.detections import Detection, Detections
from detector.schema.analysis import Answers, Person, Score, Scores, is_mostly_covered
from detector.schema.boxes import rounded
from detector.schema.formatting import name_of
from detector.schema.logistic import sigmoid
from detector.scoring.first_pass.first_pass import FirstPassResult
from detector.scoring.scorer import Scorer
from detector.segments import rules
from detector.segments.candidates import Candidate, mean_logit, mean_of


def group_persons(first_pass: FirstPassResult, seconds: rules.Floats) -> dict[str, Detections]:
    """Detections in order of time, by person, who are named in order of screen time.

    ``seconds`` (n,) are those for which each sampled frame stands (:mod:`detector.segments.frame_seconds`).
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
    return {name_of(rank): group for rank, group in enumerate(groups)}


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
    that show one picture (:mod:`detector.faces.stillness`); None where that was not asked, as of photos.
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
        median_box=rounded(np.median(sampled.rows["box"], axis=0)),
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
        box=rounded(seen.box),
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
