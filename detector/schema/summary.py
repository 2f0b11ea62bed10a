"""An analysis in the few fields that stand beside its verdict wherever that is told in short."""

from __future__ import annotations

from typing import Final, TypedDict

from detector.schema.analysis import Analysis
from detector.schema.declarations import statements


class Summary(TypedDict):
    """What ``score`` prints and the API tells of an analysis beside verdict and probability.

    ``answers`` are those of :class:`~detector.schema.measurements.second_look.Answers`, ``declarations`` what
    the file itself says of its making, the first few in short; both None where the analysis does not say.
    """

    kind: str | None
    answers: dict[str, float] | None
    declarations: list[str] | None


NOTHING_TOLD: Final = Summary(kind=None, answers=None, declarations=None)
"""Of what is not analysed yet, or was not asked these questions."""


def summary_of(analysis: Analysis) -> Summary:
    """The summary of ``analysis``."""
    return Summary(
        kind=None if analysis.kind is None else analysis.kind.value,
        answers=None if analysis.answers is None else analysis.answers.model_dump(),
        declarations=None
        if analysis.declarations is None
        else [each.short for each in statements(analysis.declarations)],
    )
