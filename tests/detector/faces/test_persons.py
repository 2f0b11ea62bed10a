"""Golden results of grouping tracks by person."""

from __future__ import annotations

import numpy as np
import pytest
from painted_faces import face, scene

from detector.faces.crop import Face
from detector.faces.tracks import Track, Tracker, group_tracks
from detector.schema.formatting import person_letters


def group_persons(*shots: list[tuple[Face, int]]) -> list[list[int]]:
    """Persons of a clip of shots, each four sampled frames long and begun by a cut."""
    tracker, time = Tracker(0.75), 0.0
    for shot in shots:
        for i in range(4):
            tracker.process_frame(time, scene(*shot), [head for head, _ in shot], i == 0)
            time += 0.125
    return sorted(sorted(group) for group in group_tracks(tracker.tracks))


def test_the_same_face_after_a_cut() -> None:
    assert group_persons([(face(200), 1)], [(face(420, 150), 1)]) == [[0, 1]]


def test_another_face_after_a_cut() -> None:
    assert group_persons([(face(200), 1)], [(face(200), 2)]) == [[0], [1]]


def test_shot_and_reverse_shot() -> None:
    assert group_persons(
        [(face(200), 1)], [(face(420), 2)], [(face(210), 1)], [(face(410), 2)]
    ) == [[0, 2], [1, 3]]  # fmt: skip


def test_faces_in_one_frame_stay_separate() -> None:
    assert group_persons([(face(150), 1), (face(450), 1)]) == [[0], [1]]


def test_a_third_track_joins_only_one_of_two_twins() -> None:
    groups = group_persons([(face(150), 1), (face(450), 1)], [(face(300), 1)])
    assert sorted(map(len, groups)) == [1, 2]


@pytest.mark.parametrize(("likeness", "persons"), [(0.86, [[0, 1]]), (0.84, [[0], [1]])])
def test_grouping_requires_a_correlation_of_0_85(likeness: float, persons: list[list[int]]) -> None:
    vector, other = np.linalg.qr(np.random.default_rng(1).normal(size=(32 * 32 * 3, 2)))[0].T
    vector, other = vector - vector.mean(), other - other.mean()
    pictures = vector, likeness * vector + (1 - likeness**2) ** 0.5 * other
    tracks = [
        Track(
            number, (0, 0, 80, 80), number, number + 0.5, thumbnail=look.reshape(32, 32, 3).astype(np.float32)
        )
        for number, look in enumerate(pictures)
    ]
    assert group_tracks(tracks) == persons


def test_no_tracks() -> None:
    assert group_tracks([]) == []


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
    assert person_letters(rank) == name
