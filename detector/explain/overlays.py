"""Draw and store pictures of peak frames and photographs: heatmaps, boxes and close-ups."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.explain.heatmaps import Explained
from detector.faces.crop import CropSquare
from detector.files import write_atomically
from detector.media.frame import Image
from detector.schema.analysis import KEPT_WIDTH, Box, Person
from detector.schema.formatting import probability


def heat_colours(levels: NDArray[np.uint8]) -> Image:
    """Colour levels (h, w), 0 to 255, as RGB (h, w, 3), with matplotlib's *inferno*: black to yellow."""
    colours = cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO)
    return np.asarray(cv2.cvtColor(colours, cv2.COLOR_BGR2RGB), np.uint8)


_OPACITY = 0.75
_SMALL = 160  # px; narrower stored faces get a close-up
_ROOM = 3.0  # side of a close-up in face sizes
# Run-length encoding takes two thirds of the time of level 4 at the same size for photographs.
_PACKED = (cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE)


def write_png(path: Path, image: Image) -> None:
    """Write an RGB or RGBA image (height, width, 3 or 4) atomically; raises ``OSError``."""
    order = cv2.COLOR_RGBA2BGRA if image.shape[2] == 4 else cv2.COLOR_RGB2BGR
    ok, data = cv2.imencode(".png", cv2.cvtColor(image, order), _PACKED)
    if not ok:
        raise OSError(f"could not encode {path.name}")
    write_atomically(path, data.tobytes())


