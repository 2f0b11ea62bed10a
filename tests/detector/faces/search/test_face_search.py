"""All faces of sampled frames are found although few frames are searched whole."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

import cv2
import numpy as np
import pytest

from detector.faces.crop import Face, square_for_face
from detector.faces.search import places, search
from detector.faces.search.networks import NARROWEST_PROPOSED, FaceDetector
from detector.faces.search.search import FaceSearch, FoundFaces
from detector.media.frame import Frame, Image
from detector.schema.analysis import Box, Parameters

SIZE = (640, 360)
Where = tuple[int, int, int]  # left, top, side


class Squares:
    """A detector of white squares, which misses those under six px at the width it searches."""

    search_frames: list[tuple[int, int, int]] = []  # width, height, and the width searched at

    def __init__(self, threshold: float, width: int) -> None:
        self.width = width

    def __call__(self, image: Image) -> list[Face]:
        height, width = image.shape[:2]
        self.searched.append((width, height, self.width))
        return self.found(image)

    def found(self, image: Image) -> list[Face]:
        scale = min(1.0, self.width / max(image.shape[:2]))
        _, _, boxes, _ = cv2.connectedComponentsWithStats((image[..., 0] > 200).astype(np.uint8))
        return [
            Face(
                (float(x), float(y), float(x + w), float(y + h)),
                float(image[y, x, 1]) / 255,
                np.zeros((5, 2), np.float32),
            )
            for x, y, w, h, _ in boxes[1:].tolist()
            if w * scale >= 6
        ]


class Proposals:
    """Proposes squares of 14 px and more, as it searches them, and always something that is none."""

    asked: list[int] = []  # how many it proposed

    def __init__(self, width: int) -> None:
        self._detect = Squares(0.5, width)

    def __call__(self, image: Image) -> list[Box]:
        scale = min(1.0, self._detect.width / max(image.shape[:2]))
        boxes = [face.box for face in self._detect.found(image) if face.width * scale >= NARROWEST_PROPOSED]
        self.asked.append(len(boxes))
        return [*boxes, (5.0, 5.0, 25.0, 25.0)]


@pytest.fixture(autouse=True)
def squares(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (search, places):
        monkeypatch.setattr(module, "FaceDetector", Squares)
    monkeypatch.setattr(places, "FaceProposals", Proposals)
    Squares.searched, Proposals.asked = [], []


def make_frames(
    shown: Iterable[Sequence[Where]], size: tuple[int, int] = SIZE, confidence: float = 0.9
) -> list[Frame]:
    """Squares at these places, a picture of their own in each; ``confidence`` is the detector's of them."""
    made = []
    for number, squares in enumerate(shown):
        image = np.zeros((size[1], size[0], 3), np.uint8)
        for left, top, side in squares:
            place = image[top : top + side, left : left + side]
            place[..., 0] = np.linspace(205, 255, side)[None, : place.shape[1]]
            place[..., 1] = round(255 * confidence)
            place[..., 2] = 120 + 120 * np.sin(np.linspace(0, 9, side))[: place.shape[0], None]
        made.append(Frame(number, Fraction(number, 8), image, number))
    return made


def search_frames(
    shown: Iterable[Frame], cuts: Sequence[int] = (), hold: bool = True, interval: float = 8.0
) -> list[FoundFaces]:
    """All frames as they come back, which they do once and in order."""
    faces = FaceSearch(Parameters(search_interval=interval), hold)
    results = [result for frame in shown for result in faces.process_frame(frame, frame.pts in cuts)]
    results += faces.flush()
    assert [result.frame.pts for result in results] == list(range(len(results)))
    assert [result.frame.pts for result in results if result.is_cut] == list(cuts)
    return results


def sorted_boxes(found: Iterable[FoundFaces]) -> list[list[Where]]:
    return [
        sorted((int(x0), int(y0), int(x1 - x0)) for (x0, y0, x1, _) in (f.box for f in result.faces))
        for result in found
    ]


def assert_near(found: list[FoundFaces], shown: Sequence[Sequence[Where]], apart: int = 2) -> None:
    """Each square is found, and nothing else; those that were followed up to a pixel or two."""
    for number, (there, squares) in enumerate(zip(sorted_boxes(found), shown, strict=True)):
        assert len(there) == len(squares), number
        assert np.allclose(there, sorted(squares), atol=apart), (number, there, squares)


def count_whole_searches() -> int:
    return sum(width == SIZE[0] and at == 640 for width, _, at in Squares.searched)


def count_looks() -> int:
    return sum(width == height == at for width, height, at in Squares.searched)


