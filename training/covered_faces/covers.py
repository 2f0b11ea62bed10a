"""Draw what covers faces in footage (captions, masks, hands, …), and features that cover nothing."""

from __future__ import annotations

import string
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.media.frame import Image
from detector.schema.scores import sigmoid

SIDE = 128  # px
_T = TypeVar("_T")
COVERED, FREE = 0.5, 0.1
"""Hidden share of the mouth or eyes from which a face is covered, and up to which it is free."""
_FREE_OF_ALL = 0.25  # of the crop, likewise


class Cover(NamedTuple):
    """A layer (h, w, 3) over a crop with its opacity (h, w), of 255."""

    layer: NDArray[np.uint8]
    opacity: NDArray[np.uint8]

    def hides(self, landmarks: NDArray[np.floating]) -> bool | None:
        """Return whether it hides mouth or eyes; None if that is debatable.

        ``landmarks`` (5, 2) are CenterFace's: eyes, nose, corners of the mouth.
        """
        left, right, _nose, *corners = landmarks
        hidden = self.opacity > 127
        mouth = _share(hidden, [(corners[0] + corners[1]) / 2], 0.75, 0.5, corners[1] - corners[0])
        eyes = _share(hidden, [left, right], 0.28, 0.2, right - left)
        if max(mouth, eyes) >= COVERED:
            return True
        return False if max(mouth, eyes) <= FREE and hidden.mean() <= _FREE_OF_ALL else None

    def around(self, times: int) -> Cover:
        """Extend it to a picture ``times`` as large with the crop in its middle, repeating the edges."""
        beside = (times - 1) * SIDE // 2
        size = ((beside, beside), (beside, beside))
        return Cover(
            np.pad(self.layer, (*size, (0, 0)), mode="edge"), np.pad(self.opacity, size, mode="edge")
        )


DrawCover = Callable[[Image, Image, np.random.Generator], Cover]
"""Draws a random cover for a crop, with a piece of another picture."""

_FONTS = (
    cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_TRIPLEX, cv2.FONT_HERSHEY_COMPLEX
)  # fmt: skip
_LETTERS = np.array(list(string.ascii_letters + string.digits + "   .,!?'"))


def caption(crop: Image, piece: Image, rng: np.random.Generator) -> Cover:
    """Draw a bar with text, nearly opaque, that extends beyond the face or ends in it."""
    opacity = _empty()
    height = int(rng.uniform(0.08, 0.4) * SIDE)
    top = int(rng.uniform(0.1, 1.0) * SIDE)
    ends = sorted(rng.uniform(-0.3, 1.3, 2)) if rng.random() < 0.4 else [-0.1, 1.1]
    cv2.rectangle(opacity, (int(ends[0] * SIDE), top), (int(ends[1] * SIDE), top + height), 255, -1)
    bar = _colour(rng) if rng.random() < 0.6 else rng.choice([0, 16, 235, 255]) * np.ones(3)
    layer = np.full((SIDE, SIDE, 3), bar, np.uint8)
    ink = 255 - bar if rng.random() < 0.7 else _colour(rng)
    lines = int(rng.integers(1, 4))
    for line in range(lines):
        base = top + int(height * (line + 0.8) / lines)
        _write(layer, base, height / lines, ink, rng)
    return Cover(layer, (opacity * rng.uniform(0.8, 1.0)).astype(np.uint8))


def letters(crop: Image, piece: Image, rng: np.random.Generator) -> Cover:
    """Draw large letters with an outline, without a bar."""
    layer, opacity = np.zeros((SIDE, SIDE, 3), np.uint8), _empty()
    height, top = rng.uniform(0.08, 0.3) * SIDE, rng.uniform(0.1, 0.9) * SIDE
    ink = _colour(rng) if rng.random() < 0.5 else np.array([255, 255, 255])
    for line in range(int(rng.integers(1, 4))):
        base, state = int(top + (line + 0.8) * height * 1.2), rng.bit_generator.state
        _write(opacity, base, height, np.array([255]), rng, outline=float(rng.uniform(1.5, 3)))
        rng.bit_generator.state = state  # the same letters once more
        _write(layer, base, height, ink, rng)
    return Cover(layer, opacity)


