"""Hide a part of a crop from the network: what the check of an explanation does, and training with it."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.media.frame import Image


def hide(crop: Image, mask: NDArray[np.float32]) -> Image:
    """``crop`` blurred beyond recognition where ``mask`` (its height and width, 0 to 1) is 1.

    Training hides areas of both classes the same way, so that hiding is no trace in itself.
    """
    return hide_each(crop, [mask])[0]


def hide_each(crop: Image, masks: Iterable[NDArray[np.float32]]) -> list[Image]:
    """``crop`` once for each mask; it is blurred once for all, which takes longest."""
    blurred = cv2.GaussianBlur(crop, (0, 0), crop.shape[0] / 12)
    return [_mixed(crop, blurred, mask) for mask in masks]


def _mixed(crop: Image, blurred: Image, mask: NDArray[np.float32]) -> Image:
    size = crop.shape[0]
    weight = cv2.GaussianBlur(mask, (0, 0), size / 64)[..., None]
    return np.clip(blurred * weight + crop * (1 - weight) + 0.5, 0, 255).astype(np.uint8)
