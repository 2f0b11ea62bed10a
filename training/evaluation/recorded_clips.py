"""Clips whose faces were detected once, so that scoring another model costs network time only."""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from detector.engine import conclude
from detector.faces import crop
from detector.faces.crop import CropSquare, Face, crop_square, square_for_box, square_for_face
from detector.faces.detections import Detection, DetectionBuffer, Detections
from detector.faces.quality import Assessment, crop_flaw, face_flaw
from detector.files import hash_file, open_atomically
from detector.media.completeness import missing_seconds
from detector.media.frame import Frame, Image
from detector.media.open import open_media
from detector.media.reader import MediaReader
from detector.metadata.exhibit import media_facts
from detector.schema.analysis import Analysis, Box, Media, Parameters
from detector.schema.method import FIRST_PASS_PARAMETERS
from detector.scoring.coarse_to_fine import InterpolationRule, interpolate_missing, skipped_faces
from detector.scoring.first_pass import FirstPass, FirstPassResult
from detector.scoring.scorer import Scorer

_VERSION = 11  # of the recording; raise it when face detection, tracking or these classes change
_BATCH = 64
# Recordings keep crops of any quality: the replay judges it, at the network's own size.
_ANY_CROP = {
    "minimum_contrast": 0.0,
    "minimum_sharpness": 0.0,
    "maximum_sharpness": float("inf"),
    "interpolate_below": 0.0,
}


@dataclass(frozen=True)
class RecordedFace:
    """One face in one sampled frame; ``crop`` is its crop's number, None for a face not worth cropping."""

    pts: int
    time: Fraction
    track: int
    face: Face
    square: CropSquare
    crop: int | None


@dataclass(frozen=True)
class Recording:
    """The detections of the first pass over one file, before any network scored them."""

    faces: list[RecordedFace]
    persons: list[list[int]]
    times: list[Fraction]
    cuts: list[float]
    discarded: int
    media: Media
    missing: float
    key: str


class Distortion:
    """A change to a file before faces are detected; this one changes nothing.

    ``name`` is part of the recording's key, so it has to identify the change completely.
    """

    name = ""

    def frames(self, reader: MediaReader, rate: float) -> Iterator[Frame]:
        """Yield sampled frames of the distorted file."""
        return reader.frames(rate, all_decoded=False)


class _Counter:
    """A substitute for a scorer: the "logit" of a crop is its number."""

    def __init__(self) -> None:
        self.quality_size = 8
        self._next = 0

    def crop_of(self, _image: Image, _face: Face, crop: Image) -> Image:
        return crop

    def features(self, crops: Sequence[Image]) -> list[NDArray[np.float32]]:
        numbers = range(self._next, self._next + len(crops))
        self._next += len(crops)
        return [np.array([n], np.float32) for n in numbers]

    def track_logits(self, features: Sequence[NDArray[np.float32]]) -> NDArray[np.float64]:
        return np.concatenate(features).astype(np.float64) if len(features) else np.empty(0)


def record(
    path: Path, size: int, folder: Path, parameters: Parameters, distortion: Distortion | None = None
) -> tuple[Recording, NDArray[np.uint8]]:
    """Return the recording of ``path`` and its usable crops (n, size, size, 3), cached in ``folder``.

    The cache key covers the file's SHA-256, the distortion, the parameters of the first pass, framing, and
    the size of the crops. Raises :class:`~detector.errors.MediaError` for an unreadable file.
    """
    distortion = distortion or Distortion()
    key = _key(path, parameters, distortion.name)
    recording_path, crops_path = folder / f"{key}.pickle", folder / f"{key}-{size}.npy"
    folder.mkdir(parents=True, exist_ok=True)
    if recording_path.exists():
        with recording_path.open("rb") as file:  # this program's own, never a download
            recording: Recording = pickle.load(file)
        if not crops_path.exists():
            _write(crops_path, _crop_again(path, recording, size, parameters, distortion))
        return recording, np.load(crops_path)
    recording, crops = _first_pass(path, key, size, parameters, distortion)
    _write(crops_path, crops)
    with open_atomically(recording_path) as out:
        pickle.dump(recording, out)
    return recording, crops


def own_crops(
    path: Path, recording: Recording, scorer: Scorer, parameters: Parameters, distortion: Distortion | None
) -> NDArray[np.uint8]:
    """Crop the file again, (n, size, size, 3), with the framing of the network of ``scorer``."""
    size = scorer.card.input.size
    return _crop_again(path, recording, size, parameters, distortion or Distortion(), scorer.square)


def replay(
    recording: Recording,
    crops: NDArray[np.uint8],
    scorer: Scorer,
    parameters: Parameters,
    own: NDArray[np.uint8] | None = None,
) -> Analysis:
    """Return the engine's analysis of a recording by ``scorer``, without peak frames.

    ``crops`` (n, side, side, 3) are those of the recording, by which quality is judged; ``own`` are the
    network's, if it has a framing of its own. Only sampled frames are recorded, so segments end with them
    (``edge_window`` 0) and there is no second look.
    """
    parameters = parameters.model_copy(update={"edge_window": 0.0, "second_look": 0})
    detections = _judgeable(recording, crops, parameters)
    sparing = InterpolationRule.of(scorer, parameters)
    _score(detections, recording, crops if own is None else own, scorer, sparing)
    times = list(map(float, recording.times))
    first_pass = FirstPassResult(detections, recording.persons, times, recording.cuts, recording.discarded)
    return conclude(first_pass, recording.media, recording.missing, scorer, parameters)[0]


