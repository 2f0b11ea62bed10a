"""Patches: the pixels around one face and what is known of it; and which may be trained on.

A patch holds the frame's own pixels (no resampling, unless the face is larger than needed), so that both
framings, their jitter and every degradation are made from it later.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from detector.errors import ParameterError
from detector.files import open_atomically
from detector.media.frame import Image
from detector.training.data.face_samples import read_csv
from detector.training.second_look.framing import HEAD_PER_BOX, Box

TRAIN = "train"
SOURCES = ("clips", "videos", "stills", "photos", "ffpp", "dfdc")
DFDC_SETS = ("dfdc-train-0", "dfdc-val", "dfdc-test")

MARGIN = 1.2  # head squares kept around a face
LARGEST = 480  # px; larger patches are reduced to this


class RoleError(ParameterError):
    """A file whose role is not `train` was about to become a training example."""


class NotPreparedError(ParameterError):
    """The patches of a source have not been cut yet."""


@dataclass(frozen=True, slots=True)
class Patch:
    """One face: encoded pixels, where it lies in them, and what is known."""

    data: bytes
    width: int
    height: int
    box: Box | None  # None: the patch is itself a crop framed like the inner square
    lean: float
    scale: float  # pixels of the patch to one of the source picture
    source: str  # clips, videos, stills, lfw, utkface, ffpp, dfdc
    file: str
    frame: int
    fake: bool
    generator: str
    family: str
    group: str
    aligned: str  # name of the set of clips aligned frame by frame, "" for none
    role: str  # train, develop, val, test
    origin: str
    native: float = 0.0  # px across the inner square in the source, where the data set says so


def encode(image: Image) -> bytes:
    """RGB pixels to a JPEG of highest quality without chroma subsampling."""
    options = [
        cv2.IMWRITE_JPEG_QUALITY,
        98,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    ]
    return cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)[1].tobytes()


def cut_patch(image: Image, box: Box) -> tuple[Image, Box, float]:
    """The part of ``image`` around ``box``, the box in it, and its scale."""
    height, width = image.shape[:2]
    x0, y0, x1, y1 = box
    half = MARGIN * HEAD_PER_BOX * float(np.sqrt((x1 - x0) * (y1 - y0))) / 2
    # Moved inside like the head's square itself, so that it keeps what that needs at a frame's edge.
    x = float(np.clip((x0 + x1) / 2, min(half, width / 2), max(width - half, width / 2)))
    y = float(np.clip((y0 + y1) / 2, min(half, height / 2), max(height - half, height / 2)))
    left, top = max(0, round(x - half)), max(0, round(y - half))
    right, bottom = min(width, round(x + half)), min(height, round(y + half))
    patch = image[top:bottom, left:right]
    scale = min(1.0, LARGEST / max(patch.shape[:2]))
    if scale < 1:
        size = (round(patch.shape[1] * scale), round(patch.shape[0] * scale))
        patch = cv2.resize(patch, size, interpolation=cv2.INTER_AREA)
    moved = ((x0 - left) * scale, (y0 - top) * scale, (x1 - left) * scale, (y1 - top) * scale)
    return np.ascontiguousarray(patch), moved, scale


def store(out: Path, source: str, patches: list[Patch]) -> None:
    """Keep the patches of a source below ``out``."""
    path = _path(out, source)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open_atomically(path) as file:
        pickle.dump(patches, file)


def load(out: Path, source: str) -> list[Patch]:
    """The patches of a source, as :func:`store` kept them; raises :class:`NotPreparedError`."""
    try:
        with _path(out, source).open("rb") as file:
            found: list[Patch] = pickle.load(file)
    except FileNotFoundError:
        raise NotPreparedError(f"{out}: no patches of {source} yet. Run the step `prepare` first.") from None
    return found


def training_patches(data: Path, out: Path) -> list[Patch]:
    """Patches of role ``train``, checked against the present label files; raises :class:`RoleError`."""
    chosen = []
    for source in SOURCES:
        of_source = [patch for patch in load(out, source) if patch.role == TRAIN]
        require_training(of_source, roles(data, source))
        chosen += of_source
    return chosen


def require_training(patches: Iterable[Patch], roles: dict[str, str] | None) -> None:
    """Raise :class:`RoleError` unless each patch, and the file it is of, has role ``train``.

    ``roles`` are those of files; a file that is not listed is refused. None: every file may be trained on.
    """
    for patch in patches:
        role = TRAIN if roles is None else roles.get(patch.file, "unknown")
        if patch.role != TRAIN or role != TRAIN:
            named = role if role != TRAIN else patch.role
            raise RoleError(f"{patch.source}: {patch.file} has role {named}; it may not be trained on.")


def roles(data: Path, source: str) -> dict[str, str] | None:
    """The role of each file of a source by its label file; None where all are for training."""
    if source == "photos":
        return None
    if source == "dfdc":
        return {
            row["file"]: name.split("-")[1] for name in DFDC_SETS for row in read_csv(data / f"{name}.csv")
        }
    if source in {"clips", "videos"}:
        return {row["file"]: row["role"] for row in read_csv(data / source / "labels.csv")}
    name = {"ffpp": "ffpp-crops"}.get(source, source)
    return {row["file"]: row["split"] for row in read_csv(data / f"{name}.csv")}


def _path(out: Path, source: str) -> Path:
    return out / "patches" / f"{source}.pickle"
