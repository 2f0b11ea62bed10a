"""Decide whether a face is good enough to be judged.

And whether a photo is one the networks were made for.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import cv2
import numpy as np

from detector.faces.crop import Face, crop_square, square_for_face, within_box
from detector.media.frame import Image
from detector.schema.analysis import Box, Parameters
from detector.schema.formatting import N_

TOO_SMALL = N_("too small")
TOO_UNSURE = N_("too unsure")
TOO_DARK = N_("too dark or too flat")
TOO_BLURRED = N_("too blurred or too strongly compressed")
TOO_NOISY = N_("too noisy")
CROP_FLAWS = (TOO_SMALL, TOO_UNSURE, TOO_DARK, TOO_BLURRED, TOO_NOISY)

WITHOUT_COLOUR = N_("without colour (black and white, or toned)")
WITHOUT_DETAIL = N_("without detail (enlarged from a tiny picture, or far out of focus)")
DRAWN = N_("drawn in areas of one colour")
PHOTO_FLAWS = (WITHOUT_COLOUR, WITHOUT_DETAIL, DRAWN)
"""Of pictures that the networks were not made for."""


def join_flaws(flaws: Iterable[str]) -> str:
    """One flaw, or several with “or” between them."""
    return N_(", or ").join(flaws)


_POWERS = 4  # of brightness, from 0


def measure_colour(face: Image, size: int) -> float:
    """Of an RGB picture, compared at ``size`` px: the less, the less compression of colour counts."""
    small = cv2.resize(face, (size, size), interpolation=cv2.INTER_AREA).reshape(-1, 3).astype(np.float32)
    brightness = small.sum(axis=1) / 765
    powers = np.stack([brightness**power for power in range(_POWERS)]).astype(np.float64)
    # By the normal equations, which takes half of the time.
    best = np.linalg.lstsq(powers @ powers.T, powers @ small, rcond=None)[0]
    return float(np.abs(small - powers.T @ best).mean())


_FINE = 1.5  # px
# Mean difference between a pixel's largest and smallest channel, in levels: a face in colour has 15 and more.
_COLOURLESS = 4.0
# Below this distance of its colours from one tone, in levels and as a share of brightness, a crop is toned
# (in the dark all colours are near); compared at a size, px, at which compression adds little.
_TONED, _TONED_SHARE, _TONE_SIZE = 1.5, 0.03, 32


class Quality(NamedTuple):
    """Of the grey crop, as the module says: grey levels of 255, and a share of the contrast."""

    contrast: float
    sharpness: float


class Assessment(NamedTuple):
    """What a face found shows: why it is not judged, if it is not, and its crop, if it is."""

    flaw: str | None
    quality: Quality | None = None
    grey: bool = False
    crop: Image | None = None
    covered: bool = False


def assess_face(image: Image, face: Face, size: int, parameters: Parameters) -> Assessment:
    """``face`` in ``image`` (RGB), cut out at ``size`` px if that is worth it."""
    flaw = face_flaw(face, parameters)
    if flaw is not None:
        return Assessment(flaw)
    crop = crop_square(image, square_for_face(face), size)
    measured = measure_quality(crop)
    flaw = quality_flaw(measured, parameters)
    return Assessment(flaw, measured, is_grey(crop), crop if flaw is None else None)


def measure_quality(crop: Image) -> Quality:
    """Contrast and sharpness of an RGB crop; a crop of one colour has none of either."""
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32)
    contrast = float(grey.std())
    detail = float(np.abs(grey - cv2.GaussianBlur(grey, (0, 0), _FINE)).mean())
    return Quality(contrast, detail / contrast if contrast > 0 else 0.0)


def is_grey(crop: Image) -> bool:
    """Whether an RGB crop holds no colour, or is toned in one, but for what compression adds."""
    red, green, blue = cv2.split(crop)
    most, least = cv2.max(cv2.max(red, green), blue), cv2.min(cv2.min(red, green), blue)
    if float(cv2.subtract(most, least).mean()) < _COLOURLESS:
        return True
    return measure_colour(crop, _TONE_SIZE) < min(_TONED, _TONED_SHARE * float(crop.mean()))


def face_flaw(face: Face, parameters: Parameters) -> str | None:
    """Which flaw (:mod:`~detector.faces.quality`) makes a face found not worth cutting out; None if it is."""
    if face.width < parameters.minimum_face:
        return TOO_SMALL
    if face.confidence < parameters.minimum_confidence:
        return TOO_UNSURE
    return None


def crop_flaw(crop: Image, parameters: Parameters) -> str | None:
    """Which flaw keeps ``crop`` from being judged, likewise."""
    return quality_flaw(measure_quality(crop), parameters)


def quality_flaw(measured: Quality, parameters: Parameters) -> str | None:
    """Which flaw a crop of this quality has, likewise."""
    if measured.contrast < parameters.minimum_contrast:
        return TOO_DARK
    if measured.sharpness < parameters.minimum_sharpness:
        return TOO_BLURRED
    if measured.sharpness > parameters.maximum_sharpness:
        return TOO_NOISY
    return None


_COLOUR_SIZE = 96  # px: colours are compared at this size, where compression of colour plays no part
_DETAIL_WIDTH = 32  # px
_NEIGHBOURS = np.ones((3, 3), np.uint8)


class PhotoMeasures(NamedTuple):
    """What is measured of a face in a photograph, as the module says."""

    colour: float
    detail: float
    flatness: float


def photo_flaw(image: Image, box: Box, parameters: Parameters) -> str | None:
    """Which flaw of photographs the face in ``box`` of one (RGB) has; None if it is judged."""
    measured = measure_photo(image, box)
    if measured.colour < parameters.minimum_colour:
        return WITHOUT_COLOUR
    if measured.detail < parameters.minimum_detail:
        return WITHOUT_DETAIL
    if parameters.maximum_flatness and measured.flatness > parameters.maximum_flatness:
        return DRAWN
    return None


def measure_photo(image: Image, box: Box) -> PhotoMeasures:
    """Colour, detail and flatness of the face in ``box`` of ``image`` (RGB), of the pixels as they are."""
    face = within_box(image, box)
    grey = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)
    return PhotoMeasures(measure_colour(face, _COLOUR_SIZE), _detail(grey, box[2] - box[0]), _flatness(grey))


def _detail(grey: Image, width: float) -> float:
    rows, columns = grey.shape
    scale = _DETAIL_WIDTH / width
    if scale >= 1:  # there is less than that to lose; what is too small is not judged for its width
        return float("inf")
    size = max(2, round(columns * scale)), max(2, round(rows * scale))
    small = cv2.resize(grey.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    again = cv2.resize(small, (columns, rows), interpolation=cv2.INTER_CUBIC)
    return float(np.abs(grey - again).mean() / max(1.0, float(grey.std())))


def _flatness(grey: Image) -> float:
    return float((cv2.dilate(grey, _NEIGHBOURS) == cv2.erode(grey, _NEIGHBOURS)).mean())
