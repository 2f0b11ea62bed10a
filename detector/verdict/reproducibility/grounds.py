"""Compare the grounds of a finding and the statements about the file between two analyses."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from detector.metadata.anomalies import DEPEND_ON_NOW, IN_THE_FUTURE
from detector.schema.analysis import (
    Analysis,
    Declaration,
    Model,
    Person,
    Score,
    SecondLook,
    SecondLookContrast,
)
from detector.schema.base import Value
from detector.schema.causes.cause import CauseParameter
from detector.schema.formatting import count_noun, timecode
from detector.schema.measurements import FaceQuality, Span
from detector.schema.metadata import Anomaly, DeclarationKind, HiddenPlace
from detector.schema.scores import overlap
from detector.verdict.judged_persons import is_colourless, is_covered
from detector.verdict.reproducibility.segment_agreement import (
    LOGITS,
    Tolerance,
    same_logit,
    same_place,
    segment_problems,
)

_SAME_FACE = 0.8  # intersection over union of the boxes of a face
_SAME_TIME = 1e-6  # seconds: times are fractions stored as the nearest float
_FEW = 20  # smaller counts must be equal
_STABILITY = 0.25  # one view in four
_SPREAD = 0.05  # relative, of a quality measure of faces
_READ = 1e-3  # relative or absolute, of a value computed from decoded pixels
_MOST = 6  # maximum number of problems listed for one part
_BESIDE = frozenset({"credentials", "anomalies"})  # compared separately


def ground_problems(
    recorded: Analysis,
    again: Analysis,
    persons: Mapping[str, str],
    pairs: Sequence[tuple[Score, Score]],
    tolerance: Tolerance,
) -> list[str]:
    """Return differences of reason, persons, scores, coverage, segments and the model's card.

    ``persons`` maps ids in ``recorded`` to ids in ``again``; ``pairs`` are faces that both judged.
    """
    differences = []
    if not _same_statements(recorded, again, tolerance):
        differences.append(f"the reason is “{again.reason}”, where “{recorded.reason}” is recorded")
    if recorded.joint and again.joint and recorded.joint.reason != again.joint.reason:
        differences.append(f"the reason of all models together is “{again.joint.reason}”")
    if _apart(recorded.stability, again.stability) > _STABILITY:
        differences.append(f"the stability is {again.stability}, where {recorded.stability} is recorded")
    for part in (
        _of_persons(recorded, again, persons, tolerance),
        _of_scores(pairs, tolerance),
        _of_coverage(recorded, again, tolerance),
        segment_problems(recorded, again, persons, tolerance),
        _of_card(recorded.model, again.model),
    ):
        differences += shortened(list(part))
    return differences


def file_problems(recorded: Analysis, again: Analysis) -> list[str]:
    """Return differences of what is read from the file: facts, tags, anomalies and declarations."""
    old, new = (
        analysis.with_examined_sound().media.model_dump(mode="json", exclude=set(_BESIDE))
        for analysis in (recorded, again)
    )
    problems = [f"of the file, {difference}" for difference in _differences(old, new)]
    if _anomalies(recorded, again) != _anomalies(again, recorded):
        problems.append("of the file, other anomalies are found than are recorded")
    old_credentials, new_credentials = recorded.media.credentials, again.media.credentials
    checked = bool(old_credentials and new_credentials and old_credentials.library == new_credentials.library)
    same_libraries = recorded.software.libraries == again.software.libraries
    if (checked or same_libraries) and old_credentials != new_credentials:
        problems.append("of the file, its Content Credentials are told otherwise")
    if (recorded.declarations is None) is not (again.declarations is None):
        problems.append("what the file declares was read in one of both only")
    old_declarations, new_declarations = comparable_declarations(recorded, again, credentials=checked)
    if old_declarations != new_declarations:
        problems.append("what the file declares is told otherwise")
    return shortened(problems)


def _anomalies(analysis: Analysis, other: Analysis) -> list[Anomaly]:
    """Return the anomalies that do not depend on the time of the analysis."""
    anomalies = (*analysis.media.anomalies, *other.media.anomalies)
    left_out = DEPEND_ON_NOW if any(anomaly.kind == IN_THE_FUTURE for anomaly in anomalies) else frozenset()
    return [anomaly for anomaly in analysis.media.anomalies if anomaly.kind not in left_out]


def comparable_declarations(
    recorded: Analysis, again: Analysis, *, credentials: bool
) -> tuple[list[Declaration], list[Declaration]]:
    """Return the declarations of both analyses that both had the library for.

    Without ``credentials`` those of Content Credentials are left out; marks in sound are, if one of the two
    did not search for them.
    """
    sound = all(
        analysis.marks is not None and analysis.marks.sound is not None for analysis in (recorded, again)
    )

    def of(analysis: Analysis) -> list[Declaration]:
        return [
            declaration
            for declaration in analysis.declarations or ()
            if (credentials or declaration.kind is not DeclarationKind.CONTENT_CREDENTIALS)
            and (sound or not (declaration.hidden and declaration.hidden.place is HiddenPlace.SOUND))
        ]

    return of(recorded), of(again)


def _differences(old: object, new: object, name: str = "") -> Iterator[str]:
    """Yield differences between two JSON values; numbers have a tolerance for other decoders."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in {**old, **new}:
            yield from _differences(old.get(key), new.get(key), f"{name}.{key}".lstrip("."))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, (old_item, new_item) in enumerate(zip(old, new, strict=True), start=1):
            yield from _differences(old_item, new_item, f"{name} {number}")
    elif isinstance(old, float) and isinstance(new, float):
        if not math.isclose(old, new, rel_tol=_READ, abs_tol=_READ):
            yield f"{name} is {new:g}, where {old:g} is recorded"
    elif old != new:
        yield f"{name} is {_brief(new)}, where {_brief(old)} is recorded"


