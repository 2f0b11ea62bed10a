"""Pictures of peak frames: the frame as it is kept, its heatmap laid over it, and the heatmap alone, as PNG.

All maps of one analysis are drawn on one scale (:func:`detector.explain.heatmaps.shared_maximum`).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from detector.explain.colours import heat_colours
from detector.explain.heatmaps import Explained
from detector.faces.crop import CropSquare
from detector.files import write_atomically
from detector.media.frame import Image
from detector.schema.analysis import KEPT_WIDTH, Box

_OPACITY = 0.75
_SMALL = 160  # px of a kept face: a narrower one has a close-up
_ROOM = 3.0  # side of a close-up, in sizes of the face
# Run lengths alone take two thirds of the time of level 4; photographs come out no larger.
_PACKED = (cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE)


def write_png(path: Path, image: Image) -> None:
    """Write an RGB or RGBA image (height, width, 3 or 4), whole or not at all; raises ``OSError``."""
    order = cv2.COLOR_RGBA2BGRA if image.shape[2] == 4 else cv2.COLOR_RGB2BGR
    ok, data = cv2.imencode(".png", cv2.cvtColor(image, order), _PACKED)
    if not ok:
        raise OSError(f"could not encode {path.name}")
    write_atomically(path, data.tobytes())


def to_kept_size(image: Image) -> Image:
    """``image`` at the size in which frames are kept."""
    scale = min(1.0, KEPT_WIDTH / image.shape[1])
    if scale == 1.0:
        return image
    size = (KEPT_WIDTH, max(1, round(image.shape[0] * scale)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def heat_layer(explained: Explained, full: float, scale: float, size: tuple[int, int]) -> Image:
    """The heatmap alone as RGBA, where it lies in a frame of ``size`` (width, height); clear where cold.

    ``full`` is the shared scale's top, ``scale`` kept pixels a frame pixel.
    """
    square = explained.square
    placed = CropSquare(square.x * scale, square.y * scale, square.side * scale, square.angle)
    inverse = cv2.invertAffineTransform(placed.matrix(explained.heat.shape[0]))
    heat = cv2.warpAffine(np.clip(explained.heat / full, 0, 1), inverse, size, flags=cv2.INTER_LINEAR)
    colours = heat_colours((heat * 255).astype(np.uint8))
    alpha = (255 * np.sqrt(heat) + 0.5).astype(np.uint8)
    return np.dstack([colours, alpha])


def overlay(frame: Image, layer: Image, box: Box, scale: float) -> Image:
    """``layer`` (:func:`heat_layer`) laid over ``frame``, with the face's box in frame pixels.

    ``scale`` is kept pixels a frame pixel. Cold areas show the frame itself.
    """
    weight = _OPACITY / 255 * layer[..., 3:].astype(np.float32)
    out = np.clip(frame * (1 - weight) + layer[..., :3] * weight + 0.5, 0, 255).astype(np.uint8)
    draw_box(out, box, scale)
    return out


def draw_box(picture: Image, box: Box, scale: float) -> None:
    """Draw ``box`` (frame pixels; ``scale`` picture pixels each) white on black into ``picture``, in place.

    Its line is thin enough for the picture and for what it surrounds: of a small face it must leave the face.
    """
    x0, y0, x1, y1 = (round(v * scale) for v in box)
    line = max(1, round(min(picture.shape[1] / 640, (x1 - x0) / 60)))
    for colour, thickness in (((0, 0, 0), 3 * line), ((255, 255, 255), line)):
        cv2.rectangle(picture, (x0, y0), (x1, y1), colour, thickness, cv2.LINE_AA)


def close_up_part(box: Box, width: int, height: int) -> tuple[int, int, int, int] | None:
    """The part of a photograph around a face that is small where the photograph is kept smaller, else None.

    In whole px of the photograph, which is ``width`` by ``height``.
    """
    x0, y0, x1, y1 = box
    if width <= KEPT_WIDTH or (x1 - x0) * KEPT_WIDTH / width >= _SMALL:
        return None
    half, x, y = _ROOM * max(x1 - x0, y1 - y0) / 2, (x0 + x1) / 2, (y0 + y1) / 2
    left, right = (round(min(max(x + side, 0.0), width)) for side in (-half, half))
    top, bottom = (round(min(max(y + side, 0.0), height)) for side in (-half, half))
    return left, top, right, bottom


def write_close_up(
    kept: Image, one: Explained, full: float, part: tuple[int, int, int, int], folder: Path
) -> None:
    """Like :func:`write_overlay`, ``NAME-near.png`` and ``NAME-near-map.png``, of ``part`` of the exhibit."""
    left, top, right, _ = part
    x0, y0, x1, y1 = one.box
    square = replace(one.square, x=one.square.x - left, y=one.square.y - top)
    moved = replace(
        one, name=f"{one.name}-near", square=square, box=(x0 - left, y0 - top, x1 - left, y1 - top)
    )
    write_overlay(kept, moved, full, right - left, folder)


def read_png(path: Path) -> Image:
    """An RGB image that :func:`write_png` wrote."""
    return cv2.cvtColor(cv2.imread(str(path), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def write_overlay(kept: Image, one: Explained, full: float, width: int, folder: Path) -> None:
    """In ``folder``, of the frame as it was ``kept``: ``NAME.png`` with its heatmap, ``NAME-map.png`` alone.

    ``width`` is the exhibit's, in px.
    """
    scale = kept.shape[1] / width
    layer = heat_layer(one, full, scale, (kept.shape[1], kept.shape[0]))
    write_png(folder / f"{one.name}.png", overlay(kept, layer, one.box, scale))
    write_png(folder / f"{one.name}-map.png", layer)
