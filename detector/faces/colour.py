"""How much colour a face has: little where it is black and white, or toned in one colour.

The mean distance, in levels of 255, of colours from the best cubic function of their brightness. A grey or
evenly toned picture, as in sepia or the green of night vision, has little, whatever its tone.
"""

from __future__ import annotations

import cv2
import numpy as np

from detector.media.frame import Image

_POWERS = 4  # of brightness, from 0


def colour_of(face: Image, size: int) -> float:
    """Of an RGB picture, compared at ``size`` px: the less, the less compression of colour counts."""
    small = cv2.resize(face, (size, size), interpolation=cv2.INTER_AREA).reshape(-1, 3).astype(np.float32)
    brightness = small.sum(axis=1) / 765
    powers = np.stack([brightness**power for power in range(_POWERS)]).astype(np.float64)
    # By the normal equations, which takes half of the time.
    best = np.linalg.lstsq(powers @ powers.T, powers @ small, rcond=None)[0]
    return float(np.abs(small - powers.T @ best).mean())
