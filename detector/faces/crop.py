"""Squares cut out around a face: for the scan, and in two framings for the second look."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.media.frame import Image
from detector.networks.graphs import HEAD as HEAD
from detector.networks.graphs import INNER as INNER
from detector.schema.analysis import Box

Landmarks = NDArray[np.float32]  # (5, 2): eyes, nose, mouth corners, each left to right

# The DFDC crops this project trains on are squares around another detector's box.
# CenterFace run over 1,200 of them and over frames of whole clips gives the square's
# side as 1.01 times the geometric mean of its own box's sides, and its centre as lying
# 0.06 sides below the box's. Training jitters both, so the centre of the range is used.
SIDE_PER_BOX = 0.97
CENTRE_BELOW_BOX = 0.06

# Faces roll by up to some 15 degrees in the training crops; what rolls more is turned
# back to that, and not further, so that no threshold makes a crop jump between frames.
ROLL_KEPT = 15.0


@dataclass(frozen=True, slots=True)
class Face:
    """A face found in one frame, in pixels of that frame."""

    box: Box
    confidence: float
    landmarks: Landmarks

    @property
    def width(self) -> float:
        return self.box[2] - self.box[0]


@dataclass(frozen=True, slots=True)
class CropSquare:
    """Where a crop lies: centre and side in pixels, ``angle`` in degrees clockwise."""

    x: float
    y: float
    side: float
    angle: float

    def matrix(self, size: int) -> NDArray[np.float64]:
        """2×3 affine from frame pixels to a ``size``×``size`` crop."""
        scale = size / self.side
        matrix = cv2.getRotationMatrix2D((self.x, self.y), self.angle, scale)
        matrix[:, 2] += size / 2 - np.array([self.x, self.y])
        return matrix


def roll(face: Face) -> float:
    """Roll of a face: degrees clockwise from level of the line between the eyes.

    Published results call its absolute value ``tilt``.
    """
    left, right = face.landmarks[0], face.landmarks[1]
    return float(np.degrees(np.arctan2(right[1] - left[1], right[0] - left[0])))


def square_for_face(face: Face) -> CropSquare:
    """The square the network sees of ``face``."""
    return square_for_box(face.box, roll(face))


def square_for_box(
    box: Box,
    roll: float,
    side_per_box: float = SIDE_PER_BOX,
    centre_below: float = CENTRE_BELOW_BOX,
    upright: bool = True,
) -> CropSquare:
    """The square the network sees of a face in ``box`` with this :func:`roll`, in degrees.

    The last three are those of Reelproof's own networks; others were trained with their own framing.
    """
    x0, y0, x1, y1 = box
    side = side_per_box * float(np.sqrt((x1 - x0) * (y1 - y0)))
    angle = float(np.sign(roll) * max(0.0, abs(roll) - ROLL_KEPT)) if upright else 0.0
    # "Below" is along the face's own axis, which matters once it is turned.
    down = np.radians(angle)
    shift = centre_below * side
    return CropSquare(
        (x0 + x1) / 2 - float(np.sin(down)) * shift, (y0 + y1) / 2 + float(np.cos(down)) * shift, side, angle
    )


def crop_square(image: Image, square: CropSquare, size: int) -> Image:
    """The crop of ``square`` at ``size`` pixels; what lies outside the frame repeats its edge."""
    # warpAffine samples, it does not average: a face much larger than the crop is warped
    # at a multiple of the size and averaged down, or its texture would alias.
    times = max(1, round(square.side / size))
    crop = cv2.warpAffine(
        image,
        square.matrix(size * times),
        (size * times, size * times),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA) if times > 1 else crop


def within_box(image: Image, box: Box) -> Image:
    """The part of a frame in ``box``, as far as it is in the frame: one pixel at least."""
    height, width = image.shape[:2]
    x0, y0 = (max(0, min(end - 1, int(value))) for value, end in zip(box[:2], (width, height), strict=True))
    x1, y1 = min(width, max(x0 + 1, int(box[2]))), min(height, max(y0 + 1, int(box[3])))
    return image[y0:y1, x0:x1]


HEAD_PER_BOX = 1.8
FRAMINGS = ("inner", "head")  # by INNER and HEAD


def head_square(
    box: Box, width: int, height: int, scale: float = 1.0, dx: float = 0.0, dy: float = 0.0
) -> CropSquare:
    """The head's square in a picture of ``width`` × ``height``; ``dx`` and ``dy`` move it, in box sides."""
    x0, y0, x1, y1 = box
    size = math.sqrt((x1 - x0) * (y1 - y0))
    side = min(HEAD_PER_BOX * size * scale, width, height)
    x = float(np.clip((x0 + x1) / 2 + dx * size, side / 2, width - side / 2))
    y = float(np.clip((y0 + y1) / 2 + dy * size, side / 2, height - side / 2))
    return CropSquare(x, y, side, 0.0)


def inner_square(
    box: Box, roll: float, scale: float = 1.0, dx: float = 0.0, dy: float = 0.0, turn: float = 0.0
) -> CropSquare:
    """The scan's square of a face with this roll in degrees, changed.

    Enlarged by ``scale``, moved by ``dx`` and ``dy`` of its sides, turned by ``turn`` degrees.
    """
    square = square_for_box(box, roll)
    return CropSquare(
        square.x + dx * square.side,
        square.y + dy * square.side,
        square.side * scale,
        square.angle + turn,
    )
