"""Check that verdict, reason and probability follow from the scores, by the rules of this version."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from detector.networks.graphs import PARTS
from detector.schema.analysis import SCHEMA_VERSION, Analysis, Coverage, OtherModel, Person, Segment, Verdict
from detector.schema.causes.cause import Cause
from detector.schema.causes.reasons import ReasonCode
from detector.schema.causes.spans import SpanCode
from detector.schema.formatting import person_letters
from detector.schema.peaks import Peak
from detector.schema.scores import sigmoid
from detector.scoring.person_look import LEAST_AGREEING
from detector.segments.rules import is_sampled, mean_per_interval
from detector.verdict.coverage import unexamined_causes
from detector.verdict.judged_persons import (
    JudgedExhibit,
    flagged_segments,
    is_covered,
    manipulation_kind,
    outweighed_faces,
    persons_reaching_threshold,
)
from detector.verdict.verdict import (
    decide,
    exhibit_answers,
    exhibit_probability,
    exhibit_stability,
    following_remarks,
    joint_verdict,
)

_NO_FACES = tuple(
    code.code
    for code in (ReasonCode.PICTURES_NOT_READ, ReasonCode.FACES_ERROR, ReasonCode.FACES_OUT_OF_MEMORY)
)
_IN_FEW_FRAMES = (ReasonCode.REACHED_IN_FEW_FRAMES.code, ReasonCode.DOUBTFUL.code)
_EXACT = 1e-6  # seconds and probabilities, both stored as the nearest float


def verdict_contradictions(analysis: Analysis) -> Iterator[str]:
    """Yield descriptions of findings of this version that do not follow from the fields they rest on."""
    if analysis.schema_version != SCHEMA_VERSION:
        yield f"its schema is {analysis.schema_version}, where this version writes {SCHEMA_VERSION}"
    if analysis.declarations is None or analysis.marks is None:
        yield "what the file declares is missing"
    elif analysis.marks.sound is not None and not (analysis.media.has_sound and analysis.parameters.sound):
        yield "sound was searched for marks, although the file has none, or it was left out"
    if analysis.media.sound_only:
        yield from _of_recording(analysis)
        return
    yield from _of_kept_pictures(analysis)
    yield from _of_model(analysis)
    yield from _of_exhibit(analysis)
    yield from _of_coverage(analysis.coverage, analysis.persons)
    for number, other in enumerate(analysis.others, start=2):
        for problem in _of_model(analysis.by(other), alone=False):
            yield f"by model {number}, {problem}"
        if not _same_persons(analysis, other):
            yield f"model {number} judged other persons than the first one"
    verdicts = [(analysis.model.title, analysis.verdict)]
    verdicts += [(other.model.title, other.verdict) for other in analysis.others]
    if (analysis.joint is None) is bool(analysis.others) or (
        analysis.joint is not None and analysis.joint != joint_verdict(analysis.joint.rule, verdicts)
    ):
        yield "the joint verdict does not follow from those of the models"


def _same_persons(analysis: Analysis, other: OtherModel) -> bool:
    """Check that another model judged the same persons,."""
    if [person.id for person in other.persons] != [person.id for person in analysis.persons]:
        return False
    faces = [set(zip(person.scores.pts.tolist(), person.scores.track.tolist(), strict=True))
             for person in analysis.persons]  # fmt: skip
    return all(
        faces[place].issuperset(zip(person.scores.pts.tolist(), person.scores.track.tolist(), strict=True))
        for place, person in enumerate(other.persons)
    )


def _of_recording(analysis: Analysis) -> Iterator[str]:
    """Check that no finding about faces is stated for a recording of sound."""
    first = analysis.causes[0] if analysis.causes else None
    if first is not None and first.code in _NO_FACES:
        due = Cause(code=first.code, parameters=first.parameters)
    else:
        due = ReasonCode.NO_PICTURE.cause()
    if (analysis.verdict, analysis.causes) != (Verdict.INCONCLUSIVE, (due,)):
        yield "the verdict on the faces or its reason is not that of a recording of sound"
    findings = (analysis.probability, analysis.kind, analysis.answers, analysis.stability, analysis.joint)
    lists = (analysis.persons, analysis.segments, analysis.others)
    if any(finding is not None for finding in findings) or any(lists):
        yield "it states findings about faces of a recording of sound"
    coverage = Coverage(
        frames_sampled=0, frames_with_face=0, frames_with_usable_face=0, faces_found=0, faces_unusable=0,
        faces_discarded=0, cuts=(), not_examined=(),
    )  # fmt: skip
    if analysis.coverage != coverage or analysis.picture or analysis.boxed:
        yield "pictures were examined of a recording of sound"


def _of_model(analysis: Analysis, *, alone: bool = True) -> Iterator[str]:
    """Check the finding of one model; the reason of the first one, ``alone``, tells of the file as well."""
    exhibit = JudgedExhibit.of(analysis)
    verdict, causes = decide(exhibit, _in_few_frames(analysis))
    due = (*causes, *following_remarks(exhibit, analysis.media))
    if alone:
        due += tuple(unexamined_causes(analysis.media, _missing_seconds(analysis)))
    if verdict is not analysis.verdict or not _same_causes(due, analysis.causes):
        yield "the verdict or its reason does not follow from persons, segments and coverage"
    decisive = Verdict.MANIPULATED if outweighed_faces(exhibit) else verdict
    if not _close(exhibit_probability(exhibit, decisive), analysis.probability):
        yield "the probability of the exhibit does not follow from those of its persons"
    for person in analysis.persons:
        segments = [segment for segment in analysis.segments if segment.person == person.id]
        yield from _of_person(person, segments, analysis)


def _in_few_frames(analysis: Analysis) -> dict[str, int]:
    """Return the persons who reach the threshold in too few frames, as the causes state them.

    For how long each frame is shown follows from the exhibit alone.
    """
    reaching = persons_reaching_threshold(analysis.persons, analysis.parameters)
    few: dict[str, int] = {}
    for cause in analysis.causes:
        names, frames = cause.parameters.get("persons"), cause.parameters.get("frames")
        if cause.code in _IN_FEW_FRAMES and isinstance(frames, int):
            few |= {str(name): frames for name in names or () if name in reaching}  # type: ignore[union-attr]
    return few


def _missing_seconds(analysis: Analysis) -> float:
    """Return the seconds that are missing at the end of the file."""
    spans = (
        span
        for span in analysis.coverage.not_examined
        if span.cause and span.cause.code == SpanCode.BREAKS_OFF.code
    )
    return next((span.end - span.start for span in spans), 0.0)


def _same_causes(first: tuple[Cause, ...], second: tuple[Cause, ...]) -> bool:
    """Check whether causes are the same; computed seconds are stored as the nearest float."""

    def same(a: object, b: object) -> bool:
        if isinstance(a, float) and isinstance(b, float):
            return math.isclose(a, b, rel_tol=_EXACT, abs_tol=_EXACT)
        return a == b

    return len(first) == len(second) and all(
        old.code == new.code
        and old.parameters.keys() == new.parameters.keys()
        and all(same(old.parameters[name], new.parameters[name]) for name in old.parameters)
        for old, new in zip(first, second, strict=True)
    )


def _close(first: float | None, second: float | None) -> bool:
    if first is None or second is None:
        return first is second
    return abs(first - second) <= _EXACT


def _of_exhibit(analysis: Analysis) -> Iterator[str]:
    """Check the fields that only the first model has."""
    exhibit, persons, segments = JudgedExhibit.of(analysis), analysis.persons, analysis.segments
    decisive = Verdict.MANIPULATED if outweighed_faces(exhibit) else analysis.verdict
    answers = exhibit_answers(exhibit, decisive)
    same = (answers is None) is (analysis.answers is None)
    if answers is not None and analysis.answers is not None:
        same = _close(answers.altered, analysis.answers.altered) and _close(
            answers.synthesised, analysis.answers.synthesised
        )
    if not same:
        yield "the answers of the second look do not follow from those of the persons"
    if analysis.kind is not manipulation_kind(analysis.verdict, persons, segments):
        yield "the kind of manipulation does not follow from the answers of the second look"
    if not _close(exhibit_stability(analysis.verdict, persons, segments), analysis.stability):
        yield "the stability is not the lowest of the persons on whom the verdict rests"
    order = [-person.screen_time for person in persons]
    if [person.id for person in persons] != [person_letters(rank) for rank in range(len(persons))] or (
        order != sorted(order)
    ):
        yield "the persons are not named in order of their time on screen"


def _of_person(person: Person, segments: list[Segment], analysis: Analysis) -> Iterator[str]:
    scores, rate = person.scores, analysis.parameters.sample_rate
    judged = ~np.isnan(scores.logit)
    if len(scores) and int((judged & is_sampled(scores.time, rate)).sum()) != person.usable_frames:
        yield f"the usable frames of person {person.id} are not those with a score"
    # Segments with covered faces represent a person only if there are no others.
    counting = [segment for segment in segments if not is_covered(segment)] or segments
    parts = [
        judged & (scores.time >= segment.start - _EXACT) & (scores.time <= segment.end + _EXACT)
        for segment in counting
    ] or [judged]
    levels = [
        float(mean_per_interval(scores.time[part], scores.logit[part], rate).mean())
        for part in parts
        if part.any()
    ]
    platt = analysis.model.exhibit
    figures = [
        sigmoid(platt.scale * level + platt.offset if platt else level / analysis.model.temperature)
        for level in levels
    ]
    if not _close(max(figures, default=None), person.probability):
        yield f"the probability of person {person.id} does not follow from its scores"
    if (person.quality is None) is bool(judged.any()) or (person.covered is None) is bool(judged.any()):
        yield f"quality or covering of the faces of person {person.id} is missing, or stated without a face"
    still = analysis.media.still
    if (person.motionless is None) is not still or (person.grey is None) is not (still or not judged.any()):
        yield f"whether person {person.id} moves, or is seen in colour, is missing, or stated of a photograph"
    if person.second_look is not None:
        look = person.second_look
        if (look.in_segments is None) is bool(segments) and not (still and not segments):
            yield f"answers in the segments of person {person.id} are missing, or stated without a segment"
        agree = None if still or look.stability is None else look.stability > LEAST_AGREEING
        if look.views_agree is not agree or (look.contradiction and look.stability != LEAST_AGREEING):
            yield f"whether views of person {person.id} agree does not follow from its stability"
        known = {(time, pts) for time, pts in zip(scores.time.tolist(), scores.pts.tolist(), strict=True)}
        second = analysis.model.second_look
        windows = second is not None and second.architecture in PARTS
        for moment in look.moments:
            # Where windows answer, nothing else says synthesis, and heads of footage say nothing else.
            altered = moment.head_synthesised is not None and not (windows and not still)
            given = moment.inner_synthesised is not None, moment.head_altered is not None
            if given != (not windows, altered):
                yield f"a moment of person {person.id} has half an answer"
                break
        if any((moment.time, moment.pts) not in known for moment in look.moments) or any(
            contrast.track not in person.tracks or contrast.end < contrast.start
            for contrast in look.contrasts
        ):
            yield f"the second look at person {person.id} saw frames without its face"
    for rank, segment in enumerate(segments, start=1):
        if segment.id != f"{person.id}{rank}":
            yield f"segment {segment.id} has the name of another one"
        yield from _of_pictures(segment, person)


def _of_pictures(segment: Segment, person: Person) -> Iterator[str]:
    """Check peaks against their maps, and calm frame and film strip against the scores."""
    for rank, peak in enumerate(segment.peaks, start=1):
        if not _maps_fit(peak):
            yield f"the heatmaps of peak {rank} of segment {segment.id} contradict each other"
    scores = {score.pts: score for score in person.scores}
    shown = [(face.pts, face.time, face.probability) for face in segment.strip]
    if segment.calm is not None:
        calm = segment.calm
        shown.append((calm.pts, calm.time, calm.probability))
        score = scores.get(calm.pts)
        if segment.start <= calm.time <= segment.end or score is None or score.box != calm.box:
            yield f"the calm frame of segment {segment.id} is no frame of its person outside of it"
    if any(
        (score := scores.get(pts)) is None
        or abs(score.time - time) > _EXACT
        or not _close(score.probability, probability)
        for pts, time, probability in shown
    ):
        yield f"calm frame or film strip of segment {segment.id} are no scored frames of its person"


def _maps_fit(peak: Peak) -> bool:
    """Check that the first map is that of the peak, and that a peak without a map says why."""
    if not peak.maps:
        return peak.no_map is not None and (peak.overlay, peak.map, peak.check) == (None, None, None)
    first = peak.maps[0]
    own = (peak.overlay, peak.map, peak.heat, peak.check)
    return peak.no_map is None and own == (first.overlay, first.map, first.heat, first.check)


def _of_kept_pictures(analysis: Analysis) -> Iterator[str]:
    """Check that pictures are kept of all or of nothing, each under a name of its own."""
    still = analysis.media.still
    own = (analysis.picture, analysis.boxed)
    if not still and own != (None, None):
        yield "a picture of a photograph is named, although it is a video"
    flagged = {s.id for s in flagged_segments(analysis.persons, analysis.segments)}
    kept: list[str | None] = [*own] if still else []
    for segment in analysis.every_segment:
        kept += [segment.calm.frame] if segment.calm else []
        for peak in segment.peaks:
            kept.append(peak.frame)
            kept += [path for heatmap in peak.maps for path in (heatmap.overlay, heatmap.map)]
    if len({path is None for path in kept}) > 1:
        yield "some pictures were kept, and some were not"
    paths = [path for path in kept if path is not None and (not still or path != analysis.picture)]
    paths += [face.picture for segment in analysis.every_segment for face in segment.strip]
    shown = any(segment.peaks or segment.calm or segment.strip for segment in analysis.every_segment)
    if not analysis.explained and (shown or not analysis.has_segments):
        yield "it has peaks, or no segments, although it states that its segments were not explained"
    if len(set(paths)) != len(paths):
        yield "a picture is named for two things"
    drawn = None not in kept and not still and analysis.explained
    if any(bool(segment.strip) is not (drawn and segment.id in flagged) for segment in analysis.segments):
        yield "the film strip of a flagged segment is missing, or that of another one is there"


def _of_coverage(coverage: Coverage, persons: tuple[Person, ...]) -> Iterator[str]:
    if coverage.faces_interpolated != sum(int(person.scores.interpolated.sum()) for person in persons):
        yield "the number of interpolated faces is not that of the persons"
    judged = {pts for person in persons for pts in person.scores.pts[person.scores.usable].tolist()}
    if coverage.frames_with_usable_face + coverage.frames_between != len(judged):
        yield "the numbers of judged frames are not those of the persons"
    usable, faces, sampled = (
        coverage.frames_with_usable_face, coverage.frames_with_face, coverage.frames_sampled
    )  # fmt: skip
    if not usable <= faces <= sampled or sum(coverage.flaws.values()) != coverage.faces_unusable:
        yield "the numbers of sampled frames and of faces contradict each other"
    if coverage.faces_unusable > coverage.faces_found or (coverage.quality is None) is (
        coverage.faces_found > coverage.faces_unusable
    ):
        yield "the numbers of faces contradict each other"
    for span in coverage.not_examined:
        if span.end < span.start or span.cause is None:
            yield "an interval that was not examined ends before its start, or lacks the code of its reason"
