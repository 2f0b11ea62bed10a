"""A picture of a person moved as another one of theirs is, as generators do that animate one picture.

Such a generator (Siarohin et al., First Order Motion Model, 2019, and those after it) takes the pixels of a
still and moves them to where the motion of a driving video has them. Here the motion between two frames of
the same clip is measured instead of estimated from keypoints (dense inverse search: Kroeger et al., 2016),
and smoothed, so that the result shows the second frame in the texture of the first.
"""

from __future__ import annotations

import cv2
import numpy as np

from detector.media.frame import Image

_MEASURED = 256  # px of the longer side at which motion is measured
_SMOOTH = 1.0, 5.0  # px of that: standard deviations over which it is smoothed
_OWN_SIZE = 0.6  # share drawn at a size that generators have, px of the longer side
_SIZES = 256, 320, 384, 512


def transferred(still: Image, driving: Image, rng: np.random.Generator) -> Image:
    """``still`` moved as ``driving`` is, and of its size; both RGB, of one person and framed alike."""
    height, width = driving.shape[:2]
    if still.shape != driving.shape:
        still = cv2.resize(still, (width, height), interpolation=cv2.INTER_AREA)
    scale = _MEASURED / max(height, width)
    first, second = (
        cv2.cvtColor(
            cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY
        )
        for image in (driving, still)
    )
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow = search.calc(first, second, np.zeros((*first.shape, 2), np.float32))
    flow = cv2.GaussianBlur(flow, (0, 0), float(rng.uniform(*_SMOOTH)))
    flow = cv2.resize(flow, (width, height)) / scale
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    how = cv2.INTER_LINEAR if rng.random() < 0.5 else cv2.INTER_CUBIC
    moved = cv2.remap(still, x + flow[..., 0], y + flow[..., 1], how, borderMode=cv2.BORDER_REPLICATE)
    size = int(rng.choice(_SIZES))
    if rng.random() < _OWN_SIZE and size < max(height, width):
        share = size / max(height, width)
        small = cv2.resize(moved, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
        moved = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(moved, np.uint8)
