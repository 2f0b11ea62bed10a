"""Gather training faces once: where the landmarks are, and faces cut from photos and clips.

The DFDC crops are kept in their zips; only the landmarks of the unmanipulated ones are
looked up, because blending needs them. Faces from photographs and from clips of role
``train`` are cut with a margin at their own resolution, so that training frames and
degrades them as it likes.
"""

from __future__ import annotations

import csv
import hashlib
import pickle
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import av
import cv2
import numpy as np

from detector.faces.crop import CropSquare, Landmarks, crop_square, square_for_face
from detector.faces.patch import decode
from detector.faces.search.centerface import FaceDetector
from detector.files import hashed, open_atomically
from detector.media.frame import Image
from detector.training.data.labelled_sets import opened_zip

FRAMES_A_CLIP = 40
MARGIN = 1.6  # sides of the framing square kept around a face from a photo or clip
LARGEST = 320  # px; larger faces are stored no larger
_PAD = 64  # px around a tight crop, without which CenterFace misses half of the faces


@dataclass(frozen=True)
class Sample:
    """One training image: encoded bytes, what it is, and where its face lies if known."""

    data: bytes
    label: int
    group: str
    landmarks: Landmarks | None
    framed: bool  # True: already a framed crop; False: a face with MARGIN around it


def read_csv(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV with a header, by the names of its columns."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def harvest(data: Path, cache: Path) -> list[Sample]:
    """All training samples below ``data`` (see its README); the slow part is kept in ``cache``.

    Group names are a crop's unmanipulated source, a photo's or a clip's name: splits
    never share one.
    """
    cache.mkdir(parents=True, exist_ok=True)
    samples: list[Sample] = []
    jobs = [*sorted(data.glob("dfdc-train-*.zip")), data / "photos-real.zip", data / "videos"]
    # Forked children of a process in which OpenCV has started threads would wait for them for ever.
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        for part in pool.map(_cached, jobs, [cache] * len(jobs)):
            samples += part
    return samples


def dfdc_samples(archive: Path, landmarks: bool = False) -> list[Sample]:
    """Crops of one DFDC zip beside its CSV; ``landmarks`` looks up those of the real ones."""
    detector = FaceDetector(0.3) if landmarks else None
    samples = []
    with opened_zip(archive) as crops:
        for row in read_csv(archive.with_suffix(".csv")):
            data = crops.read(row["file"])
            label = int(row["label"] == "fake")
            found = _landmarks(decode(data), detector) if detector and not label else None
            samples.append(Sample(data, label, row["source"], found, framed=True))
    return samples


def _cached(source: Path, cache: Path) -> list[Sample]:
    """The samples of one source; the cache is this program's own, never a download."""
    kept = cache / f"{source.stem}-{_digest(source)}.pickle"
    if kept.exists():
        with kept.open("rb") as file:
            return pickle.load(file)
    cv2.setNumThreads(1)
    if _is_dfdc(source):
        samples = dfdc_samples(source, landmarks=True)
    else:
        images = _photos(source) if source.suffix == ".zip" else _clips(source)
        samples = list(_with_margin(images))
    with open_atomically(kept) as file:
        pickle.dump(samples, file)
    return samples


def _digest(source: Path) -> str:
    """Of the rules, and of the content of all that the samples of ``source`` are made from."""
    digest = hashlib.sha256(repr((FRAMES_A_CLIP, MARGIN, LARGEST)).encode())
    files = [source]
    if source.suffix != ".zip":
        files = [source / name for name in clip_names(source)]
    elif _is_dfdc(source):
        files.append(source.with_suffix(".csv"))
    for path in files:
        digest.update(f"\n{path.name} {hashed(path)[1]}".encode())
    return digest.hexdigest()[:12]


def _is_dfdc(source: Path) -> bool:
    return source.stem.startswith("dfdc")


def _landmarks(crop: Image, detector: FaceDetector) -> Landmarks | None:
    faces = detector(cv2.copyMakeBorder(crop, _PAD, _PAD, _PAD, _PAD, cv2.BORDER_REPLICATE))
    return faces[0].landmarks - _PAD if faces else None


def _photos(archive: Path) -> Iterator[tuple[str, Image]]:
    with opened_zip(archive) as photos:
        for name in photos.namelist():
            if name.endswith(".jpg"):
                image = decode(photos.read(name))
                yield name, cv2.copyMakeBorder(image, _PAD, _PAD, _PAD, _PAD, cv2.BORDER_REPLICATE)


def clip_names(folder: Path) -> list[str]:
    """Unmanipulated clips of role ``train`` in ``folder``, by their names."""
    rows = read_csv(folder / "labels.csv")
    return [row["file"] for row in rows if row["role"] == "train" and row["label"] == "real"]


def _clips(folder: Path) -> Iterator[tuple[str, Image]]:
    for name in clip_names(folder):
        with av.open(str(folder / name)) as container:
            frames = [frame for frame in container.decode(video=0)]
        for number in np.unique(np.linspace(0, len(frames) - 1, FRAMES_A_CLIP).astype(int)):
            yield name, frames[number].to_ndarray(format="rgb24")


def _with_margin(images: Iterator[tuple[str, Image]]) -> Iterator[Sample]:
    detector = FaceDetector(0.5)
    for group, image in images:
        for face in detector(image):
            if face.width < 40:
                continue
            square = square_for_face(face)
            wide = CropSquare(square.x, square.y, square.side * MARGIN, square.angle)
            size = min(LARGEST, round(wide.side))
            points = np.c_[face.landmarks, np.ones(5)] @ wide.matrix(size).T
            ok, data = cv2.imencode(
                ".jpg",
                cv2.cvtColor(crop_square(image, wide, size), cv2.COLOR_RGB2BGR),
                [cv2.IMWRITE_JPEG_QUALITY, 98],
            )
            if ok:
                yield Sample(data.tobytes(), 0, group, points.astype(np.float32), framed=False)
