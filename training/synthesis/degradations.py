"""Degradations of crops and sequences, applied equally to both classes."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.media.encode import h264_round_trip
from detector.media.frame import Image

_VIDEO = 0.55  # share of compressions that are a video codec's; most exhibits are video


def degrade(crop: Image, rng: np.random.Generator) -> Image:
    """Change colour, blur, add noise and compress up to twice, each only sometimes.

    Every step draws from the same distribution whatever the label: a network shown sharp photographs and
    compressed video would learn that difference instead of manipulation. The size may change.
    """
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
    # The order of channels does not matter to JPEG, as long as it is undone.
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 96))]
    out: Image = cv2.imdecode(cv2.imencode(".jpg", crop, quality)[1], cv2.IMREAD_COLOR)  # type: ignore[assignment]
    return out


def degrade_h264(crop: Image, rng: np.random.Generator) -> Image:
    """Encode with x264 and decode the last of one to three frames, so that some are predicted ones."""
    side = crop.shape[0] // 2 * 2
    crop = crop[:side, :side]
    options = {"preset": "veryfast", "crf": str(int(rng.integers(18, 43))), "tune": "zerolatency"}
    return h264_round_trip([crop] * int(rng.integers(1, 4)), 25, options)[-1]


_RATE = 8  # frames a second of a sequence


def frame_order(count: int, available: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Choose which of ``available`` moments are shown as ``count`` frames, in order.

    Mostly a run of neighbours; one time in six with a jump cut, dropped or repeated frames.
    """
    spare = available - count
    how = rng.random()
    steps = np.ones(count - 1, np.int64)
    if how < 0.06 and spare > 0:  # jump cut
        steps[rng.integers(count - 1)] += int(rng.integers(1, spare + 1))
    elif how < 0.11:  # dropped
        for place in rng.integers(0, count - 1, min(spare, int(rng.integers(1, 4)))):
            steps[place] += 1
    elif how < 0.16:  # shown twice
        steps[rng.integers(0, count - 1, int(rng.integers(1, 4)))] = 0
    shown = np.concatenate([[0], np.cumsum(steps)])
    return shown + int(rng.integers(0, available - int(shown[-1])))


def degrade_sequence(crops: list[Image], rng: np.random.Generator) -> list[Image]:
    """Degrade all ``crops`` (of one even side) alike: one camera, one transmission.

    The steps of :func:`degrade` are the same in each frame, grain is not; and mostly H.264 compresses the
    whole sequence, so that the effects of a codec over time occur.
    """
    if rng.random() < 0.5:
        seed = int(rng.integers(2**32))
        crops = [degrade(crop, np.random.default_rng(seed)) for crop in crops]
    if rng.random() < 0.2:
        strength = rng.uniform(1, 7)
        crops = [
            np.clip(crop + strength * rng.standard_normal(crop.shape, np.float32), 0, 255).astype(np.uint8)
            for crop in crops
        ]
    if rng.random() < 0.65:
        crops = compress(crops, int(rng.integers(18, 41)), int(rng.integers(8, 25)))
    return crops


def compress(crops: list[Image], crf: int, gop: int) -> list[Image]:
    """Encode ``crops`` with x264 at ``crf``, a key frame every ``gop`` frames, and decode them."""
    # Without the flag the same pictures of 50 to 160 px gave up to 12 different streams in 12 tries.
    options = {"preset": "veryfast", "crf": str(crf), "x264-params": "cpu-independent=1"}
    return h264_round_trip(crops, _RATE, options, key_frame_every=gop)


def add_event(crops: list[Image], rng: np.random.Generator) -> list[Image]:
    """Compress a stretch once more, or change the exposure from a frame on."""
    crops = list(crops)
    start = int(rng.integers(1, len(crops) - 3))
    end = int(rng.integers(start + 3, len(crops) + 1))
    if rng.random() < 0.5:
        crops[start:end] = compress(crops[start:end], int(rng.integers(20, 41)), 24)
        return crops
    gain, lift = np.exp(rng.normal(0, 0.15)), rng.normal(0, 8)
    fade = int(rng.integers(1, 4))
    for i in range(start, end):
        share = min(1.0, (i - start + 1) / fade)
        out = crops[i].astype(np.float32) * np.float32(1 + share * (gain - 1)) + np.float32(share * lift)
        crops[i] = np.clip(out, 0, 255).astype(np.uint8)
    return crops
