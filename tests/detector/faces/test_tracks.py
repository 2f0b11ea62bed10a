"""Golden results for following faces."""

from __future__ import annotations

import pytest
from painted_faces import EMPTY, face, scene

from detector.faces.scene_changes import CutDetector
from detector.faces.tracks import Tracker


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
        assert tracker.process_frame(0.25, EMPTY, [face(505)], False) == [1]
        assert tracker.process_frame(0.375, EMPTY, [], False) == []

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

    def test_strobe_light_breaks_no_track(self) -> None:
        """It reads as a cut at every sampled frame, which would leave tracks of one sample each."""
        tracker, cuts = Tracker(0.75), CutDetector(8)
        bright = scene((face(200), 1), (face(450), 2))
        numbers, flags = [], []
        for sample in range(8):
            image = bright // 6 if sample % 2 else bright
            flags.append(cuts.process_frame(image))
            numbers.append(tracker.process_frame(sample / 8, image, [face(200), face(450)], flags[-1]))
        assert flags == [False] + [True] * 7 and numbers == [[0, 1]] * 8

    def test_a_cut_breaks_tracks_of_faces_that_moved_or_changed(self) -> None:
        for other in ((face(260), 1), (face(200), 2)):
            tracker = Tracker(0.75)
            tracker.process_frame(0, scene((face(200), 1)), [face(200)], False)
            assert tracker.process_frame(0.125, scene(other), [other[0]], True) == [1]

    def test_cut_on_an_empty_frame_breaks_tracks(self) -> None:
        tracker = Tracker(0.75)
        tracker.process_frame(0, EMPTY, [face(200)], False)
        tracker.process_frame(0.125, EMPTY, [], True)
        assert tracker.process_frame(0.25, EMPTY, [face(200)], False) == [1]
