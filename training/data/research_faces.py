"""Gather faces from the research data once: photographs, clips and moving faces."""

from __future__ import annotations

import csv
import hashlib
import pickle
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from detector.faces.crop import CropSquare, Face, Landmarks, crop_square, square_for_face
from detector.faces.patch import decode_jpeg
from detector.faces.scene_changes import CutDetector
from detector.faces.search.networks import FaceDetector
from detector.files import hash_file, open_atomically
from detector.media.frame import Frame, Image
from detector.media.open import open_media
from training.data.labelled_sets import open_zip

FRAMES_A_CLIP = 40
MARGIN = 1.6  # sides of the framing square kept around a face from a photo or clip
LARGEST = 320  # px; larger faces are reduced to it
_PAD = 64  # px around a tight crop, without which CenterFace misses half of the faces
_LEAST_WIDTH = 40  # px


@dataclass(frozen=True)
class Sample:
    """One training image: encoded bytes, label, group, and the landmarks of its face if known."""

    data: bytes
    label: int
    group: str
    landmarks: Landmarks | None
    framed: bool  # True: already a framed crop; False: a face with MARGIN around it


def read_csv(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV with a header, by column name."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


_PAIR = re.compile(r"(\d{3})_(\d{3})")
_SINGLE = re.compile(r"(?:original|control)-(\d{3})\b")


def clip_rows(folder: Path) -> list[dict[str, str]]:
    """Return the rows of the ``labels.csv`` of a folder of clips, each with a ``group``.

    ``clips/labels.csv`` states the groups; in ``videos/labels.csv`` they follow from the file names.
    """
    rows = read_csv(folder / "labels.csv")
    pairs = identity_pairs([row["file"] for row in rows])
    return [{**row, "group": row.get("group") or pairs[row["file"]]} for row in rows]


def identity_pairs(files: Sequence[str]) -> dict[str, str]:
    """Return the group of each file: the pair of people in it, as ``ffpp-183-253``, or its own name.

    FaceForensics++ clips made of the same two people belong together, originals included, whatever their
    compression and folder: choices made on one of them were made on all (Roessler et al., 2019, split their
    set by these pairs).
    """
    pairs = {file: "-".join(["ffpp", *sorted(m.groups())]) for file in files if (m := _PAIR.search(file))}
    of_person = {number: pair for pair in pairs.values() for number in pair.split("-")[1:]}
    singles = {file: of_person.get(m[1], file) for file in files if (m := _SINGLE.search(file))}
    return {file: pairs.get(file) or singles.get(file) or file for file in files}


def clip_names(folder: Path) -> list[str]:
    """Return the names of the unmanipulated clips of role ``train`` in ``folder``."""
    rows = read_csv(folder / "labels.csv")
    return [row["file"] for row in rows if row["role"] == "train" and row["label"] == "real"]


def harvest(data: Path, cache: Path) -> list[Sample]:
    """Gather all training samples of the research folder ``data``; the slow part is stored in ``cache``.

    DFDC crops stay as they are; only the landmarks of the unmanipulated ones are detected, because blending
    needs them. Faces from photographs and from clips of role ``train`` are cut with a margin at their own
    resolution, so that training frames and degrades them freely. Groups are a crop's unmanipulated source, a
    photo's or a clip's name: splits never share one.
    """
    cache.mkdir(parents=True, exist_ok=True)
    samples: list[Sample] = []
    jobs = [*sorted(data.glob("dfdc-train-*.zip")), data / "photos-real.zip", data / "videos"]
    # Forked children of a process in which OpenCV has started threads would wait for them forever.
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        for part in pool.map(_cached_samples, jobs, [cache] * len(jobs)):
            samples += part
    return samples


def dfdc_samples(archive: Path, landmarks: bool = False) -> list[Sample]:
    """Return the crops of a DFDC zip with a CSV beside it; ``landmarks`` detects those of the real ones."""
    detector = FaceDetector(0.3) if landmarks else None
    samples = []
    with open_zip(archive) as crops:
        for row in read_csv(archive.with_suffix(".csv")):
            data = crops.read(row["file"])
            label = int(row["label"] == "fake")
            points = None
            if detector and not label:
                faces = detector(_padded(decode_jpeg(data)))
                points = faces[0].landmarks - _PAD if faces else None
            samples.append(Sample(data, label, row["source"], points, framed=True))
    return samples


def _cached_samples(source: Path, cache: Path) -> list[Sample]:
    """Return the samples of one source; the cache is this program's own, never a download."""
    is_dfdc = source.stem.startswith("dfdc")
    # The digest covers the rules and the content of every file that the samples are made from.
    digest = hashlib.sha256(repr((__name__, FRAMES_A_CLIP, MARGIN, LARGEST)).encode())
    files = [source] if source.suffix == ".zip" else [source / name for name in clip_names(source)]
    for path in [*files, *([source.with_suffix(".csv")] if is_dfdc else [])]:
        digest.update(f"\n{path.name} {hash_file(path)[1]}".encode())
    path = cache / f"{source.stem}-{digest.hexdigest()[:12]}.pickle"
    if path.exists():
        with path.open("rb") as file:
            return pickle.load(file)
    cv2.setNumThreads(1)
    if is_dfdc:
        samples = dfdc_samples(source, landmarks=True)
    else:
        images = _photos(source) if source.suffix == ".zip" else _clip_frames(source)
        samples = list(_faces_with_margin(images))
    with open_atomically(path) as file:
        pickle.dump(samples, file)
    return samples


def _padded(image: Image) -> Image:
    return cv2.copyMakeBorder(image, _PAD, _PAD, _PAD, _PAD, cv2.BORDER_REPLICATE)


def _photos(archive: Path) -> Iterator[tuple[str, Image]]:
    with open_zip(archive) as photos:
        for name in photos.namelist():
            if name.endswith(".jpg"):
                yield name, _padded(decode_jpeg(photos.read(name)))


def _clip_frames(folder: Path) -> Iterator[tuple[str, Image]]:
    for name in clip_names(folder):
        with av.open(str(folder / name)) as container:
            frames = list(container.decode(video=0))
        for number in np.unique(np.linspace(0, len(frames) - 1, FRAMES_A_CLIP).astype(int)):
            yield name, frames[number].to_ndarray(format="rgb24")


def _faces_with_margin(images: Iterator[tuple[str, Image]]) -> Iterator[Sample]:
    detector = FaceDetector(0.5)
    for group, image in images:
        for face in detector(image):
            if face.width < _LEAST_WIDTH:
                continue
            square = square_for_face(face)
            wide = CropSquare(square.x, square.y, square.side * MARGIN, square.angle)
            size = min(LARGEST, round(wide.side))
            points = np.c_[face.landmarks, np.ones(5)] @ wide.matrix(size).T
            data = _jpeg(crop_square(image, wide, size))
            yield Sample(data, 0, group, points.astype(np.float32), framed=False)


def _jpeg(image: Image) -> bytes:
    ok, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 98])
    assert ok
    return data.tobytes()


