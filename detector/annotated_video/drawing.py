"""What is drawn into a frame: boxes with labels, heatmaps, text. Colour never says anything alone."""

from __future__ import annotations

import re
from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.annotated_video.lanes import DrawnFace, FaceState
from detector.annotated_video.layout import Rect
from detector.media.frame import Image
from detector.schema.analysis import Box

Colour = tuple[int, int, int]  # RGB
BLACK: Colour = (0, 0, 0)
WHITE: Colour = (255, 255, 255)
# As on the review desk.
COLOURS: dict[FaceState, Colour] = {
    FaceState.FLAGGED: (255, 122, 92),
    FaceState.RAISED: (242, 193, 78),
    FaceState.LOW: (127, 178, 238),
    FaceState.NOT_JUDGED: (195, 201, 209),
}
# (drawn, left out) px; the flagged line is unbroken, thick, and doubled.
_DASHES: dict[FaceState, tuple[int, int] | None] = {
    FaceState.FLAGGED: None,
    FaceState.RAISED: (12, 8),
    FaceState.LOW: None,
    FaceState.NOT_JUDGED: (2, 10),
}
_OPACITY = 0.75  # of a heatmap, as in the kept overlays
# Fonts inside OpenCV: one with the letters of most scripts, one that can be bold.
_FONT, _BOLD = cv2.FontFace("uni"), cv2.FontFace("sans")
# What has no glyph (Default_Ignorable_Code_Point of Unicode). OpenCV writes a ? for it.
_IGNORABLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_PLATE: Colour = (12, 14, 17)
_HATCH = 8  # px from one diagonal to the next


def write(image: Image, text: str, x: int, baseline: int, size: int, colour: Colour = WHITE) -> None:
    """One line of text with its left end at ``x``."""
    cv2.putText(image, _IGNORABLE.sub("", text), (x, baseline), colour, _FONT, size)


def write_bold(image: Image, text: str, x: int, baseline: int, size: int, colour: Colour) -> None:
    """The same, heavier, of the program's own words."""
    cv2.putText(image, text, (x, baseline), colour, _BOLD, size, 700)


def width_of(text: str, size: int) -> int:
    """Columns that a line of text takes."""
    shown = _IGNORABLE.sub("", text)
    left, _, wide, _ = cv2.getTextSize((1 << 14, 1 << 10), shown, (0, 0), _FONT, size)
    return int(left + wide)


def bold_width(text: str, size: int) -> int:
    """Columns that a line of :func:`write_bold` takes."""
    left, _, wide, _ = cv2.getTextSize((1 << 14, 1 << 10), text, (0, 0), _BOLD, size, 700)
    return int(left + wide)


def fitted(text: str, room: int, size: int) -> str:
    """``text``, cut to ``room`` columns with an ellipsis if need be."""
    if width_of(text, size) <= room:
        return text
    while text and width_of(text + "…", size) > room:
        text = text[:-1]
    return text + "…"


