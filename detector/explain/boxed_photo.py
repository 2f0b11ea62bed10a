"""The photograph that reports show: as it was examined, and once more with each face boxed and named."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import cv2

from detector.explain.overlays import to_kept_size, write_png
from detector.media.frame import Image
from detector.schema.analysis import Person
from detector.schema.formatting import probability

PHOTO, BOXED = "overlays/photo.png", "overlays/faces.png"
"""Where they lie, relative to ``analysis.json``."""

_FONT = cv2.FONT_HERSHEY_SIMPLEX
# RGB, and the thickness in lines: a state never shows by colour alone.
_FLAGGED, _JUDGED, _UNJUDGED = ((255, 122, 92), 3), ((127, 178, 238), 2), ((195, 201, 209), 1)
_DARK = (12, 14, 17)


def write_photo(folder: Path, image: Image) -> Image:
    """Write the photo ``image`` (RGB) below ``folder`` at the size in which frames are kept; returns that."""
    (folder / PHOTO).parent.mkdir(parents=True, exist_ok=True)
    photo = to_kept_size(image)
    write_png(folder / PHOTO, photo)
    return photo


def write_boxed(
    folder: Path, photo: Image, width: int, persons: Sequence[Person], flagged: Collection[str]
) -> None:
    """Write ``photo``, which :func:`write_photo` gave of an exhibit ``width`` px wide, with faces boxed."""
    write_png(folder / BOXED, boxed(photo, photo.shape[1] / width, persons, flagged))


def boxed(photo: Image, scale: float, persons: Sequence[Person], flagged: Collection[str]) -> Image:
    """A copy of ``photo`` with a box around each face and its person's letter and probability above it."""
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
    """Light words on a dark ground above the face, or below it where there is no room."""
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
