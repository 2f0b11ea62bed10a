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
from detector.schema.scores import overlap
from detector.segments.rules import interval_index, is_sampled
from detector.verdict.judged_persons import (
    JudgedExhibit,
    averaged_persons,
    could_be_average,
    is_kind_borderline,
)
from detector.verdict.reproducibility import grounds
from detector.verdict.reproducibility.field_agreement import differences
from detector.verdict.reproducibility.field_rules import FIELDS
from detector.verdict.reproducibility.segment_agreement import TOLERANCE as TOLERANCE
from detector.verdict.reproducibility.segment_agreement import Tolerance as Tolerance
from detector.verdict.reproducibility.segment_agreement import same_engine_version as same_engine_version
from detector.verdict.reproducibility.voice_agreement import voice_problems
from detector.verdict.verdict import exhibit_probability

_SAME_FACE = 0.5  # minimum intersection over union of two boxes of one face
_EXACT = 1e-9  # seconds; times are fractions stored as the nearest float


@dataclass(frozen=True)
class Agreement:
    """The result of a comparison of two analyses, which agree if there are no problems.

    ``of_file`` are problems about the file's metadata, which other libraries may read differently. Arithmetic
    in another order (threads, batches, instruction sets, library versions) changes the last digits of every
    score, and a face at the edge of being judged may change sides. :data:`TOLERANCE` allows for that and no
    more (docs/evidence.md).
    """

    problems: tuple[str, ...]
    of_file: tuple[str, ...]
    scores: int  # number of faces that both judged
    unmatched: int  # number of faces that only one judged
    score_difference: float  # largest difference of a frame's probability
    score_time: float | None  # its time in seconds
    segment_difference: float  # largest, of a segment's confidence or the exhibit's probability
    edge_difference: float  # largest, of a segment's start or end, in seconds

    @property
    def agree(self) -> bool:
        return not self.problems and not self.of_file

    def __str__(self) -> str:
        place = "" if self.score_time is None else f" at {timecode(self.score_time)}"
        return (
            f"{self.scores:,} scores compared, largest difference {self.score_difference:.2g}{place}; "
            f"{self.unmatched:,} judged in one only; segments' probabilities differ by at most "
            f"{self.segment_difference:.2g}, their edges by at most {self.edge_difference:.3f} s"
        )


def compare_analyses(recorded: Analysis, again: Analysis, tolerance: Tolerance = TOLERANCE) -> Agreement:
    """Compare ``again`` with ``recorded``: frame by frame, segment by segment, and the verdict.

    Both must be of one exhibit, by one model, with the same parameters; any difference in these is a problem.
    """
    same_engine = same_engine_version(recorded.software, again.software)
    scores = _compared_scores(recorded, again, tolerance)
    findings = _compared_findings(recorded, again, tolerance, same_engine)
    problems = _premises(recorded, again) + scores.problems + findings.problems
    problems += _answers(recorded, again, tolerance, same_engine)
    if same_engine:
        problems += grounds.ground_problems(recorded, again, scores.persons, scores.pairs, tolerance)
        problems += _other_fields(recorded, again, scores.persons)
    problems += _others(recorded, again, tolerance, problems)
    problems += _declarations(recorded, again)
    problems += voice_problems(recorded, again, tolerance)
    return Agreement(
        problems=tuple(problems),
        of_file=tuple(grounds.file_problems(recorded, again)) if same_engine else (),
        scores=scores.compared,
        unmatched=scores.unmatched,
        score_difference=scores.difference,
        score_time=scores.time,
        segment_difference=findings.difference,
        edge_difference=findings.edge,
    )


def _other_fields(recorded: Analysis, again: Analysis, persons: Mapping[str, str]) -> list[str]:
    """Return differences of the fields that :data:`FIELDS` does not leave to the other comparisons."""
    problems = grounds.shortened(list(differences(recorded, again, FIELDS)))
    repeated = {person.id: person for person in again.persons}
    for person in recorded.persons:
        if (match := repeated.get(persons.get(person.id, ""))) is not None:
            problems += grounds.shortened(list(differences(person, match, FIELDS, f"of person {person.id},")))
    return problems


