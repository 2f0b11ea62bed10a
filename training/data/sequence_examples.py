"""Training examples of sequence networks: one face over 10 to 30 frames, 1/8 s apart."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch.utils.data import Dataset

from detector.errors import ParameterError
from detector.faces.crop import CropSquare, crop_square
from detector.faces.patch import decode_jpeg
from detector.media.frame import Image
from detector.schema.analysis import Value
from training.data.crop_examples import jittered_square, refuse_empty, stack_crops
from training.data.research_faces import MovingFace, Sample
from training.synthesis.blending import self_blend, swap_blend
from training.synthesis.degradations import add_event, degrade_sequence, frame_order
from training.synthesis.motion import Animation, drift
from training.synthesis.video_blending import (
    CarriedBlend,
    Footage,
    interval,
    self_blend_footage,
    swap_footage,
)

# Jitter of a detector's box: spread of centre and side in shares of the side, of the angle in degrees. Seven
# training clips lie 0.006, 0.008 and 0.007 sides from their own smoothed squares, motion included
# (`research_faces.smooth` removes some 40 % of white jitter).
_JITTER = np.array([0.007, 0.009, 0.008, 0.15])
_SPARE = 12  # moments that a jump cut or dropped frames may skip


class Shares(Value):
    """Shares of each kind of sequence; in each source half are real and half manipulated."""

    # Output of real generators is worth more than imitations, though there is only one frame a video.
    still_real: float = Field(default=0.25, ge=0)
    still_fake: float = Field(default=0.22, ge=0)
    still_blend: float = Field(default=0.03, ge=0)  # seams in DFDC's framing
    # The only true motion, but of few people.
    clip_real: float = Field(default=0.15, ge=0)
    clip_blend: float = Field(default=0.06, ge=0)
    clip_swap: float = Field(default=0.03, ge=0)  # only about twenty faces to swap
    clip_reenacted: float = Field(default=0.06, ge=0)
    # Thousands of people, against overfitting those of the clips.
    photo_real: float = Field(default=0.10, ge=0)
    photo_blend: float = Field(default=0.07, ge=0)
    photo_swap: float = Field(default=0.03, ge=0)


# Share of the sequences blended frame by frame in which only an interval is blended, as in a window over the
# edge of a segment.
_PARTLY = 0.2
# Share of sequences of either class with a harmless event that a network might mistake for the beginning or
# end of a manipulation.
_EVENTFUL = 0.35


class SequenceExample(NamedTuple):
    """A sequence with its label and the flags of its manipulated frames."""

    frames: list[Image]  # (size, size, 3), RGB
    label: float  # 1.0: manipulated, if only in part
    manipulated: NDArray[np.bool_]  # (frames,)
    kind: str  # a field of Shares


class Sequences(Dataset[tuple[torch.Tensor, float]]):
    """Sequences uint8 (t, 3, size, size), ``shortest`` ≤ t ≤ ``longest``; labels, 1.0 is manipulated.

    Three sources, each half real, so that no source reveals the class: DFDC crops (one frame a video) and
    photographs, both animated; and real clips with video-level blends. Later degradations of a sequence
    (dropped frames, cuts, changes of light, compression) are drawn regardless of its class. Example ``i``
    depends only on the seed and ``i``.

    ``clips`` come from :func:`~training.data.research_faces.gather_moving_faces`, ``photos`` from
    :func:`~training.data.research_faces.harvest`: framed samples are DFDC crops, the others faces with a
    margin. Raises :class:`ParameterError` for an odd ``size``, and
    :class:`~training.data.labelled_sets.DataSetError` if a kind has a share but nothing to draw from.
    Collate with :func:`pad_sequences`.
    """

    def __init__(
        self,
        clips: list[MovingFace],
        photos: list[Sample],
        size: int,
        seed: int,
        first: int,
        last: int,
        shortest: int = 10,
        longest: int = 30,
        shares: Shares | None = None,
    ) -> None:
        if size % 2 or not 5 <= shortest <= longest:
            raise ParameterError(f"size {size} has to be even (H.264), and 5 ≤ {shortest} ≤ {longest}")
        by_kind = (shares or Shares()).model_dump()
        self._clips = [clip for clip in clips if len(clip) >= shortest]
        self._stills = {
            "still_real": [s for s in photos if s.framed and not s.label],
            "still_fake": [s for s in photos if s.framed and s.label],
            "still_blend": [s for s in photos if s.framed and not s.label and s.landmarks is not None],
        }
        faces = [s for s in photos if not s.framed and s.landmarks is not None]
        self._stills |= {kind: faces for kind in by_kind if kind.startswith("photo")}
        for kind, share in by_kind.items():
            refuse_empty(kind, share, self._clips if kind.startswith("clip") else self._stills[kind])
        if not np.isclose(sum(by_kind.values()), 1):
            raise ValueError(f"the shares add up to {sum(by_kind.values()):.3f}, not 1")
        self._kinds, self._shares = list(by_kind), np.array(list(by_kind.values()))
        self._size, self._seed, self._first, self._last = size, seed, first, last
        self._shortest, self._longest = shortest, longest

    def __len__(self) -> int:
        return self._last - self._first

    def __getitem__(self, index: int) -> tuple[torch.Tensor, float]:
        example = self.example(index)
        return torch.from_numpy(np.ascontiguousarray(stack_crops(example.frames))), example.label

    def example(self, index: int) -> SequenceExample:
        """Return sequence number ``index`` with the flags of its manipulated frames."""
        cv2.setNumThreads(0)
        rng = np.random.default_rng((self._seed, self._first + index))
        kind = str(rng.choice(self._kinds, p=self._shares))
        count = int(rng.integers(self._shortest, self._longest + 1))
        # Degradations have a generator of their own, independent of what the class drew.
        after = np.random.default_rng((self._seed, self._first + index, 1))
        # The resolution of the face, and whether it is degraded there; as in `crop_examples`.
        degraded = after.random() >= 0.35
        small = int(np.exp(after.uniform(np.log(48), np.log(200)))) // 2 * 2 if degraded else self._size
        if kind.startswith("clip"):
            crops, fake = self._from_clip(kind, count, small, rng, after)
        else:
            crops, fake = self._from_still(kind, count, small, rng, after)
        if after.random() < _EVENTFUL:
            crops = add_event(crops, after)
        if degraded:
            crops = degrade_sequence(crops, after)
        if small != self._size:
            choice = int(after.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC]))
            how = cv2.INTER_AREA if small > self._size else choice
            crops = [cv2.resize(crop, (self._size, self._size), interpolation=how) for crop in crops]
        if after.random() < 0.5:
            crops = [np.ascontiguousarray(crop[:, ::-1]) for crop in crops]
        return SequenceExample(crops, float(fake.any()), fake, kind)

    def _from_still(
        self, kind: str, count: int, small: int, rng: np.random.Generator, after: np.random.Generator
    ) -> tuple[list[Image], NDArray[np.bool_]]:
        pool = self._stills[kind]
        sample = pool[rng.integers(len(pool))]
        image, landmarks = decode_jpeg(sample.data), sample.landmarks
        if not sample.framed:
            image, landmarks = _reduce(image, landmarks, small)
        moments = frame_order(count, count + _SPARE, after)
        length = int(moments.max()) + 1
        squares = _jittering(image, length, after, framed=sample.framed)
        # A photograph is blended before it is animated (a perfect fake, which moves with the skin) or after,
        # frame by frame, with jitter. The latter samples pixels twice, as do equally many real ones.
        before = sample.framed or after.random() < 0.5
        motion = np.random.default_rng(after.integers(2**32))
        fake = np.full(length, kind != "still_real" and kind != "photo_real")
        if before:
            if kind.endswith("blend") and landmarks is not None:
                image = self_blend(image, landmarks, rng).image
            elif kind == "photo_swap" and landmarks is not None:
                face, points = self._random_face(small, rng)
                image = swap_blend(image, landmarks, face, points, rng).image
            # DFDC fakes have no landmarks: all are animated by the template, or landmarks would reveal them.
            still = Animation(image, None if sample.framed else landmarks, length, motion)
            frames = {m: still.frame(m, squares[m], small) for m in np.unique(moments).tolist()}
            return [frames[m] for m in moments.tolist()], fake[moments]
        still = Animation(image, landmarks, length, motion)
        footage = _animate(still, length)
        carried = None
        if kind == "photo_blend":
            carried = self_blend_footage(footage, rng)
        elif kind == "photo_swap":
            face, points = self._random_face(small, rng)
            carried = swap_footage(footage, _animate(Animation(face, points, length, rng), length), rng)
        return _cut_crops(footage, carried, moments, squares, small, rng)

    def _from_clip(
        self, kind: str, count: int, small: int, rng: np.random.Generator, after: np.random.Generator
    ) -> tuple[list[Image], NDArray[np.bool_]]:
        clip = self._clips[rng.integers(len(self._clips))]
        moments = frame_order(min(count, len(clip)), len(clip), after)
        used = slice(int(moments.min()), int(moments.max()) + 1)
        footage = _footage(clip, used, small)
        squares = _jittering(footage.frames[0], len(footage.frames), after, framed=False)
        carried = None
        if kind == "clip_blend":
            carried = self_blend_footage(footage, rng)
        elif kind == "clip_swap":
            others = [c for c in self._clips if c.group != clip.group] or self._clips
            other = others[rng.integers(len(others))]
            start = int(rng.integers(0, max(1, len(other) - len(footage.frames))))
            there = slice(start, start + len(footage.frames))
            carried = swap_footage(footage, _footage(other, there, small), rng)
        elif kind == "clip_reenacted":
            # Another moment of the same person, played beside this one, back and forth if it is short.
            others = [c for c in self._clips if c.group == clip.group]
            other = others[rng.integers(len(others))]
            starts = range(len(other) - self._shortest + 1)
            # Less than half a second away is hardly a different moment.
            apart = [s for s in starts if other is not clip or abs(s - used.start) >= 4]
            start = int(rng.choice(apart or list(starts)))
            there = slice(start, start + len(footage.frames))
            carried = swap_footage(footage, _footage(other, there, small), rng)
        return _cut_crops(footage, carried, moments - used.start, squares, small, rng)

    def _random_face(self, small: int, rng: np.random.Generator) -> tuple[Image, NDArray[np.float32]]:
        pool = self._stills["photo_swap"]
        other = pool[rng.integers(len(pool))]
        image, landmarks = _reduce(decode_jpeg(other.data), other.landmarks, small)
        assert landmarks is not None
        return image, landmarks


def pad_sequences(batch: list[tuple[torch.Tensor, float]]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Collate frames uint8 (b, t, 3, s, s), padded with zeros; present, bool (b, t); labels (b,)."""
    longest = max(len(frames) for frames, _ in batch)
    frames = torch.zeros(len(batch), longest, *batch[0][0].shape[1:], dtype=torch.uint8)
    present = torch.zeros(len(batch), longest, dtype=torch.bool)
    for i, (sequence, _) in enumerate(batch):
        frames[i, : len(sequence)] = sequence
        present[i, : len(sequence)] = True
    return frames, present, torch.tensor([label for _, label in batch], dtype=torch.float32)