def mask(crop: Image, piece: Image, rng: np.random.Generator) -> Cover:
    """Draw a surgical or cloth mask from nose to chin, with folds and the shadows of the face."""
    w, jitter = SIDE, lambda: float(rng.normal(0, 0.02))
    nose, cheek = rng.uniform(0.42, 0.58), rng.uniform(0.45, 0.62)
    left, right = rng.uniform(-0.02, 0.1), rng.uniform(0.9, 1.02)
    points = [
        (left, cheek + jitter()), (0.35, nose + 0.04), (0.5 + jitter(), nose), (0.65, nose + 0.04),
        (right, cheek + jitter()), (right - 0.06, 0.85 + jitter()), (0.72, 1.02), (0.28, 1.02),
        (left + 0.06, 0.85 + jitter()),
    ]  # fmt: skip
    opacity = _fill(np.array(points) * w)
    layer = _shade(_cloth(piece, rng), crop, rng)
    for fold in range(int(rng.integers(0, 4))):
        y = int((nose + (fold + 1) * rng.uniform(0.08, 0.14)) * w)
        shadow = tuple(int(v) for v in layer[min(y, w - 1), w // 2] * rng.uniform(0.7, 0.95))
        ends = (int(left * w), y), (int(right * w), y + int(rng.normal(0, 2)))
        cv2.line(layer, *ends, shadow, 1, cv2.LINE_AA)
    return Cover(layer, opacity)


def scarf(crop: Image, piece: Image, rng: np.random.Generator) -> Cover:
    """Draw cloth from below the eyes downwards, or from the forehead upwards."""
    level = rng.uniform(0.35, 0.85) + np.cumsum(rng.normal(0, 0.02, 9))
    edge = [(x, y) for x, y in zip(np.linspace(-0.05, 1.05, 9), level, strict=True)]
    points = np.array([*edge, (1.1, 1.1), (-0.1, 1.1)]) * SIDE
    opacity = _fill(points)
    if rng.random() < 0.15:
        opacity = np.ascontiguousarray(opacity[::-1])
    return Cover(_shade(_cloth(piece, rng), crop, rng), opacity)


def hand(crop: Image, piece: Image, rng: np.random.Generator) -> Cover:
    """Draw fingers and a palm in a tone of the face's skin, from one side."""
    opacity = _empty()
    skin = crop[int(0.5 * SIDE) : int(0.65 * SIDE), int(0.2 * SIDE) : int(0.8 * SIDE)].reshape(-1, 3)
    tone = np.median(skin, axis=0) * rng.uniform(0.75, 1.15) + rng.normal(0, 6, 3)
    layer = np.full((SIDE, SIDE, 3), tone.clip(0, 255), np.uint8)
    x, y = rng.uniform(0.15, 0.85) * SIDE, rng.uniform(0.45, 1.0) * SIDE
    towards = rng.uniform(0, 2 * np.pi)
    wide = rng.uniform(0.09, 0.16) * SIDE
    across = np.array([-np.sin(towards), np.cos(towards)])
    along = np.array([np.cos(towards), np.sin(towards)])
    for finger in range(int(rng.integers(2, 5))):
        start = np.array([x, y]) + across * wide * (finger - 1.5) * 1.05
        end = start + along * rng.uniform(0.25, 0.6) * SIDE
        cv2.line(opacity, _point(start), _point(end), 255, int(wide), cv2.LINE_AA)
        side = across * wide / 2
        shadow = tuple(tone.clip(0, 255) * 0.65)
        cv2.line(layer, _point(start + side), _point(end + side), shadow, 2, cv2.LINE_AA)
    palm, axes = _point(np.array([x, y]) - along * wide), (int(wide * 2.4), int(wide * 1.8))
    cv2.ellipse(opacity, palm, axes, np.degrees(towards), 0, 360, 255, -1, cv2.LINE_AA)
    return Cover(_shade(layer, crop, rng), opacity)


def held_object(crop: Image, piece: Image, rng: np.random.Generator) -> Cover:
    """Draw an object before the face, such as a phone, a cup or a microphone, often dark."""
    opacity = _empty()
    middle = _point(rng.uniform(0.15, 0.95, 2) * SIDE)
    size = rng.uniform(0.12, 0.45, 2) * SIDE
    if rng.random() < 0.4:  # a microphone on its stem
        radius = int(rng.uniform(0.1, 0.25) * SIDE)
        cv2.circle(opacity, middle, radius, 255, -1, cv2.LINE_AA)
        foot = (int(middle[0] + rng.normal(0, 30)), SIDE + 20)
        cv2.line(opacity, middle, foot, 255, max(2, radius), cv2.LINE_AA)
    else:
        corners = cv2.boxPoints((middle, tuple(size * 1.4), float(rng.uniform(0, 180))))
        opacity = _fill(corners)
    layer = piece.copy() if rng.random() < 0.6 else np.full((SIDE, SIDE, 3), _colour(rng), np.uint8)
    dark = rng.uniform(0.15, 1.0)
    return Cover((layer * dark).astype(np.uint8), opacity)


def sticker(crop: Image, piece: Image, rng: np.random.Generator) -> Cover:
    """Draw an emoji, a logo or a patch of another picture."""
    opacity, layer = _empty(), np.full((SIDE, SIDE, 3), _colour(rng), np.uint8)
    middle = rng.uniform(0.1, 0.95, 2) * SIDE
    radius = rng.uniform(0.1, 0.45) * SIDE
    corners = int(rng.integers(3, 12))
    angles = np.linspace(0, 2 * np.pi, corners, endpoint=False) + rng.uniform(0, 6)
    radii = radius * (rng.uniform(0.5, 1.1, corners) if rng.random() < 0.5 else np.ones(corners))
    if rng.random() < 0.5:
        cv2.circle(opacity, _point(middle), int(radius), 255, -1, cv2.LINE_AA)
    else:
        opacity = _fill(middle + np.stack([np.cos(angles), np.sin(angles)], axis=1) * radii[:, None])
    if rng.random() < 0.5:
        layer = piece.copy()
    else:
        for _ in range(int(rng.integers(0, 5))):
            at, colour = _point(middle + rng.normal(0, radius / 2, 2)), tuple(_colour(rng).tolist())
            cv2.circle(layer, at, int(radius * rng.uniform(0.1, 0.4)), colour, -1, cv2.LINE_AA)
    return Cover(layer, opacity)


def censor(crop: Image, piece: Image, rng: np.random.Generator) -> Cover:
    """Pixelate or blur a part of the face beyond recognition, or draw a black bar."""
    opacity, (x, y) = _empty(), rng.uniform(0.1, 0.7, 2) * SIDE
    w, h = rng.uniform(0.3, 0.9) * SIDE, rng.uniform(0.15, 0.5) * SIDE
    cv2.rectangle(opacity, (int(x - w / 4), int(y)), (int(x + w), int(y + h)), 255, -1)
    how = rng.random()
    if how < 0.45:
        cells = int(rng.integers(4, 11))
        small = cv2.resize(crop, (cells, cells), interpolation=cv2.INTER_AREA)
        return Cover(cv2.resize(small, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST), opacity)
    if how < 0.7:
        blurred = cv2.GaussianBlur(crop, (0, 0), float(rng.uniform(7, 14)))
        return Cover(blurred, cv2.GaussianBlur(opacity, (0, 0), 2))
    return Cover(np.full((SIDE, SIDE, 3), rng.integers(0, 40), np.uint8), opacity)


COVER_KINDS: tuple[tuple[DrawCover, float], ...] = (
    (caption, 0.26), (letters, 0.06), (mask, 0.2), (scarf, 0.1), (hand, 0.12), (held_object, 0.12),
    (sticker, 0.1), (censor, 0.04),
)  # fmt: skip
"""Covers with their shares of the examples."""


def draw_cover(crop: Image, piece: Image, rng: np.random.Generator) -> Cover:
    """Draw a random cover."""
    return choose_by_share(COVER_KINDS, rng)(crop, piece, rng)


def choose_by_share(shares: Sequence[tuple[_T, float]], rng: np.random.Generator) -> _T:
    """Choose randomly by share."""
    up_to = np.cumsum([share for _, share in shares])
    return shares[int(np.searchsorted(up_to, rng.random() * up_to[-1]))][0]


def apply_cover(picture: Image, cover: Cover, rng: np.random.Generator) -> Image:
    """Draw ``cover`` over a ``picture`` of its size, with realistically sharp edges."""
    share = cv2.GaussianBlur(cover.opacity, (0, 0), float(rng.uniform(0.3, 1.2))) / np.float32(255)
    return overlay(picture, cover.layer, share)


def overlay(picture: Image, layer: Image, share: NDArray[np.floating]) -> Image:
    """Draw ``layer`` over a ``picture`` (h, w, 3) with opacity ``share`` (h, w), 0 to 1."""
    both = picture * (1 - share[..., None]) + layer * share[..., None]
    return both.clip(0, 255).astype(np.uint8)


def _share(
    hidden: NDArray[np.bool_],
    middles: Sequence[NDArray[np.floating]],
    wide: float,
    high: float,
    of: NDArray[np.floating],
) -> float:
    """Return the hidden share of ellipses around ``middles``, with axes relative to the line ``of``."""
    part, length = np.zeros(hidden.shape, np.uint8), float(np.linalg.norm(of))
    for x, y in middles:
        axes = max(1, round(wide * length)), max(1, round(high * length))
        cv2.ellipse(part, (round(float(x)), round(float(y))), axes, 0, 0, 360, 1, -1)
    return float(hidden[part > 0].mean()) if part.any() else 0.0


def _empty() -> NDArray[np.uint8]:
    return np.zeros((SIDE, SIDE), np.uint8)


def _point(at: NDArray[np.floating]) -> tuple[int, int]:
    return int(at[0]), int(at[1])


def _fill(points: NDArray[np.floating]) -> NDArray[np.uint8]:
    opacity = _empty()
    cv2.fillPoly(opacity, [np.round(points * 8).astype(np.int32)], 255, cv2.LINE_AA, 3)
    return opacity


def _colour(rng: np.random.Generator) -> NDArray[np.integer]:
    """Draw a random colour, more often a dull one."""
    colour = rng.integers(0, 256, 3)
    grey = int(colour.mean())
    dull = rng.random()
    return np.asarray(dull * grey + (1 - dull) * colour).astype(np.int64)


def _cloth(piece: Image, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draw cloth in a usual or random colour, plain or with the pattern of another picture."""
    usual = np.array([(235, 238, 240), (150, 190, 220), (30, 30, 34), (240, 240, 245), (120, 160, 150)])
    colour = usual[rng.integers(len(usual))] if rng.random() < 0.6 else _colour(rng)
    layer = np.full((SIDE, SIDE, 3), colour, np.float32)
    if rng.random() < 0.35:
        layer += (piece.astype(np.float32) - piece.mean()) * rng.uniform(0.2, 1.0)
    return layer.clip(0, 255).astype(np.uint8)


def _shade(layer: NDArray[np.uint8], crop: Image, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Shade ``layer`` by the crop's soft brightness, and add a little noise."""
    light = cv2.GaussianBlur(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), 14)
    share = rng.uniform(0.2, 1.0)
    shade = (1 - share) + share * light / max(float(light.max()), 1.0)
    noise = rng.normal(0, rng.uniform(0.5, 4), (SIDE, SIDE, 1))
    return (layer * shade[..., None] + noise).clip(0, 255).astype(np.uint8)


def _write(
    layer: NDArray[np.generic],
    base: int,
    height: float,
    ink: NDArray[np.generic],
    rng: np.random.Generator,
    outline: float = 1.0,
) -> None:
    """Write a line of random letters on ``base``, ``height`` px high including spacing."""
    text = "".join(rng.choice(_LETTERS, int(rng.integers(4, 24))))
    scale = max(0.15, height / 32)
    thick = max(1, round(scale * rng.uniform(1, 2.5)))
    font = int(_FONTS[rng.integers(len(_FONTS))])
    start = int(rng.uniform(-0.3, 0.4) * SIDE)
    colour = tuple(float(v) for v in np.atleast_1d(ink))
    cv2.putText(layer, text, (start, base), font, scale, colour, max(1, round(thick * outline)), cv2.LINE_AA)


_EYES, _MOUTH = 0.38, 0.76  # of the height, about
_LEFT, _RIGHT = 0.32, 0.68  # of the width: the eyes


def add_bare_feature(face: Image, rng: np.random.Generator) -> Image:
    """Draw one or sometimes two random features on ``face`` (SIDE, SIDE, 3).

    Without them the network would take shadows, hair, beards and glasses for covers. Sunglasses count as
    bare: skin and mouth below can be judged.
    """
    for _ in range(1 if rng.random() < 0.8 else 2):
        face = choose_by_share(BARE_KINDS, rng)(face, rng)
    return face


def shadow(face: Image, rng: np.random.Generator) -> Image:
    """Darken one side of a line, as a hat or a lamp does, with a hard or soft edge."""
    angle = rng.normal(np.pi / 2, 0.25) if rng.random() < 0.5 else rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    middle = rng.uniform(0.3, 0.7, 2)
    beyond = np.cos(angle) * (x - middle[0]) + np.sin(angle) * (y - middle[1])
    bent = rng.normal(0, 0.4) * (np.cos(angle) * (y - middle[1]) - np.sin(angle) * (x - middle[0])) ** 2
    lit = sigmoid((beyond + bent) / rng.choice([0.004, 0.01, 0.03, 0.08]))
    left = rng.uniform(0.12, 0.7) * (1 + rng.normal(0, 0.05, 3))
    return _to_pixels(face * (left + (1 - left) * lit[..., None]))


def light(face: Image, rng: np.random.Generator) -> Image:
    """Change the light: too little, too much, or of one colour."""
    colour = rng.uniform(0.2, 1.0, 3) if rng.random() < 0.5 else np.ones(3)
    return _to_pixels(face * colour * np.exp(rng.uniform(-1.5, 0.8)))


def hair(face: Image, rng: np.random.Generator) -> Image:
    """Draw strands from above: over the forehead, or down over one eye and cheek."""
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
    return _draw_over(face, layer, opacity * rng.uniform(0.7, 1.0) / 255, rng)


def beard(face: Image, rng: np.random.Generator) -> Image:
    """Draw a beard on the chin or up to the ears, with or without a moustache; the lips stay free."""
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
    layer = _to_pixels(tone + grain[..., None] / grain.std() * rng.uniform(6, 25))
    return _draw_over(face, layer, soft * rng.uniform(0.5, 1.0), rng)


def glasses(face: Image, rng: np.random.Generator) -> Image:
    """Draw glasses with clear, tinted, mirroring or dark lenses."""
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
    return _draw_over(face, layer, opacity / 255, rng)


BARE_KINDS: tuple[tuple[Callable[[Image, np.random.Generator], Image], float], ...] = (
    (shadow, 0.35), (light, 0.1), (hair, 0.25), (beard, 0.12), (glasses, 0.18)
)  # fmt: skip
"""Features with their shares."""


def _at(x: float, y: float) -> tuple[int, int]:
    return round(x * SIDE), round(y * SIDE)


def _to_pixels(values: NDArray[np.floating]) -> Image:
    return values.clip(0, 255).astype(np.uint8)


def _draw_over(face: Image, layer: Image, share: NDArray[np.floating], rng: np.random.Generator) -> Image:
    """Draw ``layer`` over ``face``, turned and moved a little, as faces lie in their crops."""
    move = cv2.getRotationMatrix2D(
        (SIDE / 2, SIDE / 2), float(rng.normal(0, 6)), float(rng.uniform(0.9, 1.1))
    )
    move[:, 2] += rng.normal(0, 3, 2)
    layer = cv2.warpAffine(layer, move, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)
    share = cv2.warpAffine(share.astype(np.float32), move, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)
    share = cv2.GaussianBlur(share, (0, 0), float(rng.uniform(0.3, 1.0)))
    return overlay(face, layer, share)
