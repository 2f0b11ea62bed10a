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
from detector.segments.explained_peaks import without_peaks

_VERSION = 10  # of the recording; raise it when face finding, tracking or these classes change
_BATCH = 64
# What of the first pass's a recording is made without: what a crop shows is looked at in the replay.
_ANY_CROP = {
    "minimum_contrast": 0.0,
    "minimum_sharpness": 0.0,
    "maximum_sharpness": float("inf"),
    "interpolate_below": 0.0,
}


@dataclass(frozen=True)
class RecordedFace:
    """One face in one sampled frame; ``crop`` is its crop's number, None for one not worth cutting out."""

    pts: int
    time: Fraction
    track: int
    face: Face
    square: CropSquare
    crop: int | None


@dataclass(frozen=True)
class Recording:
    """What the first pass saw of one file, before any network looked at it."""

    faces: list[RecordedFace]
    persons: list[list[int]]
    times: list[Fraction]
    cuts: list[float]
    discarded: int
    media: Media
    missing: float
    key: str


class Distortion:
    """What is done to a file before faces are looked for; this one does nothing.

    ``name`` goes into the key of the recording, so it has to say all there is to say.
    """

    name = ""

    def frames(self, reader: MediaReader, rate: float) -> Iterator[Frame]:
        """Sampled frames of the distorted file."""
        return reader.frames(rate, all_decoded=False)


class _Counter:
    """Stands in for a scorer: the "logit" of a crop is how many came before it."""

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
    """The recording of ``path`` and its usable crops (n, size, size, 3), made or read from ``folder``.

    Raises :class:`~detector.errors.MediaError` for a file that cannot be examined.
    """
    distortion = distortion or Distortion()
    key = _key(path, parameters, distortion.name)
    kept, crops_kept = folder / f"{key}.pickle", folder / f"{key}-{size}.npy"
    folder.mkdir(parents=True, exist_ok=True)
    if kept.exists():
        with kept.open("rb") as file:  # this program's own, never a download
            recording: Recording = pickle.load(file)
        if not crops_kept.exists():
            _write(crops_kept, _crops_again(path, recording, size, parameters, distortion))
        return recording, np.load(crops_kept)
    recording, crops = _first_pass(path, key, size, parameters, distortion)
    _write(crops_kept, crops)
    with open_atomically(kept) as out:
        pickle.dump(recording, out)
    return recording, crops


def own_crops(
    path: Path, recording: Recording, scorer: Scorer, parameters: Parameters, distortion: Distortion | None
) -> NDArray[np.uint8]:
    """The crops (n, size, size, 3) as the network of ``scorer`` has them; the file is read again."""
    size = scorer.card.input.size
    return _crops_again(path, recording, size, parameters, distortion or Distortion(), scorer.square)


def replay(
    recording: Recording,
    crops: NDArray[np.uint8],
    scorer: Scorer,
    parameters: Parameters,
    seen: NDArray[np.uint8] | None = None,
) -> Analysis:
    """The analysis that ``scorer`` gives of a recording: what the engine says, without peak frames.

    ``crops`` (n, side, side, 3) are those of the recording, by which quality is judged; ``seen``, as many,
    those its network is given where they are others.
    Only sampled frames are recorded, so ends of segments are theirs (``edge_window`` 0), without a second
    look.
    """
    parameters = parameters.model_copy(update={"edge_window": 0.0, "second_look": 0})
    detections = _judgeable(recording, crops, parameters)
    sparing = InterpolationRule.of(scorer, parameters)
    _score(detections, recording, crops if seen is None else seen, scorer, sparing)
    times = list(map(float, recording.times))
    first_pass = FirstPassResult(detections, recording.persons, times, recording.cuts, recording.discarded)
    return conclude(
        first_pass,
        recording.media,
        recording.missing,
        scorer,
        parameters,
        lambda found: without_peaks(found, scorer),
    )


def _judgeable(recording: Recording, crops: NDArray[np.uint8], parameters: Parameters) -> Detections:
    gathered = DetectionBuffer()
    for one in recording.faces:
        flaw = face_flaw(one.face, parameters)
        if flaw is None and one.crop is not None:
            flaw = crop_flaw(crops[one.crop], parameters)
        gathered.add(one.pts, float(one.time), None, one.track, one.face, Assessment(flaw))
    return gathered.take()


