"""Comparisons in a bundle: format, statements against figures, and the exhibit they are about."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean

from detector.comparison import statements
from detector.schema.analysis import Analysis
from detector.schema.causes.cause import Cause, join, render
from detector.schema.causes.comparisons import GapCode
from detector.schema.comparison import ComparedSegment, Comparison, Region
from detector.schema.formatting import timecode
from reports.comparison.kept import FOLDER, RESULT, ComparisonFileError, files_of, parse_comparison
from reports.file_names import REPORT_PDF
from verification.checks import CheckResults, Source, read_checked

_GAPS = {
    "exhibit": (GapCode.ONLY_IN_EXHIBIT,),
    "reference": (GapCode.LEFT_OUT, GapCode.BEFORE_EXHIBIT, GapCode.AFTER_EXHIBIT),
}
# What comparisons of earlier versions say of their limits, and of gaps.
_LIMITS_BEFORE = (
    "Nothing in the comparison says which of the two files is the original: what differs may have been "
    "changed in either of them, unless Content Credentials or a custody record say which came first. A face "
    "that does not differ may be manipulated in both files alike.",
)
_UNRELATED_BEFORE = (
    "It does not say that the exhibit is authentic: only that no part of this reference was found in it. "
    "A part shorter than half a second, or one that fills less than a quarter of the picture, is not found.",
    "It does not say that the exhibit is authentic: only that no part of this reference was found in it. "
    "A part shorter than half a second, one that fills less than a quarter of the picture, or one that runs "
    "backwards or more than twice as fast or as slowly may not be found.",
)
_GAPS_BEFORE = {GapCode.LEFT_OUT: "is left out of the exhibit"}
_ROUNDING = 1e-6  # of a mean; and of times, which are fractions stored as the nearest float


def contradictions(comparison: Comparison) -> Iterator[str]:
    """Return the sentences of a comparison that do not follow from its figures."""
    try:
        yield from _contradictions(comparison)
    except (ArithmeticError, LookupError, TypeError, ValueError):  # such as of a figure that is no number
        yield "no sentence can be made from its figures"


def _contradictions(comparison: Comparison) -> Iterator[str]:
    for segment in comparison.segments:
        due = statements.segment_statement(segment)
        if not _states(segment.statement, segment.cause, due, _segment_at_first(segment)):
            yield f"what it says of segment {segment.id} does not follow from its figures"
        if not _is_mean(segment, comparison):
            yield f"the differences of segment {segment.id} are not those of its frames"
    for part in comparison.regions:
        if not _states(part.statement, part.cause, statements.region_statement(part), _region_at_first(part)):
            yield f"what it says of {part.id} does not follow from its figures"
    causes = tuple(statements.summary(comparison))
    stated = comparison.causes or causes
    is_same = len(stated) == len(causes) and all(map(_is_same, stated, causes))
    if comparison.statement != join(causes) or not is_same:
        yield "its overall statement does not follow from its figures"
    limits = statements.LIMITS if comparison.related else statements.UNRELATED_LIMITS
    earlier = _LIMITS_BEFORE if comparison.related else _UNRELATED_BEFORE
    if not _states(comparison.limits, comparison.limits_cause, limits, *earlier):
        yield "its statement on limits is not one that comparisons make"
    for gap in comparison.gaps:
        if not any(
            _states(gap.reason, gap.cause, code.cause(), _GAPS_BEFORE.get(code, ""))
            for code in _GAPS[gap.file]
        ):
            yield f"the reason of the gap at {timecode(gap.start)} is none that comparisons give"
    remarks, least = comparison.not_compared, comparison.parameters.minimum_face
    codes: Sequence[Cause | None] = comparison.not_compared_causes or (None,) * len(remarks)
    if len(codes) != len(remarks) or not all(
        _is_remark(text, cause, least) for text, cause in zip(remarks, codes, strict=True)
    ):
        yield "its statement on what was not compared is not one that comparisons make"


def _states(text: str, cause: Cause | None, due: Cause, *earlier: str) -> bool:
    """Return whether a sentence and its code are the ``due`` ones, or the sentence is an ``earlier`` one."""
    return text in (due.text, *earlier) and (cause is None or _is_same(cause, due))


def _is_same(cause: Cause, due: Cause) -> bool:
    """Return whether two causes say the same; the last digits of figures may differ by the machine."""
    return cause.code == due.code and cause.text == render(cause) == due.text


def _is_mean(segment: ComparedSegment, comparison: Comparison) -> bool:
    """Return whether the differences of a segment are the means over its person's frames."""
    start, end = segment.start - _ROUNDING, segment.end + _ROUNDING
    inside = [
        difference
        for person in comparison.persons
        if person.id == segment.person
        for difference in person.differences
        if start <= difference.time <= end
    ]
    return bool(inside) and all(
        math.isclose(figure, fmean(of_frames), abs_tol=_ROUNDING)
        for figure, of_frames in (
            (segment.difference, [difference.difference for difference in inside]),
            (segment.surroundings, [difference.surroundings for difference in inside]),
        )
    )


