"""What was not examined: in sentences, and the stretches of time."""

from __future__ import annotations

from dataclasses import dataclass

from detector.schema.analysis import Analysis, Span
from reports.text.not_examined import is_seen_throughout, not_examined
from reports.text.numbers import timecode


@dataclass(frozen=True)
class UnexaminedStretch:
    """A stretch of time that was not examined, and why."""

    start: str
    end: str
    duration: str
    reason: str


@dataclass(frozen=True)
class NotExaminedView:
    """Sentences about the whole exhibit, its gaps in order of time, and whether there are no others."""

    lines: tuple[str, ...]
    gaps: tuple[UnexaminedStretch, ...]
    throughout: bool


def not_examined_view(analysis: Analysis) -> NotExaminedView:
    """What the analysis left out."""
    return NotExaminedView(
        lines=not_examined(analysis),
        gaps=tuple(_stretch(span) for span in analysis.coverage.not_examined),
        throughout=is_seen_throughout(analysis),
    )


def _stretch(span: Span) -> UnexaminedStretch:
    return UnexaminedStretch(
        timecode(span.start), timecode(span.end), timecode(span.end - span.start), span.reason
    )
