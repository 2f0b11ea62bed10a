"""Frames made from others of their clip: of which clips, how alike, and that nothing else tells a pair."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_faces import crop
from second_look_cases import patch

from detector.faces.patch import encode_jpeg
from training.second_look.examples.pairs import MotionPair, motion_pairs
from training.second_look.examples.patches import Patch, RoleError

SIDE = 96


def clip(seed: int, moved: int, **changes: object) -> list[Patch]:
    """Six frames of a face that goes ``moved`` px to the right with each."""
    face = crop(seed, False, SIDE + 6 * moved)
    frames = [face[:SIDE, moved * row : moved * row + SIDE] for row in range(6)]
    file = f"{seed}.mp4"
    return [
        replace(patch(seed, frame=row, file=file, **changes), data=encode_jpeg(np.ascontiguousarray(frame)))
        for row, frame in enumerate(frames)
    ]


def test_unmanipulated_clips_alone_and_frames_apart() -> None:
    fake = clip(2, 1, fake=True, generator="FLOAT", family="talking head")
    photograph = [replace(frame, source="lfw", file="3.jpg") for frame in clip(3, 1)]
    pairs = motion_pairs([*clip(1, 1), *fake, *photograph])
    assert {pair.driving.file for pair in pairs} == {"1.mp4"}
    assert {abs(pair.driving.frame - pair.still.frame) for pair in pairs} == {3, 4, 5}
    assert pairs == motion_pairs([*clip(1, 1), *fake, *photograph])


def test_what_does_not_resemble_the_frame_is_left_out() -> None:
    stranger = [replace(frame, data=other.data) for frame, other in zip(clip(1, 1), clip(8, 30), strict=True)]
    assert not motion_pairs(stranger)


def test_a_pair_follows_from_its_seed_and_differs_in_what_was_made() -> None:
    driving, *_, still = clip(1, 2)
    first, again, other = (MotionPair(driving, still, seed).crops(56) for seed in (5, 5, 6))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0]), "framed and degraded otherwise"
    assert first[0].shape == first[1].shape == (56, 56, 3) and not np.array_equal(*first)
    same = MotionPair(driving, driving, 5).crops(56)
    assert np.abs(same[0].astype(int) - same[1]).mean() < np.abs(first[0].astype(int) - first[1]).mean()


def test_other_roles_are_refused() -> None:
    driving, *_, still = clip(1, 1)
    for pair in ((replace(driving, role="develop"), still), (driving, replace(still, role="val"))):
        with pytest.raises(RoleError):
            MotionPair(*pair, 1)
