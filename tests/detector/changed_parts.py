"""An analysis of one person and one segment, of which one value is another: as a forger might leave it."""

from __future__ import annotations

from typing import Any

from detector.schema.analysis import Analysis


def person(analysis: Analysis, **values: Any) -> Analysis:
    """With other values of its person."""
    (original,) = analysis.persons
    return analysis.model_copy(update={"persons": (original.model_copy(update=values),)})


def segment(analysis: Analysis, **values: Any) -> Analysis:
    """With other values of its segment."""
    (original,) = analysis.segments
    return analysis.model_copy(update={"segments": (original.model_copy(update=values),)})
