"""Golden results for following faces, and for which tracks are one person."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from detector.faces.crop import Face
from detector.faces.tracks import Tracker, persons
from detector.media.pictures.cuts import CutDetector
from detector.schema.formatting import name_of

WIDTH, HEIGHT = 640, 360
EMPTY = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)


def face(x: float, y: float = 180, side: float = 80) -> Face:
    """An upright face centred at ``x``, ``y``."""
    spots = np.array([[-0.2, -0.2], [0.2, -0.2], [0, 0.02], [-0.16, 0.2], [0.16, 0.2]], np.float32)
    return Face(
        box=(x - side / 2, y - side / 2, x + side / 2, y + side / 2),
        confidence=0.9,
        landmarks=(spots * side + np.array([x, y])).astype(np.float32),
    )


def portrait(look: int) -> np.ndarray:
    """A picture of 120 px that differs altogether from one ``look`` to the next."""
    coarse = np.random.default_rng(look).integers(0, 255, (6, 6, 3), np.uint8)
    return cv2.resize(coarse, (120, 120), interpolation=cv2.INTER_CUBIC)


def scene(*placed: tuple[Face, int]) -> np.ndarray:
    """A frame with a ``look`` painted where each face is."""
    picture = EMPTY.copy()
    for one, look in placed:
        x, y = round((one.box[0] + one.box[2]) / 2) - 60, round((one.box[1] + one.box[3]) / 2) - 60
        picture[y : y + 120, x : x + 120] = portrait(look)
    return picture


class TestTracker:
    def test_one_face_walking(self) -> None:
        tracker = Tracker(0.75)
        for i in range(20):
            assert tracker.process_frame(i / 8, EMPTY, [face(100 + 15 * i)], i == 0) == [0]
        (track,) = tracker.tracks
        assert (track.first, track.last, track.detections) == (0.0, 19 / 8, 20)

    def test_two_faces_crossing(self) -> None:
        """They pass each other, one a little lower, and arrive listed in either order."""
        tracker = Tracker(0.75)
        for i in range(31):
            right_going, left_going = face(170 + 10 * i, 160), face(470 - 10 * i, 200)
            if i % 2:
                assert tracker.process_frame(i / 8, EMPTY, [left_going, right_going], False) == [1, 0]
            else:
                assert tracker.process_frame(i / 8, EMPTY, [right_going, left_going], False) == [0, 1]

    def test_the_best_pairing_overall_wins(self) -> None:
        """Both new faces overlap old face 1 most; taking it greedily would leave one face without a track."""
        tracker = Tracker(0.75)
        tracker.process_frame(0, EMPTY, [face(200), face(250)], False)
        assert tracker.process_frame(0.125, EMPTY, [face(228), face(270)], False) == [0, 1]

    def test_a_new_face_beside_an_old_one(self) -> None:
        tracker = Tracker(0.75)
        assert tracker.process_frame(0, EMPTY, [face(200)], False) == [0]
        assert tracker.process_frame(0.125, EMPTY, [face(500), face(205)], False) == [1, 0]
        assert tracker.process_frame(0.25, EMPTY, [], False) == []

    @pytest.mark.parametrize(
        ("gap", "number"), [(0.25, 0), (0.5, 0), (0.75, 0), (0.875, 1), (1.0, 1), (10.0, 1)]
    )
    def test_a_face_lost_for_a_while(self, gap: float, number: int) -> None:
        """Back within 0.75 s it is the same track, later a new one."""
        tracker = Tracker(0.75)
        tracker.process_frame(1.0, EMPTY, [face(200)], False)
        time = 1.125
        while time < 1.0 + gap:
            assert tracker.process_frame(time, EMPTY, [], False) == []
            time += 0.125
        assert tracker.process_frame(1.0 + gap, EMPTY, [face(205)], False) == [number]

    def test_a_face_that_jumps_is_another_track(self) -> None:
        tracker = Tracker(0.75)
        tracker.process_frame(0, EMPTY, [face(100)], False)
        assert tracker.process_frame(0.125, EMPTY, [face(400)], False) == [1]

    def test_a_cut_breaks_every_track(self) -> None:
        tracker = Tracker(0.75)
        assert tracker.process_frame(0, EMPTY, [face(200), face(450)], False) == [0, 1]
        assert tracker.process_frame(0.125, EMPTY, [face(200), face(450)], True) == [2, 3]
        assert tracker.process_frame(0.25, EMPTY, [face(450), face(200)], False) == [3, 2]

    def test_a_strobe_light_breaks_none(self) -> None:
        """It reads as a cut at every sampled frame, which would leave tracks of one sample each."""
        tracker, cuts = Tracker(0.75), CutDetector(8)
        bright = scene((face(200), 1), (face(450), 2))
        numbers, found = [], []
        for sample in range(8):
            image = bright // 6 if sample % 2 else bright
            found.append(cuts.process_frame(image))
            numbers.append(tracker.process_frame(sample / 8, image, [face(200), face(450)], found[-1]))
        assert found == [False] + [True] * 7 and numbers == [[0, 1]] * 8

    def test_a_cut_breaks_tracks_of_faces_that_moved_or_changed(self) -> None:
        for other in ((face(260), 1), (face(200), 2)):
            tracker = Tracker(0.75)
            tracker.process_frame(0, scene((face(200), 1)), [face(200)], False)
            assert tracker.process_frame(0.125, scene(other), [other[0]], True) == [1]

    def test_a_cut_on_an_empty_frame_breaks_them_too(self) -> None:
        tracker = Tracker(0.75)
        tracker.process_frame(0, EMPTY, [face(200)], False)
        tracker.process_frame(0.125, EMPTY, [], True)
        assert tracker.process_frame(0.25, EMPTY, [face(200)], False) == [1]


class TestPersons:
    @staticmethod
    def followed(*shots: list[tuple[Face, int]]) -> list[list[int]]:
        """Persons of a clip of shots, each four sampled frames long and begun by a cut."""
        tracker, time = Tracker(0.75), 0.0
        for shot in shots:
            for i in range(4):
                tracker.process_frame(time, scene(*shot), [one for one, _ in shot], i == 0)
                time += 0.125
        return sorted(sorted(group) for group in persons(tracker.tracks))

    def test_the_same_face_after_a_cut(self) -> None:
        assert self.followed([(face(200), 1)], [(face(420, 150), 1)]) == [[0, 1]]

    def test_another_face_after_a_cut(self) -> None:
        assert self.followed([(face(200), 1)], [(face(200), 2)]) == [[0], [1]]

    def test_shot_and_reverse_shot(self) -> None:
        assert self.followed(
            [(face(200), 1)], [(face(420), 2)], [(face(210), 1)], [(face(410), 2)]
        ) == [[0, 2], [1, 3]]  # fmt: skip

    def test_twins_in_one_frame_stay_two(self) -> None:
        assert self.followed([(face(150), 1), (face(450), 1)]) == [[0], [1]]

    def test_a_third_track_joins_only_one_of_two_twins(self) -> None:
        groups = self.followed([(face(150), 1), (face(450), 1)], [(face(300), 1)])
        assert sorted(map(len, groups)) == [1, 2]

    def test_nobody(self) -> None:
        assert persons([]) == []


@pytest.mark.parametrize(
    ("rank", "name"),
    [
        (0, "A"),
        (1, "B"),
        (25, "Z"),
        (26, "AA"),
        (27, "AB"),
        (51, "AZ"),
        (52, "BA"),
        (701, "ZZ"),
        (702, "AAA"),
    ],
)
def test_names(rank: int, name: str) -> None:
    assert name_of(rank) == name


class TestCuts:
    @staticmethod
    def found(pictures: list[np.ndarray], rate: float = 8.0) -> list[int]:
        detector = CutDetector(rate)
        return [i for i, picture in enumerate(pictures) if detector.process_frame(picture)]

    @staticmethod
    def shot(look: int, count: int) -> list[np.ndarray]:
        """A shot of a moving camera over one picture."""
        wide = cv2.resize(portrait(look), (800, 450), interpolation=cv2.INTER_CUBIC)
        return [np.ascontiguousarray(wide[4 * i : 4 * i + 360, 6 * i : 6 * i + 640]) for i in range(count)]

    @pytest.mark.parametrize("rate", [1.0, 8.0, 25.0])
    def test_at_the_first_frame_of_each_shot(self, rate: float) -> None:
        pictures = self.shot(1, 10) + self.shot(2, 5) + self.shot(3, 1) + self.shot(4, 8)
        assert self.found(pictures, rate) == [10, 15, 16]

    def test_none_in_a_steady_shot(self) -> None:
        assert self.found(self.shot(1, 20)) == []

    def test_none_at_the_very_start(self) -> None:
        assert self.found(self.shot(1, 1)) == []

    def test_a_picture_of_another_shape_begins_a_new_scene(self) -> None:
        wide, tall = self.shot(1, 4), [np.ascontiguousarray(p[:, :300]) for p in self.shot(1, 4)]
        assert self.found(wide + tall + wide) == [4, 8]

    @pytest.mark.parametrize("shape", [(1, 1), (2000, 10), (10, 2000)])
    def test_odd_shapes(self, shape: tuple[int, int]) -> None:
        black, white = (np.full((*shape, 3), value, np.uint8) for value in (0, 255))
        assert self.found([black, black, white, white]) == [2]
