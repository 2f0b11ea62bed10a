"""Tracks that change to another face without a cut."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import pytest
from painted_faces import HEIGHT, WIDTH, face, portrait, scene

from detector.faces.tracks import Split, Tracker, group_tracks

PLACE = face(200)


def make_frames(look: int, count: int) -> list[np.ndarray]:
    """So many frames with a ``look`` at :data:`PLACE`."""
    return [scene((PLACE, look))] * count


def dissolve(before: np.ndarray, after: np.ndarray, count: int) -> list[np.ndarray]:
    """So many frames in which the one picture goes over to the other."""
    shares = [(number + 1) / (count + 1) for number in range(count)]
    return [cv2.addWeighted(before, 1 - share, after, share, 0) for share in shares]


def follow(pictures: Sequence[np.ndarray], tracker: Tracker) -> list[int]:
    """The track of the face at :data:`PLACE` in each picture, as it stands at the end."""
    times = np.arange(len(pictures)) / 8
    numbers = [
        tracker.process_frame(time, picture, [PLACE], not time)[0]
        for time, picture in zip(times.tolist(), pictures, strict=True)
    ]
    tracks = np.array(numbers, np.int32)
    tracker.fill_in_splits(tracks, times)
    return tracks.tolist()


@pytest.mark.parametrize("over", [0, 2, 4, 8, 12])
def test_one_face_dissolves_into_another(over: int) -> None:
    """It is two tracks, which part in the middle of the dissolve, whether this takes a moment or 1.5 s."""
    pictures = [
        *make_frames(1, 24),
        *dissolve(scene((PLACE, 1)), scene((PLACE, 2)), over),
        *make_frames(2, 12),
    ]
    tracker = Tracker(0.75)
    tracks = follow(pictures, tracker)
    parted = tracks.index(1)
    assert tracks == [0] * parted + [1] * (len(pictures) - parted)
    assert abs(parted - (24 + over / 2)) <= 1 + over / 8
    before, after = tracker.tracks
    assert (before.first, before.last, before.detections) == (0.0, (parted - 1) / 8, parted)
    assert (after.first, after.last) == (parted / 8, (len(pictures) - 1) / 8)
    assert after.detections == len(pictures) - parted
    assert group_tracks(tracker.tracks) == [[0], [1]]


def test_mean_picture_contains_one_face_only() -> None:
    """What went into that of the first track and turned out to be of the second is taken out again."""
    tracker = Tracker(0.75)
    follow([*make_frames(1, 12), *make_frames(2, 12)], tracker)
    for track, look in zip(tracker.tracks, (1, 2), strict=True):
        alone = Tracker(0.75)
        follow(make_frames(look, 12), alone)
        likeness = np.corrcoef(track.thumbnail.ravel(), alone.tracks[0].thumbnail.ravel())[0, 1]
        assert likeness == pytest.approx(1)


def test_a_split_leaves_the_faces_of_other_tracks_alone() -> None:
    tracker = Tracker(0.75)
    tracker.splits.append(Split(track=0, into=2, since=1.0))
    tracks = np.array([0, 1, 0, 1], np.int32)
    tracker.fill_in_splits(tracks, np.array([0.0, 0.0, 1.0, 1.0]))
    assert tracks.tolist() == [0, 1, 2, 1]


def test_returning_face_is_the_same_person() -> None:
    picture, other = scene((PLACE, 1)), scene((PLACE, 2))
    pictures = [
        *make_frames(1, 12),
        *dissolve(picture, other, 4),
        *make_frames(2, 12),
        *dissolve(other, picture, 4),
    ]
    tracker = Tracker(0.75)
    tracks = follow([*pictures, *make_frames(1, 12)], tracker)
    assert set(tracks[:12]) == {0} and set(tracks[16:28]) == {1} and set(tracks[-12:]) == {2}
    assert group_tracks(tracker.tracks) == [[0, 2], [1]]


def test_changing_face_in_the_same_scene_keeps_its_track() -> None:
    """A head that turns looks like another one, but around it everything stays."""
    waves = np.sin(np.arange(WIDTH) / 40) + np.cos(np.arange(HEIGHT) / 30)[:, None]
    room = cv2.cvtColor(((waves + 2) * 60).astype(np.uint8), cv2.COLOR_GRAY2RGB)

    def within(picture: np.ndarray) -> np.ndarray:
        return np.where((picture == 90).all(axis=2, keepdims=True), room, picture)

    pictures = [within(picture) for picture in (*make_frames(1, 12), *make_frames(2, 12))]
    tracker = Tracker(0.75)
    assert follow(pictures, tracker) == [0] * 24 and not tracker.splits


def test_same_face_in_a_changing_scene_keeps_its_track() -> None:
    """As behind somebody who is followed by the camera."""
    pictures = [*make_frames(1, 12), *(scene((PLACE, 1), (face(500), number)) for number in range(2, 14))]
    tracker = Tracker(0.75)
    assert follow(pictures, tracker) == [0] * 24


def test_picture_turning_into_its_negative() -> None:
    """Of both no other mixture remains than of one."""
    tracker = Tracker(0.75)
    negative = [255 - picture for picture in make_frames(1, 12)]
    assert follow([*make_frames(1, 12), *negative], tracker) == [0] * 12 + [1] * 12


def draw_room(number: int) -> np.ndarray:
    """What lies behind a face; two numbers have nothing in common."""
    coarse = np.random.default_rng(number).integers(0, 255, (4, 7, 3), np.uint8)
    return cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)


def mix(picture: np.ndarray, other: np.ndarray, share: float) -> np.ndarray:
    """The ``one`` picture with so large a share of the ``other`` one."""
    return cv2.addWeighted(picture, 1 - share, other, share, 0)


def follow_wipe(
    behind: tuple[np.ndarray, np.ndarray], looks: tuple[np.ndarray, np.ndarray]
) -> tuple[int, int]:
    """The face's track before and after the second scene is drawn over the first, which mixes nothing."""
    shots = []
    for room_behind, look in zip(behind, looks, strict=True):
        shots.append(room_behind.copy())
        shots[-1][120:240, 140:260] = look
    before, after = shots
    drawn = [np.where(np.arange(WIDTH)[:, None] < WIDTH * edge / 14, after, before) for edge in range(1, 14)]
    tracks = follow([*[before] * 16, *drawn, *[after] * 12], Tracker(0.75))
    (first,), (last,) = set(tracks[:16]), set(tracks[-12:])
    return first, last


@pytest.mark.parametrize(("remains", "tracks"), [(0.25, (0, 1)), (0.3, (0, 0))])
def test_wipe_to_another_scene_splits_a_track(remains: float, tracks: tuple[int, int]) -> None:
    """The whole picture correlates with what it was by 0.35, then by 0.42."""
    behind = draw_room(100), mix(draw_room(103), draw_room(100), remains)
    assert follow_wipe(behind, (portrait(1), portrait(2))) == tracks


@pytest.mark.parametrize(("remains", "tracks"), [(0.3, (0, 1)), (0.5, (0, 0))])
def test_after_a_wipe_a_face_may_look_less_alike_than_after_a_dissolve(
    remains: float, tracks: tuple[int, int]
) -> None:
    """By 0.32 it is another one, by 0.62 the same that has turned."""
    looks = portrait(1), mix(portrait(2), portrait(1), remains)
    assert follow_wipe((draw_room(100), draw_room(103)), looks) == tracks


def test_ended_tracks_are_forgotten() -> None:
    tracker = Tracker(0.75)
    for sample in range(24):
        tracker.process_frame(sample / 8, scene((PLACE, sample)), [PLACE], True)
    assert len(tracker.tracks) == 24 and len(tracker._memories) == 1
