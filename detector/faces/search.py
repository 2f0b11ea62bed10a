"""Find the faces of sampled frames without searching each of them whole.

A search of a whole frame costs many times a look at one place. So frames are searched
whole at the start, on both sides of a cut, at the end, from time to time
(:attr:`~detector.schema.analysis.Parameters.search_interval`) and whenever a known face is not
where it was; in between, known faces are looked for twice a second around their last place,
at a size that suits them, and a search at half the size finds large newcomers sooner. The
frames between two looks have their faces predicted, and looked for where the prediction
does not hold (:mod:`detector.faces.interpolation`). A newcomer is followed backwards to where it came
in. So frames are held back until the next whole search.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from detector.faces.crop import Face
from detector.faces.detector import FaceDetector
from detector.faces.interpolation import LONGEST, faces_between
from detector.media.frame import Frame, Image
from detector.schema.analysis import Box, Parameters
from detector.schema.boxes import grown, overlap

# Side of the place that is looked at, and the face's longer side in it, px of the detector's input.
_PLACE = 160
_FACE = 80
_LOOKED = 0.5  # seconds: a known face is looked for so often at least
_EDGE = 3  # px of the place: a face nearer to its edge may be cut off by it
_QUICK = 4  # searches at half the size for each whole one
_HELD = 128 * 1024 * 1024  # bytes of frames held back at most
_SAME = 0.3  # overlap of two boxes that are one face
_LEAST = 0.25  # overlap of two grown boxes that may be one face at two times


class FoundFaces(NamedTuple):
    """A frame that is settled, the most confident face first."""

    frame: Frame
    is_cut: bool
    faces: list[Face]


@dataclass
class _Held:
    frame: Frame
    is_cut: bool
    faces: list[Face]
    whole: bool
    waits: bool = False  # for the next frame that is looked at, before its own faces are known


class FaceSearch:
    """Give it the sampled frames in order; each comes back once, in order, with its faces.

    Frames come back after the next whole search, or at once with ``hold`` false, when newcomers
    are not followed backwards and nothing is predicted. :meth:`flush` gives back what is still held.
    """

    def __init__(self, parameters: Parameters, hold: bool = True) -> None:
        self._threshold = parameters.detection_threshold
        self._width = parameters.detection_width
        self._detect = FaceDetector(self._threshold, self._width)
        # One detector for each size: to change the size of one takes longer than a search of a place.
        self._quick = FaceDetector(self._threshold, max(1, self._width // 2))
        self._place = FaceDetector(self._threshold, _PLACE)
        self._each = parameters.search_interval == 0
        self._every = max(1, round(parameters.search_interval * parameters.sample_rate))
        self._hold = hold
        self._held: list[_Held] = []
        self._last: _Held | None = None  # that was looked at
        self._since_whole = self._since_quick = 0

    def process_frame(self, frame: Frame, is_cut: bool) -> list[FoundFaces]:
        """Take the next frame, which begins a new scene if ``is_cut``; returns the frames now settled."""
        settled = self.flush() if is_cut else []
        every = min(self._every, max(1, _HELD // frame.image.nbytes))
        self._since_whole += 1
        self._since_quick += 1
        before = [] if is_cut or self._each or self._last is None else self._last.faces
        newcomers: list[Face] = []
        if is_cut or self._last is None or self._since_whole >= every:
            self._since_whole = 0
            faces, newcomers = self._searched(frame.image, before)
            held = _Held(frame, is_cut, faces, whole=True)
        else:
            quick = self._since_quick >= max(1, every // _QUICK)
            if before and not quick and self._hold and frame.time - self._last.frame.time < _LOOKED:
                self._held.append(_Held(frame, is_cut, [], whole=False, waits=True))
                return settled
            faces, newcomers, whole = self._followed(frame.image, before, quick)
            held = _Held(frame, is_cut, faces, whole)
            if whole:
                self._since_whole = 0
        self._hold_frame(held, newcomers)
        return settled + (self._settled() if held.whole or not self._hold else [])

    def flush(self) -> list[FoundFaces]:
        """The frames still held, the last of them searched whole."""
        if self._held and not self._held[-1].whole:
            last = self._held.pop()
            before = self._last.faces if last.waits and self._last else last.faces
            faces, newcomers = self._searched(last.frame.image, before)
            self._hold_frame(_Held(last.frame, last.is_cut, faces, whole=True), newcomers)
        return self._settled()

    def _settled(self) -> list[FoundFaces]:
        settled = [
            FoundFaces(held.frame, held.is_cut, sorted(held.faces, key=lambda face: -face.confidence))
            for held in self._held
        ]
        self._held = []
        return settled

    def _hold_frame(self, held: _Held, newcomers: list[Face]) -> None:
        """Hold a frame whose faces are known, and see to those that waited for it."""
        waiting = [number for number, one in enumerate(self._held) if one.waits]
        self._held.append(held)
        if self._last is not None and waiting and not self._predict(self._last, waiting, held):
            before = self._last.faces
            for number in waiting:
                one = self._held[number]
                one.faces, came, one.whole = self._followed(one.frame.image, before, quick=False)
                self._follow_back(came, number)
                before = one.faces
        for number in waiting:
            self._held[number].waits = False
        self._follow_back(newcomers, len(self._held) - 1)
        self._last = held

    def _predict(self, first: _Held, waiting: list[int], last: _Held) -> bool:
        """Whether the frames between ``first`` and ``last`` could be given the faces of both."""
        frames = [first.frame, *(self._held[number].frame for number in waiting), last.frame]
        pairs = _pairs(first.faces, last.faces)
        if pairs is None or last.frame.time - first.frame.time > LONGEST:
            return False
        ways = []
        for start, end in pairs:
            way = faces_between(frames, start, end, self.look)
            if way is None:
                return False
            ways.append(way)
        moments = [list(faces) for faces in zip(*ways, strict=True)]
        if any(_among(face, faces[:rank]) for faces in moments for rank, face in enumerate(faces)):
            return False
        for number, faces in zip(waiting, moments, strict=True):
            self._held[number].faces = faces
        return True

    def _searched(self, image: Image, before: list[Face]) -> tuple[list[Face], list[Face]]:
        """All faces of a whole frame, and those of them that were not there ``before``."""
        self._since_quick = 0
        found = self._detect(image)
        newcomers = [face for face in found if not any(_may_be(face, one) for one in before)]
        # Near the threshold a search may miss what a look finds.
        for lost in [one for one in before if not any(_may_be(face, one) for face in found)]:
            again = self.look(image, lost.box)
            if again is not None and not _among(again, found):
                found.append(again)
        return found, newcomers

    def _followed(self, image: Image, before: list[Face], quick: bool) -> tuple[list[Face], list[Face], bool]:
        """Faces, newcomers among them, and whether there was doubt and the frame was searched whole."""
        faces: list[Face] = []
        for one in before:
            face = self.look(image, one.box)
            if face is None or _among(face, faces):
                return *self._searched(image, before), True
            faces.append(face)
        newcomers: list[Face] = []
        if quick:
            self._since_quick = 0
            for rough in self._quick(image):
                if _among(rough, faces):
                    continue
                face = self.look(image, rough.box)
                if face is not None and not _among(face, faces):
                    faces.append(face)
                    newcomers.append(face)
        return faces, newcomers, False

    def _follow_back(self, newcomers: list[Face], number: int) -> None:
        """Look for faces new in the held frame ``number`` in those before it, back to a whole search."""
        for newcomer in newcomers:
            face: Face | None = newcomer
            for held in reversed(self._held[:number]):
                if held.whole or face is None:
                    break
                face = self.look(held.frame.image, face.box)
                if face is not None:
                    if _among(face, held.faces):
                        break
                    held.faces.append(face)

    def look(self, image: Image, box: Box) -> Face | None:
        """The face near ``box`` of ``image`` (RGB), if there is one."""
        face, whole = self._at_place(image, box)
        if face is not None and not whole:  # it went so far that the place cuts it off
            face, _ = self._at_place(image, face.box)
        return face

    def _at_place(self, image: Image, box: Box) -> tuple[Face | None, bool]:
        """The face in the place around ``box``, and whether it lies wholly in that place."""
        height, width = image.shape[:2]
        longer = max(box[2] - box[0], box[3] - box[1], 1.0)
        # Never larger than a whole search would show it, unless that is not reduced at all.
        scale = min(1.0, self._width / max(height, width), _FACE / longer)
        side = 4 * round(_PLACE / scale / 4)  # so that it can be halved
        left, top = (
            _kept_inside((box[axis] + box[axis + 2]) / 2 - side / 2, side, whole)
            for axis, whole in enumerate((width, height))
        )
        place = image[top : top + side, left : left + side]
        if place.shape[0] < side or place.shape[1] < side:  # the frame is smaller than the place
            below, beside = side - place.shape[0], side - place.shape[1]
            place = cv2.copyMakeBorder(place, 0, below, 0, beside, cv2.BORDER_CONSTANT)
        found = [_moved(face, left, top) for face in self._place(place)]
        best = max(found, key=lambda face: overlap(grown(face.box), grown(box)), default=None)
        if best is None or overlap(grown(best.box), grown(box)) < _LEAST:
            return None, True
        x0, y0, x1, y1 = best.box
        edge = side / _PLACE * _EDGE
        inside = (
            (x0 - left > edge or left == 0)
            and (y0 - top > edge or top == 0)
            and (left + side - x1 > edge or left + side >= width)
            and (top + side - y1 > edge or top + side >= height)
        )
        return best, inside


def _kept_inside(start: float, side: int, whole: int) -> int:
    return max(0, min(round(start), whole - side))


def _moved(face: Face, x: int, y: int) -> Face:
    x0, y0, x1, y1 = face.box
    return Face(
        (x0 + x, y0 + y, x1 + x, y1 + y), face.confidence, face.landmarks + np.array([x, y], np.float32)
    )


def _pairs(start: list[Face], end: list[Face]) -> list[tuple[Face, Face]] | None:
    """Each face of ``start`` with the same one of ``end``; None if one has none, or shares it."""
    pairs: list[tuple[Face, Face]] = []
    for face in start:
        same = [one for one in end if overlap(face.box, one.box) >= _SAME]
        if len(same) != 1 or any(same[0] is taken for _, taken in pairs):
            return None
        pairs.append((face, same[0]))
    return pairs


def _may_be(a: Face, b: Face) -> bool:
    return overlap(grown(a.box), grown(b.box)) >= _LEAST


def _among(face: Face, faces: list[Face]) -> bool:
    return any(overlap(face.box, one.box) >= _SAME for one in faces)
