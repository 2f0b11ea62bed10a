"""Create the demonstration clip: two people, one of them with a swapped face from second 3 to second 6."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from detector.face_blending import align, face_outline, limit_detail, match_colour
from detector.faces.search.networks import FaceDetector
from detector.media.encode import H264Writer
from detector.media.frame import Image

FRAME_RATE = 25
SECONDS = 9
MANIPULATED = (3.0, 6.0)  # seconds, of the person on the left
SIZE = (1280, 720)
_SEED = 20261120
_BIT_RATE = 1_800_000


def portraits() -> tuple[Image, Image]:
    """Return the two photographs (RGB): Eileen Collins, Grace Hopper."""
    import matplotlib.cbook
    import skimage.data

    path = matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    hopper = cv2.imread(str(path), cv2.IMREAD_COLOR)
    return skimage.data.astronaut(), cv2.cvtColor(hopper, cv2.COLOR_BGR2RGB)


def swap_face(image: Image, other: Image) -> Image:
    """Blend the face of ``other`` into ``image`` as a simple face-swap program does."""
    detector = FaceDetector()
    here, there = detector(image)[0].landmarks, detector(other)[0].landmarks
    rng = np.random.default_rng(_SEED)
    source = align(other, there, here, image.shape[:2])
    mask = np.zeros(image.shape[:2], np.float32)
    points = face_outline(here)
    points = points.mean(axis=0) + 0.9 * (points - points.mean(axis=0))
    cv2.fillPoly(mask, [cv2.convexHull(points).astype(np.int32)], 1.0)
    mask = cv2.GaussianBlur(mask, (0, 0), 0.03 * float(np.ptp(points, axis=0).max()))
    source = limit_detail(match_colour(source, image, mask, 0.8), here, rng)
    weight = mask[..., None]
    return np.clip(source * weight + image * (1 - weight) + 0.5, 0, 255).astype(np.uint8)


def make_sample(path: Path) -> None:
    """Write the clip to ``path`` (mp4, H.264, 1280×720, 25 frames a second, 9 s)."""
    collins, hopper = portraits()
    blended = swap_face(collins, hopper)
    rng = np.random.default_rng(_SEED)
    frames = FRAME_RATE * SECONDS
    steps = rng.normal(0, 1, (frames + 40, 2, 4))
    kernel = np.hanning(21) / np.hanning(21).sum()
    smooth = np.apply_along_axis(lambda series: np.convolve(series, kernel, "same"), 0, steps)[20:-20]
    shake = smooth * np.array([14.0, 10.0, 3.0, 0.05])
    grain = [_grain(rng) for _ in range(8)]
    with av.open(str(path), "w", format="mp4") as container:
        writer = H264Writer(
            container,
            SIZE,
            Fraction(FRAME_RATE),
            {"preset": "veryfast"},
            bit_rate=_BIT_RATE,
            one_thread=True,  # the same bytes on any number of cores
        )
        for number in range(FRAME_RATE * SECONDS):
            inside = MANIPULATED[0] <= number / FRAME_RATE < MANIPULATED[1]
            left = _view(blended if inside else collins, (215, 222), 1.75, shake[number, 0])
            right = _view(hopper, (256, 276), 1.4, shake[number, 1])
            picture = cv2.convertScaleAbs(np.hstack([left, right]), alpha=1 + 0.02 * np.sin(number / 9))
            picture = cv2.add(picture, grain[rng.integers(len(grain))], dtype=cv2.CV_8U)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            writer.write(frame, Fraction(number, FRAME_RATE))
        writer.finish()


def _grain(rng: np.random.Generator) -> np.ndarray:
    """Return sensor noise of one frame, (height, width, 3) int16, equal in the three channels."""
    noise = rng.normal(0, 2.0, (SIZE[1], SIZE[0], 1)).round().astype(np.int16)
    return np.repeat(noise, 3, axis=2)


def _view(photo: Image, centre: tuple[int, int], zoom: float, drift: np.ndarray) -> Image:
    """Return one half of the picture: ``photo`` around ``centre`` at ``zoom``, moved by ``drift``."""
    width, height = SIZE[0] // 2, SIZE[1]
    x, y, turn, log_zoom = map(float, drift)
    matrix = cv2.getRotationMatrix2D(centre, turn, zoom * float(np.exp(log_zoom)))
    matrix[:, 2] += np.array([width / 2 + x, height / 2 + y]) - centre
    return cv2.warpAffine(
        photo, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
    )
