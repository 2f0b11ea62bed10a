"""Degradations of a crop, applied alike to both classes.

A network shown sharp photographs and compressed video would learn that difference
instead of manipulation. Every step draws from the same distribution whatever the label.
Images are RGB uint8, square; the size may change.
"""

from __future__ import annotations

import cv2
import numpy as np

from detector.media.encode import h264_round_trip
from detector.media.frame import Image

_VIDEO = 0.55  # share of compressions that are a video codec's; most exhibits are video


def degrade(crop: Image, rng: np.random.Generator) -> Image:
    """Colour, blur, noise and up to two rounds of compression, each only sometimes."""
    if rng.random() < 0.6:
        crop = _colour(crop, rng)
    if rng.random() < 0.2:
        crop = _blur(crop, rng)
    if rng.random() < 0.25:
        crop = _noise(crop, rng)
    for chance in (0.7, 0.2):
        if rng.random() < chance:
            crop = degrade_h264(crop, rng) if rng.random() < _VIDEO else _jpeg(crop, rng)
    return crop


def _colour(crop: Image, rng: np.random.Generator) -> Image:
    out = crop.astype(np.float32) * rng.uniform(0.92, 1.08, 3).astype(np.float32)
    out = np.float32(255) * (np.clip(out, 0, 255) / np.float32(255)) ** np.float32(np.exp(rng.normal(0, 0.2)))
    out = (out - 127.5) * np.float32(rng.uniform(0.75, 1.25)) + 127.5 + np.float32(rng.uniform(-20, 20))
    grey = (out @ np.array([0.299, 0.587, 0.114], np.float32))[..., None]
    saturation = 0.0 if rng.random() < 0.03 else rng.uniform(0.6, 1.4)
    return np.clip(grey + (out - grey) * np.float32(saturation), 0, 255).astype(np.uint8)


def _blur(crop: Image, rng: np.random.Generator) -> Image:
    if rng.random() < 0.5:
        return cv2.GaussianBlur(crop, (0, 0), float(rng.uniform(0.4, 1.8)))
    length = int(rng.integers(3, 8))
    kernel = np.zeros((length, length), np.float32)
    kernel[length // 2] = 1 / length
    turn = cv2.getRotationMatrix2D((length / 2 - 0.5, length / 2 - 0.5), float(rng.uniform(0, 180)), 1)
    kernel = cv2.warpAffine(kernel, turn, (length, length))
    return cv2.filter2D(crop, -1, kernel / kernel.sum())


def _noise(crop: Image, rng: np.random.Generator) -> Image:
    channels = 3 if rng.random() < 0.5 else 1
    noise = rng.normal(0, rng.uniform(1, 9), (*crop.shape[:2], channels))
    return np.clip(crop + noise, 0, 255).astype(np.uint8)


def _jpeg(crop: Image, rng: np.random.Generator) -> Image:
    # JPEG does not mind the order of channels being RGB here, it only has to be undone.
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 96))]
    out: Image = cv2.imdecode(cv2.imencode(".jpg", crop, quality)[1], cv2.IMREAD_COLOR)  # type: ignore[assignment]
    return out


def degrade_h264(crop: Image, rng: np.random.Generator) -> Image:
    """Through x264 and back; the last of one to three frames, so predicted ones are met too."""
    side = crop.shape[0] // 2 * 2
    crop = crop[:side, :side]
    options = {"preset": "veryfast", "crf": str(int(rng.integers(18, 43))), "tune": "zerolatency"}
    return h264_round_trip([crop] * int(rng.integers(1, 4)), 25, options)[-1]
