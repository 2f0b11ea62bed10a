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
_AROUND = 2  # sides of the square in which a face is looked for anew once it is covered
_SAME = 0.1  # overlap of the box with the square before, at least: of what is left the box may be small
_DRAWN = 4  # covers of each face, one at a time
_SMALLEST = 24  # px of a piece
_FILE = "crops.npz"


class Crops(NamedTuple):
    """Faces (n, 128, 128, 3), RGB, with landmarks (n, 5, 2), in px of the crop, as CenterFace gives them.

    ``recut`` (k, 128, 128, 3) are some of them as they are cut out once something is drawn over the picture,
    which moves boxes, and ``covered`` (k,) whether that covers mouth or eyes. ``pieces`` (m, 128, 128, 3) are
    of the same pictures without a face.
    """

    faces: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    recut: NDArray[np.uint8]
    covered: NDArray[np.bool_]
    pieces: NDArray[np.uint8]


def prepare(data: Path, out: Path) -> Crops:
    """Gather them from the pictures of role ``train`` below ``data``, once; kept below ``out``."""
    path = out / _FILE
    if not path.is_file():
        made = _gathered(data)
        out.mkdir(parents=True, exist_ok=True)
        with open_atomically(path) as file:
            np.savez(file, **made._asdict())
    return load(out)


def load(out: Path) -> Crops:
    """What :func:`prepare` kept; raises :class:`~detector.errors.ParameterError` where there is nothing."""
    try:
        with np.load(out / _FILE) as kept:
            return Crops(*(kept[name] for name in Crops._fields))
    except FileNotFoundError:
        raise ParameterError(f"{out}: no crops yet. Run the step `prepare` first.") from None


def _gathered(data: Path) -> Crops:
    detect, rng = FaceDetector(_SURE), np.random.default_rng(0)
    faces: list[Image] = []
    landmarks: list[NDArray[np.float32]] = []
    around: list[Image] = []
    pieces: list[Image] = []
    for image in training_images(data):
        found = [face for face in detect(image) if face.width >= _NARROWEST]
        for face in found:
            square = square_for_face(face)
            faces.append(crop_square(image, square, SIDE))
            points = np.c_[face.landmarks, np.ones(5)] @ square.matrix(SIDE).T
            landmarks.append(points.astype(np.float32))
            wide = CropSquare(square.x, square.y, square.side * _AROUND, square.angle)
            around.append(crop_square(image, wide, SIDE * _AROUND))
        pieces += _beside(image, [face.box for face in found], rng)
    recut: list[Image] = []
    covered: list[bool] = []
    for crop, points, picture in zip(faces, landmarks, around, strict=True):
        for _ in range(_DRAWN):
            cover = draw_cover(crop, pieces[rng.integers(len(pieces))], rng)
            hides = cover.hides(points)
            changed = apply_cover(picture, cover.around(_AROUND), rng)
            after = None if hides is None else _in_the_middle(detect(changed))
            if hides is not None and after is not None:
                recut.append(crop_square(changed, square_for_face(after), SIDE))
                covered.append(hides)
    return Crops(np.stack(faces), np.stack(landmarks), np.stack(recut), np.array(covered), np.stack(pieces))


def _in_the_middle(faces: Sequence[Face]) -> Face | None:
    """The face that is where the one was around which the picture was cut; None without one."""
    ends = SIDE * (_AROUND - 1) / 2, SIDE * (_AROUND + 1) / 2
    middle: Box = (ends[0], ends[0], ends[1], ends[1])
    best = max(faces, key=lambda face: overlap(face.box, middle), default=None)
    return best if best is not None and overlap(best.box, middle) >= _SAME else None


def _beside(image: Image, faces: Sequence[Box], rng: np.random.Generator) -> list[Image]:
    """A square of the picture that touches no face, where one is found by chance."""
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


_PLAIN, _RECUT = 0.4, 0.3  # shares of the examples: with no cover drawn; cut out after one was
_VARIED = 0.4  # share of all others on which something is drawn that covers nothing, before a cover if any
_SHADED = 0.15  # share of those cut out: with a shadow alone, since the rest would lie on top of the cover


class CoveredFaceExample(NamedTuple):
    """A crop (SEEN, SEEN, 3), RGB, and whether mouth or eyes of its face are covered."""

    crop: Image
    covered: bool


def example(crops: Crops, rng: np.random.Generator) -> CoveredFaceExample:
    """One by chance."""
    which = rng.random()
    if which < _RECUT:
        number = rng.integers(len(crops.recut))
        face = _either_way(crops.recut[number], rng)
        if rng.random() < _SHADED:
            face = covers.shadow(face, rng)
        return CoveredFaceExample(degrade(face, rng), bool(crops.covered[number]))
    number = rng.integers(len(crops.faces))
    face, landmarks = crops.faces[number], crops.landmarks[number]
    if rng.random() < _VARIED:
        face = covers.add_bare_feature(face, rng)
    if which < _RECUT + _PLAIN:
        return CoveredFaceExample(degrade(_either_way(face, rng), rng), covered=False)
    while True:
        cover = draw_cover(face, crops.pieces[rng.integers(len(crops.pieces))], rng)
        covered = cover.hides(landmarks)
        if covered or covered is False and rng.random() < 0.5:
            return CoveredFaceExample(degrade(_either_way(apply_cover(face, cover, rng), rng), rng), covered)


def _either_way(face: Image, rng: np.random.Generator) -> Image:
    return np.ascontiguousarray(face[:, ::-1]) if rng.random() < 0.5 else face


def degrade(face: Image, rng: np.random.Generator) -> Image:
    """Made smaller and larger again, saved as JPEG, brighter or darker; at :data:`SEEN` px."""
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
