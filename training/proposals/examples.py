"""Training examples: pictures with CenterFace's detections, composed into canvases."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.errors import MediaError, ParameterError
from detector.faces.patch import decode_jpeg, encode_jpeg
from detector.faces.search.networks import NARROWEST_PROPOSED, STRIDE, FaceDetector
from detector.files import open_atomically
from detector.media.frame import Image
from detector.media.open import open_media
from detector.scoring.moments import evenly_spaced
from training.data.labelled_sets import DataSetError, open_zip
from training.data.research_faces import read_csv

LARGEST = 448  # px, the longer side of a stored picture
UNSURE = 0.2  # CenterFace's confidence below which there is no face
SURE_FACE = 0.5  # and from which there is one; detections in between are ignored
_FRAMES = {"clips": 10, "videos": 24}
_CROPS = 1500  # enough of the many crops of one set
_SEARCH_WIDTH = 640  # px


@dataclass(frozen=True, slots=True)
class Picture:
    """An encoded picture with the boxes (n, 4) of its faces and their confidence (n,)."""

    data: bytes
    boxes: NDArray[np.float32]
    confidence: NDArray[np.float32]


def prepare(data: Path, out: Path) -> list[Picture]:
    """Gather the pictures of role ``train`` below ``data``, once, and store them below ``out``."""
    path = out / "pictures.pickle"
    if not path.is_file():
        detect = FaceDetector(UNSURE, _SEARCH_WIDTH)
        pictures = [picture_of(image, detect) for image in training_images(data)]
        out.mkdir(parents=True, exist_ok=True)
        with open_atomically(path) as file:
            pickle.dump(pictures, file)
    return load(out)


def load(out: Path) -> list[Picture]:
    """Load the pictures of :func:`prepare`; raise :class:`~detector.errors.ParameterError` without any."""
    try:
        with (out / "pictures.pickle").open("rb") as file:
            pictures: list[Picture] = pickle.load(file)
    except FileNotFoundError:
        raise ParameterError(f"{out}: no pictures yet. Run the step `prepare` first.") from None
    except (AttributeError, ModuleNotFoundError):
        raise ParameterError(f"{out}: pictures of an earlier version. Remove it and run `prepare`.") from None
    return pictures


def picture_of(image: Image, detect: FaceDetector) -> Picture:
    """Detect the faces of ``image`` (RGB) with CenterFace, and reduce it if it is large."""
    scale = min(1.0, LARGEST / max(image.shape[:2]))
    faces = detect(image)
    if scale < 1:
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    boxes = np.array([face.box for face in faces], np.float32).reshape(-1, 4) * np.float32(scale)
    return Picture(encode_jpeg(image), boxes, np.array([face.confidence for face in faces], np.float32))


def training_images(data: Path) -> Iterator[Image]:
    """Yield frames of clips, photographs, stills and crops of role ``train``, as RGB."""
    for folder, count in _FRAMES.items():
        for row in read_csv(data / folder / "labels.csv"):
            if row["role"] == "train":
                yield from spread_frames(data / folder / row["file"], count)
    yield from archive_images(data / "photos-real.zip", None)
    stills = [row["file"] for row in read_csv(data / "stills.csv") if row["split"] == "train"]
    yield from archive_images(data / "stills.zip", stills)
    crops = [row["file"] for row in read_csv(data / "dfdc-train-0.csv")]
    yield from archive_images(data / "dfdc-train-0.zip", crops[:: max(1, len(crops) // _CROPS)])


def archive_images(path: Path, names: Iterable[str] | None) -> Iterator[Image]:
    """Yield the JPEG pictures of an archive as RGB, all or those with the given ``names``."""
    with open_zip(path) as archive:
        chosen = None if names is None else set(names)
        for name in archive.namelist():
            if name.endswith(".jpg") and (chosen is None or Path(name).name in chosen):
                yield decode_jpeg(archive.read(name))


def spread_frames(path: Path, count: int) -> list[Image]:
    """Return ``count`` evenly spaced frames of a clip."""
    try:
        with open_media(path) as reader:
            frames = [frame.image for frame in reader.frames(4.0)]
    except MediaError as error:
        raise DataSetError(f"{path}: {error}") from None
    return [frames[i] for i in evenly_spaced(len(frames), count)]


SIDE = 320  # px of a canvas
_WIDTHS = NARROWEST_PROPOSED, 280.0  # px of a face on a canvas
_LEAST = 12.0  # px; narrower faces are ignored
_VISIBLE = 0.75  # share of a face that must be visible to be learned
_HIDDEN = 0.35  # share below which it counts as no face

LabelledImage = tuple[Image, NDArray[np.float32], NDArray[np.float32]]
"""A picture with the boxes (n, 4) of its faces and their confidence (n,)."""


class ProposalExample(NamedTuple):
    """A canvas (SIDE, SIDE, 3) with the targets of :func:`training.proposals.network.loss`."""

    canvas: Image
    wanted: NDArray[np.float32]
    ignored: NDArray[np.bool_]
    boxes: NDArray[np.float32]


def example(sources: Sequence[LabelledImage], rng: np.random.Generator) -> ProposalExample:
    """Compose a canvas from pieces of random ``sources``."""
    canvas = np.full((SIDE, SIDE, 3), rng.integers(0, 256, 3), np.uint8)
    faces: list[NDArray[np.float64]] = []  # rows: box, confidence, visible share
    for left, top, width, height in _pieces(rng):
        piece = canvas[top : top + height, left : left + width]
        ground = _ground(sources[int(rng.integers(len(sources)))], rng)
        if ground is not None:
            piece[:] = cv2.resize(ground, (width, height), interpolation=cv2.INTER_AREA)
        source = sources[int(rng.integers(len(sources)))]
        faces += _fill(piece, (left, top), source, rng)
    mirrored = bool(rng.integers(2))
    canvas = _recolour(canvas[:, ::-1] if mirrored else canvas, rng)
    cells = SIDE // STRIDE
    wanted = np.zeros((1, cells, cells), np.float32)
    ignored = np.zeros((1, cells, cells), np.bool_)
    boxes = np.zeros((4, cells, cells), np.float32)
    for x0, y0, x1, y1, confidence, visible in faces:
        if mirrored:
            x0, x1 = SIDE - x1, SIDE - x0
        if visible < _HIDDEN:
            continue
        if confidence < SURE_FACE or visible < _VISIBLE or x1 - x0 < _LEAST:
            at = [int(np.clip(edge, 0, SIDE)) // STRIDE for edge in (x0, y0, x1, y1)]
            ignored[0, at[1] : at[3] + 1, at[0] : at[2] + 1] = True
            continue
        _mark(wanted[0], boxes, x0, y0, x1, y1)
    return ProposalExample(canvas, wanted, ignored & (wanted != 1), boxes)


def _mark(
    wanted: NDArray[np.float32], boxes: NDArray[np.float32], x0: float, y0: float, x1: float, y1: float
) -> None:
    """Mark a face: 1 in the cell of its middle, falling off around it according to its size."""
    cells = wanted.shape[0]
    x, y = (x0 + x1) / 2 / STRIDE, (y0 + y1) / 2 / STRIDE
    if not (0 <= x < cells and 0 <= y < cells):
        return
    column, row = int(x), int(y)
    width, height = (x1 - x0) / STRIDE, (y1 - y0) / STRIDE
    across, down = np.arange(cells) + 0.5 - x, np.arange(cells) + 0.5 - y
    spread = max(0.4, 0.12 * width), max(0.4, 0.12 * height)
    near = np.exp(-((across[None] / spread[0]) ** 2 + (down[:, None] / spread[1]) ** 2) / 2)
    np.maximum(wanted, 0.999 * near, out=wanted, where=wanted != 1)
    wanted[row, column] = 1
    boxes[:, row, column] = x - column - 0.5, y - row - 0.5, np.log(width), np.log(height)


def _pieces(rng: np.random.Generator) -> list[tuple[int, int, int, int]]:
    """Divide the canvas into one to nine pieces: left, top, width, height."""
    pieces = [(0, 0, SIDE, SIDE)]
    for _ in range(int(rng.choice([0, 1, 2, 4, 8], p=[0.35, 0.2, 0.2, 0.15, 0.1]))):
        largest = max(range(len(pieces)), key=lambda i: pieces[i][2] * pieces[i][3])
        left, top, width, height = pieces.pop(largest)
        share = rng.uniform(0.3, 0.7)
        if width > height:
            cut = int(width * share)
            pieces += [(left, top, cut, height), (left + cut, top, width - cut, height)]
        else:
            cut = int(height * share)
            pieces += [(left, top, width, cut), (left, top + cut, width, height - cut)]
    return pieces


def _fill(
    piece: Image, at: tuple[int, int], source: LabelledImage, rng: np.random.Generator
) -> list[NDArray[np.float64]]:
    """Draw part of a source into ``piece`` of the canvas; return its faces in pixels of the canvas."""
    image, boxes, confidence = source
    height, width = piece.shape[:2]
    scale, middle = _choose_view(source, width, rng)
    stretch = scale * np.exp(rng.normal(0, 0.06, 2))
    turn = np.radians(rng.normal(0, 8) if rng.random() < 0.5 else 0.0)
    matrix = np.zeros((2, 3))
    matrix[:, :2] = np.diag(stretch) @ [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    matrix[:, 2] = rng.uniform(0.1, 0.9, 2) * (width, height) - matrix[:, :2] @ middle
    _draw(piece, image, matrix, scale)
    faces = []
    for box, sure in zip(boxes, confidence, strict=True):
        centre = matrix[:, :2] @ ((box[:2] + box[2:]) / 2) + matrix[:, 2]
        half = (box[2:] - box[:2]) / 2 * stretch
        low, high = centre - half, centre + half
        inside = np.clip(np.minimum(high, (width, height)) - np.maximum(low, 0), 0, None)
        visible = inside.prod() / max(1e-6, (2 * half).prod())
        faces.append(np.array([*(low + at), *(high + at), sure, visible]))
    return faces


def _choose_view(
    source: LabelledImage, width: int, rng: np.random.Generator
) -> tuple[float, NDArray[np.float64]]:
    """Choose the scale of a source in a piece of this ``width``, and the point to place in it."""
    image, boxes, _ = source
    size = np.array(image.shape[1::-1], np.float64)
    anywhere: NDArray[np.float64] = rng.uniform(0, 1, 2) * size
    if not len(boxes):
        return float(np.exp(rng.uniform(np.log(0.3), np.log(1.5)))), anywhere
    box = boxes[int(rng.integers(len(boxes)))].astype(np.float64)
    widest = min(_WIDTHS[1], max(_WIDTHS[0] + 1, width))
    face = float(np.exp(rng.uniform(np.log(_WIDTHS[0]), np.log(widest))))
    scale = min(face / max(1.0, float(box[2] - box[0])), 3.0)
    # Now and then a part without the face, or with a piece of it.
    return scale, anywhere if rng.random() < 0.25 else (box[:2] + box[2:]) / 2


def _draw(piece: Image, image: Image, matrix: NDArray[np.float64], scale: float) -> None:
    """Draw ``image`` into ``piece`` by ``matrix``, averaging if it is reduced, as frames are."""
    height, width = piece.shape[:2]
    if scale < 0.7:
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        matrix = matrix.copy()
        matrix[:, :2] @= np.diag(np.array(image.shape[1::-1]) / small.shape[1::-1])
        image = small
    shown = cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR)
    covered = cv2.warpAffine(np.ones(image.shape[:2], np.uint8), matrix, (width, height))
    np.copyto(piece, shown, where=covered[..., None] > 0)


def _ground(source: LabelledImage, rng: np.random.Generator) -> Image | None:
    """Return a part of a source without a face, or None after six attempts."""
    image, boxes, _ = source
    for _ in range(6):
        size = rng.uniform(0.15, 0.7, 2) * image.shape[1::-1]
        x0, y0 = rng.uniform(0, 1, 2) * (image.shape[1::-1] - size)
        x1, y1 = (x0, y0) + size
        grow = 0.15 * (boxes[:, 2:] - boxes[:, :2])
        low, high = boxes[:, :2] - grow, boxes[:, 2:] + grow
        if not ((low < (x1, y1)) & (high > (x0, y0))).all(axis=1).any():
            return image[int(y0) : int(y1) + 1, int(x0) : int(x1) + 1]
    return None


def _recolour(canvas: Image, rng: np.random.Generator) -> Image:
    """Change brightness, contrast, colour, blur, noise and JPEG quality, each sometimes."""
    if rng.random() < 0.6:
        gain, lift = np.exp(rng.normal(0, 0.25, 3 if rng.random() < 0.3 else 1)), rng.normal(0, 18)
        canvas = np.clip(canvas * gain.astype(np.float32) + np.float32(lift), 0, 255).astype(np.uint8)
    if rng.random() < 0.1:
        canvas = cv2.cvtColor(cv2.cvtColor(canvas, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    if rng.random() < 0.2:
        canvas = cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.5, 1.8))
    if rng.random() < 0.2:
        noise = rng.normal(0, rng.uniform(2, 14), canvas.shape[:2])[..., None]
        canvas = np.clip(canvas + noise.astype(np.float32), 0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        options = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 85))]
        canvas = decode_jpeg(
            cv2.imencode(".jpg", cv2.cvtColor(canvas, cv2.COLOR_RGB2BGR), options)[1].tobytes()
        )
    return np.ascontiguousarray(canvas)
