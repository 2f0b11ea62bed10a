"""Faces of sampled frames are all found, though few frames are searched whole."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

import cv2
import numpy as np
import pytest

from detector.faces import search
from detector.faces.crop import Face, square_for_face
from detector.faces.detector import FaceDetector
from detector.faces.search import FaceSearch, FoundFaces
from detector.media.frame import Frame, Image
from detector.schema.analysis import Parameters

SIZE = (640, 360)
Where = tuple[int, int, int]  # left, top, side


class Squares:
    """A detector of white squares, which misses those under six px at the width it searches."""

    searched: list[tuple[int, int, int]] = []  # width, height, and the width searched at

    def __init__(self, threshold: float, width: int) -> None:
        self.width = width

    def __call__(self, image: Image) -> list[Face]:
        height, width = image.shape[:2]
        self.searched.append((width, height, self.width))
        scale = min(1.0, self.width / max(height, width))
        _, _, boxes, _ = cv2.connectedComponentsWithStats((image[..., 0] > 200).astype(np.uint8))
        return [
            Face((float(x), float(y), float(x + w), float(y + h)), 0.9, np.zeros((5, 2), np.float32))
            for x, y, w, h, _ in boxes[1:].tolist()
            if w * scale >= 6
        ]


@pytest.fixture(autouse=True)
def squares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "FaceDetector", Squares)
    Squares.searched = []


def frames(shown: Iterable[Sequence[Where]], size: tuple[int, int] = SIZE) -> list[Frame]:
    made = []
    for number, squares in enumerate(shown):
        image = np.zeros((size[1], size[0], 3), np.uint8)
        for left, top, side in squares:
            shades = np.linspace(205, 255, side, dtype=np.uint8)[None, :, None]
            image[top : top + side, left : left + side] = shades
        made.append(Frame(number, Fraction(number, 8), image, number))
    return made


def searched(
    shown: Iterable[Frame], cuts: Sequence[int] = (), hold: bool = True, interval: float = 2.0
) -> list[FoundFaces]:
    """All frames as they come back, which they do once and in order."""
    faces = FaceSearch(Parameters(search_interval=interval), hold)
    found = [one for frame in shown for one in faces.process_frame(frame, frame.pts in cuts)]
    found += faces.flush()
    assert [one.frame.pts for one in found] == list(range(len(found)))
    assert [one.frame.pts for one in found if one.is_cut] == list(cuts)
    return found


def boxes(found: Iterable[FoundFaces]) -> list[list[Where]]:
    return [
        sorted((int(x0), int(y0), int(x1 - x0)) for (x0, y0, x1, _) in (f.box for f in one.faces))
        for one in found
    ]


def wholes() -> int:
    return sum(width == SIZE[0] and at == 640 for width, _, at in Squares.searched)


def looks() -> int:
    return sum(width == height == at for width, height, at in Squares.searched)


class TestSearches:
    def test_a_face_that_stays_is_looked_for_where_it_was(self) -> None:
        shown = [[(100 + 3 * i, 80, 40)] for i in range(33)]
        assert boxes(searched(frames(shown))) == shown
        assert wholes() == 3, "the first, one every two seconds, and so the last"
        quick = [at for width, _, at in Squares.searched if width == SIZE[0] and at == 320]
        assert len(quick) == 6 and looks() == 30, "it moves too fast to be predicted"

    def test_one_that_keeps_still_is_looked_for_twice_a_second(self) -> None:
        shown = [[(100, 80, 60)]] * 33
        assert boxes(searched(frames(shown))) == shown
        assert looks() == 6, "at 2 and 4 s whole frames are searched"

    def test_sparse_frames_are_all_looked_at(self) -> None:
        shown = [Frame(f.pts, Fraction(f.pts, 2), f.image, f.pts) for f in frames([[(100, 80, 60)]] * 9)]
        faces = FaceSearch(Parameters(sample_rate=2.0))
        found = [one for frame in shown for one in faces.process_frame(frame, False)] + faces.flush()
        assert boxes(found) == [[(100, 80, 60)]] * 9
        assert looks() == 6

    def test_the_last_frame_is_searched_whole(self) -> None:
        shown: list[list[Where]] = [[]] * 6 + [[(300, 100, 8)]] * 3
        assert boxes(searched(frames(shown))) == shown
        assert wholes() == 2

    def test_each_frame_if_asked(self) -> None:
        shown = [[(100, 80, 60)]] * 5
        assert boxes(searched(frames(shown), interval=0)) == shown
        assert wholes() == 5 == len(Squares.searched)

    def test_each_frame_and_nowhere_else(self) -> None:
        """As analyses before 1.3 were made: no look where a face was."""
        shown: list[list[Where]] = [[(100, 80, 60)]] * 2 + [[]] * 3
        assert boxes(searched(frames(shown), interval=0)) == shown
        assert wholes() == 5 == len(Squares.searched)

    def test_nothing_is_there(self) -> None:
        assert boxes(searched(frames([[]] * 17))) == [[]] * 17
        assert wholes() == 2 and len(Squares.searched) == 5

    def test_a_photo(self) -> None:
        assert boxes(searched(frames([[(20, 20, 90)]]))) == [[(20, 20, 90)]]
        assert len(Squares.searched) == 1

    def test_frames_too_large_to_hold_many_are_searched_sooner(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(search, "_HELD", 6 * 640 * 360 * 3)
        faces = FaceSearch(Parameters())
        held, most = 0, 0
        for frame in frames([[(100, 80, 60)]] * 20):
            held += 1 - len(faces.process_frame(frame, False))
            most = max(most, held)
        assert most == 5


class TestNewcomers:
    @pytest.mark.parametrize("side", [60, 8], ids=["large", "small"])
    def test_followed_back_to_where_they_came_in(self, side: int) -> None:
        """Small ones are seen by searches of whole frames only."""
        shown: list[list[Where]] = [[(400, 200, 50)]] * 5 + [[(100, 80, side), (400, 200, 50)]] * 14
        assert boxes(searched(frames(shown))) == shown

    def test_while_moving(self) -> None:
        shown = [[] if i < 3 else [(20 + 12 * i, 100, 60)] for i in range(17)]
        assert boxes(searched(frames(shown))) == shown

    def test_at_once_where_nothing_is_held(self) -> None:
        shown = [[] if i < 5 else [(100, 80, 60)] for i in range(12)]
        faces = FaceSearch(Parameters(), hold=False)
        came = []
        for frame in frames(shown):
            (one,) = faces.process_frame(frame, False)
            came.append(one)
        assert boxes(came) == [[]] * 8 + shown[8:], "by the search at half the size"
        assert faces.flush() == []


class TestDoubt:
    def test_a_face_that_left_ends_with_a_whole_search(self) -> None:
        shown = [[(100, 80, 60)] if i < 6 else [] for i in range(12)]
        assert boxes(searched(frames(shown))) == shown
        assert wholes() == 4, "the first, where it was missed, where it left, and the last"

    def test_a_leap_is_found(self) -> None:
        shown = [[(100 if i < 6 else 450, 80, 60)] for i in range(12)]
        assert boxes(searched(frames(shown))) == shown

    def test_two_that_become_one_are_not_counted_twice(self) -> None:
        shown = [[(100 + 20 * i, 80, 60), (400 - 20 * i, 80, 60)] for i in range(8)]
        found = boxes(searched(frames(shown)))
        assert found[:6] == shown[:6]
        assert all(len(each) <= 2 and len(set(each)) == len(each) for each in found)

    def test_between_cuts(self) -> None:
        """A small face of the last moment is found, and none is looked for beyond the cut."""
        shown: list[list[Where]] = (
            [[]] * 5 + [[(300, 100, 8)]] * 2 + [[(100, 80, 60)]] * 4 + [[(500, 20, 9)]] * 3
        )
        assert boxes(searched(frames(shown), cuts=(7, 11))) == shown


class TestPlaces:
    @pytest.mark.parametrize("at", [(0, 0), (580, 300), (0, 300), (580, 0)])
    def test_in_the_corners(self, at: tuple[int, int]) -> None:
        shown = [[(*at, 60)]] * 6
        assert boxes(searched(frames(shown))) == shown

    @pytest.mark.parametrize("size", [(96, 64), (200, 100), (64, 300)])
    def test_frames_smaller_than_a_place(self, size: tuple[int, int]) -> None:
        shown = [[(10, 12, 40)]] * 6
        assert boxes(searched(frames(shown, size))) == shown

    def test_faces_that_fill_the_frame(self) -> None:
        shown = [[(150, 10, 340)]] * 6
        assert boxes(searched(frames(shown))) == shown


def test_boxes_are_those_of_whole_searches(astronaut: Image, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the real detector, a face that moves, turns and comes nearer."""
    monkeypatch.setattr(search, "FaceDetector", FaceDetector)
    shown = []
    for i in range(20):
        matrix = cv2.getRotationMatrix2D((222, 120), 8 * np.sin(i / 3), 1.3 + 0.03 * i)
        matrix[:, 2] += (200 + 6 * i, 60)
        image = cv2.warpAffine(astronaut, matrix, (960, 540), borderMode=cv2.BORDER_REFLECT_101)
        shown.append(Frame(i, Fraction(i, 8), image, i))
    detect = FaceDetector()
    for one in searched(shown):
        whole = square_for_face(detect(one.frame.image)[0])
        mine = square_for_face(one.faces[0])
        assert abs(mine.side / whole.side - 1) < 0.12
        assert np.hypot(mine.x - whole.x, mine.y - whole.y) < 0.08 * whole.side
        assert abs(mine.angle - whole.angle) < 4