def _is_remark(text: str, cause: Cause | None, least: float) -> bool:
    """Return whether comparisons make a remark; those of earlier versions have no code."""
    if cause is not None:
        seen = cause.parameters.get("seen_faces", 1)
        if not isinstance(seen, int):
            return False
        remarks = statements.small_faces_remark(seen, least), statements.hidden_faces_remark(seen)
        return any(_states(text, cause, remark) for remark in remarks)
    count, _, rest = text.partition(" faces")
    faces = int(count.replace(",", "")) if rest else 1
    return text in (
        statements.small_faces_remark(faces, least).text,
        statements.hidden_faces_remark(faces).text,
        f"{faces} faces are less than {least:g} pixels wide in one of the files.",
        f"{faces} faces lie where the reference shows nothing.",
    )


def _segment_at_first(segment: ComparedSegment) -> str:
    """Return the sentence of the first version, which stated ratios of squares."""
    still = segment.start == segment.end
    when = "In the photo" if still else f"Between {timecode(segment.start)} and {timecode(segment.end)}"
    return (
        f"{when} the face of person {segment.person} differs from the reference by "
        f"{math.exp(segment.difference):.1f} times what compression, colour and scaling explain, while its "
        f"surroundings differ by {math.exp(segment.surroundings):.1f} times."
    )


def _region_at_first(region: Region) -> str:
    doubled = region.model_copy(update={"difference": 2 * region.difference})
    return statements.region_statement(doubled).text


def check_comparisons(
    source: Source, analysis: Analysis | None, attached: Mapping[str, bytes], results: CheckResults
) -> dict[str, Comparison]:
    """Check each ``comparison.json`` and its pictures, and those in the report; return the readable ones."""
    comparisons: dict[str, Comparison] = {}
    texts: list[bytes] = []
    for name in names_in(source):
        if (text := read_checked(source, name, results)) is None:
            continue
        try:
            comparison = parse_comparison(text, name)
        except ComparisonFileError as error:
            results.add(name, "cannot be read", str(error))
            continue
        texts.append(text)
        comparisons[name] = comparison
        _check_one(name, comparison, analysis, results)
        for path in files_of(comparison):
            if (whole := name.removesuffix(RESULT) + path) not in source.names:
                results.add(whole, "missing", f"it is a picture of {name}")
    due = {hashlib.sha256(text).digest() for text in texts}
    if attached and {hashlib.sha256(data).digest() for data in carried(attached).values()} != due:
        results.add(REPORT_PDF, "does not fit", f"it carries other comparisons than those in {FOLDER}/")
    return comparisons


def check_attached(
    file: str, attached: Mapping[str, bytes], analysis: Analysis | None, results: CheckResults
) -> None:
    """Check the comparisons in the report ``file`` that came alone: format and exhibit."""
    for name, text in carried(attached).items():
        try:
            comparison = parse_comparison(text, name)
        except ComparisonFileError as error:
            results.add(f"{file}/{name}", "cannot be read", str(error))
            continue
        _check_one(f"{file}/{name}", comparison, analysis, results)


def _check_one(file: str, comparison: Comparison, analysis: Analysis | None, results: CheckResults) -> None:
    """Check that a comparison is about the exhibit and that its sentences fit its figures."""
    if analysis is not None and comparison.exhibit.sha256 != analysis.media.sha256:
        results.add(file, "does not fit", "it compares another exhibit")
    for problem in contradictions(comparison):
        results.add(file, "does not fit", problem)


def carried(attached: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the comparisons among the attachments of a report, by name."""
    return {name: data for name, data in attached.items() if name.startswith("comparison-")}


def names_in(source: Source) -> list[str]:
    """Return the names of the files ``comparison.json`` in the order of a report."""
    return sorted(
        name
        for name in source.names
        if name.startswith(f"{FOLDER}/") and name.endswith(f"/{RESULT}") and name.count("/") == 2
    )
