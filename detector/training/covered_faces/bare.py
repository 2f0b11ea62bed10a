"""What lies on faces and covers nothing, drawn: shadows, hair, beards, glasses.

Without it a network that has seen nothing on faces but covers takes each of these for one. Everything is for
a crop of :data:`~detector.training.covered_faces.covers.SIDE` px, in which the eyes lie at about a third of
the height and the mouth at three quarters. Sunglasses count as bare: skin and mouth can be judged below.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.media.frame import Image
from detector.schema.logistic import sigmoid
from detector.training.covered_faces.covers import SIDE, by_share, laid_over

_EYES, _MOUTH = 0.38, 0.76  # of the height, about
_LEFT, _RIGHT = 0.32, 0.68  # of the width: the eyes


def varied(face: Image, rng: np.random.Generator) -> Image:
    """``face`` (SIDE, SIDE, 3) with one of them by chance, sometimes with two."""
    for _ in range(1 if rng.random() < 0.8 else 2):
        face = by_share(DRAWN, rng)(face, rng)
    return face


def shadow(face: Image, rng: np.random.Generator) -> Image:
    """Dark on one side of a line, of a hat or of a lamp, with a hard or a soft edge."""
    angle = rng.normal(np.pi / 2, 0.25) if rng.random() < 0.5 else rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    middle = rng.uniform(0.3, 0.7, 2)
    beyond = np.cos(angle) * (x - middle[0]) + np.sin(angle) * (y - middle[1])
    bent = rng.normal(0, 0.4) * (np.cos(angle) * (y - middle[1]) - np.sin(angle) * (x - middle[0])) ** 2
    lit = sigmoid((beyond + bent) / rng.choice([0.004, 0.01, 0.03, 0.08]))
    left = rng.uniform(0.12, 0.7) * (1 + rng.normal(0, 0.05, 3))
    return _seen(face * (left + (1 - left) * lit[..., None]))


def light(face: Image, rng: np.random.Generator) -> Image:
    """Little light, too much, or light of one colour."""
    colour = rng.uniform(0.2, 1.0, 3) if rng.random() < 0.5 else np.ones(3)
    return _seen(face * colour * np.exp(rng.uniform(-1.5, 0.8)))


def hair(face: Image, rng: np.random.Generator) -> Image:
    """Strands from above: over the forehead, or down over one eye and cheek."""
    layer, opacity = face.copy(), np.zeros((SIDE, SIDE), np.uint8)
    dark = rng.uniform(10, 190) * np.array([1, rng.uniform(0.6, 1), rng.uniform(0.4, 1)])
    if rng.random() < 0.5:  # a fringe
        starts, ends = (-0.05, 1.05), (_EYES - 0.2, _EYES - 0.04)
    else:
        side = 0.0 if rng.random() < 0.5 else 0.55
        starts, ends = (side, side + rng.uniform(0.2, 0.45)), (0.4, rng.uniform(0.6, 1.1))
    lean = rng.normal(0, 0.1)
    for x in rng.uniform(*starts, int(rng.integers(12, 60))):
        low = rng.uniform(*ends)
        bend = x + lean + rng.normal(0, 0.03)
        along = np.array([(x - lean, -0.05), (x, low / 2), (bend, low)]) * SIDE
        shade = tuple((dark * rng.uniform(0.6, 1.3)).clip(0, 255).tolist())
        thick = int(rng.integers(1, 5))
        for image, ink in ((layer, shade), (opacity, (255.0,))):
            cv2.polylines(image, [along.astype(np.int32)], False, ink, thick, cv2.LINE_AA)
    return _over(face, layer, opacity * rng.uniform(0.7, 1.0) / 255, rng)


def beard(face: Image, rng: np.random.Generator) -> Image:
    """On the chin, or up to the ears, with or without a moustache; the lips stay free."""
    full, opacity = rng.random() < 0.6, np.zeros((SIDE, SIDE), np.uint8)
    wide = rng.uniform(0.36, 0.5) if full else rng.uniform(0.1, 0.3)
    top = _MOUTH - (rng.uniform(0.05, 0.25) if full else -0.03)
    cv2.ellipse(opacity, _at(0.5, top), _at(wide, 1.05 - top), 0, 0, 180, 255, -1)
    if full:
        cv2.ellipse(
            opacity, _at(0.5, top), _at(wide - 0.09, max(0.01, _MOUTH - 0.08 - top)), 0, 0, 180, 0, -1
        )
    if full or rng.random() < 0.5:
        cv2.ellipse(opacity, _at(0.5, _MOUTH - 0.07), _at(0.2, 0.05), 0, 0, 360, 255, -1)
    cv2.ellipse(opacity, _at(0.5, _MOUTH), _at(0.15, rng.uniform(0.03, 0.06)), 0, 0, 360, 0, -1)
    soft = cv2.GaussianBlur(opacity, (0, 0), float(rng.uniform(1, 5))) / 255
    tone = rng.uniform(15, 210) * np.array([1, rng.uniform(0.75, 1), rng.uniform(0.6, 1)])
    grain = cv2.GaussianBlur(rng.normal(0, 1, (SIDE, SIDE)), (0, 0), rng.uniform(0.5, 1.5))
    layer = _seen(tone + grain[..., None] / grain.std() * rng.uniform(6, 25))
    return _over(face, layer, soft * rng.uniform(0.5, 1.0), rng)


def glasses(face: Image, rng: np.random.Generator) -> Image:
    """Frames with clear, tinted, mirroring or dark lenses."""
    layer, opacity = face.copy(), np.zeros((SIDE, SIDE), np.uint8)
    level = _EYES + rng.normal(0, 0.03)
    wide, high = rng.uniform(0.12, 0.2), rng.uniform(0.08, 0.16)
    frame = tuple((rng.uniform(5, 120) * np.ones(3) + rng.normal(0, 15, 3)).clip(0, 255).tolist())
    thick = int(rng.integers(1, 5))
    tint = rng.uniform(0, 60, 3) if rng.random() < 0.6 else rng.uniform(150, 255, 3)
    clear = rng.random() < 0.4
    share = 0 if clear else int(rng.uniform(70, 256))
    for x in (_LEFT, _RIGHT):
        cv2.ellipse(opacity, _at(x, level), _at(wide, high), 0, 0, 360, share, -1, cv2.LINE_AA)
        cv2.ellipse(layer, _at(x, level), _at(wide, high), 0, 0, 360, tuple(tint.tolist()), -1, cv2.LINE_AA)
        for image, ink in ((layer, frame), (opacity, (255.0,))):
            cv2.ellipse(image, _at(x, level), _at(wide, high), 0, 0, 360, ink, thick, cv2.LINE_AA)
    for start, end in ((-0.05, _LEFT - wide), (_LEFT + wide, _RIGHT - wide), (_RIGHT + wide, 1.05)):
        for image, ink in ((layer, frame), (opacity, (255.0,))):
            cv2.line(image, _at(start, level - 0.02), _at(end, level - 0.02), ink, thick, cv2.LINE_AA)
    return _over(face, layer, opacity / 255, rng)


DRAWN: tuple[tuple[Callable[[Image, np.random.Generator], Image], float], ...] = (
    (shadow, 0.35), (light, 0.1), (hair, 0.25), (beard, 0.12), (glasses, 0.18)
)  # fmt: skip
"""Each with its share of them."""


def _at(x: float, y: float) -> tuple[int, int]:
    return round(x * SIDE), round(y * SIDE)


def _seen(values: NDArray[np.floating]) -> Image:
    return values.clip(0, 255).astype(np.uint8)


def _over(face: Image, layer: Image, share: NDArray[np.floating], rng: np.random.Generator) -> Image:
    """``layer`` over ``face``, turned and moved a little, as faces lie in their crops."""
    move = cv2.getRotationMatrix2D(
        (SIDE / 2, SIDE / 2), float(rng.normal(0, 6)), float(rng.uniform(0.9, 1.1))
    )
    move[:, 2] += rng.normal(0, 3, 2)
    layer = cv2.warpAffine(layer, move, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)
    share = cv2.warpAffine(share.astype(np.float32), move, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)
    share = cv2.GaussianBlur(share, (0, 0), float(rng.uniform(0.3, 1.0)))
    return laid_over(face, layer, share)