def to_kept_size(image: Image) -> Image:
    """Scale ``image`` to the size in which frames are stored."""
    scale = min(1.0, KEPT_WIDTH / image.shape[1])
    if scale == 1.0:
        return image
    size = (KEPT_WIDTH, max(1, round(image.shape[0] * scale)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


_VISIBLE, _HOTTEST_SHARE = 0.5, 0.1  # level that the hottest share of a map reaches
_LEAST_EXPONENT = 0.25


def visible_levels(heat: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale ``heat`` to levels of 0 to 1 at which its hottest tenth is visible."""
    highest = float(heat.max())
    if highest <= 0:
        return np.zeros_like(heat)
    levels = np.clip(heat / highest, 0, 1)
    tenth = float(np.quantile(levels, 1 - _HOTTEST_SHARE))
    exponent = math.log(_VISIBLE) / math.log(tenth) if 0 < tenth < _VISIBLE else 1.0
    out: NDArray[np.float32] = levels ** np.float32(max(exponent, _LEAST_EXPONENT))
    return out


def heat_layer(
    explained: Explained, scale: float, size: tuple[int, int], *, levels_given: bool = False
) -> Image:
    """Return the heatmap as RGBA in a frame of ``size`` (width, height); transparent where cold.

    Each map has a scale of its own (:func:`visible_levels`). ``scale`` is the stored pixels for each frame
    pixel. With ``levels_given`` its heat is levels of 0 to 1 already.
    """
    square = explained.square
    placed = CropSquare(square.x * scale, square.y * scale, square.side * scale, square.angle)
    inverse = cv2.invertAffineTransform(placed.matrix(explained.heat.shape[0]))
    levels = explained.heat if levels_given else visible_levels(explained.heat)
    heat = cv2.warpAffine(levels, inverse, size, flags=cv2.INTER_LINEAR)
    colours = heat_colours((heat * 255).astype(np.uint8))
    alpha = (255 * np.sqrt(heat) + 0.5).astype(np.uint8)
    return np.dstack([colours, alpha])


def overlay(frame: Image, layer: Image, box: Box, scale: float) -> Image:
    """Lay ``layer`` (:func:`heat_layer`) over ``frame``, with the face's box in frame pixels."""
    weight = _OPACITY / 255 * layer[..., 3:].astype(np.float32)
    out = np.clip(frame * (1 - weight) + layer[..., :3] * weight + 0.5, 0, 255).astype(np.uint8)
    draw_box(out, box, scale)
    return out


def draw_box(picture: Image, box: Box, scale: float) -> None:
    """Draw ``box`` (frame pixels, scaled by ``scale``) white on black into ``picture``, in place.

    The line is thin enough not to cover a small face.
    """
    x0, y0, x1, y1 = (round(v * scale) for v in box)
    line = max(1, round(min(picture.shape[1] / 640, (x1 - x0) / 60)))
    for colour, thickness in (((0, 0, 0), 3 * line), ((255, 255, 255), line)):
        cv2.rectangle(picture, (x0, y0), (x1, y1), colour, thickness, cv2.LINE_AA)


def close_up_part(box: Box, width: int, height: int) -> tuple[int, int, int, int] | None:
    """Return the part of a photograph around a face that is small in the stored picture; None otherwise.

    In whole px of the photograph, which is ``width`` by ``height``.
    """
    x0, y0, x1, y1 = box
    if width <= KEPT_WIDTH or (x1 - x0) * KEPT_WIDTH / width >= _SMALL:
        return None
    half, x, y = _ROOM * max(x1 - x0, y1 - y0) / 2, (x0 + x1) / 2, (y0 + y1) / 2
    left, right = (round(min(max(x + side, 0.0), width)) for side in (-half, half))
    top, bottom = (round(min(max(y + side, 0.0), height)) for side in (-half, half))
    return left, top, right, bottom


def write_close_up(kept: Image, explained: Explained, part: tuple[int, int, int, int], folder: Path) -> None:
    """Write ``NAME-near.png`` and ``NAME-near-map.png`` of ``part`` of the exhibit."""
    left, top, right, _ = part
    x0, y0, x1, y1 = explained.box
    square = replace(explained.square, x=explained.square.x - left, y=explained.square.y - top)
    moved = replace(
        explained,
        name=f"{explained.name}-near",
        square=square,
        box=(x0 - left, y0 - top, x1 - left, y1 - top),
    )
    write_overlay(kept, moved, right - left, folder)


def read_png(path: Path) -> Image:
    """Read an RGB image that :func:`write_png` wrote."""
    return cv2.cvtColor(cv2.imread(str(path), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def write_overlay(kept: Image, explained: Explained, width: int, folder: Path) -> None:
    """Write the frame with its heatmap to ``NAME.png``, and the heatmap alone to ``NAME-map.png``.

    ``kept`` is the frame as stored, ``width`` the exhibit's width in px.
    """
    scale = kept.shape[1] / width
    layer = heat_layer(explained, scale, (kept.shape[1], kept.shape[0]))
    write_png(folder / f"{explained.name}.png", overlay(kept, layer, explained.box, scale))
    write_png(folder / f"{explained.name}-map.png", layer)


PHOTO, BOXED = "overlays/photo.png", "overlays/faces.png"
"""Where they lie, relative to ``analysis.json``."""

_FONT = cv2.FONT_HERSHEY_SIMPLEX
# RGB and line width; colour is never the only sign of a state.
_FLAGGED, _JUDGED, _UNJUDGED = ((255, 122, 92), 3), ((127, 178, 238), 2), ((195, 201, 209), 1)
_DARK = (12, 14, 17)


def write_photo(folder: Path, image: Image) -> Image:
    """Store the photo ``image`` (RGB) below ``folder`` at the stored size and return it."""
    (folder / PHOTO).parent.mkdir(parents=True, exist_ok=True)
    photo = to_kept_size(image)
    write_png(folder / PHOTO, photo)
    return photo


def write_boxed(
    folder: Path, photo: Image, width: int, persons: Sequence[Person], flagged: Collection[str]
) -> None:
    """Write ``photo``, stored from an exhibit ``width`` px wide, with its faces boxed."""
    write_png(folder / BOXED, draw_boxes(photo, photo.shape[1] / width, persons, flagged))


def draw_boxes(photo: Image, scale: float, persons: Sequence[Person], flagged: Collection[str]) -> Image:
    """Return a copy of ``photo`` with a box around each face, and above it the person's letter and
    probability.
    """
    out = photo.copy()
    unit = max(1.0, photo.shape[1] / 900)
    for person in persons:
        colour, lines = _JUDGED if person.probability is not None else _UNJUDGED
        if person.id in flagged:
            colour, lines = _FLAGGED
        x0, y0, x1, y1 = (round(value * scale) for value in person.median_box)
        line = max(1, round(lines * unit))
        for ink, thickness in ((_DARK, line + 2), (colour, line)):
            cv2.rectangle(out, (x0, y0), (x1, y1), ink, thickness, cv2.LINE_AA)
        _label(out, _words(person, person.id in flagged), (x0, y0, y1), colour, 0.5 * unit)
    return out


def _words(person: Person, is_flagged: bool) -> str:
    if person.probability is None:
        return f"{person.id} not judged"
    return f"{person.id} {probability(person.probability)}{' flagged' if is_flagged else ''}"


def _label(
    out: Image, words: str, at: tuple[int, int, int], colour: tuple[int, int, int], size: float
) -> None:
    """Draw light text on a dark ground above the face, or below it if there is no room."""
    x0, top, bottom = at
    thickness = max(1, round(1.6 * size))
    (width, height), _ = cv2.getTextSize(words, _FONT, size, thickness)
    pad = max(2, height // 3)
    x = max(0, min(x0, out.shape[1] - width - 2 * pad))
    y = top - height - 3 * pad
    if y < 0:
        y = min(bottom + pad, out.shape[0] - height - 2 * pad)
    cv2.rectangle(out, (x, y), (x + width + 2 * pad, y + height + 2 * pad), _DARK, cv2.FILLED)
    cv2.putText(out, words, (x + pad, y + height + pad), _FONT, size, colour, thickness, cv2.LINE_AA)
