"""What the verdict and the figures of a report mean, and what they do not."""

from __future__ import annotations

from dataclasses import dataclass

from detector.schema.analysis import Analysis
from reports.text import meaning
from reports.text.certainty.verbal_scale import Strength, strengths


@dataclass(frozen=True)
class MeaningView:
    """How to read the verdict, the scale of phrases and the intervals.

    ``on_desk`` is the first sentence of the verdict's meaning where a page is no report; "" without one.
    """

    verdict_meaning: tuple[str, ...]
    on_desk: str
    verdict_limits: tuple[str, ...]
    scale: str
    strengths: tuple[Strength, ...]
    interval_made: str


def meaning_view(analysis: Analysis, ratio_in: int | None) -> MeaningView:
    """The sentences that fit this analysis; ``ratio_in`` as :func:`reports.text.meaning.scale` takes it."""
    return MeaningView(
        verdict_meaning=meaning.verdict_meaning(analysis),
        on_desk=meaning.on_desk(analysis),
        verdict_limits=meaning.verdict_limits(analysis),
        scale=meaning.scale(analysis, ratio_in),
        strengths=strengths(analysis.model, still=analysis.media.still),
        interval_made=meaning.interval_made(analysis),
    )
