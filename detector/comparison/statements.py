"""The statements of a comparison's result and its limits, derived from its figures."""

from __future__ import annotations

import math
from collections.abc import Iterator

from detector.schema.causes.cause import Cause, CauseParameter
from detector.schema.causes.comparisons import ComparisonCode, ComparisonLimitCode, PictureChangeCode
from detector.schema.comparison import ComparedSegment, Comparison, Region

LIMITS = ComparisonLimitCode.NO_ORIGINAL.cause()
UNRELATED_LIMITS = ComparisonLimitCode.NOT_AUTHENTIC.cause()


def segment_statement(segment: ComparedSegment) -> Cause:
    """State the difference of one segment."""
    differences: dict[str, CauseParameter] = {
        "person": segment.person,
        "face_factor": _factor(segment.difference),
        "surroundings_factor": _factor(segment.surroundings),
    }
    if segment.start == segment.end:
        return ComparisonCode.FACE_DIFFERS.cause(**differences)
    return ComparisonCode.FACE_DIFFERS_BETWEEN.cause(start=segment.start, end=segment.end, **differences)


def _factor(difference: float) -> float:
    """Convert the log of a ratio of squares to a ratio of levels."""
    return math.exp(difference / 2)


def region_statement(region: Region) -> Cause:
    """State the difference of one region."""
    left, top, right, bottom = (round(v) for v in region.box)
    part: dict[str, CauseParameter] = {
        "left_edge": left,
        "top": top,
        "right": right,
        "bottom": bottom,
        "part_factor": _factor(region.difference),
    }
    if region.start == region.end:
        return ComparisonCode.PART_DIFFERS.cause(**part)
    return ComparisonCode.PART_DIFFERS_BETWEEN.cause(start=region.start, end=region.end, **part)


def small_faces_remark(count: int, least: float) -> Cause:
    """Return the remark on faces too small to compare, counted in each frame; ``least`` is in pixels."""
    if count == 1:
        return ComparisonLimitCode.SMALL_FACE.cause(least_width=least)
    return ComparisonLimitCode.SMALL_FACES.cause(seen_faces=count, least_width=least)


def hidden_faces_remark(count: int) -> Cause:
    """Return the remark on faces outside the reference."""
    if count == 1:
        return ComparisonLimitCode.HIDDEN_FACE.cause()
    return ComparisonLimitCode.HIDDEN_FACES.cause(seen_faces=count)


def summary(comparison: Comparison) -> Iterator[Cause]:
    """Yield the statements of the whole comparison."""
    if not comparison.related or comparison.transform is None:
        yield ComparisonCode.UNRELATED.cause()
        return
    yield _shown(comparison)
    if comparison.segments:
        yield from map(segment_statement, comparison.segments)
    elif comparison.persons:
        yield ComparisonCode.NO_FACE_DIFFERS.cause()
    else:
        yield ComparisonCode.NO_FACE_COMPARED.cause()
    if len(comparison.regions) == 1:
        yield ComparisonCode.ONE_PART_DIFFERS.cause()
    elif comparison.regions:
        yield ComparisonCode.PARTS_DIFFER.cause(different_parts=len(comparison.regions))


def _shown(comparison: Comparison) -> Cause:
    how = tuple(_picture_changes(comparison))
    if comparison.reference.duration == 0:
        return ComparisonCode.SHOWS_PICTURE.cause(how=how)
    if comparison.exhibit.duration == 0:
        return ComparisonCode.SHOWS_MOMENT.cause(start=comparison.time_map[0].reference.start, how=how)
    return ComparisonCode.SHOWS_STRETCHES.cause(
        stretches=len(comparison.time_map),
        shown=sum(piece.exhibit.end - piece.exhibit.start for piece in comparison.time_map),
        how=how,
    )


def _picture_changes(comparison: Comparison) -> Iterator[Cause]:
    transform, reference = comparison.transform, comparison.reference
    assert transform is not None
    if transform.mirror:
        yield PictureChangeCode.MIRRORED.cause()
    if abs(transform.scale - 1) > 0.01:
        yield PictureChangeCode.RESIZED.cause(scale=transform.scale)
    if abs(transform.rotation) > 0.3:
        yield PictureChangeCode.TURNED.cause(rotation=transform.rotation)
    x0, y0, x1, y1 = transform.crop
    share = (x1 - x0) * (y1 - y0) / (reference.width * reference.height)
    if share < 0.98:
        yield PictureChangeCode.CROPPED.cause(shown_share=share)