def placed(box: Box, picture: Rect, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """A box in frame pixels as one on the annotated frame; ``size`` is the frame's width and height."""
    across, down = picture.width / size[0], picture.height / size[1]
    left, top, right, bottom = box
    return (
        picture.x + round(left * across),
        picture.y + round(top * down),
        picture.x + round(right * across),
        picture.y + round(bottom * down),
    )


def draw_faces(image: Image, faces: Iterable[DrawnFace], picture: Rect, size: tuple[int, int]) -> None:
    """Boxes and then labels; nothing is drawn outside the picture. ``size`` is as for :func:`placed`."""
    part = image[picture.y : picture.bottom, picture.x : picture.right]
    inner = Rect(0, 0, picture.width, picture.height)
    found = [(face, placed(face.box, inner, size)) for face in faces]
    # Flagged faces over the others; their labels are the first to find a place.
    found.sort(key=lambda each: each[0].state is FaceState.FLAGGED)
    for face, (left, top, right, bottom) in found:
        colour, flagged = COLOURS[face.state], face.state is FaceState.FLAGGED
        # A dark line below the coloured one shows on any background.
        _rectangle(part, left, top, right, bottom, BLACK, 7 if flagged else 5, None)
        _rectangle(part, left, top, right, bottom, colour, 3 if flagged else 2, _DASHES[face.state])
        if flagged:
            _rectangle(part, left - 7, top - 7, right + 7, bottom + 7, BLACK, 4, None)
            _rectangle(part, left - 7, top - 7, right + 7, bottom + 7, colour, 2, None)
    taken: list[Rect] = []
    for face, box in reversed(found):
        taken.append(_label(part, face, box, taken))


def _label(part: Image, face: DrawnFace, box: tuple[int, int, int, int], taken: list[Rect]) -> Rect:
    """The words of a face on a dark plate: above its box, else below or inside, clear of ``taken``."""
    height, width = part.shape[:2]
    size, tall = 16, 22
    text = fitted(face.words, max(width - 12, 40), size)
    wide = width_of(text, size) + 12
    gap = 10 if face.state is FaceState.FLAGGED else 4
    left = min(max(box[0] - gap + 3, 0), max(0, width - wide))
    tops = (box[1] - gap - tall, box[3] + gap, box[1] + gap, box[3] - gap - tall, box[1] - gap - 2 * tall)
    plates = [Rect(left, top, wide, tall) for top in tops if 0 <= top <= height - tall]
    free = [each for each in plates if not any(each.meets(other) for other in taken)]
    plate = (free or plates or [Rect(left, 0, wide, tall)])[0]
    cv2.rectangle(part, (plate.x, plate.y), (plate.right - 1, plate.bottom - 1), _PLATE, cv2.FILLED)
    write(part, text, plate.x + 6, plate.y + 16, size, COLOURS[face.state])
    return plate


def _rectangle(
    image: Image,
    left: int,
    top: int,
    right: int,
    bottom: int,
    colour: Colour,
    thickness: int,
    dash: tuple[int, int] | None,
) -> None:
    if dash is None:
        cv2.rectangle(image, (left, top), (right, bottom), colour, thickness)
        return
    for x0, y0, x1, y1 in ((left, top, right, top), (left, bottom, right, bottom)):
        for start in range(x0, x1, sum(dash)):
            cv2.line(image, (start, y0), (min(start + dash[0], x1), y1), colour, thickness)
    for x0, y0, x1, y1 in ((left, top, left, bottom), (right, top, right, bottom)):
        for start in range(y0, y1, sum(dash)):
            cv2.line(image, (x0, start), (x1, min(start + dash[0], y1)), colour, thickness)


def draw_heat(image: Image, layer: NDArray[np.uint8], picture: Rect) -> None:
    """Lay a kept heatmap (RGBA, clear where cold) over the picture."""
    part = image[picture.y : picture.bottom, picture.x : picture.right]
    if layer.shape[:2] != part.shape[:2]:
        layer = cv2.resize(layer, (picture.width, picture.height), interpolation=cv2.INTER_LINEAR)
    weight = _OPACITY / 255 * layer[..., 3:].astype(np.float32)
    part[:] = np.clip(part * (1 - weight) + layer[..., :3] * weight + 0.5, 0, 255).astype(np.uint8)


def hatch(image: Image, area: Rect, colour: Colour) -> None:
    """Diagonals in ``area`` and lines at its ends: the mark of a flagged segment."""
    part = image[area.y : area.bottom, area.x : area.right]
    height, width = part.shape[:2]
    offset = -(area.x % _HATCH)  # so that neighbouring bands line up
    for start in range(offset - height, width + _HATCH, _HATCH):
        cv2.line(part, (start, height - 1), (start + height - 1, 0), colour, 1, cv2.LINE_AA)
    cv2.line(part, (0, 0), (0, height - 1), colour, 2)
    cv2.line(part, (width - 1, 0), (width - 1, height - 1), colour, 2)