def _score(
    detections: Detections,
    recording: Recording,
    crops: NDArray[np.uint8],
    scorer: Scorer,
    sparing: InterpolationRule | None,
) -> None:
    """Fill in ``logit`` of what is usable, track by track, as the first pass does: coarse to fine."""
    usable = [
        (place, face.crop)
        for place, face in enumerate(recording.faces)
        if detections.rows["usable"][place] and face.crop is not None
    ]
    by_track: dict[int, list[tuple[int, NDArray[np.float32]]]] = {}
    for start in range(0, len(usable), _BATCH):
        some = usable[start : start + _BATCH]
        features = scorer.features([crops[number] for _, number in some])
        for (place, _), values in zip(some, features, strict=True):
            by_track.setdefault(recording.faces[place].track, []).append((place, values))
    for track in by_track.values():
        places = [place for place, _ in track]
        logits = scorer.track_logits([values for _, values in track])
        if sparing is not None:
            seen = detections.rows["time"][places]
            frames = np.searchsorted(np.array(recording.times, np.float64), seen)
            logits[skipped_faces(seen, frames, logits, sparing)] = np.nan
            detections.rows["interpolated"][places] = interpolate_missing(logits)
        detections.rows["logit"][places] = logits


def strongest_crop(recording: Recording, analysis: Analysis, crops: NDArray[np.uint8]) -> Image | None:
    """The one of ``crops`` (n, side, side, 3) with the highest logit, or None where no face was usable."""
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
    # What a crop shows is looked at in the replay, at the network's own size.
    any_crop = parameters.model_copy(update=_ANY_CROP)
    with open_media(path) as reader:
        length, digest = hash_file(path)
        crops: list[Image] = []
        times: list[Fraction] = []
        found: dict[tuple[int, Box], tuple[Fraction, Face]] = {}  # by box: a track may be split later

        def settled(frame: Frame, faces: dict[int, Face]) -> None:
            times.append(frame.time)
            for face in faces.values():
                found[frame.pts, face.box] = frame.time, face
                if face_flaw(face, any_crop) is None:
                    crops.append(crop_square(frame.image, square_for_face(face), size))

        first_pass = FirstPass(reader, any_crop, cast(Scorer, _Counter()), settled)
        for frame, is_cut in first_pass.with_cuts(distortion.frames(reader, parameters.sample_rate)):
            first_pass.process_frame(frame, is_cut)
        (left,) = first_pass.post_process()
        recording = Recording(
            faces=[_recorded(one, *found[one.pts, one.box]) for one in left.detections],
            persons=left.person_tracks,
            times=times,
            cuts=list(left.cuts),
            discarded=left.discarded,
            media=media_facts(reader, path.name, length, digest),
            missing=missing_seconds(reader),
            key=key,
        )
    return recording, _stacked(crops, size)


def _recorded(one: Detection, time: Fraction, face: Face) -> RecordedFace:
    crop = None if one.logit is None else int(one.logit)
    return RecordedFace(one.pts, time, one.track, face, square_for_face(face), crop)


def _crops_again(
    path: Path,
    recording: Recording,
    size: int,
    parameters: Parameters,
    distortion: Distortion,
    square: Callable[[Box, float], CropSquare] = square_for_box,
) -> NDArray[np.uint8]:
    """Crops of another size: the file is decoded again, and no faces are looked for."""
    at: dict[int, list[tuple[CropSquare, int]]] = {}
    for s in recording.faces:
        if s.crop is not None:
            at.setdefault(s.pts, []).append((square(s.face.box, crop.roll(s.face)), s.crop))
    # Crops of tracks that were dropped keep their numbers, and stay black.
    count = max((number + 1 for some in at.values() for _, number in some), default=0)
    crops = np.zeros((count, size, size, 3), np.uint8)
    with open_media(path) as reader:
        for frame in distortion.frames(reader, parameters.sample_rate):
            for place, number in at.get(frame.pts, ()):
                crops[number] = crop_square(frame.image, place, size)
    return crops


def _stacked(crops: list[Image], size: int) -> NDArray[np.uint8]:
    return np.stack(crops) if crops else np.zeros((0, size, size, 3), np.uint8)


def _key(path: Path, parameters: Parameters, distortion: str) -> str:
    _, digest = hash_file(path)
    depends = {
        "version": _VERSION,
        "file": digest,
        "distortion": distortion,
        "framing": [crop.SIDE_PER_BOX, crop.CENTRE_BELOW_BOX, crop.ROLL_KEPT],
        **{name: getattr(parameters, name) for name in FIRST_PASS_PARAMETERS - _ANY_CROP.keys()},
    }
    return hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()[:24]


def _write(path: Path, crops: NDArray[np.uint8]) -> None:
    with open_atomically(path) as file:
        np.save(file, crops)