# Moving faces, for networks that read sequences: they need neighbouring frames, which `harvest` drops.
RATE = 8.0  # frames a second, as an analysis samples them
SECONDS = 12.0  # of each clip at most; longer clips give PIECES, evenly spread
PIECES = 3
SHORTEST = 10  # frames; less is no sequence
LARGEST_MOVING = 256  # px; networks read 112 or 128, and decoding every frame has to be quick
_FARTHEST = 0.6  # face widths from one frame to the next; beyond it is another person
_SMOOTHING = (0.25, 0.5, 0.25)


@dataclass(frozen=True)
class MovingFace:
    """One unmanipulated face, 1/RATE seconds from frame to frame.

    ``frames`` are JPEGs of one size, square, of the face with MARGIN around it; ``landmarks`` is
    (frames, 5, 2), float32, in their pixels; ``group`` is the clip's name, shared by all pieces of a clip.
    """

    group: str
    frames: tuple[bytes, ...]
    landmarks: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.frames)


def gather_moving_faces(data: Path, cache: Path) -> list[MovingFace]:
    """Follow faces through the clips of role ``train`` in the research folder; store them in ``cache``.

    Clips of role ``develop`` are never opened.
    """
    folder = data / "videos"
    clips = [(name, hash_file(folder / name)[1]) for name in clip_names(folder)]
    # Other rules or clips must not be served from the same cache file.
    rules = repr((__name__, clips, RATE, SECONDS, PIECES, SHORTEST, LARGEST_MOVING, MARGIN))
    path = cache / f"moving-faces-{hashlib.sha256(rules.encode()).hexdigest()[:12]}.pickle"
    if path.exists():  # this program's own, never a download
        with path.open("rb") as file:
            faces: list[MovingFace] = pickle.load(file)
        return faces
    cache.mkdir(parents=True, exist_ok=True)
    # Spawned, because forked children wait forever for the threads OpenCV has started.
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        parts = pool.map(follow_face, [folder / name for name, _ in clips])
        faces = [face for part in parts for face in part]
    with open_atomically(path) as file:
        pickle.dump(faces, file)
    return faces


