"""Train directly from videos: detect faces while decoding, without storing crops on disk."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import IterableDataset, get_worker_info

from detector.errors import MediaError
from detector.faces.crop import Face, crop_square, square_for_face
from detector.faces.quality import face_flaw
from detector.faces.search.networks import FaceDetector
from detector.media.frame import Image
from detector.media.open import open_media
from detector.schema.analysis import MediaKind, Parameters
from training.data.labelled_sets import DataSetError, Item
from training.synthesis.degradations import degrade

Detect = Callable[[Image], list[Face]]

_DEFAULTS = Parameters()  # faces that an analysis would not judge are not trained on


def largest_crop(image: Image, detect: Detect, size: int) -> Image | None:
    """Crop the largest face of a frame, (size, size, 3) RGB; return None if none is worth judging.

    Only the largest, because a label describes the video: a passer-by in a manipulated one is likely not
    manipulated.
    """
    faces = [face for face in detect(image) if face_flaw(face, _DEFAULTS) is None]
    if not faces:
        return None
    return crop_square(image, square_for_face(max(faces, key=lambda face: face.width)), size)


def video_crops(path: Path, size: int, count: int = 10, detect: Detect | None = None) -> NDArray[np.uint8]:
    """Crop the largest face of each of ``count`` evenly spaced frames, (n, size, size, 3) RGB, in order.

    n is smaller than ``count`` if frames show no face or the video has fewer frames; a still gives at most
    one crop. ``detect`` lets several calls share one detector. Raises
    :class:`~detector.errors.MediaError` if the file cannot be read.
    """
    detect = detect or FaceDetector()
    with open_media(path) as reader:
        seconds = reader.expected_duration
        if not seconds and reader.kind is MediaKind.VIDEO:
            # The container states no duration: read the whole file to measure it.
            with open_media(path) as whole:
                for _ in whole.frames(1.0):
                    pass
                seconds = float(whole.duration)
        rate = count / seconds if seconds else 1.0
        frames = islice(reader.frames(rate), count)
        crops = [crop for frame in frames if (crop := largest_crop(frame.image, detect, size)) is not None]
    return np.stack(crops) if crops else np.zeros((0, size, size, 3), np.uint8)


class VideoSkippedWarning(UserWarning):
    """A video could not be used; training continues without it."""


class StreamedVideos(IterableDataset[tuple[torch.Tensor, float]]):
    """Crops of videos as they are decoded: uint8 (3, size, size) and a label, 1.0 is manipulated.

    An epoch takes each video of the larger class once and repeats those of the smaller one. Real and
    manipulated videos alternate, and a ``buffer`` of crops mixes neighbouring videos, since a batch from one
    video teaches that video. Memory does not depend on the length or number of videos.

    ``sample_rate`` is in frames a second; a video too long for ``most`` frames at that rate is sampled more
    thinly. With ``augment`` crops are mirrored and degraded at random, both classes alike.

    Crops and their order depend only on the seed, the epoch and the number of workers, which divide the
    videos among themselves. A video that cannot be read or shows no face is skipped with a
    :class:`VideoSkippedWarning` and added to ``left_out`` (in a worker process: that worker's own copy).
    """

    def __init__(
        self,
        videos: Sequence[Item],
        size: int,
        seed: int,
        sample_rate: float = 2.0,
        most: int = 64,
        buffer: int = 256,
        augment: bool = True,
        detect: Detect | None = None,
    ) -> None:
        """Raise :class:`DataSetError` unless ``videos`` are video files of both classes."""
        super().__init__()
        invalid = [item.name for item in videos if item.member is not None or not item.is_video]
        if invalid:
            raise DataSetError(f"{invalid[0]} is not a video file; only those can be streamed.")
        self._by_label = [[item.path for item in videos if item.label == label] for label in (0, 1)]
        if not all(self._by_label):
            raise DataSetError("Streaming needs at least one real and one manipulated video.")
        self._size, self._seed, self._buffer, self._augment = size, seed, buffer, augment
        self._sample_rate, self._most = sample_rate, most
        self._detect = detect
        self.epoch = 0
        self.left_out: set[Path] = set()

    def set_epoch(self, epoch: int) -> None:
        """Choose the order and the augmentation of the next pass."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[tuple[torch.Tensor, float]]:
        cv2.setNumThreads(0)
        worker = get_worker_info()
        number, workers = (worker.id, worker.num_workers) if worker else (0, 1)
        rng = np.random.default_rng((self._seed, self.epoch, number))
        pairs = self._pairs()[number::workers]
        empty = True
        for crop, label in _shuffle(self._crops(pairs, rng), self._buffer, rng):
            empty = False
            if self._augment:
                crop = _augment(crop, rng)
            yield torch.from_numpy(np.ascontiguousarray(crop.transpose(2, 0, 1))), label
        # One worker of several may have received nothing but broken videos.
        if workers == 1 and empty:
            raise DataSetError("No video showed a face to train on; see the warnings above.")

    def _pairs(self) -> list[tuple[Path, Path]]:
        """Pair real and manipulated videos in the epoch's order, the same in every worker."""
        rng = np.random.default_rng((self._seed, self.epoch))
        longest = max(map(len, self._by_label))
        real, fake = (
            [paths[i] for _ in range(-(-longest // len(paths))) for i in rng.permutation(len(paths))]
            for paths in self._by_label
        )
        return list(zip(real[:longest], fake[:longest], strict=True))

    def _crops(
        self, pairs: Sequence[tuple[Path, Path]], rng: np.random.Generator
    ) -> Iterator[tuple[Image, float]]:
        # Created here, because an OpenCV network cannot be sent to a worker.
        detect = self._detect or FaceDetector()
        for pair in pairs:
            # The order is random, or a batch's place would reveal the label.
            for label in rng.permutation(2).tolist():
                yield from ((crop, float(label)) for crop in self._crops_of(pair[label], detect))

    def _crops_of(self, path: Path, detect: Detect) -> Iterator[Image]:
        if path in self.left_out:
            return
        empty, reason = True, "no face that can be judged was found in it."
        try:
            with open_media(path) as reader:
                seconds = reader.expected_duration
                rate = min(self._sample_rate, self._most / seconds) if seconds else self._sample_rate
                for frame in reader.frames(rate):
                    crop = largest_crop(frame.image, detect, self._size)
                    if crop is not None:
                        empty = False
                        yield crop
        except MediaError as error:
            reason = str(error)
        if empty:
            self.left_out.add(path)
            warnings.warn(f"{path} is left out of training: {reason}", VideoSkippedWarning, stacklevel=2)


def _shuffle(
    crops: Iterator[tuple[Image, float]], size: int, rng: np.random.Generator
) -> Iterator[tuple[Image, float]]:
    """Yield every crop once, in random order, through a buffer of ``size`` crops."""
    buffer: list[tuple[Image, float]] = []
    for crop in crops:
        if len(buffer) < size:
            buffer.append(crop)
            continue
        place = int(rng.integers(size))
        yield buffer[place]
        buffer[place] = crop
    for place in rng.permutation(len(buffer)):
        yield buffer[place]


def _augment(crop: Image, rng: np.random.Generator) -> Image:
    if rng.random() < 0.5:
        crop = crop[:, ::-1]
    size = crop.shape[0]
    crop = degrade(np.ascontiguousarray(crop), rng)
    # Degrading through H.264 leaves an even number of pixels.
    return crop if crop.shape[0] == size else cv2.resize(crop, (size, size), interpolation=cv2.INTER_LINEAR)
