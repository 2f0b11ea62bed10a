"""Gather faces that move, once: one face followed through each clip of role ``train``.

Networks that read sequences need neighbouring frames, which :mod:`.face_samples` does
not keep. Faces are sampled as an analysis does, :data:`RATE` a second, and cut with the
margin of :mod:`.face_samples`, so that training frames them as it likes. The squares are
smoothed over time: training adds a detector's jitter itself, in the same measure to
every source, animated photographs included.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.faces.crop import CropSquare, Face, crop_square, square_for_face
from detector.faces.search.centerface import FaceDetector
from detector.files import hashed, open_atomically
from detector.media.frame import Frame, Image
from detector.media.open import open_media
from detector.media.pictures.cuts import CutDetector
from detector.training.data.face_samples import MARGIN, clip_names

RATE = 8.0  # frames a second, as an analysis samples them
SECONDS = 12.0  # of each clip at most; what is longer gives PIECES, evenly spread
PIECES = 3
SHORTEST = 10  # frames; less is no sequence
LARGEST = 256  # px; sequences are shown at 112 or 128, and decoding every frame has to be quick
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


def gather(data: Path, cache: Path) -> list[MovingFace]:
    """Faces of the clips with role ``train`` below ``data`` (see its README), kept in ``cache``.

    Clips with role ``develop`` are never opened.
    """
    folder = data / "videos"
    # What was gathered by other rules, or from other clips, is not taken for this.
    clips = [(name, hashed(folder / name)[1]) for name in clip_names(folder)]
    rules = repr((clips, RATE, SECONDS, PIECES, SHORTEST, LARGEST, MARGIN))
    kept = cache / f"moving-faces-{hashlib.sha256(rules.encode()).hexdigest()[:12]}.pickle"
    if kept.exists():  # this program's own, never a download
        with kept.open("rb") as file:
            faces: list[MovingFace] = pickle.load(file)
        return faces
    cache.mkdir(parents=True, exist_ok=True)
    # Spawned, because forked children wait for ever for the threads OpenCV has started.
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        faces = [face for part in pool.map(follow, [folder / name for name, _ in clips]) for face in part]
    with open_atomically(kept) as file:
        pickle.dump(faces, file)
    return faces


def follow(path: Path) -> list[MovingFace]:
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


def smoothed(values: NDArray[np.float64]) -> NDArray[np.float64]:
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
    places = smoothed(np.array([(s.x, s.y, s.side * MARGIN, s.angle) for s in squares]))
    points = smoothed(np.array([face.landmarks for _, face in track], np.float64))
    size = min(LARGEST, round(float(np.median(places[:, 2]))))
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
