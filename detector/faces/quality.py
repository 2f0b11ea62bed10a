"""Decide whether a face is good enough to judge, and whether the networks can judge such a photo.

At the thresholds in :class:`~detector.schema.method.Parameters` the measured AUC has fallen to about 0.7;
docs/faces.md has the tables.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from detector.faces.crop import Face, crop_square, square_for_face, within_box
from detector.faces.flaws import (
    DRAWN,
    TOO_BLURRED,
    TOO_DARK,
    TOO_NOISY,
    TOO_SMALL,
    TOO_UNSURE,
    WITHOUT_COLOUR,
    WITHOUT_DETAIL,
)
from detector.media.frame import Image
from detector.schema.analysis import Box, Parameters

_POWERS = 4  # of brightness, from 0


def measure_colour(face: Image, size: int) -> float:
    """Return the mean distance of colours from the best cubic function of their brightness, in levels of 255.

    It is low in grey and evenly toned pictures, such as sepia or night vision. ``face`` is reduced to
    ``size`` px first; a smaller size reduces the effect of chroma compression.
    """
    small = cv2.resize(face, (size, size), interpolation=cv2.INTER_AREA).reshape(-1, 3).astype(np.float32)
    brightness = small.sum(axis=1) / 765
    powers = np.stack([brightness**power for power in range(_POWERS)]).astype(np.float64)
    # Solve the normal equations, which takes half the time.
    best = np.linalg.lstsq(powers @ powers.T, powers @ small, rcond=None)[0]
    return float(np.abs(small - powers.T @ best).mean())


_FINE = 1.5  # px
# Mean difference between the largest and smallest channel of a pixel, in levels; 15 and more in colour.
_COLOURLESS = 4.0
# A crop whose colours are closer to one tone than this is toned. The distance is in levels, and a share of
# brightness because all dark colours are similar. At this size in px compression adds little to it.
_TONED, _TONED_SHARE, _TONE_SIZE = 1.5, 0.03, 32


class Quality(NamedTuple):
    """Quality of a grey crop at the network's size.

    ``contrast`` is the standard deviation in levels of 255. ``sharpness`` is the mean absolute difference
    from the crop blurred by 1.5 px, divided by the contrast: blur and strong compression lower it, noise and
    JPEG block edges raise it, and brightness does not change it.
    """

    contrast: float
    sharpness: float


class Assessment(NamedTuple):
    """The flaw that prevents a detected face from being judged; without a flaw, the crop of the face."""

    flaw: str | None
    quality: Quality | None = None
    grey: bool = False
    crop: Image | None = None
    covered: bool = False


def assess_face(image: Image, face: Face, size: int, parameters: Parameters) -> Assessment:
    """Assess ``face`` in ``image`` (RGB), and cut it out at ``size`` px if it may be judged."""
    flaw = face_flaw(face, parameters)
    if flaw is not None:
        return Assessment(flaw)
    crop = crop_square(image, square_for_face(face), size)
    quality = measure_quality(crop)
    flaw = quality_flaw(quality, parameters)
    return Assessment(flaw, quality, is_grey(crop), crop if flaw is None else None)


def measure_quality(crop: Image) -> Quality:
    """Measure contrast and sharpness of an RGB crop; both are 0 in a crop of one colour."""
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32)
    contrast = float(grey.std())
    detail = float(np.abs(grey - cv2.GaussianBlur(grey, (0, 0), _FINE)).mean())
    return Quality(contrast, detail / contrast if contrast > 0 else 0.0)


def is_grey(crop: Image) -> bool:
    """Return whether an RGB crop is grey or monochrome, apart from effects of compression."""
    red, green, blue = cv2.split(crop)
    maximum, minimum = cv2.max(cv2.max(red, green), blue), cv2.min(cv2.min(red, green), blue)
    if float(cv2.subtract(maximum, minimum).mean()) < _COLOURLESS:
        return True
    return measure_colour(crop, _TONE_SIZE) < min(_TONED, _TONED_SHARE * float(crop.mean()))


def face_flaw(face: Face, parameters: Parameters) -> str | None:
    """Return the flaw, if any, that is visible before a detected face is cut out."""
    if face.width < parameters.minimum_face:
        return TOO_SMALL
    if face.confidence < parameters.minimum_confidence:
        return TOO_UNSURE
    return None


def crop_flaw(crop: Image, parameters: Parameters) -> str | None:
    """Return the flaw that prevents ``crop`` from being judged, if any."""
    return quality_flaw(measure_quality(crop), parameters)


def quality_flaw(quality: Quality, parameters: Parameters) -> str | None:
    """Return the flaw of a crop of this quality, if any."""
    if quality.contrast < parameters.minimum_contrast:
        return TOO_DARK
    if quality.sharpness < parameters.minimum_sharpness:
        return TOO_BLURRED
    if quality.sharpness > parameters.maximum_sharpness:
        return TOO_NOISY
    return None


_COLOUR_SIZE = 96  # px at which colours are compared, so that chroma compression does not matter
_DETAIL_WIDTH = 32  # px
_NEIGHBOURS = np.ones((3, 3), np.uint8)


class PhotoMeasures(NamedTuple):
    """Measures that identify photographs for which the networks were not made."""

    colour: float  # from measure_colour
    detail: float  # loss of the grey face when reduced to a width of 32 px, as a share of its contrast
    flatness: float  # share of pixels that equal all their neighbours, as in drawings


def photo_flaw(image: Image, box: Box, parameters: Parameters) -> str | None:
    """Return the flaw of the face in ``box`` of a photograph (RGB), if any."""
    measures = measure_photo(image, box)
    if measures.colour < parameters.minimum_colour:
        return WITHOUT_COLOUR
    if measures.detail < parameters.minimum_detail:
        return WITHOUT_DETAIL
    if parameters.maximum_flatness and measures.flatness > parameters.maximum_flatness:
        return DRAWN
    return None


def measure_photo(image: Image, box: Box) -> PhotoMeasures:
    """Measure the face in ``box`` of ``image`` (RGB), without scaling it first."""
    face = within_box(image, box)
    grey = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)
    flat = cv2.dilate(grey, _NEIGHBOURS) == cv2.erode(grey, _NEIGHBOURS)
    return PhotoMeasures(
        measure_colour(face, _COLOUR_SIZE), _detail(grey, box[2] - box[0]), float(flat.mean())
    )


def _detail(grey: Image, width: float) -> float:
    rows, columns = grey.shape
    scale = _DETAIL_WIDTH / width
    if scale >= 1:  # nothing to lose; minimum_face refuses faces that are too small
        return float("inf")
    size = max(2, round(columns * scale)), max(2, round(rows * scale))
    small = cv2.resize(grey.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    enlargement = cv2.resize(small, (columns, rows), interpolation=cv2.INTER_CUBIC)
    return float(np.abs(grey - enlargement).mean() / max(1.0, float(grey.std())))
