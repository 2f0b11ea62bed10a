"""Where a time or a score lies from left to right, in units of the SVG's view box."""

from __future__ import annotations

LEFT, RIGHT = 76.0, 726.0
LETTER = 6.6  # width of one character of a band's label


def time_x(time: float, span: float) -> float:
    """Where ``time`` lies on a timeline of ``span`` seconds."""
    return LEFT + (RIGHT - LEFT) * min(time / span, 1.0)


def score_x(value: float) -> float:
    """Where a score of 0 to 1 lies, on the bars of a photo."""
    return LEFT + (RIGHT - LEFT) * value
