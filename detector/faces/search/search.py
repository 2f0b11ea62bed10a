"""Find the faces of sampled frames without running CenterFace on each of them.

CenterFace searches whole frames at the start, after a cut, from time to time, and whenever a known face is
lost. In between, once a second, a *look* searches only around known faces and at places that a small network
proposes. In the frames between two looks faces are followed by matching, and a newcomer is followed back to
where it came in. Frames are therefore held back until the next search or look; then they are *settled*.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from detector.faces.crop import Face
from detector.faces.search.matching import LONGEST_FOLLOWED, faces_between
from detector.faces.search.networks import NARROWEST_PROPOSED, FaceDetector, search_scale
from detector.faces.search.photos import PyramidSearch
from detector.faces.search.places import NewcomerSearch, PlaceSearch, is_among, may_be_same_face
from detector.media.frame import Frame, Image
from detector.schema.analysis import Parameters

_LOOK_INTERVAL = 1.0  # longest time between looks at known faces, seconds
_PROPOSAL_INTERVAL = 0.5  # least time between searches for newcomers, seconds
_SMALL_FACE_FACTOR = 4  # factor by which searches are more frequent if faces may be too small to be proposed
_HELD_BYTES = 128 * 1024 * 1024  # bytes of frames held back


class FoundFaces(NamedTuple):
    """A settled frame and its faces, the most confident first."""

    frame: Frame
    is_cut: bool
    faces: list[Face]


@dataclass
class _Held:
    frame: Frame
    is_cut: bool
    faces: list[Face]


class FaceSearch:
    """Takes the sampled frames in order and returns each once, in order, with its faces.

    Frames are returned after the next look, or at once if ``hold`` is false; then newcomers are not followed
    back and nothing is interpolated. :meth:`flush` returns the frames still held. A picture that is shown for
    longer than the time between two looks is treated like the end of a scene. In a photograph (``still``)
    small faces are searched as well.
    """

    def __init__(self, parameters: Parameters, hold: bool = True, still: bool = False) -> None:
        self._width = parameters.detection_width
        self._detect = FaceDetector(parameters.detection_threshold, self._width)
        self._pyramid = PyramidSearch(parameters) if still else None
        self._find_near = PlaceSearch(parameters)
        self._newcomers = NewcomerSearch(self._width, self._find_near)
        self._narrowest_judged, self._sure = parameters.minimum_face, parameters.minimum_confidence
        self._interval = parameters.search_interval
        self._hold = hold
        self._held: list[_Held] = []  # waiting for the next search or look
        self._last: _Held | None = None  # the last frame with a search or look
        self._searched_at = self._proposed_at = Fraction(0)  # times of the frames

    def process_frame(self, frame: Frame, is_cut: bool) -> list[FoundFaces]:
        """Take the next frame, which begins a new scene if ``is_cut``; return the frames settled now."""
        shown_long = self._held and frame.time - self._held[-1].frame.time > _LOOK_INTERVAL
        settled = self.flush() if is_cut or shown_long else []
        last = None if is_cut else self._last
        if last is None or frame.time - self._searched_at >= self._search_interval(frame.image):
            result = self._search(frame, last.faces if last and self._interval else [])
        elif self._hold and not self._is_due(frame, last):
            self._held.append(_Held(frame, is_cut, []))
            return settled
        else:
            result = self._look(frame, last.faces)
        return settled + self._settle(_Held(frame, is_cut, []), *result)

    def _search_interval(self, image: Image) -> float:
        """Return the seconds between searches of whole frames."""
        narrowest = self._narrowest_judged * search_scale(image, self._width)
        return self._interval / _SMALL_FACE_FACTOR if narrowest < NARROWEST_PROPOSED else self._interval

    def _is_due(self, frame: Frame, last: _Held) -> bool:
        """Return whether a look at ``frame`` is due, by time or because too much memory would be held."""
        if (len(self._held) + 1) * frame.image.nbytes > _HELD_BYTES:
            return True
        return frame.time - last.frame.time >= (_LOOK_INTERVAL if last.faces else _PROPOSAL_INTERVAL)

    def flush(self) -> list[FoundFaces]:
        """Return the frames still held, after a look at the last of them."""
        if not self._held or self._last is None:
            return []
        ending = self._held.pop()
        return self._settle(ending, *self._look(ending.frame, self._last.faces, ending=True))

    def _settle(self, latest: _Held, faces: list[Face], newcomers: list[Face]) -> list[FoundFaces]:
        """Settle the held frames and the ``latest`` one, which has these ``faces``."""
        latest.faces = faces
        if self._last is not None:
            self._fill(self._last, self._held, latest)
        self._follow_back(newcomers, self._held)
        settled, self._held, self._last = [*self._held, latest], [], latest
        return [
            FoundFaces(held.frame, held.is_cut, sorted(held.faces, key=lambda face: -face.confidence))
            for held in settled
        ]

    def _fill(self, first: _Held, held: Sequence[_Held], last: _Held) -> None:
        """Determine the faces of the frames ``held`` between two others.

        If they cannot be followed, look at the middle frame and treat both halves in the same way.
        """
        if not held or self._interpolate(first, held, last):
            return
        middle = len(held) // 2
        before, halfway, after = held[:middle], held[middle], held[middle + 1 :]
        halfway.faces, newcomers = self._look(halfway.frame, first.faces)
        self._fill(first, before, halfway)
        self._follow_back(newcomers, before)
        self._fill(halfway, after, last)

    def _interpolate(self, first: _Held, held: Sequence[_Held], last: _Held) -> bool:
        """Follow faces from ``first`` to ``last`` through the frames ``held``; return whether it worked."""
        frames = [first.frame, *(between.frame for between in held), last.frame]
        pairs = self._pairs(first.faces, last.faces)
        if pairs is None or last.frame.time - first.frame.time > LONGEST_FOLLOWED:
            return False
        paths = []
        for start, end in pairs:
            path = faces_between(frames, start, end, self._find_near)
            if path is None:
                return False
            paths.append(path)
        moments = [list(faces) for faces in zip(*paths, strict=True)]
        if any(is_among(face.box, faces[:rank]) for faces in moments for rank, face in enumerate(faces)):
            return False
        for between, faces in zip(held, moments or [[]] * len(held), strict=True):
            between.faces = list(faces)
        return True

    def _pairs(self, start: list[Face], end: list[Face]) -> list[tuple[Face, Face]] | None:
        """Pair each face of ``start`` with the same one of ``end``; None if that is ambiguous.

        A face that was never detected with confidence may be unpaired.
        """
        pairs: list[tuple[Face, Face]] = []
        for face in start:
            same = [other for other in end if is_among(face.box, [other])]
            if len(same) > 1 or any(other is taken for other in same for _, taken in pairs):
                return None
            if not same and face.confidence >= self._sure:
                return None
            pairs += [(face, other) for other in same]
        return pairs

    def _search(self, frame: Frame, before: list[Face]) -> tuple[list[Face], list[Face]]:
        """Search a whole frame; return all its faces, and those of them that were not there ``before``."""
        self._searched_at = self._proposed_at = frame.time
        faces = self._detect(frame.image)
        if self._pyramid is not None:
            faces = self._pyramid(frame.image, faces)
        newcomers = [face for face in faces if not any(may_be_same_face(face.box, old.box) for old in before)]
        # Near the threshold a search may miss a face that a look finds.
        for lost in [old for old in before if not any(may_be_same_face(face.box, old.box) for face in faces)]:
            again = self._find_near(frame.image, lost.box)
            if again is not None and not is_among(again.box, faces):
                faces.append(again)
        return faces, newcomers

    def _look(self, frame: Frame, before: list[Face], ending: bool = False) -> tuple[list[Face], list[Face]]:
        """Look at a frame; return its faces, and the newcomers among them.

        Newcomers are searched from time to time, and at the end of a scene (``ending``). If a face known
        ``before`` is lost, the whole frame is searched, unless the face was never detected with confidence;
        such faces would cause repeated searches.
        """
        faces: list[Face] = []
        for old in before:
            face = self._find_near(frame.image, old.box)
            if face is not None and not is_among(face.box, faces):
                faces.append(face)
            elif old.confidence >= self._sure:
                return self._search(frame, before)
        newcomers: list[Face] = []
        if ending or frame.time - self._proposed_at >= _PROPOSAL_INTERVAL:
            self._proposed_at = frame.time
            newcomers = self._newcomers(frame.image, faces)
        return [*faces, *newcomers], newcomers

    def _follow_back(self, newcomers: list[Face], held: Sequence[_Held]) -> None:
        """Follow faces that are new in the next frame backwards through the frames ``held``."""
        for newcomer in newcomers:
            face: Face | None = newcomer if newcomer.confidence >= self._sure else None
            for earlier in reversed(held):
                face = face and self._find_near(earlier.frame.image, face.box)
                if face is None or is_among(face.box, earlier.faces):
                    break
                earlier.faces.append(face)