class TestSearches:
    def test_faces_are_looked_at_once_a_second_and_followed_in_between(self) -> None:
        shown = [[(100 + 3 * i, 80, 60)] for i in range(33)]
        assert_near(search_frames(make_frames(shown)), shown)
        assert count_whole_searches() == 1, "the first"
        assert count_looks() == 4 + 4, "where it was, and where something was proposed that is no face"

    def test_whole_frames_are_searched_from_time_to_time(self) -> None:
        search_frames(make_frames([[(100, 80, 60)]] * 33), interval=2.0)
        assert count_whole_searches() == 3

    def test_searches_are_more_frequent_for_small_faces(self) -> None:
        shown = [[(900, 400, 300)]] * 33
        assert_near(search_frames(make_frames(shown, (3840, 2160))), shown, apart=8)
        assert sum(width == 3840 for width, _, _ in Squares.searched) == 3, "every two seconds of eight"

    def test_sparse_frames_get_a_look_each(self) -> None:
        shown = [Frame(f.pts, Fraction(f.pts, 1), f.image, f.pts) for f in make_frames([[(100, 80, 60)]] * 9)]
        faces = FaceSearch(Parameters(sample_rate=1.0))
        results = [result for frame in shown for result in faces.process_frame(frame, False)] + faces.flush()
        assert sorted_boxes(results) == [[(100, 80, 60)]] * 9

    def test_newcomers_in_the_last_frame_are_found(self) -> None:
        shown: list[list[Where]] = [[]] * 6 + [[(300, 100, 20)]] * 3
        assert_near(search_frames(make_frames(shown)), shown)
        assert count_whole_searches() == 1

    def test_every_frame_is_searched_on_request(self) -> None:
        shown = [[(100, 80, 60)]] * 5
        assert sorted_boxes(search_frames(make_frames(shown), interval=0)) == shown
        assert count_whole_searches() == 5 == len(Squares.searched)

    def test_every_frame_is_searched_and_nothing_else(self) -> None:
        """As analyses before 1.3 were made: no look where a face was."""
        shown: list[list[Where]] = [[(100, 80, 60)]] * 2 + [[]] * 3
        assert sorted_boxes(search_frames(make_frames(shown), interval=0)) == shown
        assert count_whole_searches() == 5 == len(Squares.searched)

    def test_no_false_detections(self) -> None:
        assert sorted_boxes(search_frames(make_frames([[]] * 17))) == [[]] * 17
        assert count_whole_searches() == 1 and Proposals.asked == [0] * 4, "twice a second"

    def test_a_photo(self) -> None:
        assert sorted_boxes(search_frames(make_frames([[(20, 20, 90)]]))) == [[(20, 20, 90)]]
        assert len(Squares.searched) == 1 and not Proposals.asked

    def test_large_frames_get_a_look_sooner(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(search, "_HELD_BYTES", 4 * 640 * 360 * 3)
        faces = FaceSearch(Parameters())
        held, most = 0, 0
        for frame in make_frames([[(100, 80, 60)]] * 20):
            held += 1 - len(faces.process_frame(frame, False))
            most = max(most, held)
        assert most == 4


class TestNewcomers:
    def test_newcomers_are_followed_back(self) -> None:
        shown: list[list[Where]] = [[(400, 200, 50)]] * 5 + [[(100, 80, 60), (400, 200, 50)]] * 14
        assert_near(search_frames(make_frames(shown)), shown)

    def test_moving_newcomers_are_followed_back(self) -> None:
        shown = [[] if i < 3 else [(20 + 12 * i, 100, 60)] for i in range(17)]
        assert_near(search_frames(make_frames(shown)), shown)

    def test_small_newcomer_is_found_by_a_search(self) -> None:
        shown: list[list[Where]] = [[(400, 200, 50)]] * 5 + [[(100, 80, 8), (400, 200, 50)]] * 14
        results = search_frames(make_frames(shown), interval=1.0)
        assert_near(results[:5], shown[:5])
        assert_near(results[8:], shown[8:])

    def test_frames_return_at_once_without_holding(self) -> None:
        shown = [[] if i < 5 else [(100, 80, 60)] for i in range(12)]
        faces = FaceSearch(Parameters(), hold=False)
        came = []
        for frame in make_frames(shown):
            (result,) = faces.process_frame(frame, False)
            came.append(result)
        assert sorted_boxes(came) == [[]] * 8 + shown[8:], "newcomers are looked for twice a second"
        assert faces.flush() == []

    def test_uncertain_newcomer_is_not_followed_back(self) -> None:
        shown: list[list[Where]] = [[]] * 5 + [[(100, 80, 60)]] * 12
        results = search_frames(make_frames(shown, confidence=0.6))
        assert sorted_boxes(results[:8]) == [[]] * 8
        assert_near(results[8:], shown[8:])

    def test_newcomer_in_a_still_picture(self) -> None:
        """Which is looked at as the last of a scene is, though it is there for one sample."""
        shown: list[list[Where]] = [[]] * 6 + [[(300, 100, 40)]] + [[]] * 6
        later = [Frame(f.pts, f.time + 5 * (f.pts > 6), f.image, f.pts) for f in make_frames(shown)]
        assert sorted_boxes(search_frames(make_frames(shown))) == [[]] * 13
        assert_near(search_frames(later), shown)


class TestDoubt:
    def test_lost_face_causes_a_search(self) -> None:
        shown = [[(100, 80, 60)] if i < 6 else [] for i in range(12)]
        assert_near(search_frames(make_frames(shown)), shown)
        assert count_whole_searches() == 3, "the first, where it was missed, and where it left"

    def test_uncertain_lost_face_causes_no_search(self) -> None:
        shown = [[(100, 80, 60)] if i < 6 else [] for i in range(20)]
        boxes = sorted_boxes(search_frames(make_frames(shown, confidence=0.6)))
        assert boxes[0] == shown[0] and boxes[8:] == shown[8:]
        assert count_whole_searches() == 1

    def test_fast_face_causes_a_look_halfway(self) -> None:
        """And not in each frame of that second."""
        shown = [[(100 + 7 * n, 100, 60)] for n in range(9)]
        assert_near(search_frames(make_frames(shown)), shown, apart=3)
        assert count_whole_searches() == 1 and count_looks() <= 4

    def test_leaping_face_is_found(self) -> None:
        shown = [[(100 if i < 6 else 450, 80, 60)] for i in range(12)]
        assert_near(search_frames(make_frames(shown)), shown)

    def test_merging_detections_are_counted_once(self) -> None:
        shown = [[(100 + 20 * i, 80, 60), (400 - 20 * i, 80, 60)] for i in range(8)]
        boxes = sorted_boxes(search_frames(make_frames(shown)))
        assert all(
            len(frame_boxes) <= 2 and len(set(frame_boxes)) == len(frame_boxes) for frame_boxes in boxes
        )
        assert all(len(frame_boxes) == 2 for frame_boxes in boxes[:6])

    def test_between_cuts(self) -> None:
        """A face of the last moment is found, and none is looked for beyond the cut."""
        shown: list[list[Where]] = (
            [[]] * 5 + [[(300, 100, 20)]] * 2 + [[(100, 80, 60)]] * 4 + [[(500, 20, 9)]] * 3
        )
        assert_near(search_frames(make_frames(shown), cuts=(7, 11)), shown)


class TestPlaces:
    @pytest.mark.parametrize("at", [(0, 0), (580, 300), (0, 300), (580, 0)])
    def test_in_the_corners(self, at: tuple[int, int]) -> None:
        shown = [[(*at, 60)]] * 6
        assert_near(search_frames(make_frames(shown)), shown)

    @pytest.mark.parametrize("size", [(96, 64), (200, 100), (64, 300)])
    def test_frames_smaller_than_a_place(self, size: tuple[int, int]) -> None:
        shown = [[(10, 12, 40)]] * 6
        assert_near(search_frames(make_frames(shown, size)), shown)

    def test_faces_that_fill_the_frame(self) -> None:
        shown = [[(150, 10, 340)]] * 6
        assert_near(search_frames(make_frames(shown)), shown)


def test_boxes_are_those_of_whole_searches(astronaut: Image, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the real detector, a face that moves, turns and comes nearer."""
    for module in (search, places):
        monkeypatch.setattr(module, "FaceDetector", FaceDetector)
    shown = []
    for i in range(12):
        matrix = cv2.getRotationMatrix2D((222, 120), 8 * np.sin(i / 3), 1.3 + 0.05 * i)
        matrix[:, 2] += (200 + 9 * i, 60)
        image = cv2.warpAffine(astronaut, matrix, (960, 540), borderMode=cv2.BORDER_REFLECT_101)
        shown.append(Frame(i, Fraction(i, 8), image, i))
    detect = FaceDetector()
    results = list(search_frames(shown))
    assert len(results) == len(shown)
    for result in results:
        whole = square_for_face(detect(result.frame.image)[0])
        mine = square_for_face(result.faces[0])
        assert abs(mine.side / whole.side - 1) < 0.12
        assert np.hypot(mine.x - whole.x, mine.y - whole.y) < 0.08 * whole.side
        assert abs(mine.angle - whole.angle) < 4
