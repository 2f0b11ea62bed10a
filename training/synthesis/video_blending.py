"""Video-level pseudo-fakes: one blend carried through a sequence of frames, with typical flicker."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.face_blending import Mask, face_outline
from detector.faces.crop import Landmarks
from detector.media.frame import Image
from training.synthesis.blending import Blend, self_blend, swap_blend
from training.synthesis.motion import drift

# Blends (image, landmarks, moment), by one recipe for all moments.
_Recipe = Callable[[Image, Landmarks, int], Blend]


class Footage(NamedTuple):
    """A face over time: RGB uint8 frames of one size with landmarks (frames, 5, 2) in pixels."""

    frames: list[Image]
    landmarks: NDArray[np.float32]


class CarriedBlend(NamedTuple):
    """Pseudo-fake frames with their blending masks.

    A face-swap program treats every frame alike and separately: the mask has one shape, the colours are off
    by the same amount, and all of it jitters with the detected landmarks. So a recipe is drawn once (each
    frame gets an equally seeded generator), and landmarks, place and colour of the blended face drift from
    frame to frame. The idea is that of Zheng et al. (ICCV 2021, FTCN) and Yan et al. (CVPR 2025): without
    such examples a network over time learns only what single frames show.
    """

    frames: list[Image]
    masks: list[Mask]


class Jitter(NamedTuple):
    """Variation from frame to frame, all (frames, ...)."""

    outline: NDArray[np.float64]  # (n, 5, 2) landmark errors, shares of the face's side
    place: NDArray[np.float64]  # (n, 2) shift of the blended face, shares of the face's side
    lean: NDArray[np.float64]  # (n,) its turn, radians
    colour: NDArray[np.float64]  # (n, 3) levels


def draw_jitter(count: int, rng: np.random.Generator) -> Jitter:
    """Draw jitter at three independent log-uniform levels, from negligible to obvious."""
    outline_level, place_level, colour_level = np.exp(rng.uniform(np.log(0.05), np.log(1.5), 3))
    common = drift(rng, count, (1, 2), 0.8)
    own = drift(rng, count, (5, 2), 0.6, white=0.5)
    return Jitter(
        outline_level * (0.008 * common + 0.006 * own),
        place_level * 0.005 * drift(rng, count, (2,), 0.7, white=0.5),
        place_level * 0.006 * drift(rng, count, (), 0.7, white=0.5),
        colour_level * (2.0 * drift(rng, count, (1,), 0.8) + 0.8 * drift(rng, count, (3,), 0.8)),
    )


def self_blend_footage(footage: Footage, rng: np.random.Generator) -> CarriedBlend:
    """Blend each frame with an altered copy of itself: the whole face or, one time in four, a part."""
    recipe = int(rng.integers(2**32))
    jitter = draw_jitter(len(footage.frames), rng)

    def blend(image: Image, landmarks: Landmarks, moment: int) -> Blend:
        return self_blend(image, landmarks, np.random.default_rng(recipe))

    return _carry(footage, blend, jitter)


def swap_footage(footage: Footage, other: Footage, rng: np.random.Generator) -> CarriedBlend:
    """Blend the face of ``other`` into ``footage``, frame by frame.

    With another person's footage this is a face swap, with another moment of the same person a reenactment.
    ``other`` is played back and forth if it is shorter.
    """
    recipe = int(rng.integers(2**32))
    jitter = draw_jitter(len(footage.frames), rng)

    def blend(image: Image, landmarks: Landmarks, moment: int) -> Blend:
        there = ping_pong_index(moment, len(other.frames))
        # Aligned here by all five points: the robust fit of `blending.align` leaves out now
        # this landmark and now that, which makes a face jump between frames.
        move = similarity(other.landmarks[there], landmarks)
        size = image.shape[1::-1]
        aligned = cv2.warpAffine(other.frames[there], move, size, borderMode=cv2.BORDER_REFLECT_101)
        return swap_blend(image, landmarks, aligned, landmarks, np.random.default_rng(recipe))

    return _carry(footage, blend, jitter)


def _carry(footage: Footage, blend: _Recipe, jitter: Jitter) -> CarriedBlend:
    frames, masks = [], []
    for moment, (image, landmarks) in enumerate(zip(*footage, strict=True)):
        side = float(np.ptp(face_outline(landmarks), axis=0).max())
        blended = blend(image, (landmarks + side * jitter.outline[moment]).astype(np.float32), moment)
        frames.append(_shake(blended, landmarks.mean(axis=0), side, jitter, moment))
        masks.append(blended.mask)
    return CarriedBlend(frames, masks)


def _shake(blend: Blend, middle: NDArray[np.float32], side: float, jitter: Jitter, moment: int) -> Image:
    """Move the face of ``blend`` and shift its colour, in proportion to the mask."""
    out = blend.image
    dx, dy = side * jitter.place[moment]
    lean = jitter.lean[moment]
    if max(abs(dx), abs(dy), abs(lean) * side / 2) > 0.15:  # px; less than that only blurs
        height, width = blend.mask.shape
        x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
        out = cv2.remap(
            out,
            x + blend.mask * (np.float32(dx) - np.float32(lean) * (y - middle[1])),
            y + blend.mask * (np.float32(dy) + np.float32(lean) * (x - middle[0])),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT_101,
        )
    shift = blend.mask[..., None] * jitter.colour[moment].astype(np.float32)
    return np.clip(out + shift + 0.5, 0, 255).astype(np.uint8)


def similarity(points: Landmarks, onto: Landmarks) -> NDArray[np.float64]:
    """Return the 2×3 least-squares similarity from ``points`` to ``onto`` (Umeyama, 1991)."""
    a = points.astype(np.float64) @ [1, 1j]
    b = onto.astype(np.float64) @ [1, 1j]
    a_mean, b_mean = a.mean(), b.mean()
    spread = float((np.abs(a - a_mean) ** 2).sum())
    turn = (np.conj(a - a_mean) * (b - b_mean)).sum() / spread if spread > 1e-6 else 1.0 + 0j
    move = b_mean - turn * a_mean
    return np.array([[turn.real, -turn.imag, move.real], [turn.imag, turn.real, move.imag]])


def ping_pong_index(moment: int, count: int) -> int:
    """Return the index of ``moment`` in a sequence of ``count`` played back and forth."""
    if count == 1:
        return 0
    turn = moment % (2 * count - 2)
    return min(turn, 2 * count - 2 - turn)


def interval(count: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Flag the manipulated 40 to 75 % of ``count`` frames of a partly manipulated sequence, in one piece."""
    length = round(count * rng.uniform(0.4, 0.75))
    start = int(rng.integers(0, count - length + 1))
    moments = np.arange(count)
    return (moments >= start) & (moments < start + length)