def same_arithmetic(first: Software, second: Software) -> bool:
    """Check whether both used the same kind of numbers, as far as is recorded."""
    kinds = {number_format(software.precision) for software in (first, second)}
    return "" in kinds or len(kinds) == 1


class _Scores(NamedTuple):
    """Differences between scores, with fields as in :class:`Agreement`."""

    problems: list[str]
    compared: int
    unmatched: int
    difference: float
    time: float | None
    persons: Mapping[str, str]  # ids in the repeated analysis by ids in the recorded one
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
    for is_sample, allowed in ((True, tolerance.unmatched), (False, tolerance.between)):
        unmatched = sum((score.pts in samples) is is_sample for score in alone)
        count = unmatched + sum((score.pts in samples) is is_sample for score, _ in pairs)
        if unmatched > allowed * count:
            problems.append(f"{unmatched:,} of {count:,} judged faces were judged in one of both only")
    time = None if worst is None else pairs[worst][0].time
    return _Scores(problems, len(pairs), len(alone), largest, time, persons, pairs)


class _Findings(NamedTuple):
    """Differences between segments, verdicts and the exhibit's probability."""

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
        for old, new in zip(recorded.segments, again.segments, strict=True):
            difference = max(difference, abs(old.confidence - new.confidence))
            edge = max(edge, abs(old.start - new.start), abs(old.end - new.end))
            if _moved(recorded, old, new) > tolerance.frames:
                problems.append(
                    f"segment {old.id} is {timecode(new.start)} to {timecode(new.end)}, "
                    f"where {timecode(old.start)} to {timecode(old.end)} is recorded"
                )
    if recorded.verdict is not again.verdict:
        problems.append(f"the verdict is {again.verdict}, where {recorded.verdict} is recorded")
    if (recorded.probability is None) != (again.probability is None):
        problems.append("a probability of the exhibit stands in one of both only")
    elif recorded.probability is not None and again.probability is not None:
        figure = recorded.probability if same_engine else _as_counted_now(recorded)
        figures = [face.probability or 0.0 for face in averaged_persons(recorded)]
        if not _follows(again.probability, figures, tolerance):
            difference = max(difference, abs(figure - again.probability))
    if difference > tolerance.probability:
        problems.append(
            f"a probability of a segment or the exhibit differs by {difference:.3f}, "
            f"more than {tolerance.probability:g}"
        )
    return _Findings(problems, difference, edge)


def _as_counted_now(recorded: Analysis) -> float:
    """Return the exhibit's probability by the current rules for who represents it."""
    assert recorded.probability is not None
    exhibit = JudgedExhibit.of(recorded)
    if exhibit.is_photo or recorded.probability not in {person.probability for person in recorded.persons}:
        return recorded.probability
    now = exhibit_probability(exhibit, recorded.verdict)
    return recorded.probability if now is None else now


def _follows(figure: float, figures: Sequence[float], tolerance: Tolerance) -> bool:
    """Check whether a photo's score follows from its faces' scores, which are compared separately."""
    return bool(figures) and could_be_average(figure, figures, tolerance.probability)


def _premises(recorded: Analysis, again: Analysis) -> list[str]:
    problems = []
    if recorded.media.sha256 != again.media.sha256:
        problems.append("the exhibits are not the same")
    if recorded.model.sha256 != again.model.sha256:
        problems.append("the models are not the same")
    if recorded.parameters != again.parameters:
        problems.append("the settings are not the same")
    old, new = (number_format(analysis.software.precision) for analysis in (recorded, again))
    if not same_arithmetic(recorded.software, again.software):
        problems.append(
            f"the arithmetic is not the same: {new}, where {old} is recorded; see REELPROOF_BACKEND"
        )
    return problems


def _others(
    recorded: Analysis, again: Analysis, tolerance: Tolerance, known_problems: Sequence[str]
) -> list[str]:
    """Return differences between further models and the joint verdict.

    Problems ``known_problems`` for the primary model, such as those of the shared coverage, are left out.
    """
    if len(recorded.others) != len(again.others):
        return [f"{len(again.others)} other models judged, where {len(recorded.others)} are recorded"]
    problems = [
        f"by model {number}, {problem}"
        for number, (old, new) in enumerate(zip(recorded.others, again.others, strict=True), start=2)
        for problem in compare_analyses(recorded.by(old), again.by(new), tolerance).problems
        if problem not in known_problems
    ]
    if recorded.joint and again.joint and recorded.joint.verdict is not again.joint.verdict:
        problems.append(
            f"together they say {again.joint.verdict}, where {recorded.joint.verdict} is recorded"
        )
    return problems


