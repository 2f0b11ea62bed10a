"""Compare scores and findings of two analyses of one exhibit, within the tolerance between machines."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from detector.backends.runtimes import number_format
from detector.schema.analysis import Analysis, Score, Segment, Software
from detector.schema.formatting import timecode
from detector.schema.metadata import DeclarationKind
from detector.schema.scores import overlap
from detector.segments.rules import interval_index, is_sampled
from detector.verdict.judged_persons import JudgedExhibit, could_be, is_near_border, persons_averaged
from detector.verdict.reproducibility import grounds
from detector.verdict.reproducibility.segment_agreement import TOLERANCE as TOLERANCE
from detector.verdict.reproducibility.segment_agreement import Tolerance as Tolerance
from detector.verdict.verdict import exhibit_probability

_SAME_FACE = 0.5  # least overlap of two boxes (intersection over union) that are one face
_EXACT = 1e-9  # seconds: times are fractions stored as the nearest float


@dataclass(frozen=True)
class Agreement:
    """What a comparison found. ``problems`` in words; they agree when there are none.

    ``of_file`` are those about what the file says by itself, which other libraries may read otherwise.
    """

    problems: tuple[str, ...]
    of_file: tuple[str, ...]
    scores: int  # faces in frames that both judged
    unmatched: int  # that one of both judged
    score_difference: float  # largest difference of a frame's probability
    score_time: float | None  # where it is, seconds
    segment_difference: float  # of a segment's confidence or the exhibit's probability
    edge_difference: float  # of a segment's start or end, seconds

    @property
    def agree(self) -> bool:
        return not self.problems and not self.of_file

    def __str__(self) -> str:
        where = "" if self.score_time is None else f" at {timecode(self.score_time)}"
        return (
            f"{self.scores:,} scores compared, largest difference {self.score_difference:.2g}{where}; "
            f"{self.unmatched:,} judged in one only; segments' probabilities differ by at most "
            f"{self.segment_difference:.2g}, their edges by at most {self.edge_difference:.3f} s"
        )


def compare(recorded: Analysis, again: Analysis, tolerance: Tolerance = TOLERANCE) -> Agreement:
    """Hold ``again`` against ``recorded``: frame by frame, segment by segment, and the verdict.

    Both must be of one exhibit, by one model, with the same parameters; what differs of these
    is a problem, and then figures mean little.
    """
    same_engine = made_by_one_engine(recorded.software, again.software)
    scores = _compared_scores(recorded, again, tolerance)
    findings = _compared_findings(recorded, again, tolerance, same_engine)
    problems = _premises(recorded, again) + scores.problems + findings.problems
    problems += _answers(recorded, again, tolerance, same_engine)
    if same_engine:
        problems += grounds.problems(recorded, again, scores.persons, scores.pairs, tolerance)
    problems += _others(recorded, again, tolerance, problems)
    problems += _declarations(recorded, again)
    return Agreement(
        problems=tuple(problems),
        of_file=tuple(grounds.of_file(recorded, again)) if same_engine else (),
        scores=scores.compared,
        unmatched=scores.unmatched,
        score_difference=scores.difference,
        score_time=scores.time,
        segment_difference=findings.difference,
        edge_difference=findings.edge,
    )


def made_by_one_engine(one: Software, other: Software) -> bool:
    """Whether one version of the engine made both, as far as is recorded."""
    return all(
        getattr(one, name) == getattr(other, name)
        for name in ("source_sha256", "face_proposals_sha256", "covered_faces_sha256")
    )


def same_arithmetic(one: Software, other: Software) -> bool:
    """Whether both computed in the same kind of numbers, as far as is recorded."""
    kinds = {number_format(each.precision) for each in (one, other)}
    return "" in kinds or len(kinds) == 1


class _Scores(NamedTuple):
    """What differs of scores; fields as of :class:`Agreement`."""

    problems: list[str]
    compared: int
    unmatched: int
    difference: float
    time: float | None
    persons: Mapping[str, str]  # in the other analysis, by who it is in this one
    pairs: Sequence[tuple[Score, Score]]  # of faces that both judged


def _compared_scores(recorded: Analysis, again: Analysis, tolerance: Tolerance) -> _Scores:
    pairs, alone, persons = _paired(recorded, again)
    differences = [abs((a.probability or 0.0) - (b.probability or 0.0)) for a, b in pairs]
    worst = max(range(len(differences)), key=differences.__getitem__, default=None)
    largest = 0.0 if worst is None else differences[worst]
    problems = []
    if largest > tolerance.probability:
        problems.append(f"a score differs by {largest:.3f}, more than {tolerance.probability:g}")
    samples = _samples(recorded) | _samples(again)
    for is_sample, most in ((True, tolerance.unmatched), (False, tolerance.between)):
        here = sum((score.pts in samples) is is_sample for score in alone)
        count = here + sum((score.pts in samples) is is_sample for score, _ in pairs)
        if here > most * count:
            problems.append(f"{here:,} of {count:,} judged faces were judged in one of both only")
    time = None if worst is None else pairs[worst][0].time
    return _Scores(problems, len(pairs), len(alone), largest, time, persons, pairs)


class _Findings(NamedTuple):
    """What differs of segments, verdict and the exhibit's probability."""

    problems: list[str]
    difference: float  # of probabilities
    edge: float  # seconds


