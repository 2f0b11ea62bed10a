"""The colours of heat, from none (black) to most (bright yellow): *inferno* of matplotlib."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.media.frame import Image


def heat_colours(levels: NDArray[np.uint8]) -> Image:
    """Levels (h, w), 0 to 255, as RGB (h, w, 3)."""
    colours = cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO)
    return np.asarray(cv2.cvtColor(colours, cv2.COLOR_BGR2RGB), np.uint8)
