"""What a report tells, as one text for tests that look for a sentence."""

from __future__ import annotations

from detector.schema.analysis import Analysis
from reports.procedure import steps


def procedure(analysis: Analysis) -> str:
    """How a finding came about: its paragraphs in a row."""
    return " ".join(steps.procedure(analysis))
