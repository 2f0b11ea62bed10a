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
    with open_zip(archive) as crops:
        for row in read_csv(archive.with_suffix(".csv")):
            data = crops.read(row["file"])
            label = int(row["label"] == "fake")
            found = _landmarks(decode_jpeg(data), detector) if detector and not label else None
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
        digest.update(f"\n{path.name} {hash_file(path)[1]}".encode())
    return digest.hexdigest()[:12]


def _is_dfdc(source: Path) -> bool:
    return source.stem.startswith("dfdc")


def _landmarks(crop: Image, detector: FaceDetector) -> Landmarks | None:
    faces = detector(cv2.copyMakeBorder(crop, _PAD, _PAD, _PAD, _PAD, cv2.BORDER_REPLICATE))
    return faces[0].landmarks - _PAD if faces else None


def _photos(archive: Path) -> Iterator[tuple[str, Image]]:
    with open_zip(archive) as photos:
        for name in photos.namelist():
            if name.endswith(".jpg"):
                image = decode_jpeg(photos.read(name))
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


_PAIR = re.compile(r"(\d{3})_(\d{3})")
_ONE = re.compile(r"(?:original|control)-(\d{3})\b")


def clip_rows(folder: Path) -> list[dict[str, str]]:
    """The rows of ``folder``'s ``labels.csv``, each with a ``group``."""
    rows = read_csv(folder / "labels.csv")
    pairs = identity_pairs([row["file"] for row in rows])
    return [{**row, "group": row.get("group") or pairs[row["file"]]} for row in rows]


def identity_pairs(files: Sequence[str]) -> dict[str, str]:
    """The group of each file: the two people it was made of, as ``ffpp-183-253``, or its own name."""
    pairs = {file: "-".join(["ffpp", *sorted(m.groups())]) for file in files if (m := _PAIR.search(file))}
    of_one = {number: pair for pair in pairs.values() for number in pair.split("-")[1:]}
    singles = {file: of_one.get(m[1], file) for file in files if (m := _ONE.search(file))}
    return {file: pairs.get(file) or singles.get(file) or file for file in files}


RATE = 8.0  # frames a second, as an analysis samples them
SECONDS = 12.0  # of each clip at most; what is longer gives PIECES, evenly spread
PIECES = 3
SHORTEST = 10  # frames; less is no sequence
LARGEST_MOVING = 256  # px; sequences are shown at 112 or 128, and decoding every frame has to be quick
_LEAST_WIDTH = 40.0  # px, as in harvest
_FARTHEST = 0.6  # face widths from one frame to the next; beyond it is somebody else
_SMOOTHING = (0.25, 0.5, 0.25)


@dataclass(frozen=True)
class MovingFace:
    """One unmanipulated face, 1/RATE seconds from frame to frame.

    ``frames`` are JPEGs of one size, square, of the face with MARGIN around it;
    ``landmarks`` is (frames, 5, 2), float32, in pixels of those; ``group`` is the clip's
    name, which the pieces of one clip share.
    """

    group: str
    frames: tuple[bytes, ...]
    landmarks: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.frames)


def gather_moving_faces(data: Path, cache: Path) -> list[MovingFace]:
    """Faces of the clips with role ``train`` below ``data`` (see its README), kept in ``cache``.

    Clips with role ``develop`` are never opened.
    """
    folder = data / "videos"
    # What was gathered by other rules, or from other clips, is not taken for this.
    clips = [(name, hash_file(folder / name)[1]) for name in clip_names(folder)]
    rules = repr((clips, RATE, SECONDS, PIECES, SHORTEST, LARGEST_MOVING, MARGIN))
    kept = cache / f"moving-faces-{hashlib.sha256(rules.encode()).hexdigest()[:12]}.pickle"
    if kept.exists():  # this program's own, never a download
        with kept.open("rb") as file:
            faces: list[MovingFace] = pickle.load(file)
        return faces
    cache.mkdir(parents=True, exist_ok=True)
    # Spawned, because forked children wait for ever for the threads OpenCV has started.
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        faces = [
            face for part in pool.map(follow_face, [folder / name for name, _ in clips]) for face in part
        ]
    with open_atomically(kept) as file:
        pickle.dump(faces, file)
    return faces


def follow_face(path: Path) -> list[MovingFace]:
    """One face of the clip at ``path``, from one break (cut, loss) to the next.

    After each break it is the largest face there is, and then the one nearest to the last.
    """
    detector, cuts = FaceDetector(0.5), CutDetector(RATE)
    cv2.setNumThreads(1)
    out: list[MovingFace] = []
    track: list[tuple[Image, Face]] = []
    before: float | None = None
    for frame in _sampled(path):
        faces = [face for face in detector(frame.image) if face.width >= _LEAST_WIDTH]
        skipped = before is not None and float(frame.time) - before > 1.9 / RATE
        before = float(frame.time)
        found = _nearest(track[-1][1], faces) if track else None
        if cuts.process_frame(frame.image, frame.shape) or skipped or found is None:
            out += _kept(path.name, track)
            track, found = [], max(faces, key=lambda face: face.width, default=None)
        if found is not None:
            track.append((frame.image, found))
    return out + _kept(path.name, track)


def smooth(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """``values`` averaged with their neighbours along the first axis, the ends repeated."""
    padded = np.concatenate([values[:1], values, values[-1:]])
    before, here, after = (w * padded[i : i + len(values)] for i, w in enumerate(_SMOOTHING))
    return before + here + after


def _sampled(path: Path) -> Iterator[Frame]:
    with open_media(path) as reader:
        starts, length = [0.0], SECONDS
        if reader.expected_duration > SECONDS:
            length = SECONDS / PIECES
            starts = np.linspace(0, reader.expected_duration - length, PIECES).tolist()
        for frame in reader.frames(RATE):
            if any(start <= frame.time < start + length for start in starts):
                yield frame


def _nearest(last: Face, faces: list[Face]) -> Face | None:
    def distance(face: Face) -> float:
        return float(np.linalg.norm(_middle(face) - _middle(last))) / last.width

    found = min(faces, key=distance, default=None)
    return found if found and distance(found) < _FARTHEST else None


def _middle(face: Face) -> NDArray[np.float64]:
    x0, y0, x1, y1 = face.box
    return np.array([(x0 + x1) / 2, (y0 + y1) / 2])


def _kept(group: str, track: list[tuple[Image, Face]]) -> list[MovingFace]:
    """``track`` cut out, if it is long enough."""
    if len(track) < SHORTEST:
        return []
    squares = [square_for_face(face) for _, face in track]
    places = smooth(np.array([(s.x, s.y, s.side * MARGIN, s.angle) for s in squares]))
    points = smooth(np.array([face.landmarks for _, face in track], np.float64))
    size = min(LARGEST_MOVING, round(float(np.median(places[:, 2]))))
    frames, landmarks = [], []
    for (image, _), place, found in zip(track, places, points, strict=True):
        wide = CropSquare(*map(float, place))
        picture = cv2.cvtColor(crop_square(image, wide, size), cv2.COLOR_RGB2BGR)
        ok, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 98])
        if not ok:
            raise RuntimeError(f"OpenCV cannot encode a {size} px JPEG. Reinstall opencv-python.")
        frames.append(data.tobytes())
        landmarks.append(np.c_[found, np.ones(5)] @ wide.matrix(size).T)
    return [MovingFace(group, tuple(frames), np.array(landmarks, np.float32))]
