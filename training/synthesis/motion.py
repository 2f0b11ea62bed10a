"""Move pictures of faces plausibly, as generators that animate a single picture do."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.face_blending import TEMPLATE, face_outline
from detector.faces.crop import CropSquare, Landmarks
from detector.media.frame import Image

# Where expression moves a face (in the template's unit square), how far around, and by how
# much: jaw and lower lip together, mouth corners, upper lip, brows; x and y.
_EXPRESSION = (
    ((0.51, 0.82), 0.13, (0.004, 0.022)), ((0.36, 0.70), 0.09, (0.012, 0.008)),
    ((0.66, 0.70), 0.09, (0.012, 0.008)), ((0.51, 0.65), 0.08, (0.004, 0.006)),
    ((0.31, 0.22), 0.10, (0.003, 0.010)), ((0.71, 0.22), 0.10, (0.003, 0.010)),
)  # fmt: skip
_TURN = 0.12  # radians, one standard deviation of a lively head's yaw and pitch
_LEAN = 0.045  # radians of roll
_GRID = 32  # places a side at which displacements are computed: they are smooth


class Animation:
    """``image`` at ``count`` moments 1/8 s apart, moving plausibly; each frame is sampled from it only once.

    The motion is a smooth field of displacements: a similarity for the sway, the parallax of a rounded face
    for its turns, and bumps at mouth, chin and brows for expression. Real and manipulated stills are animated
    by the same draw, so that animation reveals nothing.
    """

    def __init__(
        self, image: Image, landmarks: Landmarks | None, count: int, rng: np.random.Generator
    ) -> None:
        """Without ``landmarks`` the face is assumed to fill the image as it fills a DFDC crop."""
        if landmarks is None:
            landmarks = TEMPLATE * np.array(image.shape[1::-1], np.float32)
        self._image, self._points = image, landmarks
        self.side = max(8.0, float(np.ptp(face_outline(landmarks), axis=0).max()))
        self._middle = face_outline(landmarks).mean(axis=0).astype(np.float64)
        # From nearly frozen to lively: listeners hardly move.
        lively, talking = np.exp(rng.uniform(np.log(0.15), np.log(1.2), 2))
        self._yaw = _TURN * lively * sway(rng, count)
        self._pitch = 0.7 * _TURN * lively * sway(rng, count)
        self._lean = _LEAN * lively * sway(rng, count)
        self._grow = 0.02 * lively * sway(rng, count)
        size = np.array([size for *_, size in _EXPRESSION])
        self._talk = talking * size * drift(rng, count, (len(_EXPRESSION), 2), 0.5)
        affine, *_ = np.linalg.lstsq(np.c_[TEMPLATE, np.ones(5)], landmarks.astype(np.float64), rcond=None)
        self._places = np.array([[*place, 1] for place, *_ in _EXPRESSION]) @ affine
        self._reach = np.array([reach for _, reach, _ in _EXPRESSION]) * self.side

    def frame(self, moment: int, square: CropSquare, size: int) -> Image:
        """Return the crop of ``square`` (in pixels of the still) at ``moment``, (size, size, 3)."""
        times = max(1, round(square.side / size))
        big = size * times
        back = cv2.invertAffineTransform(square.matrix(big))
        coarse = (np.arange(_GRID) + 0.5) * big / _GRID - 0.5
        cells = np.stack([*np.meshgrid(coarse, coarse), np.ones((_GRID, _GRID))], axis=-1) @ back.T
        moved = self._displaced(cells.reshape(-1, 2), moment).reshape(_GRID, _GRID, 2).astype(np.float32)
        field = cv2.resize(moved, (big, big), interpolation=cv2.INTER_LINEAR)
        steps = np.arange(big)
        x = (back[0, 0] * steps + back[0, 1] * steps[:, None] + back[0, 2]).astype(np.float32)
        y = (back[1, 0] * steps + back[1, 1] * steps[:, None] + back[1, 2]).astype(np.float32)
        x, y = x + field[..., 0], y + field[..., 1]
        crop = cv2.remap(self._image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA) if times > 1 else crop

    def whole(self, moment: int) -> Image:
        """Return the whole, square still at ``moment``."""
        size = self._image.shape[0]
        return self.frame(moment, CropSquare(size / 2, size / 2, size, 0.0), size)

    def landmarks(self, moment: int) -> Landmarks:
        """Return the landmarks (5, 2) at ``moment``, by iteration: the field is a contraction."""
        points = self._points.astype(np.float64)
        for _ in range(4):
            points = self._points - self._displaced(points, moment)
        return points.astype(np.float32)

    def _displaced(self, points: NDArray[np.float64], moment: int) -> NDArray[np.float64]:
        """Return the displacements (n, 2) in the still of the pixels seen at ``points`` at ``moment``."""
        from_middle = points - self._middle
        lean, grow = self._lean[moment], self._grow[moment]
        spin = np.array([[np.cos(lean), np.sin(lean)], [-np.sin(lean), np.cos(lean)]]) * (1 + grow)
        out = from_middle @ (spin - np.eye(2))
        radius = (from_middle**2).sum(axis=1) / self.side**2
        # A rounded face before a background, minus the part by which the detector follows it.
        depth = 0.35 * np.exp(-radius / (2 * 0.38**2)) + 0.09 * np.exp(-radius / (2 * 0.13**2)) - 0.2
        out += self.side * depth[:, None] * np.array([self._yaw[moment], self._pitch[moment]])
        away = ((points[:, None] - self._places) ** 2).sum(axis=2)
        bumps = np.exp(-away / (2 * self._reach**2))
        return out + self.side * bumps @ self._talk[moment]


def sway(rng: np.random.Generator, count: int, rate: float = 8.0) -> NDArray[np.float64]:
    """Draw a smooth series with about unit spread: three waves of 1.2 to 8 seconds."""
    time = np.arange(count)[:, None] / rate
    period, phase, size = rng.uniform(1.2, 8, 3), rng.uniform(0, 2 * np.pi, 3), rng.normal(0, 0.8, 3)
    return (size * np.sin(2 * np.pi * time / period + phase)).sum(axis=1)


def drift(
    rng: np.random.Generator, count: int, width: tuple[int, ...], correlation: float, white: float = 0.3
) -> NDArray[np.float64]:
    """Draw autocorrelated series (count, *width) of unit spread plus ``white`` noise."""
    steps = rng.normal(size=(count, *width))
    series = steps.copy()
    for i in range(1, count):
        series[i] = correlation * series[i - 1] + np.sqrt(1 - correlation**2) * steps[i]
    return np.sqrt(1 - white**2) * series + white * rng.normal(size=series.shape)
