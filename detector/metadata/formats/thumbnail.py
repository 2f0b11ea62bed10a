"""The small picture in a photo's EXIF, held against the photo: as a whole, part by part, and as a crop.

Cameras make it from the very picture. Some programs keep it when they change the picture.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

import cv2
import numpy as np
import PIL.Image
from numpy.typing import NDArray

from detector.schema.metadata import Thumbnail

LEAST_LIKENESS = 0.9
"""Below this correlation thumbnail and picture differ; docs/exhibit.md says what was measured."""
MOST_DIFFERENCE = 0.35
"""Above this, some part of the picture differs from the thumbnail, likewise."""
_LONGEST_SIDE = 1024
_SMALL = 48  # px, the side at which both are compared as wholes
_CELLS, _CELL = 8, 12  # cells a side, and px of each, at which they are compared part by part
_FEWEST = 24  # px of a crop's shorter side in the thumbnail
_SCALES = np.geomspace(0.97, 0.3, 40)  # of a crop's side, of that of the thumbnail
_SEARCHED = 160  # px of the thumbnail's longer side when a crop is looked for

Grey = NDArray[np.float32]


def compared(data: bytes, image: PIL.Image.Image) -> Thumbnail | None:
    """The JPEG ``data``, held against ``image``, which is decoded for it as small as will do."""
    # Another kind may be none that Pillow should be asked to read.
    with PIL.Image.open(io.BytesIO(data), formats=("JPEG",)) as small:
        if max(small.size) > _LONGEST_SIDE:
            return None
        width, height = small.size
        thumb = small.convert("L")
    image.draft("L", (2 * _CELLS * _CELL, 2 * _CELLS * _CELL))
    picture = image.convert("L")
    correlation = likeness(thumb, picture)
    difference = cropped = None
    if correlation is not None and correlation >= LEAST_LIKENESS:
        difference = greatest_difference(thumb, picture)
    elif correlation is not None:
        cropped = share_shown(thumb, picture)
    return Thumbnail(
        width=width, height=height, correlation=correlation, difference=difference, cropped=cropped
    )


def likeness(thumb: PIL.Image.Image, picture: PIL.Image.Image) -> float | None:
    """Correlation of two grey pictures, both made small; the best of whole, without bars, and turned.

    Cameras pad thumbnails with bars to 4:3, and some turn the picture but not its thumbnail. None where
    one of them is flat.
    """
    found = [_correlation(a, b) for a, b in _pairs(thumb, picture, _SMALL)]
    return round(max(found), 3) if found else None


def greatest_difference(thumb: PIL.Image.Image, picture: PIL.Image.Image) -> float | None:
    """How far the least alike of 8 × 8 parts differ, as a share of the thumbnail's contrast.

    Tones are matched first, by rank, and a part may lie a pixel beside its place. 0 is the same.
    """
    pairs = list(_pairs(thumb, picture, _CELLS * _CELL))
    if not pairs:
        return None
    small, large = max(pairs, key=lambda pair: _correlation(*pair))
    given = _smoothed(small)
    wanted = _toned(_smoothed(large), given)
    shifts = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)]
    rest = np.min([np.abs(given - np.roll(wanted, shift, (0, 1))) for shift in shifts], axis=0)
    cells = (rest**2).reshape(_CELLS, _CELL, _CELLS, _CELL).mean(axis=(1, 3))
    return round(float(np.sqrt(cells.max()) / given.std()), 3)


def share_shown(thumb: PIL.Image.Image, picture: PIL.Image.Image) -> float | None:
    """The share of the thumbnail's area that the picture is a crop of; None where it is no crop."""
    thumb = thumb.copy()
    thumb.thumbnail((_SEARCHED, _SEARCHED))
    whole = np.asarray(thumb, np.float32)
    best, share = LEAST_LIKENESS, None
    for scale in _SCALES:
        side = min(scale * thumb.width / picture.width, scale * thumb.height / picture.height)
        size = round(picture.width * side), round(picture.height * side)
        if min(size) < _FEWEST:
            break
        part = np.asarray(picture.resize(size, PIL.Image.Resampling.BOX), np.float32)
        if part.std() <= 1:
            continue
        found = float(cv2.matchTemplate(whole, part, cv2.TM_CCOEFF_NORMED).max())
        if best <= found <= 1:
            best, share = found, size[0] * size[1] / (thumb.width * thumb.height)
    return None if share is None else round(share, 3)


def _pairs(thumb: PIL.Image.Image, picture: PIL.Image.Image, side: int) -> Iterator[tuple[Grey, Grey]]:
    """Thumbnail and picture as squares of ``side`` px, for each way in which they may correspond."""
    for turned in (picture, picture.transpose(PIL.Image.Transpose.ROTATE_90)):
        for upright in (turned, turned.transpose(PIL.Image.Transpose.ROTATE_180)):
            shape = upright.width / upright.height
            width = min(thumb.width, round(thumb.height * shape))
            height = min(thumb.height, round(thumb.width / shape))
            left, top = (thumb.width - width) // 2, (thumb.height - height) // 2
            for part in (thumb, thumb.crop((left, top, left + width, top + height))):
                if not part.width or not part.height:
                    continue
                a, b = (
                    np.asarray(p.resize((side, side), PIL.Image.Resampling.BOX), np.float32)
                    for p in (part, upright)
                )
                if a.std() > 1 and b.std() > 1:
                    yield a, b


def _correlation(a: Grey, b: Grey) -> float:
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


def _smoothed(grey: Grey) -> Grey:
    """Without what sharpening and compression change."""
    return cv2.GaussianBlur(grey, (0, 0), 1.5)


def _toned(grey: Grey, like: Grey) -> Grey:
    """``grey`` with the tones of ``like``: each of its pixels gets the value of the same rank there."""
    out = np.empty_like(grey)
    out.ravel()[np.argsort(grey, axis=None, kind="stable")] = np.sort(like, axis=None)
    return out
