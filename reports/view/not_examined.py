"""What was not examined: in sentences, and the stretches of time."""

from __future__ import annotations

from dataclasses import dataclass

from detector.schema.analysis import Analysis, Span
from reports.text.not_examined import not_examined
from reports.text.numbers import timecode


@dataclass(frozen=True)
class Gap:
    """A stretch of time that was not examined, and why."""

    start: str
    end: str
    duration: str
    reason: str


@dataclass(frozen=True)
class NotExaminedView:
    """Sentences about the whole exhibit, and its gaps in order of time."""

    lines: tuple[str, ...]
    gaps: tuple[Gap, ...]


def not_examined_view(analysis: Analysis) -> NotExaminedView:
    """What the analysis left out."""
    return NotExaminedView(
        lines=not_examined(analysis), gaps=tuple(_gap(span) for span in analysis.coverage.not_examined)
    )


def _gap(span: Span) -> Gap:
    return Gap(timecode(span.start), timecode(span.end), timecode(span.end - span.start), span.reason)
