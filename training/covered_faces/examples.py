"""Training examples: face crops, half of them partly covered, degraded by compression and size."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.errors import ParameterError
from detector.faces.crop import CropSquare, Face, crop_square, square_for_face
from detector.faces.search.networks import FaceDetector
from detector.faces.tracks import COVER_CROP_SIZE
from detector.files import open_atomically
from detector.media.frame import Image
from detector.schema.analysis import Box
from detector.schema.scores import overlap
from training.covered_faces import covers
from training.covered_faces.covers import SIDE, apply_cover, draw_cover
from training.proposals.examples import training_images

_NARROWEST = 48  # px, of a face
_SURE = 0.5  # confidence, likewise
_AROUND = 2  # sides of the square in which a face is detected again once it is covered
_SAME = 0.1  # least overlap of the box with the square before: the box of the rest may be small
_DRAWN = 4  # covers of each face, one at a time
_SMALLEST = 24  # px of a piece
_FILE = "crops.npz"


class Crops(NamedTuple):
    """Faces (n, 128, 128, 3), RGB, with CenterFace's landmarks (n, 5, 2) in px of the crop.

    ``recut`` (k, 128, 128, 3) are some of them cropped again after a cover was drawn, which moves boxes, and
    ``covered`` (k,) tells whether it hides mouth or eyes. ``pieces`` (m, 128, 128, 3) are parts of the same
    pictures without a face. Covers are drawn, because real ones in these pictures are too few to learn from.
    """

    faces: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    recut: NDArray[np.uint8]
    covered: NDArray[np.bool_]
    pieces: NDArray[np.uint8]


def prepare(data: Path, out: Path) -> Crops:
    """Gather crops from the pictures of role ``train`` below ``data``, once, and store them below ``out``."""
    path = out / _FILE
    if not path.is_file():
        crops = _gather(data)
        out.mkdir(parents=True, exist_ok=True)
        with open_atomically(path) as file:
            np.savez(file, **crops._asdict())
    return load(out)


def load(out: Path) -> Crops:
    """Load the crops of :func:`prepare`; raise :class:`~detector.errors.ParameterError` without any."""
    try:
        with np.load(out / _FILE) as arrays:
            return Crops(*(arrays[name] for name in Crops._fields))
    except FileNotFoundError:
        raise ParameterError(f"{out}: no crops yet. Run the step `prepare` first.") from None


def _gather(data: Path) -> Crops:
    detect, rng = FaceDetector(_SURE), np.random.default_rng(0)
    faces: list[Image] = []
    landmarks: list[NDArray[np.float32]] = []
    around: list[Image] = []
    pieces: list[Image] = []
    for image in training_images(data):
        detections = [face for face in detect(image) if face.width >= _NARROWEST]
        for face in detections:
            square = square_for_face(face)
            faces.append(crop_square(image, square, SIDE))
            points = np.c_[face.landmarks, np.ones(5)] @ square.matrix(SIDE).T
            landmarks.append(points.astype(np.float32))
            wide = CropSquare(square.x, square.y, square.side * _AROUND, square.angle)
            around.append(crop_square(image, wide, SIDE * _AROUND))
        pieces += _piece_without_face(image, [face.box for face in detections], rng)
    recut: list[Image] = []
    covered: list[bool] = []
    for crop, points, picture in zip(faces, landmarks, around, strict=True):
        for _ in range(_DRAWN):
            cover = draw_cover(crop, pieces[rng.integers(len(pieces))], rng)
            hides = cover.hides(points)
            changed = apply_cover(picture, cover.around(_AROUND), rng)
            after = None if hides is None else _central_face(detect(changed))
            if hides is not None and after is not None:
                recut.append(crop_square(changed, square_for_face(after), SIDE))
                covered.append(hides)
    return Crops(np.stack(faces), np.stack(landmarks), np.stack(recut), np.array(covered), np.stack(pieces))


def _central_face(faces: Sequence[Face]) -> Face | None:
    """Return the face in the middle of the picture, around which it was cut."""
    ends = SIDE * (_AROUND - 1) / 2, SIDE * (_AROUND + 1) / 2
    middle: Box = (ends[0], ends[0], ends[1], ends[1])
    best = max(faces, key=lambda face: overlap(face.box, middle), default=None)
    return best if best is not None and overlap(best.box, middle) >= _SAME else None


def _piece_without_face(image: Image, faces: Sequence[Box], rng: np.random.Generator) -> list[Image]:
    """Return a random square of the picture that touches no face, if six attempts find one."""
    height, width = image.shape[:2]
    for _ in range(6):
        side = int(rng.uniform(0.1, 0.4) * min(height, width))
        x, y = int(rng.integers(width - side)), int(rng.integers(height - side))
        if side >= _SMALLEST and all(
            x > x1 or x + side < x0 or y > y1 or y + side < y0 for x0, y0, x1, y1 in faces
        ):
            piece = image[y : y + side, x : x + side]
            return [cv2.resize(piece, (SIDE, SIDE), interpolation=cv2.INTER_AREA)]
    return []


_PLAIN, _RECUT = 0.4, 0.3  # shares of examples without a cover, and of those cropped after one was drawn
_VARIED = 0.4  # share of all others with features that cover nothing, drawn before any cover
_SHADED = 0.15  # share of recut ones with a shadow; other features would lie on top of the cover


class CoveredFaceExample(NamedTuple):
    """A crop (SEEN, SEEN, 3), RGB, and whether mouth or eyes of its face are covered."""

    crop: Image
    covered: bool


def example(crops: Crops, rng: np.random.Generator) -> CoveredFaceExample:
    """Draw a random example."""
    kind = rng.random()
    if kind < _RECUT:
        number = rng.integers(len(crops.recut))
        face = _mirror_sometimes(crops.recut[number], rng)
        if rng.random() < _SHADED:
            face = covers.shadow(face, rng)
        return CoveredFaceExample(degrade(face, rng), bool(crops.covered[number]))
    number = rng.integers(len(crops.faces))
    face, landmarks = crops.faces[number], crops.landmarks[number]
    if rng.random() < _VARIED:
        face = covers.add_bare_feature(face, rng)
    if kind < _RECUT + _PLAIN:
        return CoveredFaceExample(degrade(_mirror_sometimes(face, rng), rng), covered=False)
    while True:
        cover = draw_cover(face, crops.pieces[rng.integers(len(crops.pieces))], rng)
        covered = cover.hides(landmarks)
        if covered or covered is False and rng.random() < 0.5:
            face = _mirror_sometimes(apply_cover(face, cover, rng), rng)
            return CoveredFaceExample(degrade(face, rng), covered)


def _mirror_sometimes(face: Image, rng: np.random.Generator) -> Image:
    return np.ascontiguousarray(face[:, ::-1]) if rng.random() < 0.5 else face


def degrade(face: Image, rng: np.random.Generator) -> Image:
    """Reduce and enlarge, save as JPEG, change brightness; return at the network's size."""
    if rng.random() < 0.5:
        small = int(rng.integers(36, SIDE))
        face = cv2.resize(face, (small, small), interpolation=cv2.INTER_AREA)
    if rng.random() < 0.7:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 96))]
        decoded: NDArray[np.uint8] | None = cv2.imdecode(
            cv2.imencode(".jpg", face, quality)[1], cv2.IMREAD_COLOR
        )
        assert decoded is not None  # it was encoded here
        face = decoded
    face = cv2.resize(face, (COVER_CROP_SIZE, COVER_CROP_SIZE), interpolation=cv2.INTER_AREA)
    gain, moved = rng.uniform(0.7, 1.3, 3) ** 0.5 * rng.uniform(0.6, 1.3), rng.normal(0, 8)
    return (face * gain + moved).clip(0, 255).astype(np.uint8)
