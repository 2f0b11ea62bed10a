"""Whether a face is judged: by its width, the detector's confidence, and what its crop shows.

Contrast and sharpness are of the grey crop at the network's size. Contrast is the standard deviation, in
grey levels of 255. Sharpness is the mean absolute difference from the crop blurred by
1.5 pixels, divided by the contrast: blur and strong video compression lower it, noise and
the block edges of JPEG raise it, brightness does not change it. The thresholds in
:class:`~detector.schema.analysis.Parameters` stand where the measured AUC falls to about 0.7
(docs/faces.md has the table).
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from detector.faces.colour import colour_of
from detector.faces.crop import Face, crop_square, square_for_face
from detector.faces.flaws import TOO_BLURRED, TOO_DARK, TOO_NOISY, TOO_SMALL, TOO_UNSURE
from detector.media.frame import Image
from detector.schema.analysis import Parameters

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
    flaw = flaw_of_face(face, parameters)
    if flaw is not None:
        return Assessment(flaw)
    crop = crop_square(image, square_for_face(face), size)
    measured = quality(crop)
    flaw = flaw_of(measured, parameters)
    return Assessment(flaw, measured, is_grey(crop), crop if flaw is None else None)


def quality(crop: Image) -> Quality:
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
    return colour_of(crop, _TONE_SIZE) < min(_TONED, _TONED_SHARE * float(crop.mean()))


def flaw_of_face(face: Face, parameters: Parameters) -> str | None:
    """Which flaw (:mod:`~detector.faces.flaws`) makes a face found not worth cutting out; None if it is."""
    if face.width < parameters.minimum_face:
        return TOO_SMALL
    if face.confidence < parameters.minimum_confidence:
        return TOO_UNSURE
    return None


def flaw_of_crop(crop: Image, parameters: Parameters) -> str | None:
    """Which flaw keeps ``crop`` from being judged, likewise."""
    return flaw_of(quality(crop), parameters)


def flaw_of(measured: Quality, parameters: Parameters) -> str | None:
    """Which flaw a crop of this quality has, likewise."""
    if measured.contrast < parameters.minimum_contrast:
        return TOO_DARK
    if measured.sharpness < parameters.minimum_sharpness:
        return TOO_BLURRED
    if measured.sharpness > parameters.maximum_sharpness:
        return TOO_NOISY
    return None
