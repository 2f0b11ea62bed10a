"""Compare the grounds of a finding and the statements about the file between two analyses."""

from __future__ import annotations

import math
import re
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
from detector.schema.formatting import timecode
from detector.schema.measurements import FaceQuality, Span
from detector.schema.metadata import Anomaly, DeclarationKind
from detector.verdict.judged_persons import is_colourless, is_covered
from detector.verdict.reproducibility.segment_agreement import (
    LOGITS,
    Tolerance,
    of_segments,
    same_logit,
    same_place,
)

_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
_FEW = 20  # a count below it is the same in both
_STABILITY = 0.25  # one view of four
_SPREAD = 0.05  # of a measure of faces' quality, relative
_READ = 1e-3  # of a figure computed from decoded pixels, relative or absolute
_MOST = 6  # problems of one part that are named
_BESIDE = frozenset({"credentials", "anomalies"})  # held against each other by themselves


def problems(
    recorded: Analysis,
    again: Analysis,
    persons: Mapping[str, str],
    pairs: Sequence[tuple[Score, Score]],
    tolerance: Tolerance,
) -> list[str]:
    """What differs of reason, persons, scores, coverage, segments and the model's card, in words.

    ``persons`` says who is who: ids in ``again`` by those in ``recorded``; ``pairs`` are faces that both
    judged.
    """
    found = []
    if not _same_words(recorded.reason, again.reason, tolerance):
        found.append(f"the reason is “{again.reason}”, where “{recorded.reason}” is recorded")
    if (
        recorded.joint
        and again.joint
        and not _same_words(recorded.joint.reason, again.joint.reason, tolerance)
    ):
        found.append(f"the reason of all models together is “{again.joint.reason}”")
    if _apart(recorded.stability, again.stability) > _STABILITY:
        found.append(f"the stability is {again.stability}, where {recorded.stability} is recorded")
    for part in (
        _of_persons(recorded, again, persons, tolerance),
        _of_scores(pairs, tolerance),
        _of_coverage(recorded, again, tolerance),
        of_segments(recorded, again, persons, tolerance),
        _of_card(recorded.model, again.model),
    ):
        found += _shortened(list(part))
    return found


def of_file(recorded: Analysis, again: Analysis) -> list[str]:
    """What differs of what is read from the file by itself: its facts, tags, anomalies and declarations."""
    there, here = (each.media.model_dump(mode="json", exclude=set(_BESIDE)) for each in (recorded, again))
    found = [f"of the file, {each}" for each in _differences(there, here)]
    if _anomalies(recorded, again) != _anomalies(again, recorded):
        found.append("of the file, other anomalies are found than are recorded")
    one, other = recorded.media.credentials, again.media.credentials
    checked = bool(one and other and one.library == other.library)
    if checked and one != other:
        found.append("of the file, its Content Credentials are told otherwise")
    if _told(recorded, checked) != _told(again, checked):
        found.append("what the file declares is told otherwise")
    return _shortened(found)


def _anomalies(analysis: Analysis, other: Analysis) -> list[Anomaly]:
    """Those of ``analysis`` that do not depend on when it was made."""
    both = (*analysis.media.anomalies, *other.media.anomalies)
    left_out = DEPEND_ON_NOW if any(each.kind == IN_THE_FUTURE for each in both) else frozenset()
    return [each for each in analysis.media.anomalies if each.kind not in left_out]


def _told(analysis: Analysis, checked: bool) -> list[Declaration]:
    return [
        each
        for each in analysis.declarations or ()
        if checked or each.kind is not DeclarationKind.CONTENT_CREDENTIALS
    ]


def _differences(there: object, here: object, name: str = "") -> Iterator[str]:
    """Where two values of JSON differ; figures may by what other instructions change of decoded pixels."""
    if isinstance(there, dict) and isinstance(here, dict):
        for key in {**there, **here}:
            yield from _differences(there.get(key), here.get(key), f"{name}.{key}".lstrip("."))
    elif isinstance(there, list) and isinstance(here, list) and len(there) == len(here):
        for number, (one, other) in enumerate(zip(there, here, strict=True), start=1):
            yield from _differences(one, other, f"{name} {number}")
    elif isinstance(there, float) and isinstance(here, float):
        if not math.isclose(there, here, rel_tol=_READ, abs_tol=_READ):
            yield f"{name} is {here:g}, where {there:g} is recorded"
    elif there != here:
        yield f"{name} is {_brief(here)}, where {_brief(there)} is recorded"