def _brief(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def shortened(problems: Sequence[str]) -> list[str]:
    more = len(problems) - _MOST
    return [
        *problems[:_MOST],
        *([f"{problems[_MOST]}, and {more - 1} more of that kind"] if more > 0 else []),
    ]


def _same_statements(first: Analysis, second: Analysis, tolerance: Tolerance) -> bool:
    """Check whether two reasons are equal except for counts within the tolerance."""
    if not first.causes or not second.causes:  # before 1.25
        return first.reason == second.reason
    return len(first.causes) == len(second.causes) and all(
        old.code == new.code
        and old.parameters.keys() == new.parameters.keys()
        and all(
            _same_parameter(old.parameters[name], new.parameters[name], tolerance) for name in old.parameters
        )
        for old, new in zip(first.causes, second.causes, strict=True)
    )


def _same_parameter(first: CauseParameter, second: CauseParameter, tolerance: Tolerance) -> bool:
    if not isinstance(first, int) or not isinstance(second, int) or min(first, second) < _FEW:
        return first == second
    return abs(first - second) <= _allowed(max(first, second), tolerance)


def _stated(span: Span) -> object:
    """Return what a span states; before 1.25 its sentence alone."""
    return (span.cause.code, span.cause.parameters) if span.cause else span.reason


def _allowed(count: float, tolerance: Tolerance) -> int:
    """Return how many of ``count`` faces may be judged in one of both only."""
    return max(1, math.ceil(tolerance.unmatched * count))


def _apart(first: float | None, second: float | None) -> float:
    if first is None or second is None:
        return 0.0 if first is second else math.inf
    return abs(first - second)


def _of_persons(
    recorded: Analysis, again: Analysis, persons: Mapping[str, str], tolerance: Tolerance
) -> Iterator[str]:
    old, new = ({person.id: person for person in analysis.persons} for analysis in (recorded, again))
    interval = recorded.media.duration / max(recorded.coverage.frames_sampled, 1)
    for name, person in old.items():
        match = new.get(persons.get(name, ""))
        if match is not None:
            yield from _of_person(person, match, interval, tolerance)
        elif person.probability is not None or person.usable_frames:
            yield f"person {name} is nobody who was judged"
    for name in sorted(set(new) - set(persons.values())):
        if new[name].usable_frames > _allowed(new[name].usable_frames, tolerance):
            frames = count_noun(new[name].usable_frames, "sampled frame")
            yield f"a person was judged in {frames} who is not recorded"


def _of_person(old: Person, new: Person, interval: float, tolerance: Tolerance) -> Iterator[str]:
    name = f"person {old.id}"
    figures = [("probability", old.probability, new.probability)]
    if old.second_look and new.second_look:
        figures += [
            (f"second look ({answer})", getattr(old.second_look, answer), getattr(new.second_look, answer))
            for answer in ("scan", "altered", "synthesised")
        ]
        if (old_answers := old.second_look.in_segments) and (new_answers := new.second_look.in_segments):
            figures += [
                (
                    f"second look ({answer}) in segments",
                    getattr(old_answers, answer),
                    getattr(new_answers, answer),
                )
                for answer in ("altered", "synthesised")
            ]
        if _apart(old.second_look.stability, new.second_look.stability) > _STABILITY:
            yield f"the stability of {name} differs"
        if old.second_look.contradiction is not new.second_look.contradiction:
            yield f"whether both networks contradict each other on {name} differs"
        yield from _of_contrasts(name, old.second_look, new.second_look, interval)
    elif old.second_look or new.second_look:
        yield f"a second look at {name} stands in one of both only"
    if old.motionless is not new.motionless:
        yield f"whether {name} moves differs"
    if is_colourless(old) is not is_colourless(new):
        yield f"whether {name} is seen in colour differs"
    if is_covered(old) is not is_covered(new):
        yield f"whether the face of {name} is covered in part differs"
    # With few faces each has much weight, and one of them may be judged in one of both only.
    few, many = sorted((old.usable_frames, new.usable_frames))
    if few == many or few >= _FEW:
        yield from _of_quality(f"the quality of the faces of {name}", old.quality, new.quality)
    for measure, old_value, new_value in figures:
        if _apart(old_value, new_value) > tolerance.probability:
            yield f"the {measure} of {name} is {_figure(new_value)}, where {_figure(old_value)} is recorded"
    for measure, few, many in (
        ("usable frames", old.usable_frames, new.usable_frames),
        ("tracks", len(old.tracks), len(new.tracks)),
    ):
        if abs(few - many) > (_allowed(max(few, many), tolerance) if max(few, many) >= _FEW else 1):
            yield f"the {measure} of {name} are {many:,}, where {few:,} are recorded"
    if abs(old.screen_time - new.screen_time) > max(0.5, 2 * tolerance.unmatched * old.screen_time):
        yield f"{name} is seen for {new.screen_time:g} s, where {old.screen_time:g} s are recorded"
    if not same_place(old.median_box, new.median_box):
        yield f"{name} is elsewhere in the picture, in the middle"


def _of_contrasts(name: str, old: SecondLook, new: SecondLook, interval: float) -> Iterator[str]:
    """Yield contrasts found in one analysis only, except for barely raised ones."""
    for first, second, word in ((old, new, "not found"), (new, old, "not recorded")):
        for contrast in first.contrasts:
            if abs(contrast.raised) > LOGITS and not any(
                _same_contrast(contrast, candidate, interval) for candidate in second.contrasts
            ):
                time_span = f"{timecode(contrast.start)} to {timecode(contrast.end)}"
                yield f"that {name} stands out from {time_span} by {contrast.contrast:.3g} is {word}"


def _same_contrast(first: SecondLookContrast, second: SecondLookContrast, interval: float) -> bool:
    edges = max(abs(first.start - second.start), abs(first.end - second.end)) <= 1.5 * interval
    return edges and same_logit(first.contrast, second.contrast) and same_logit(first.raised, second.raised)


def _of_scores(pairs: Sequence[tuple[Score, Score]], tolerance: Tolerance) -> Iterator[str]:
    """Yield differences of logits, and of the places of more than a few faces."""
    for old, new in pairs:
        if not same_logit(old.logit or 0.0, new.logit or 0.0):
            logits = (_figure(logit) for logit in (new.logit, old.logit))
            yield "a logit at {} is {}, where {} is recorded".format(timecode(old.time), *logits)
        if abs(old.time - new.time) > _SAME_TIME:
            yield f"a face at {timecode(new.time)} is recorded at {timecode(old.time)}"
    moved = sum(not same_place(old.box, new.box) for old, new in pairs)
    skipped = sum(old.interpolated is not new.interpolated for old, new in pairs)
    if skipped > tolerance.between * len(pairs):
        yield f"{skipped:,} of {len(pairs):,} scores are interpolated in one of both only"
    if any(overlap(old.box, new.box) < _SAME_FACE for old, new in pairs):
        yield "a face lies elsewhere"
    if moved > tolerance.between * len(pairs):
        yield f"{moved:,} of {len(pairs):,} faces lie elsewhere"


def _figure(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"


def _of_coverage(recorded: Analysis, again: Analysis, tolerance: Tolerance) -> Iterator[str]:
    old, new = recorded.coverage, again.coverage
    faces = max(old.faces_found, new.faces_found)
    edges = 2 * max(len(recorded.segments), len(again.segments))
    step = math.ceil(
        recorded.media.frames / max(old.frames_sampled, 1)
    )  # decoded frames for each sampled one
    few, interpolated_allowed = _allowed(faces, tolerance), math.ceil(tolerance.between * faces)
    beside = max(math.ceil(tolerance.between * old.frames_between), step * edges * tolerance.frames)
    counts = {
        "frames_sampled": 0, "frames_from_damaged": 0,
        "frames_with_face": few, "frames_with_usable_face": few, "faces_found": few,
        "faces_unusable": few, "faces_discarded": few, "faces_interpolated": max(interpolated_allowed, 4),
        "frames_between": beside,
    }  # fmt: skip
    for name, allowed in counts.items():
        yield from _counted(name.replace("_", " "), getattr(old, name), getattr(new, name), allowed)
    for flaw in sorted({*old.flaws, *new.flaws}):
        yield from _counted(f"faces {flaw}", old.flaws.get(flaw, 0), new.flaws.get(flaw, 0), few)
    interval = recorded.media.duration / max(old.frames_sampled, 1)
    cuts = list(zip(old.cuts, new.cuts, strict=False))
    if len(old.cuts) != len(new.cuts) or any(abs(a - b) > interval for a, b in cuts):
        yield f"{len(new.cuts):,} cuts were found, not at the times of the {len(old.cuts):,} recorded"
    room = 2 * interval * max(1, tolerance.frames)
    for first, second, word in ((old, new, "not recorded"), (new, old, "not found")):
        for span in second.not_examined:
            if span.end - span.start > room and not is_covered_by(span, first.not_examined, room):
                yield (
                    f"that {timecode(span.start)} to {timecode(span.end)} was not examined ({span.reason}) "
                    f"is {word}"
                )
    yield from _of_quality("the quality of faces", old.quality, new.quality)


def _counted(name: str, old: int, new: int, allowed: int) -> Iterator[str]:
    if abs(old - new) > allowed:
        yield f"{name}: {new:,}, where {old:,} are recorded"


def is_covered_by(span: Span, spans: Sequence[Span], room: float) -> bool:
    """Check whether ``spans`` with the same reason cover ``span``, with ``room`` seconds at each end."""
    position, spare = span.start, room
    for candidate in sorted(
        (candidate for candidate in spans if _stated(candidate) == _stated(span)),
        key=lambda candidate: candidate.start,
    ):
        if candidate.start - room <= position:
            position = max(position, candidate.end + spare)
    return position >= span.end


def _of_quality(subject: str, old: FaceQuality | None, new: FaceQuality | None) -> Iterator[str]:
    if old is None or new is None:
        if old is not new:
            yield f"{subject} stands in one of both only"
        return
    old_values, new_values = old.model_dump(), new.model_dump()
    for name, spread in old_values.items():
        values = zip(spread.values(), new_values[name].values(), strict=True) if name != "grey" else ()
        far = any(not math.isclose(a, b, rel_tol=_SPREAD, abs_tol=0.01) for a, b in values)
        if far or (name == "grey" and abs(spread - new_values[name]) > 0.01):
            yield f"{subject} ({name}) differs"


def _of_card(old: Model, new: Model) -> Iterator[str]:
    """Yield differences between the quoted model card and the card of the installed weights."""
    for name in Model.model_fields:
        old_value, new_value = getattr(old, name), getattr(new, name)
        if name in {"sha256", "second_look"} or old_value == new_value:
            continue
        if isinstance(old_value, Value | dict | tuple | str):
            yield f"the card of the model here states other {_CARD.get(name, name)} than are recorded"
        else:
            yield f"the card of the model here states {name} {new_value}, where {old_value} is recorded"


_CARD = {
    "domain": "words on what it was validated for",
    "rates": "error rates",
    "segment": "calibrations of segments",
    "exhibit": "calibrations of exhibits",
    "validated": "validated ranges",
    "learnt": "generators that it learnt from",
}
