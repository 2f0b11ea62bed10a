"""Where times and scores lie in the figure, in units of the SVG's view box."""

from __future__ import annotations

from dataclasses import dataclass

LEFT, RIGHT = 76.0, 726.0
LETTER = 6.6  # width of one character of a band's label


@dataclass(frozen=True)
class LanePlot:
    """The rectangle in which one lane shows ``span`` seconds: from score 1 at ``top`` to 0 at ``bottom``."""

    span: float
    top: float
    bottom: float

    @property
    def height(self) -> float:
        """From the score 0 to the score 1."""
        return self.bottom - self.top

    def x(self, time: float) -> float:
        """Where a time lies."""
        return time_x(time, self.span)

    def y(self, score: float) -> float:
        """Where a score of 0 to 1 lies."""
        return self.bottom - self.height * score


def time_x(time: float, span: float) -> float:
    """Where ``time`` lies on a timeline of ``span`` seconds."""
    return LEFT + min(time, span) * ((RIGHT - LEFT) / span)


def score_x(value: float) -> float:
    """Where a score of 0 to 1 lies, on the bars of a photo."""
    return LEFT + (RIGHT - LEFT) * value
