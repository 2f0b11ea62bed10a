"""Find the faces of sampled frames without running CenterFace on each of them."""

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

_LOOK_INTERVAL = 1.0  # seconds from one look at known faces to the next, at most
_PROPOSAL_INTERVAL = 0.5  # seconds from one search for newcomers to the next, at least
_OFTENER = 4  # times: so much oftener whole frames are searched where faces may be too small to be proposed
_MOST_HELD = 128 * 1024 * 1024  # bytes of frames held back


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


class FaceSearch:
    """Give it the sampled frames in order; each comes back once, in order, with its faces.

    Frames come back after the next look, or at once with ``hold`` false, when newcomers
    are not followed backwards and nothing is interpolated. :meth:`flush` gives back what is still held.
    A picture that is shown for longer than the time between two looks is looked at like the end of a scene.
    A photograph (``still``) is also searched for faces that the whole shows too small.
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
        self._held: list[_Held] = []  # wait for the next frame that is searched or looked at
        self._last: _Held | None = None  # the last one that was
        self._searched_at = self._proposed_at = Fraction(0)  # times of the frames

    def process_frame(self, frame: Frame, is_cut: bool) -> list[FoundFaces]:
        """Take the next frame, which begins a new scene if ``is_cut``; returns the frames now settled."""
        shown_long = self._held and frame.time - self._held[-1].frame.time > _LOOK_INTERVAL
        settled = self.flush() if is_cut or shown_long else []
        last = None if is_cut else self._last
        if last is None or frame.time - self._searched_at >= self._search_interval(frame.image):
            found = self._searched(frame, last.faces if last and self._interval else [])
        elif self._hold and not self._is_due(frame, last):
            self._held.append(_Held(frame, is_cut, []))
            return settled
        else:
            found = self._looked(frame, last.faces)
        return settled + self._settled(_Held(frame, is_cut, []), *found)

    def _search_interval(self, image: Image) -> float:
        """Seconds from one of CenterFace's searches of a whole frame to the next."""
        narrowest = self._narrowest_judged * search_scale(image, self._width)
        return self._interval / _OFTENER if narrowest < NARROWEST_PROPOSED else self._interval

    def _is_due(self, frame: Frame, last: _Held) -> bool:
        """Whether ``frame`` is to be looked at: because it is time, or because memory would be filled."""
        if (len(self._held) + 1) * frame.image.nbytes > _MOST_HELD:
            return True
        return frame.time - last.frame.time >= (_LOOK_INTERVAL if last.faces else _PROPOSAL_INTERVAL)

    def flush(self) -> list[FoundFaces]:
        """The frames still held, the last of them looked at."""
        if not self._held or self._last is None:
            return []
        ending = self._held.pop()
        return self._settled(ending, *self._looked(ending.frame, self._last.faces, ending=True))

    def _settled(self, looked: _Held, faces: list[Face], newcomers: list[Face]) -> list[FoundFaces]:
        """The frames held and the one ``looked`` at, in which these ``faces`` are."""
        looked.faces = faces
        if self._last is not None:
            self._fill(self._last, self._held, looked)
        self._follow_back(newcomers, self._held)
        settled, self._held, self._last = [*self._held, looked], [], looked
        return [
            FoundFaces(held.frame, held.is_cut, sorted(held.faces, key=lambda face: -face.confidence))
            for held in settled
        ]

    def _fill(self, first: _Held, held: Sequence[_Held], last: _Held) -> None:
        """Give the frames ``held`` between two others the faces of both.

        Where these cannot be followed, faces are looked for in the middle frame, and then in both halves.
        """
        if not held or self._interpolate(first, held, last):
            return
        middle = len(held) // 2
        before, halfway, after = held[:middle], held[middle], held[middle + 1 :]
        halfway.faces, came = self._looked(halfway.frame, first.faces)
        self._fill(first, before, halfway)
        self._follow_back(came, before)
        self._fill(halfway, after, last)

    def _interpolate(self, first: _Held, held: Sequence[_Held], last: _Held) -> bool:
        """Whether the frames ``held`` between ``first`` and ``last`` could be given the faces of both."""
        frames = [first.frame, *(one.frame for one in held), last.frame]
        pairs = self._pairs(first.faces, last.faces)
        if pairs is None or last.frame.time - first.frame.time > LONGEST_FOLLOWED:
            return False
        ways = []
        for start, end in pairs:
            way = faces_between(frames, start, end, self._find_near)
            if way is None:
                return False
            ways.append(way)
        moments = [list(faces) for faces in zip(*ways, strict=True)]
        if any(is_among(face.box, faces[:rank]) for faces in moments for rank, face in enumerate(faces)):
            return False
        for one, found in zip(held, moments or [[]] * len(held), strict=True):
            one.faces = list(found)
        return True

    def _pairs(self, start: list[Face], end: list[Face]) -> list[tuple[Face, Face]] | None:
        """Each face of ``start`` with the same one of ``end``; None where that is not clear.

        A face of which CenterFace was never sure may have none.
        """
        pairs: list[tuple[Face, Face]] = []
        for face in start:
            same = [one for one in end if is_among(face.box, [one])]
            if len(same) > 1 or any(one is taken for one in same for _, taken in pairs):
                return None
            if not same and face.confidence >= self._sure:
                return None
            pairs += [(face, one) for one in same]
        return pairs

    def _searched(self, frame: Frame, before: list[Face]) -> tuple[list[Face], list[Face]]:
        """All faces of a frame that CenterFace searches, and those of them that were not there ``before``."""
        self._searched_at = self._proposed_at = frame.time
        found = self._detect(frame.image)
        if self._pyramid is not None:
            found = self._pyramid(frame.image, found)
        newcomers = [face for face in found if not any(may_be_same_face(face.box, one.box) for one in before)]
        # Near the threshold a search may miss what a look finds.
        for lost in [one for one in before if not any(may_be_same_face(face.box, one.box) for face in found)]:
            again = self._find_near(frame.image, lost.box)
            if again is not None and not is_among(again.box, found):
                found.append(again)
        return found, newcomers

    def _looked(
        self, frame: Frame, before: list[Face], ending: bool = False
    ) -> tuple[list[Face], list[Face]]:
        """Faces of a frame that is only looked at, and the newcomers among them, sought now and then.

        At the end of a scene they are sought as well (``ending``).

        Where one of those known ``before`` is lost CenterFace searches the whole frame, unless it was never
        sure of it: what it takes for a face now and then would have it search again and again.
        """
        faces: list[Face] = []
        for one in before:
            face = self._find_near(frame.image, one.box)
            if face is not None and not is_among(face.box, faces):
                faces.append(face)
            elif one.confidence >= self._sure:
                return self._searched(frame, before)
        newcomers: list[Face] = []
        if ending or frame.time - self._proposed_at >= _PROPOSAL_INTERVAL:
            self._proposed_at = frame.time
            newcomers = self._newcomers(frame.image, faces)
        return [*faces, *newcomers], newcomers

    def _follow_back(self, newcomers: list[Face], held: Sequence[_Held]) -> None:
        """Look for faces new in the frame after those ``held`` in these, backwards."""
        for newcomer in newcomers:
            face: Face | None = newcomer if newcomer.confidence >= self._sure else None
            for one in reversed(held):
                face = face and self._find_near(one.frame.image, face.box)
                if face is None or is_among(face.box, one.faces):
                    break
                one.faces.append(face)