def _compared_findings(
    recorded: Analysis, again: Analysis, tolerance: Tolerance, same_engine: bool
) -> _Findings:
    problems, difference, edge = [], 0.0, 0.0
    if [s.id for s in recorded.segments] != [s.id for s in again.segments]:
        problems.append(f"the segments are {_named(again)}, where {_named(recorded)} are recorded")
    else:
        for there, here in zip(recorded.segments, again.segments, strict=True):
            difference = max(difference, abs(there.confidence - here.confidence))
            edge = max(edge, abs(there.start - here.start), abs(there.end - here.end))
            if _moved(recorded, there, here) > tolerance.frames:
                problems.append(
                    f"segment {there.id} is {timecode(here.start)} to {timecode(here.end)}, "
                    f"where {timecode(there.start)} to {timecode(there.end)} is recorded"
                )
    if recorded.verdict is not again.verdict:
        problems.append(f"the verdict is {again.verdict}, where {recorded.verdict} is recorded")
    if (recorded.probability is None) != (again.probability is None):
        problems.append("a probability of the exhibit stands in one of both only")
    elif recorded.probability is not None and again.probability is not None:
        figure = recorded.probability if same_engine else _as_counted_now(recorded)
        figures = [face.probability or 0.0 for face in persons_averaged(recorded)]
        if not _follows(again.probability, figures, tolerance):
            difference = max(difference, abs(figure - again.probability))
    if difference > tolerance.probability:
        problems.append(
            f"a probability of a segment or the exhibit differs by {difference:.3f}, "
            f"more than {tolerance.probability:g}"
        )
    return _Findings(problems, difference, edge)


def _as_counted_now(recorded: Analysis) -> float:
    """The figure of the whole exhibit; where it is that of one person, that of who counts by now."""
    assert recorded.probability is not None
    exhibit = JudgedExhibit.of(recorded)
    if exhibit.is_photo or recorded.probability not in {one.probability for one in recorded.persons}:
        return recorded.probability
    now = exhibit_probability(exhibit, recorded.verdict)
    return recorded.probability if now is None else now


def _follows(figure: float, figures: Sequence[float], tolerance: Tolerance) -> bool:
    """Whether a figure of a photo of several faces follows from theirs, which are compared by themselves."""
    return bool(figures) and could_be(figure, figures, tolerance.probability)


def _premises(recorded: Analysis, again: Analysis) -> list[str]:
    found = []
    if recorded.media.sha256 != again.media.sha256:
        found.append("the exhibits are not the same")
    if recorded.model.sha256 != again.model.sha256:
        found.append("the models are not the same")
    if recorded.parameters != again.parameters:
        found.append("the settings are not the same")
    one, other = (number_format(each.software.precision) for each in (recorded, again))
    if not same_arithmetic(recorded.software, again.software):
        found.append(
            f"the arithmetic is not the same: {other}, where {one} is recorded; see REELPROOF_BACKEND"
        )
    return found


def _others(recorded: Analysis, again: Analysis, tolerance: Tolerance, told: Sequence[str]) -> list[str]:
    """What differs of other models, each by itself, and of what all amount to together.

    What is ``told`` of the first one already, such as of coverage, which is the same, is left out.
    """
    if len(recorded.others) != len(again.others):
        return [f"{len(again.others)} other models judged, where {len(recorded.others)} are recorded"]
    found = [
        f"by model {number}, {problem}"
        for number, (one, other) in enumerate(zip(recorded.others, again.others, strict=True), start=2)
        for problem in compare(recorded.by(one), again.by(other), tolerance).problems
        if problem not in told
    ]
    if recorded.joint and again.joint and recorded.joint.verdict is not again.joint.verdict:
        found.append(f"together they say {again.joint.verdict}, where {recorded.joint.verdict} is recorded")
    return found


