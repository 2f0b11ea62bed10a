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

# The DFDC crops used for training are squares around another detector's box. By CenterFace on 1,200 of them,
# and on frames of whole clips, the side of the square is 1.01 times the geometric mean of the box's sides,
# and its centre lies 0.06 sides below that of the box. Training jitters both, so the centre of the range is
# used.
SIDE_PER_BOX = 0.97
CENTRE_BELOW_BOX = 0.06

# Faces roll by up to about 15 degrees in the training crops. Others are turned back to 15 but not to 0, so
# that a crop does not jump between frames at a threshold.
ROLL_KEPT = 15.0


@dataclass(frozen=True, slots=True)
class Face:
    """A face detected in a frame, in pixels of the frame."""

    box: Box
    confidence: float
    landmarks: Landmarks

    @property
    def width(self) -> float:
        return self.box[2] - self.box[0]


@dataclass(frozen=True, slots=True)
class CropSquare:
    """Position of a crop: centre and side in pixels, ``angle`` in degrees clockwise."""

    x: float
    y: float
    side: float
    angle: float

    def matrix(self, size: int) -> NDArray[np.float64]:
        """Return the 2×3 affine from frame pixels to a ``size``×``size`` crop."""
        scale = size / self.side
        matrix = cv2.getRotationMatrix2D((self.x, self.y), self.angle, scale)
        matrix[:, 2] += size / 2 - np.array([self.x, self.y])
        return matrix


def roll(face: Face) -> float:
    """Return the roll of a face: the angle of the line between the eyes, in degrees clockwise.

    Published results call its absolute value ``tilt``.
    """
    left, right = face.landmarks[0], face.landmarks[1]
    return float(np.degrees(np.arctan2(right[1] - left[1], right[0] - left[0])))


def square_for_face(face: Face) -> CropSquare:
    """Return the square that the network sees of ``face``."""
    return square_for_box(face.box, roll(face))


def square_for_box(
    box: Box,
    roll: float,
    side_per_box: float = SIDE_PER_BOX,
    centre_below: float = CENTRE_BELOW_BOX,
    upright: bool = True,
) -> CropSquare:
    """Return the square that a network sees of a face in ``box`` with this :func:`roll`, in degrees.

    The defaults are the framing of Reelproof's own networks; networks from ONNX files have another.
    """
    x0, y0, x1, y1 = box
    side = side_per_box * float(np.sqrt((x1 - x0) * (y1 - y0)))
    angle = float(np.sign(roll) * max(0.0, abs(roll) - ROLL_KEPT)) if upright else 0.0
    # "Below" is along the axis of the face, which matters once it is turned.
    down = np.radians(angle)
    shift = centre_below * side
    return CropSquare(
        (x0 + x1) / 2 - float(np.sin(down)) * shift, (y0 + y1) / 2 + float(np.cos(down)) * shift, side, angle
    )


def crop_square(image: Image, square: CropSquare, size: int) -> Image:
    """Cut out ``square`` at ``size`` pixels; outside the frame, its edge is repeated."""
    # warpAffine samples without averaging, so warp a large face at a multiple of the size and average it
    # down; otherwise its texture would alias.
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
    """Return the part of ``box`` that lies in the frame, at least one pixel."""
    height, width = image.shape[:2]
    x0, y0 = (max(0, min(end - 1, int(value))) for value, end in zip(box[:2], (width, height), strict=True))
    x1, y1 = min(width, max(x0 + 1, int(box[2]))), min(height, max(y0 + 1, int(box[3])))
    return image[y0:y1, x0:x1]


# The second look sees two squares of a face: the inner face, and the whole head with its surroundings.
HEAD_PER_BOX = 1.8
FRAMINGS = ("inner", "head")  # by INNER and HEAD


def head_square(
    box: Box, width: int, height: int, scale: float = 1.0, dx: float = 0.0, dy: float = 0.0
) -> CropSquare:
    """Return the head square inside a picture of ``width`` × ``height``; ``dx``, ``dy`` are in box sides."""
    x0, y0, x1, y1 = box
    size = math.sqrt((x1 - x0) * (y1 - y0))
    side = min(HEAD_PER_BOX * size * scale, width, height)
    x = float(np.clip((x0 + x1) / 2 + dx * size, side / 2, width - side / 2))
    y = float(np.clip((y0 + y1) / 2 + dy * size, side / 2, height - side / 2))
    return CropSquare(x, y, side, 0.0)


def inner_square(
    box: Box, roll: float, scale: float = 1.0, dx: float = 0.0, dy: float = 0.0, turn: float = 0.0
) -> CropSquare:
    """Return the scan's square, enlarged by ``scale``, moved by ``dx``, ``dy`` sides, turned by ``turn``°."""
    square = square_for_box(box, roll)
    return CropSquare(
        square.x + dx * square.side, square.y + dy * square.side, square.side * scale, square.angle + turn
    )
