"""Where things stand on an annotated frame: a header, the picture, and a panel below it.

The picture is never covered by header or panel; it is only scaled.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

LONGEST_SIDE = 1280  # of the picture, px
LEAST_WIDTH = 640  # of the whole, so that the header can be read
_MOST_ENLARGED = 4
MOST_LANES = 6
_LANE, _TALLEST_LANE = 34, 60  # px, of one person's scores
_HEADER = 54
_CLOCK = 42  # the panel's first row, with room for the playhead's top
_FOOT = 46  # the axis and the legend
INSET = 132  # side of the last heatmap, shown beside the scores
LABEL_COLUMN = 78  # names left of the scores
MARGIN = 14


@dataclass(frozen=True)
class Rect:
    """A rectangle in px of the annotated frame."""

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        return self.x + self.width

    @property
    def bottom(self) -> int:
        return self.y + self.height

    def meets(self, other: Rect) -> bool:
        """Whether the two have a pixel in common."""
        return (
            self.x < other.right and other.x < self.right and self.y < other.bottom and other.y < self.bottom
        )


@dataclass(frozen=True)
class FrameLayout:
    """The parts of an annotated frame. All sides of the whole are even, as 4:2:0 asks."""

    width: int
    height: int
    header: Rect
    picture: Rect
    clock: Rect
    strip: Rect  # the plot of scores, ``lanes`` one below the other
    inset: Rect | None
    foot: Rect
    lanes: int

    def lane(self, row: int) -> Rect:
        """The part of the strip that one person's scores take, with a gap to the next."""
        top = self.strip.y + row * self.strip.height // self.lanes
        bottom = self.strip.y + (row + 1) * self.strip.height // self.lanes
        return Rect(self.strip.x, top + 2, self.strip.width, bottom - top - 5)

    def across(self, time: float, duration: float) -> int:
        """Column of a time on the strip."""
        share = min(max(time / duration, 0.0), 1.0) if duration > 0 else 0.0
        return self.strip.x + round(share * (self.strip.width - 1))


def arrange(width: int, height: int, pixel_aspect: Fraction, persons: int, heatmaps: bool) -> FrameLayout:
    """The layout for an upright frame of ``width`` × ``height`` pixels of that shape.

    Pictures are scaled down to 1280 px on their longer side; small ones up, four times at most.
    """
    # Pixels that are not square are widened, never squeezed: no row is lost.
    real_width = float(width * max(pixel_aspect, Fraction(1)))
    real_height = float(height / min(pixel_aspect, Fraction(1)))
    scale = min(_MOST_ENLARGED, max(1.0, LEAST_WIDTH / real_width))
    scale = min(scale, LONGEST_SIDE / max(real_width, real_height))
    picture_width, picture_height = max(2, round(real_width * scale)), max(2, round(real_height * scale))
    whole = max(LEAST_WIDTH, picture_width + picture_width % 2)
    shown = min(persons, MOST_LANES)
    least = max(1, shown) * _LANE
    body = max(least, INSET) if heatmaps else least
    strip_height = min(body, max(1, shown) * _TALLEST_LANE)
    panel = _HEADER + picture_height
    right = whole - MARGIN - (INSET + MARGIN if heatmaps else 0)
    strip = Rect(LABEL_COLUMN, panel + _CLOCK, right - LABEL_COLUMN, strip_height)
    bottom = panel + _CLOCK + body
    total = bottom + _FOOT
    return FrameLayout(
        width=whole,
        height=total + total % 2,
        header=Rect(0, 0, whole, _HEADER),
        picture=Rect((whole - picture_width) // 2, _HEADER, picture_width, picture_height),
        clock=Rect(0, panel, whole, _CLOCK),
        strip=strip,
        inset=Rect(whole - MARGIN - INSET, panel + _CLOCK, INSET, INSET) if heatmaps else None,
        foot=Rect(0, bottom, whole, _FOOT),
        lanes=shown,
    )
