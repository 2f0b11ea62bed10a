"""How a stretch that a person marked lies to what the machine flagged."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from detector.schema.analysis import Segment
from reports.review.annotations import SpanAnnotation


class Flagged(Enum):
    """How much of a stretch lies within flagged segments."""

    NOTHING = "nothing"
    PART = "part"
    ALL = "all"


def flagged_of(span: SpanAnnotation, flagged: Sequence[Segment]) -> Flagged:
    """How much of a stretch lies within the ``flagged`` segments: those of its person, or anybody's."""
    own = [each for each in flagged if span.person in (None, each.person)]
    inside = [each for each in own if each.start <= span.end and each.end >= span.start]
    if not inside:
        return Flagged.NOTHING
    reached = span.start
    for segment in sorted(inside, key=lambda each: each.start):
        if segment.start > reached:
            return Flagged.PART
        reached = max(reached, segment.end)
    return Flagged.ALL if reached >= span.end else Flagged.PART
