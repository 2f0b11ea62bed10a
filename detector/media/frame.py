"""A decoded frame and its pixels."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]  # (height, width, 3), RGB


@dataclass(frozen=True)
class Frame:
    """One decoded frame, upright. ``time`` is in seconds from the first frame.

    ``index`` counts the frames decoded before it, in order of presentation; None where it was
    reached by seeking. ``shape`` is height and width as it was shown, where a video changes its size and the
    frame was brought to that of the first.
    """

    pts: int
    time: Fraction
    image: Image
    index: int | None = None
    shape: tuple[int, int] | None = None