def _footage(clip: MovingFace, used: slice, small: int) -> Footage:
    pairs = [
        _reduce(decode_jpeg(data), points, small)
        for data, points in zip(clip.frames[used], clip.landmarks[used], strict=True)
    ]
    return Footage([image for image, _ in pairs], np.array([points for _, points in pairs], np.float32))


def _animate(still: Animation, length: int) -> Footage:
    moments = range(length)
    return Footage([still.whole(m) for m in moments], np.array([still.landmarks(m) for m in moments]))


def _cut_crops(
    footage: Footage,
    carried: CarriedBlend | None,
    moments: NDArray[np.int64],
    squares: list[CropSquare],
    small: int,
    rng: np.random.Generator,
) -> tuple[list[Image], NDArray[np.bool_]]:
    """Crop the frames at ``moments``, sometimes with only an interval of ``carried``; flag that interval."""
    fake = np.full(len(moments), carried is not None)
    if carried is not None and rng.random() < _PARTLY:
        fake = interval(len(moments), rng)
    crops = []
    for moment, manipulated in zip(moments.tolist(), fake.tolist(), strict=True):
        frames = carried.frames if carried is not None and manipulated else footage.frames
        crops.append(crop_square(frames[moment], squares[moment], small))
    return crops, fake


def _jittering(image: Image, count: int, rng: np.random.Generator, *, framed: bool) -> list[CropSquare]:
    """Draw a framing for the sequence, and a detector's jitter around it for each of ``count`` moments."""
    shared = jittered_square(image, framed, rng)
    level = rng.uniform(0.3, 1.7)
    errors = level * _JITTER * drift(rng, count, (4,), 0.5, white=0.7)
    return [
        CropSquare(
            shared.x + shared.side * dx,
            shared.y + shared.side * dy,
            shared.side * (1 + ds),
            shared.angle + turn,
        )
        for dx, dy, ds, turn in errors.tolist()
    ]


def _reduce(
    image: Image, landmarks: NDArray[np.float32] | None, small: int
) -> tuple[Image, NDArray[np.float32] | None]:
    """Reduce ``image`` (with a margin) to what a crop of ``small`` px needs: blending costs by the pixel."""
    side = image.shape[0]
    target = max(160, round(1.75 * small))  # the margin is 1.6, and a little is lost by resampling
    if side <= 1.15 * target or landmarks is None:
        return image, landmarks
    image = cv2.resize(image, (target, target), interpolation=cv2.INTER_AREA)
    return image, ((landmarks + 0.5) * (target / side) - 0.5).astype(np.float32)
