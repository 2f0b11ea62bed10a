"""What a look at some moments of a person says of all others."""

from __future__ import annotations

import numpy as np
import pytest

from detector.faces.patch import cut_patch
from detector.scoring.moments import KeptMoment
from detector.scoring.person_look import PersonLook


def test_logits_are_interpolated_between_moments() -> None:
    """Not across a cut; where a track has no moment the mean of all stands for it."""
    second_logits = np.array([[0.0] * 4, [2.0] * 4, [7.0] * 4])
    look = PersonLook(
        (0, 1, 2),
        (),
        np.array([0, 0, 1]),
        np.array([1.0, 3.0, 3.5]),
        second_logits,
        np.zeros(3),
        0.0,
        np.ones(3, bool),
    )
    track, time = np.array([0, 0, 0, 0, 1, 2]), np.array([0.0, 2.0, 3.0, 3.4, 3.45, 9.0])
    at = look.second_logits_at(track, time, np.zeros(6))
    assert at[:, 0] == pytest.approx([0.0, 1.0, 2.0, 2.0, 7.0, 3.0])
    assert look.inputs.tolist() == [[0.0, *[3.0] * 4]]


def test_scan_locates_changes_between_moments() -> None:
    second_logits, times = np.array([[-4.0] * 4, [4.0] * 4]), np.array([1.0, 3.0])
    look = PersonLook(
        (0,), (), np.zeros(2, np.int32), times, second_logits, np.array([-3.0, 3.0]), 0.0, np.ones(2, bool)
    )
    scanned = np.array([-3.2, -3.0, -2.7, 3.0, 3.5, -3.0])
    at = look.second_logits_at(np.zeros(6, np.int32), np.array([0.5, 1.5, 2.5, 2.6, 2.9, 4.0]), scanned)
    assert at[:, 0] == pytest.approx([-4.0, -4.0, -3.6, 4.0, 4.0, 4.0])


def test_scan_around_a_moment_uses_its_own_track() -> None:
    seen = np.zeros(6, [("track", np.int32), ("time", float), ("logit", float)])
    seen["track"], seen["time"] = [0, 0, 0, 1, 1, 1], [0.0, 0.2, 2.0, 0.1, 0.2, 0.3]
    seen["logit"] = [1.0, 3.0, 8.0, -4.0, -5.0, -6.0]
    patch = cut_patch(np.zeros((90, 90, 3), np.uint8), (30.0, 30.0, 60.0, 60.0))
    moments = [
        KeptMoment(track, time, 0, patch, 0.0) for track, time in ((0, 0.1), (0, 1.5), (1, 0.2), (2, 0.2))
    ]
    look = PersonLook.of([0, 1, 2], moments, np.zeros((4, 4)), seen)
    assert look.scan_at == pytest.approx([2.0, 8.0, -5.0, -0.5])


def test_unscored_heads_are_interpolated_within_their_track() -> None:
    """Where a track has none the mean of all stands for them."""
    seen = np.zeros(4, [("track", np.int32), ("time", float), ("logit", float)])
    patch = cut_patch(np.zeros((90, 90, 3), np.uint8), (30.0, 30.0, 60.0, 60.0))
    moments = [KeptMoment(track, time, 0, patch, 0.0) for track, time in ((0, 0), (0, 1), (0, 4), (1, 5))]
    second_logits = np.zeros((4, 4))
    second_logits[:, 2:] = np.array([[2.0], [np.nan], [6.0], [np.nan]])
    look = PersonLook.of([0, 1], moments, second_logits, seen)
    assert look.headed.tolist() == [True, False, True, False]
    assert look.second_logits[:, 3].tolist() == [2.0, 3.0, 6.0, 4.0]


def test_the_inner_face_says_when_an_unscored_head_changed() -> None:
    """A head just before a manipulated stretch is like the one before, whatever the time between them."""
    seen = np.zeros(3, [("track", np.int32), ("time", float), ("logit", float)])
    patch = cut_patch(np.zeros((90, 90, 3), np.uint8), (30.0, 30.0, 60.0, 60.0))
    moments = [KeptMoment(0, time, 0, patch, 0.0) for time in (1, 2, 3)]
    second_logits = np.array([[-4.0, 0.0, -3.0, 1.0], [-4.0, 0.0, np.nan, np.nan], [4.0, 6.0, 3.0, 9.0]])
    assert PersonLook.of([0], moments, second_logits, seen).second_logits[1, 2:].tolist() == [-3.0, 1.0]
    second_logits[1, :2] = 2.0, 4.5  # three quarters of the way
    look = PersonLook.of([0], moments, second_logits, seen)
    assert look.second_logits[1, 2:] == pytest.approx([1.5, 7.0])
