"""Photographs that the networks were not made for: without colour, without detail, drawn.

A network gives a figure for whatever it is shown. Three kinds of pictures can be told by simple means, with
few false alarms (docs/faces.md has the figures), and their faces are not judged:

- *colour*: black and white, or toned in one colour (:mod:`detector.faces.colour`).
- *detail*: enlarged from a tiny picture, or far out of focus. How much of the grey face is lost where it is
  reduced to a width of 32 px and enlarged again, as a share of its contrast.
- *flatness*: drawn, with areas of one colour. The share of pixels that equal all of their eight neighbours;
  only drawings that were not saved as JPEG, or are large, have many of them.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from detector.faces.colour import colour_of
from detector.faces.crop import within_box
from detector.faces.flaws import DRAWN, WITHOUT_COLOUR, WITHOUT_DETAIL
from detector.media.frame import Image
from detector.schema.analysis import Box, Parameters

_COLOUR_SIZE = 96  # px: colours are compared at this size, where compression of colour plays no part
_DETAIL_WIDTH = 32  # px
_NEIGHBOURS = np.ones((3, 3), np.uint8)


class PhotoMeasures(NamedTuple):
    """What is measured of a face in a photograph, as the module says."""

    colour: float
    detail: float
    flatness: float


def flaw_of_photo(image: Image, box: Box, parameters: Parameters) -> str | None:
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
    return PhotoMeasures(colour_of(face, _COLOUR_SIZE), _detail(grey, box[2] - box[0]), _flatness(grey))


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