def _answers(recorded: Analysis, again: Analysis, tolerance: Tolerance, same_engine: bool) -> list[str]:
    """Earlier analyses hold no answers. Near its border a kind may be told in one of both alone."""
    there, here = recorded.answers, again.answers
    if same_engine and (there is None) != (here is None):
        return ["answers of the second look stand in one of both only"]
    if there is None or here is None or (not recorded.media.still and not same_engine):
        return []
    looks = [face.second_look for face in persons_averaged(recorded) if face.second_look]
    apart = 0.0
    for then, now, figures in (
        (there.altered, here.altered, [look.altered for look in looks]),
        (there.synthesised, here.synthesised, [look.synthesised for look in looks]),
    ):
        if not _follows(now, figures, tolerance):
            apart = max(apart, abs(then - now))
    if apart > tolerance.probability:
        return [f"an answer of the second look differs by {apart:.3f}, more than {tolerance.probability:g}"]
    near = any(is_near_border(each.second_look, tolerance.probability) for each in again.persons)
    told_apart = recorded.kind and again.kind or (same_engine and not near)
    if told_apart and recorded.kind is not again.kind:
        here_kind, there_kind = again.kind or "not told", recorded.kind or "none"
        return [f"the kind of manipulation is {here_kind}, where {there_kind} is recorded"]
    return []


def _declarations(recorded: Analysis, again: Analysis) -> list[str]:
    """Analyses before 1.6 hold none. Those of Content Credentials need a library that may be missing."""
    if recorded.declarations is None or again.declarations is None:
        return []
    checked = all(each.media.credentials and each.media.credentials.checked for each in (recorded, again))
    there, here = (
        {
            (each.kind, each.says, each.meaning)
            for each in analysis.declarations or ()
            if checked or each.kind is not DeclarationKind.CONTENT_CREDENTIALS
        }
        for analysis in (recorded, again)
    )
    if there == here:
        return []
    return [f"what the file declares differs: {len(there - here)} gone, {len(here - there)} new"]


def _named(analysis: Analysis) -> str:
    return ", ".join(segment.id for segment in analysis.segments) or "none"


def _samples(analysis: Analysis) -> set[int]:
    """PTS of sampled frames with a face."""
    times, pts = (
        np.concatenate(
            [np.empty(0, np.int64), *(getattr(person.scores, field) for person in analysis.persons)]
        )
        for field in ("time", "pts")
    )
    order = np.argsort(times, kind="stable")
    return set(pts[order][is_sampled(times[order], analysis.parameters.sample_rate)].tolist())


def _paired(
    recorded: Analysis, again: Analysis
) -> tuple[list[tuple[Score, Score]], list[Score], Mapping[str, str]]:
    """Faces both judged, those only one did, and who is who. Names of persons and tracks play no part."""
    there: dict[int, list[tuple[str, Score]]] = defaultdict(list)
    for name, score in _judged(again):
        there[score.pts].append((name, score))
    pairs, alone, together = [], [], Counter[tuple[str, str]]()
    for name, score in _judged(recorded):
        near = there[score.pts]
        match = max(near, key=lambda other: overlap(score.box, other[1].box), default=None)
        if match is None or overlap(score.box, match[1].box) < _SAME_FACE:
            alone.append(score)
            continue
        near.remove(match)
        pairs.append((score, match[1]))
        together[name, match[0]] += 1
    persons: dict[str, str] = {}
    for (one, other), _ in together.most_common():
        persons.setdefault(one, other)
    return pairs, alone + [score for near in there.values() for _, score in near], persons


def _judged(analysis: Analysis) -> list[tuple[str, Score]]:
    return [(person.id, score) for person in analysis.persons for score in person.scores if score.usable]


def _moved(recorded: Analysis, there: Segment, here: Segment) -> int:
    """Sampled frames of the person between the edges of two segments, the larger of both ends."""
    rate = recorded.parameters.sample_rate
    times = next(
        (person.scores.time for person in recorded.persons if person.id == there.person), np.empty(0)
    )

    def between(one: float, other: float) -> int:
        low, high = min(one, other) - _EXACT, max(one, other) + _EXACT
        inside = times[(low <= times) & (times <= high)]
        return max(0, len(np.unique(interval_index(inside, rate))) - 1)

    return max(between(there.start, here.start), between(there.end, here.end))