def _judgeable(recording: Recording, crops: NDArray[np.uint8], parameters: Parameters) -> Detections:
    detections = DetectionBuffer()
    for recorded in recording.faces:
        flaw = face_flaw(recorded.face, parameters)
        if flaw is None and recorded.crop is not None:
            flaw = crop_flaw(crops[recorded.crop], parameters)
        detections.add(
            recorded.pts, float(recorded.time), None, recorded.track, recorded.face, Assessment(flaw)
        )
    return detections.take()


def _score(
    detections: Detections,
    recording: Recording,
    crops: NDArray[np.uint8],
    scorer: Scorer,
    sparing: InterpolationRule | None,
) -> None:
    """Set the ``logit`` of usable detections, track by track, coarse to fine as the first pass does."""
    usable = [
        (place, face.crop)
        for place, face in enumerate(recording.faces)
        if detections.rows["usable"][place] and face.crop is not None
    ]
    by_track: dict[int, list[tuple[int, NDArray[np.float32]]]] = {}
    for start in range(0, len(usable), _BATCH):
        batch = usable[start : start + _BATCH]
        features = scorer.features([crops[number] for _, number in batch])
        for (place, _), values in zip(batch, features, strict=True):
            by_track.setdefault(recording.faces[place].track, []).append((place, values))
    for track in by_track.values():
        places = [place for place, _ in track]
        logits = scorer.track_logits([values for _, values in track])
        if sparing is not None:
            times = detections.rows["time"][places]
            frames = np.searchsorted(np.array(recording.times, np.float64), times)
            logits[skipped_faces(times, frames, logits, sparing)] = np.nan
            detections.rows["interpolated"][places] = interpolate_missing(logits)
        detections.rows["logit"][places] = logits


def strongest_crop(recording: Recording, analysis: Analysis, crops: NDArray[np.uint8]) -> Image | None:
    """Return the crop of ``crops`` (n, side, side, 3) with the highest logit; None without a usable face."""
    numbers = {(s.pts, s.track): s.crop for s in recording.faces if s.crop is not None}
    scores = [s for p in analysis.persons for s in p.scores if s.logit is not None]
    if not scores:
        return None
    best = max(scores, key=lambda s: cast(float, s.logit))
    image: Image = crops[numbers[best.pts, best.track]]
    return image


def _first_pass(
    path: Path, key: str, size: int, parameters: Parameters, distortion: Distortion
) -> tuple[Recording, NDArray[np.uint8]]:
    any_crop = parameters.model_copy(update=_ANY_CROP)
    with open_media(path) as reader:
        length, digest = hash_file(path)
        crops: list[Image] = []
        times: list[Fraction] = []
        by_box: dict[tuple[int, Box], tuple[Fraction, Face]] = {}  # not by track, which may be split later

        def add_faces(frame: Frame, faces: dict[int, Face]) -> None:
            times.append(frame.time)
            for face in faces.values():
                by_box[frame.pts, face.box] = frame.time, face
                if face_flaw(face, any_crop) is None:
                    crops.append(crop_square(frame.image, square_for_face(face), size))

        first_pass = FirstPass(reader, any_crop, cast(Scorer, _Counter()), add_faces)
        for frame, is_cut in first_pass.with_cuts(distortion.frames(reader, parameters.sample_rate)):
            first_pass.process_frame(frame, is_cut)
        (left,) = first_pass.post_process()
        recording = Recording(
            faces=[_record_face(face, *by_box[face.pts, face.box]) for face in left.detections],
            persons=left.person_tracks,
            times=times,
            cuts=list(left.cuts),
            discarded=left.discarded,
            media=media_facts(reader, path.name, length, digest),
            missing=missing_seconds(reader),
            key=key,
        )
    return recording, np.stack(crops) if crops else np.zeros((0, size, size, 3), np.uint8)


def _record_face(detection: Detection, time: Fraction, face: Face) -> RecordedFace:
    crop = None if detection.logit is None else int(detection.logit)
    return RecordedFace(detection.pts, time, detection.track, face, square_for_face(face), crop)


def _crop_again(
    path: Path,
    recording: Recording,
    size: int,
    parameters: Parameters,
    distortion: Distortion,
    square: Callable[[Box, float], CropSquare] = square_for_box,
) -> NDArray[np.uint8]:
    """Decode the file again and crop the recorded faces at another size."""
    at: dict[int, list[tuple[CropSquare, int]]] = {}
    for s in recording.faces:
        if s.crop is not None:
            at.setdefault(s.pts, []).append((square(s.face.box, crop.roll(s.face)), s.crop))
    # Crops of dropped tracks keep their numbers, and stay black.
    count = max((number + 1 for squares in at.values() for _, number in squares), default=0)
    crops = np.zeros((count, size, size, 3), np.uint8)
    with open_media(path) as reader:
        for frame in distortion.frames(reader, parameters.sample_rate):
            for place, number in at.get(frame.pts, ()):
                crops[number] = crop_square(frame.image, place, size)
    return crops


def _key(path: Path, parameters: Parameters, distortion: str) -> str:
    _, digest = hash_file(path)
    dependencies = {
        "version": _VERSION,
        "file": digest,
        "distortion": distortion,
        "framing": [crop.SIDE_PER_BOX, crop.CENTRE_BELOW_BOX, crop.ROLL_KEPT],
        **{name: getattr(parameters, name) for name in FIRST_PASS_PARAMETERS - _ANY_CROP.keys()},
    }
    return hashlib.sha256(json.dumps(dependencies, sort_keys=True).encode()).hexdigest()[:24]


def _write(path: Path, crops: NDArray[np.uint8]) -> None:
    with open_atomically(path) as file:
        np.save(file, crops)