def _answers(recorded: Analysis, again: Analysis, tolerance: Tolerance, same_engine: bool) -> list[str]:
    """Compare the second look's answers. Near its border a kind may be decided in one of both only."""
    old, new = recorded.answers, again.answers
    if same_engine and (old is None) != (new is None):
        return ["answers of the second look stand in one of both only"]
    if old is None or new is None or (not recorded.media.still and not same_engine):
        return []
    looks = [face.second_look for face in averaged_persons(recorded) if face.second_look]
    difference = 0.0
    for before, now, figures in (
        (old.altered, new.altered, [look.altered for look in looks]),
        (old.synthesised, new.synthesised, [look.synthesised for look in looks]),
    ):
        if not _follows(now, figures, tolerance):
            difference = max(difference, abs(before - now))
    if difference > tolerance.probability:
        return [
            f"an answer of the second look differs by {difference:.3f}, more than {tolerance.probability:g}"
        ]
    near = any(is_kind_borderline(person.second_look, tolerance.probability) for person in again.persons)
    told_apart = recorded.kind and again.kind or (same_engine and not near)
    if told_apart and recorded.kind is not again.kind:
        here_kind, there_kind = again.kind or "not told", recorded.kind or "none"
        return [f"the kind of manipulation is {here_kind}, where {there_kind} is recorded"]
    return []


def _declarations(recorded: Analysis, again: Analysis) -> list[str]:
    """Compare declarations, as far as both analyses had the libraries that read them."""
    if recorded.declarations is None or again.declarations is None:
        return []
    checked = all(
        analysis.media.credentials is not None and analysis.media.credentials.checked
        for analysis in (recorded, again)
    )
    old, new = (
        {(declaration.kind, declaration.says, declaration.meaning) for declaration in declarations}
        for declarations in grounds.comparable_declarations(recorded, again, credentials=checked)
    )
    if old == new:
        return []
    return [f"what the file declares differs: {len(old - new)} gone, {len(new - old)} new"]


def _named(analysis: Analysis) -> str:
    return ", ".join(segment.id for segment in analysis.segments) or "none"


def _samples(analysis: Analysis) -> set[int]:
    """Return the PTS of sampled frames with a face."""
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
    """Match faces by frame and box; return pairs, unmatched faces, and corresponding persons."""
    candidates: dict[int, list[tuple[str, Score]]] = defaultdict(list)
    for name, score in _judged(again):
        candidates[score.pts].append((name, score))
    pairs, alone, together = [], [], Counter[tuple[str, str]]()
    for name, score in _judged(recorded):
        near = candidates[score.pts]
        match = max(near, key=lambda new: overlap(score.box, new[1].box), default=None)
        if match is None or overlap(score.box, match[1].box) < _SAME_FACE:
            alone.append(score)
            continue
        near.remove(match)
        pairs.append((score, match[1]))
        together[name, match[0]] += 1
    persons: dict[str, str] = {}
    for (old, new), _ in together.most_common():
        persons.setdefault(old, new)
    return pairs, alone + [score for near in candidates.values() for _, score in near], persons


def _judged(analysis: Analysis) -> list[tuple[str, Score]]:
    return [(person.id, score) for person in analysis.persons for score in person.scores if score.usable]


def _moved(recorded: Analysis, old: Segment, new: Segment) -> int:
    """Return by how many sampled frames of the person the edges of two segments differ."""
    rate = recorded.parameters.sample_rate
    times = next((person.scores.time for person in recorded.persons if person.id == old.person), np.empty(0))

    def between(first: float, second: float) -> int:
        low, high = min(first, second) - _EXACT, max(first, second) + _EXACT
        inside = times[(low <= times) & (times <= high)]
        return max(0, len(np.unique(interval_index(inside, rate))) - 1)

    return max(between(old.start, new.start), between(old.end, new.end))
