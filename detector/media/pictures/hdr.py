"""Pictures of high dynamic range, PQ or HLG with the primaries of BT.2020, as ordinary 8-bit ones.

Detector and networks know pictures of standard range only; without a conversion these look flat and grey.
Transfer functions are those of ITU-R BT.2100, reference white at 203 cd/m² as in ITU-R BT.2408. What is
brighter than four fifths of it is compressed; hue is kept. HLG's system gamma is applied to each channel
by itself, for a screen of 1,000 cd/m².
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.media.frame import Image

PQ, HLG = 16, 18  # ITU-T H.273, transfer characteristics
NAMES = {PQ: "PQ", HLG: "HLG"}
_WHITE = 203.0  # cd/m² of what standard range shows as white
_HLG_PEAK, _HLG_GAMMA = 1000.0, 1.2
_KNEE = 0.8
_TO_BT709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32
)  # ITU-R BT.2087
_BITS = 12  # of the 16 of a channel that are looked up


def to_standard_range(picture: NDArray[np.uint16], transfer: int) -> Image:
    """RGB of 16 bits a channel, (height, width, 3), as RGB of 8 bits in sRGB."""
    light = cv2.transform(_linear(transfer)[picture >> (16 - _BITS)], _TO_BT709)
    np.maximum(light, 0.0, out=light)
    brightest = light.max(axis=2)
    over = np.maximum(brightest - _KNEE, 0.0) / (1 - _KNEE)
    shown = np.minimum(brightest, _KNEE) + (1 - _KNEE) * (1 - np.exp(-over))
    light *= np.divide(shown, brightest, out=np.ones_like(shown), where=brightest > 0)[..., None]
    return _encoded()[(light * ((1 << _BITS) - 1) + 0.5).astype(np.uint16)]


@cache
def _linear(transfer: int) -> NDArray[np.float32]:
    """Light for each coded value, 1 being reference white."""
    coded = np.arange(1 << _BITS) / ((1 << _BITS) - 1)
    if transfer == PQ:
        root = coded ** (1 / 78.84375)
        light = 10_000 * (np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** (
            1 / 0.1593017578125
        )
    else:
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        scene = np.where(coded <= 0.5, coded**2 / 3, (np.exp((coded - c) / a) + b) / 12)
        light = _HLG_PEAK * scene**_HLG_GAMMA
    return (light / _WHITE).astype(np.float32)


@cache
def _encoded() -> NDArray[np.uint8]:
    """IEC 61966-2-1, from light of 0 to 1."""
    light = np.arange(1 << _BITS) / ((1 << _BITS) - 1)
    coded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.round(255 * coded).astype(np.uint8)