def _brief(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _shortened(found: Sequence[str]) -> list[str]:
    more = len(found) - _MOST
    return [*found[:_MOST], *([f"{found[_MOST]}, and {more - 1} more of that kind"] if more > 0 else [])]


def _same_words(one: str, other: str, tolerance: Tolerance) -> bool:
    """Whether two sentences are the same but for counts that may differ."""
    if _NUMBER.sub("#", one) != _NUMBER.sub("#", other):
        return False
    pairs = zip(_NUMBER.findall(one), _NUMBER.findall(other), strict=True)
    return all(_same_count(float(a.replace(",", "")), float(b.replace(",", "")), tolerance) for a, b in pairs)


def _same_count(one: float, other: float, tolerance: Tolerance) -> bool:
    if min(one, other) < _FEW or one % 1 or other % 1:
        return one == other
    return abs(one - other) <= _allowed(max(one, other), tolerance)


def _allowed(count: float, tolerance: Tolerance) -> int:
    """How many of so many faces may be judged in one of both only."""
    return max(1, math.ceil(tolerance.unmatched * count))


def _apart(one: float | None, other: float | None) -> float:
    if one is None or other is None:
        return 0.0 if one is other else math.inf
    return abs(one - other)


def _of_persons(
    recorded: Analysis, again: Analysis, persons: Mapping[str, str], tolerance: Tolerance
) -> Iterator[str]:
    there, here = ({each.id: each for each in one.persons} for one in (recorded, again))
    interval = recorded.media.duration / max(recorded.coverage.frames_sampled, 1)
    for name, person in there.items():
        other = here.get(persons.get(name, ""))
        if other is not None:
            yield from _of_person(person, other, interval, tolerance)
        elif person.probability is not None or person.usable_frames:
            yield f"person {name} is nobody who was judged"
    for name in sorted(set(here) - set(persons.values())):
        if here[name].usable_frames > _allowed(here[name].usable_frames, tolerance):
            yield f"a person was judged in {here[name].usable_frames:,} sampled frames who is not recorded"


def _of_person(there: Person, here: Person, interval: float, tolerance: Tolerance) -> Iterator[str]:
    name = f"person {there.id}"
    figures = [("probability", there.probability, here.probability)]
    if there.second_look and here.second_look:
        figures += [
            (f"second look ({each})", getattr(there.second_look, each), getattr(here.second_look, each))
            for each in ("scan", "altered", "synthesised")
        ]
        if (then := there.second_look.in_segments) and (now := here.second_look.in_segments):
            figures += [
                (f"second look ({each}) in segments", getattr(then, each), getattr(now, each))
                for each in ("altered", "synthesised")
            ]
        if _apart(there.second_look.stability, here.second_look.stability) > _STABILITY:
            yield f"the stability of {name} differs"
        if there.second_look.contradiction is not here.second_look.contradiction:
            yield f"whether both networks contradict each other on {name} differs"
        yield from _of_contrasts(name, there.second_look, here.second_look, interval)
    elif there.second_look or here.second_look:
        yield f"a second look at {name} stands in one of both only"
    if there.motionless is not here.motionless:
        yield f"whether {name} moves differs"
    if is_colourless(there) is not is_colourless(here):
        yield f"whether {name} is seen in colour differs"
    if is_covered(there) is not is_covered(here):
        yield f"whether the face of {name} is covered in part differs"
    # Of few faces each counts for much, and one of them may be judged in one of both only.
    few, many = sorted((there.usable_frames, here.usable_frames))
    if few == many or few >= _FEW:
        yield from _of_quality(f"the quality of the faces of {name}", there.quality, here.quality)
    for what, one, other in figures:
        if _apart(one, other) > tolerance.probability:
            yield f"the {what} of {name} is {_figure(other)}, where {_figure(one)} is recorded"
    for what, few, many in (
        ("usable frames", there.usable_frames, here.usable_frames),
        ("tracks", len(there.tracks), len(here.tracks)),
    ):
        if abs(few - many) > (_allowed(max(few, many), tolerance) if max(few, many) >= _FEW else 1):
            yield f"the {what} of {name} are {many:,}, where {few:,} are recorded"
    if abs(there.screen_time - here.screen_time) > max(0.5, 2 * tolerance.unmatched * there.screen_time):
        yield f"{name} is seen for {here.screen_time:g} s, where {there.screen_time:g} s are recorded"
    if not same_place(there.median_box, here.median_box):
        yield f"{name} is elsewhere in the picture, in the middle"


def _of_contrasts(name: str, there: SecondLook, here: SecondLook, interval: float) -> Iterator[str]:
    """What stands out of a track: what is hardly raised may stand in one of both only."""
    for one, other, word in ((there, here, "not found"), (here, there, "not recorded")):
        for each in one.contrasts:
            if abs(each.raised) > LOGITS and not any(
                _same_contrast(each, two, interval) for two in other.contrasts
            ):
                when = f"{timecode(each.start)} to {timecode(each.end)}"
                yield f"that {name} stands out from {when} by {each.contrast:.3g} is {word}"


def _same_contrast(one: SecondLookContrast, other: SecondLookContrast, interval: float) -> bool:
    edges = max(abs(one.start - other.start), abs(one.end - other.end)) <= 1.5 * interval
    return edges and same_logit(one.contrast, other.contrast) and same_logit(one.raised, other.raised)


def _of_scores(pairs: Sequence[tuple[Score, Score]], tolerance: Tolerance) -> Iterator[str]:
    """Of faces that both judged: their logits, beside the probabilities; and their places, but for a few."""
    for one, other in pairs:
        if not same_logit(one.logit or 0.0, other.logit or 0.0):
            yield f"a logit at {timecode(one.time)} is {other.logit:.3g}, where {one.logit:.3g} is recorded"
    moved = sum(not same_place(one.box, other.box) for one, other in pairs)
    if moved > tolerance.between * len(pairs):
        yield f"{moved:,} of {len(pairs):,} faces lie elsewhere"


def _figure(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"


def _of_coverage(recorded: Analysis, again: Analysis, tolerance: Tolerance) -> Iterator[str]:
    there, here = recorded.coverage, again.coverage
    faces = max(there.faces_found, here.faces_found)
    edges = 2 * max(len(recorded.segments), len(again.segments))
    step = math.ceil(recorded.media.frames / max(there.frames_sampled, 1))  # frames to one that is sampled
    few, some = _allowed(faces, tolerance), math.ceil(tolerance.between * faces)
    beside = max(math.ceil(tolerance.between * there.frames_between), step * edges * tolerance.frames)
    counts = {
        "frames_sampled": 0, "frames_from_damaged": 0,
        "frames_with_face": few, "frames_with_usable_face": few, "faces_found": few,
        "faces_unusable": few, "faces_discarded": few, "faces_interpolated": max(some, 4),
        "frames_between": beside,
    }  # fmt: skip
    for name, most in counts.items():
        yield from _counted(name.replace("_", " "), getattr(there, name), getattr(here, name), most)
    for flaw in sorted({*there.flaws, *here.flaws}):
        yield from _counted(f"faces {flaw}", there.flaws.get(flaw, 0), here.flaws.get(flaw, 0), few)
    interval = recorded.media.duration / max(there.frames_sampled, 1)
    cuts = list(zip(there.cuts, here.cuts, strict=False))
    if len(there.cuts) != len(here.cuts) or any(abs(a - b) > interval for a, b in cuts):
        yield f"{len(here.cuts):,} cuts were found, not at the times of the {len(there.cuts):,} recorded"
    room = 2 * interval * max(1, tolerance.frames)
    for one, other, word in ((there, here, "not recorded"), (here, there, "not found")):
        for span in other.not_examined:
            if span.end - span.start > room and not _covered(span, one.not_examined, room):
                yield (
                    f"that {timecode(span.start)} to {timecode(span.end)} was not examined ({span.reason}) "
                    f"is {word}"
                )
    yield from _of_quality("the quality of faces", there.quality, here.quality)


def _counted(what: str, there: int, here: int, most: int) -> Iterator[str]:
    if abs(there - here) > most:
        yield f"{what}: {here:,}, where {there:,} are recorded"


def _covered(span: Span, spans: Sequence[Span], room: float) -> bool:
    """Whether ``spans`` of the same reason cover one, up to ``room`` seconds at each of their ends."""
    left, spare = span.start, room
    for each in sorted((one for one in spans if one.reason == span.reason), key=lambda one: one.start):
        if each.start - room <= left:
            left = max(left, each.end + spare)
    return left >= span.end


def _of_quality(what: str, there: FaceQuality | None, here: FaceQuality | None) -> Iterator[str]:
    if there is None or here is None:
        if there is not here:
            yield f"{what} stands in one of both only"
        return
    one, other = there.model_dump(), here.model_dump()
    for name, spread in one.items():
        values = zip(spread.values(), other[name].values(), strict=True) if name != "grey" else ()
        far = any(not math.isclose(a, b, rel_tol=_SPREAD, abs_tol=0.01) for a, b in values)
        if far or (name == "grey" and abs(spread - other[name]) > 0.01):
            yield f"{what} ({name}) differs"


def _of_card(there: Model, here: Model) -> Iterator[str]:
    """What the analysis quotes of the model's card, held against the card of the weights that are here."""
    for name in Model.model_fields:
        one, other = getattr(there, name), getattr(here, name)
        if name in {"sha256", "second_look"} or one == other:
            continue
        if isinstance(one, Value | dict | tuple | str):
            yield f"the card of the model here states other {_CARD.get(name, name)} than are recorded"
        else:
            yield f"the card of the model here states {name} {other}, where {one} is recorded"


_CARD = {
    "domain": "words on what it was validated for",
    "rates": "error rates",
    "segment": "calibrations of segments",
    "exhibit": "calibrations of exhibits",
    "validated": "validated ranges",
    "learnt": "generators that it learnt from",
}