def follow_face(path: Path) -> list[MovingFace]:
    """Follow one face of the clip at ``path`` from one break (cut, loss) to the next.

    After each break the largest face is chosen, and then the one nearest to the last.
    """
    detector, cuts = FaceDetector(0.5), CutDetector(RATE)
    cv2.setNumThreads(1)
    out: list[MovingFace] = []
    track: list[tuple[Image, Face]] = []
    before: float | None = None
    for frame in _sampled_frames(path):
        faces = [face for face in detector(frame.image) if face.width >= _LEAST_WIDTH]
        skipped = before is not None and float(frame.time) - before > 1.9 / RATE
        before = float(frame.time)
        nearest = _nearest(track[-1][1], faces) if track else None
        if cuts.process_frame(frame.image, frame.shape) or skipped or nearest is None:
            out += _moving_faces(path.name, track)
            track, nearest = [], max(faces, key=lambda face: face.width, default=None)
        if nearest is not None:
            track.append((frame.image, nearest))
    return out + _moving_faces(path.name, track)


def smooth(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average ``values`` with their neighbours along the first axis, repeating the ends."""
    padded = np.concatenate([values[:1], values, values[-1:]])
    before, here, after = (w * padded[i : i + len(values)] for i, w in enumerate(_SMOOTHING))
    return before + here + after


def _sampled_frames(path: Path) -> Iterator[Frame]:
    with open_media(path) as reader:
        starts, length = [0.0], SECONDS
        if reader.expected_duration > SECONDS:
            length = SECONDS / PIECES
            starts = np.linspace(0, reader.expected_duration - length, PIECES).tolist()
        for frame in reader.frames(RATE):
            if any(start <= frame.time < start + length for start in starts):
                yield frame


def _nearest(last: Face, faces: list[Face]) -> Face | None:
    def middle(face: Face) -> NDArray[np.float64]:
        x0, y0, x1, y1 = face.box
        return np.array([(x0 + x1) / 2, (y0 + y1) / 2])

    def distance(face: Face) -> float:
        return float(np.linalg.norm(middle(face) - middle(last))) / last.width

    nearest = min(faces, key=distance, default=None)
    return nearest if nearest and distance(nearest) < _FARTHEST else None


def _moving_faces(group: str, track: list[tuple[Image, Face]]) -> list[MovingFace]:
    """Cut ``track`` out if it is long enough.

    Squares are smoothed over time: training adds a detector's jitter itself, in the same measure to every
    source, animated photographs included.
    """
    if len(track) < SHORTEST:
        return []
    squares = [square_for_face(face) for _, face in track]
    places = smooth(np.array([(s.x, s.y, s.side * MARGIN, s.angle) for s in squares]))
    points = smooth(np.array([face.landmarks for _, face in track], np.float64))
    size = min(LARGEST_MOVING, round(float(np.median(places[:, 2]))))
    frames, landmarks = [], []
    for (image, _), place, face_points in zip(track, places, points, strict=True):
        wide = CropSquare(*map(float, place))
        frames.append(_jpeg(crop_square(image, wide, size)))
        landmarks.append(np.c_[face_points, np.ones(5)] @ wide.matrix(size).T)
    return [MovingFace(group, tuple(frames), np.array(landmarks, np.float32))]
