"""The two squares the second look sees of a face: the inner face, and the whole head with its surroundings.

The inner square is that of the scan (:func:`detector.faces.crop.square_for_box`). The head's square
is upright, has its centre at that of the detector's box and 1.8 times the box's side (geometric mean of
width and height). It never reaches beyond the picture: it shrinks to the picture's shorter side and moves
inside, so that no repeated border tells tightly cut material from whole frames.
"""

from __future__ import annotations

import math

import numpy as np

from detector.faces.crop import CropSquare, square_for_box
from detector.networks.readings import HEAD as HEAD
from detector.networks.readings import INNER as INNER
from detector.schema.analysis import Box

HEAD_PER_BOX = 1.8
FRAMINGS = ("inner", "head")  # by INNER and HEAD


def head_square(
    box: Box, width: int, height: int, scale: float = 1.0, dx: float = 0.0, dy: float = 0.0
) -> CropSquare:
    """The head's square in a picture of ``width`` × ``height``; ``dx`` and ``dy`` move it, in box sides."""
    x0, y0, x1, y1 = box
    size = math.sqrt((x1 - x0) * (y1 - y0))
    side = min(HEAD_PER_BOX * size * scale, width, height)
    x = float(np.clip((x0 + x1) / 2 + dx * size, side / 2, width - side / 2))
    y = float(np.clip((y0 + y1) / 2 + dy * size, side / 2, height - side / 2))
    return CropSquare(x, y, side, 0.0)


def inner_square(
    box: Box, roll: float, scale: float = 1.0, dx: float = 0.0, dy: float = 0.0, turn: float = 0.0
) -> CropSquare:
    """The scan's square of a face with this roll in degrees, changed.

    Enlarged by ``scale``, moved by ``dx`` and ``dy`` of its sides, turned by ``turn`` degrees.
    """
    square = square_for_box(box, roll)
    return CropSquare(
        square.x + dx * square.side,
        square.y + dy * square.side,
        square.side * scale,
        square.angle + turn,
    )
