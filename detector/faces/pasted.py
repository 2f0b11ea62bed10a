"""Where a photograph that lies in a larger picture ends: on a plain ground, in a collage, on a screen.

The second look never sees beyond a picture's edge (:mod:`detector.faces.framing`), and nobody taught it what
a straight edge beside a head is: it takes one for a trace of generation (docs/faces.md has figures). So what
lies beyond the edge of a pasted photograph is left out as if the picture ended there.

An edge is told by its outer side: four lines of pixels of next to one colour, along the whole face and a part
of its surroundings, that begin with a step as straight. A wall behind a head ends at the head's outline,
which is not straight; letters, furniture and other faces are not plain.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.media.frame import Image
from detector.schema.analysis import Box

PixelBounds = tuple[int, int, int, int]  # left, top, right, bottom, px

_BESIDE = 0.3  # of the face's size, before and after it, along which an edge runs
_INSIDE = 0.08  # of the face's size, inside its box, from where on edges are looked for
_PLAIN, _PLAIN_SHARE = 8, 0.9  # levels from the ground's colour; share of its pixels
_STEP, _STEP_SHARE = 12, 0.5  # levels; share of the edge's length
_LINES = 4  # px of plain ground, at least
_SOFT = 3  # px over which a step goes, at most
_SPARED = 2  # px inside an edge that are left out as well: compression blurs it


def bounds_of_photo(image: Image, box: Box, reach: float) -> PixelBounds:
    """The part of ``image`` (RGB) that the photograph with the face in ``box`` fills.

    Edges are looked for up to ``reach`` px from the face; without one, that is where the image ends.
    """
    height, width = image.shape[:2]
    x0, y0, x1, y1 = (round(value) for value in box)
    far = round(reach)
    left, top = max(0, x0 - far), max(0, y0 - far)
    grey = cv2.cvtColor(np.ascontiguousarray(image[top : y1 + far, left : x1 + far]), cv2.COLOR_RGB2GRAY)
    x0, x1, y0, y1 = x0 - left, x1 - left, y0 - top, y1 - top
    beside_x, beside_y = round(_BESIDE * (x1 - x0)), round(_BESIDE * (y1 - y0))
    inside = round(_INSIDE * min(x1 - x0, y1 - y0))
    rows = grey[max(0, y0 - beside_y) : y1 + beside_y]
    columns = grey[:, max(0, x0 - beside_x) : x1 + beside_x]
    # From the face outwards, each.
    before_x, before_y = max(0, x0 + inside), max(0, y0 + inside)
    after_x, after_y = max(0, x1 - inside), max(0, y1 - inside)
    at_left, at_right = _edge(rows[:, :before_x][:, ::-1].T), _edge(rows[:, after_x:].T)
    at_top, at_bottom = _edge(columns[:before_y][::-1]), _edge(columns[after_y:])
    return (
        0 if at_left is None else left + before_x - at_left + _SPARED,
        0 if at_top is None else top + before_y - at_top + _SPARED,
        width if at_right is None else left + after_x + at_right - _SPARED,
        height if at_bottom is None else top + after_y + at_bottom - _SPARED,
    )


def _edge(lines: NDArray[np.uint8]) -> int | None:
    """The first of ``lines`` (n, m), grey and outwards, that is plain ground; None if there is none."""
    for first in range(1, len(lines) - _LINES + 1):
        band = lines[first : first + _LINES].astype(np.int16)
        colour = np.median(band)
        if (np.abs(band - colour) <= _PLAIN).mean() < _PLAIN_SHARE:
            continue
        before = lines[max(0, first - _SOFT) : first].astype(np.int16)
        if (np.abs(before - colour) > _STEP).any(axis=0).mean() >= _STEP_SHARE:
            return first
    return None
