"""Pictures with CenterFace's faces in them, from which a smaller network learns where faces may be."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.errors import MediaError, ParameterError
from detector.faces.patch import decode, encode
from detector.faces.search.centerface import FaceDetector
from detector.files import open_atomically
from detector.media.frame import Image
from detector.media.open import open_media
from detector.scoring.first_pass.moments import evenly
from detector.training.data.face_samples import read_csv
from detector.training.data.labelled_sets import DataSetError, opened_zip

LARGEST = 448  # px, the longer side of a picture that is kept
UNSURE = 0.2  # confidence: what CenterFace is less sure of is no face
SURE_FACE = 0.5  # and from here on it is one; in between nothing is learnt
_FRAMES = {"clips": 10, "videos": 24}
_CROPS = 1500  # of the many crops of one set, so many are enough
_SEARCHED = 640  # px, the width at which CenterFace searches


@dataclass(frozen=True, slots=True)
class Picture:
    """An encoded picture, and the boxes (n, 4) of its faces in its pixels, each with a confidence (n,)."""

    data: bytes
    boxes: NDArray[np.float32]
    confidence: NDArray[np.float32]


def prepare(data: Path, out: Path) -> list[Picture]:
    """Gather the pictures of role ``train`` below ``data``, once; kept below ``out``."""
    path = out / "pictures.pickle"
    if not path.is_file():
        detect = FaceDetector(UNSURE, _SEARCHED)
        pictures = [picture_of(image, detect) for image in training_images(data)]
        out.mkdir(parents=True, exist_ok=True)
        with open_atomically(path) as file:
            pickle.dump(pictures, file)
    return load(out)


def load(out: Path) -> list[Picture]:
    """What :func:`prepare` kept; raises :class:`~detector.errors.ParameterError` where there is nothing."""
    try:
        with (out / "pictures.pickle").open("rb") as file:
            pictures: list[Picture] = pickle.load(file)
    except FileNotFoundError:
        raise ParameterError(f"{out}: no pictures yet. Run the step `prepare` first.") from None
    return pictures


def picture_of(image: Image, detect: FaceDetector) -> Picture:
    """``image`` (RGB), made smaller where it is large, and what CenterFace finds in it."""
    scale = min(1.0, LARGEST / max(image.shape[:2]))
    faces = detect(image)
    if scale < 1:
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    boxes = np.array([face.box for face in faces], np.float32).reshape(-1, 4) * np.float32(scale)
    return Picture(encode(image), boxes, np.array([face.confidence for face in faces], np.float32))


def training_images(data: Path) -> Iterator[Image]:
    """Frames of clips, photographs, stills and crops of role ``train``, as RGB."""
    for folder, count in _FRAMES.items():
        for row in read_csv(data / folder / "labels.csv"):
            if row["role"] == "train":
                yield from spread_frames(data / folder / row["file"], count)
    yield from packed(data / "photos-real.zip", None)
    stills = [row["file"] for row in read_csv(data / "stills.csv") if row["split"] == "train"]
    yield from packed(data / "stills.zip", stills)
    crops = [row["file"] for row in read_csv(data / "dfdc-train-0.csv")]
    yield from packed(data / "dfdc-train-0.zip", crops[:: max(1, len(crops) // _CROPS)])


def packed(path: Path, names: Iterable[str] | None) -> Iterator[Image]:
    """The JPEG pictures of an archive as RGB; ``names`` are those wanted, None: all."""
    with opened_zip(path) as archive:
        wanted = None if names is None else set(names)
        for name in archive.namelist():
            if name.endswith(".jpg") and (wanted is None or Path(name).name in wanted):
                yield decode(archive.read(name))


def spread_frames(path: Path, count: int) -> list[Image]:
    """So many frames of a clip, evenly spread."""
    try:
        with open_media(path) as reader:
            frames = [frame.image for frame in reader.frames(4.0)]
    except MediaError as error:
        raise DataSetError(f"{path}: {error}") from None
    return [frames[i] for i in evenly(len(frames), count)]
