"""Faces that were not there before: CenterFace looks where a small network proposes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detector.faces.crop import Face
from detector.faces.search.matching import picture
from detector.faces.search.place_search import SAME_FACE, among
from detector.faces.search.proposals import FaceProposals
from detector.media.frame import Image
from detector.schema.analysis import Box
from detector.schema.boxes import overlap

_UNCHANGED = 0.9  # likeness of a place to itself when it was refused, which CenterFace would refuse again


class _Place(NamedTuple):
    """A place that was proposed, and what it looks like."""

    box: Box
    picture: NDArray[np.float32]

    def is_like(self, other: _Place) -> bool:
        """Whether ``other`` is the same place and looks the same."""
        return overlap(self.box, other.box) >= SAME_FACE and float(self.picture @ other.picture) >= _UNCHANGED


class NewcomerSearch:
    """Proposes places in frames searched at ``width`` px at most; ``look`` finds the face near a box.

    A place where ``look`` found nothing is not shown to it again while it looks the same.
    """

    def __init__(self, width: int, look: Callable[[Image, Box], Face | None]) -> None:
        self._width = width
        self._look = look
        self._refused: list[_Place] = []

    def __call__(self, image: Image, known: Sequence[Face]) -> list[Face]:
        """Faces at the places proposed in ``image`` where none of those ``known`` is."""
        newcomers: list[Face] = []
        refused: list[_Place] = []
        for box in self._propose(image):
            if among(box, known):
                continue
            place = _Place(box, picture(image, box))
            before = next((one for one in self._refused if one.is_like(place)), None)
            face = None if before else self._look(image, box)
            if face is None:
                refused.append(before or place)
            elif not among(face.box, [*known, *newcomers]):
                newcomers.append(face)
        self._refused = refused
        return newcomers

    @cached_property
    def _propose(self) -> FaceProposals:
        return FaceProposals(self._width)
