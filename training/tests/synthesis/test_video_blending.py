"""One recipe carried through a sequence: the same mask and change in each frame, but for a little jitter."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest
from made_faces import crop

from detector.face_blending import TEMPLATE
from training.synthesis.video_blending import (
    Footage,
    draw_jitter,
    interval,
    ping_pong_index,
    self_blend_footage,
    similarity,
    swap_footage,
)

SIDE = 160
POINTS = (TEMPLATE * SIDE * 0.6 + SIDE * 0.2).astype(np.float32)
COUNT = 12


def moving(seed: int, count: int = COUNT, pace: float = 0.8) -> Footage:
    """A pattern that slides to the right, its landmarks with it."""
    wide = crop(seed, False, SIDE + 40)
    frames, points = [], []
    for i in range(count):
        move = np.array([[1, 0, -20 + pace * i], [0, 1, -20.0]])
        frames.append(cv2.warpAffine(wide, move, (SIDE, SIDE)))
        points.append(POINTS + np.array([pace * i, 0], np.float32))
    return Footage(frames, np.array(points, np.float32))


def still(seed: int) -> Footage:
    return moving(seed, pace=0.0)


def made(kind: str, seed: int) -> tuple[Footage, list[np.ndarray], list[np.ndarray]]:
    footage, rng = still(1), np.random.default_rng(seed)
    carried = self_blend_footage(footage, rng) if kind == "self" else swap_footage(footage, still(2), rng)
    return footage, carried.frames, carried.masks


@pytest.mark.parametrize("kind", ["self", "swap"])
def test_by_its_seed_alone(kind: str) -> None:
    _, first, _ = made(kind, 3)
    _, two, _ = made(kind, 3)
    _, three, _ = made(kind, 4)
    assert all(np.array_equal(a, b) for a, b in zip(first, two, strict=True))
    assert not np.array_equal(first[0], three[0])


@pytest.mark.parametrize("kind", ["self", "swap"])
def test_one_recipe_for_all_frames(kind: str) -> None:
    """From frame to frame masks overlap and the change is alike; other seeds give other masks."""
    first = []
    for seed in range(12):
        footage, frames, masks = made(kind, seed)
        assert len(frames) == len(masks) == COUNT
        assert {f.shape for f in frames} == {(SIDE, SIDE, 3)} and frames[0].dtype == np.uint8
        for a, b in pairwise(masks):
            assert np.minimum(a, b).sum() > 0.8 * np.maximum(a, b).sum()
        changes = [f.astype(float) - o for f, o in zip(frames, footage.frames, strict=True)]
        alike = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in pairwise(changes)]
        if np.mean([np.abs(c).mean() for c in changes]) > 1.5:  # fainter ones drown in the jitter
            assert np.median(alike) > 0.7
        first.append(masks[0])
    overlap = [np.minimum(a, b).sum() / np.maximum(a, b).sum() for a, b in pairwise(first)]
    assert np.median(overlap) < 0.8


@pytest.mark.parametrize("kind", ["self", "swap"])
def test_frames_differ_by_jitter(kind: str) -> None:
    """Of a face that does not move at all; by little in some recipes and by more in others."""
    steps = []
    for seed in range(12):
        _, frames, _ = made(kind, seed)
        steps.append(np.mean([np.abs(a.astype(float) - b).mean() for a, b in pairwise(frames)]))
    assert max(steps) < 6
    assert max(steps) > 4 * min(steps)


def test_nothing_outside_the_mask_when_the_target_is_left_alone() -> None:
    """A swap only ever changes the inside, shaken or not."""
    for seed in range(6):
        footage, frames, masks = made("swap", seed)
        for frame, mask, original in zip(frames, masks, footage.frames, strict=True):
            assert np.abs(frame.astype(int) - original)[mask < 1e-3].max() <= 1


def test_the_mask_follows_the_face() -> None:
    footage = moving(1, pace=2.0)
    carried = self_blend_footage(footage, np.random.default_rng(0))
    columns = np.arange(SIDE)
    centres = [float((m * columns).sum() / m.sum()) for m in carried.masks]
    assert centres[-1] - centres[0] == pytest.approx(2.0 * (COUNT - 1), abs=3)


def test_the_other_is_played_frame_by_frame() -> None:
    """Another sequence that darkens makes the swap darken, to and fro if it is shorter."""
    other = still(2)
    stripes = (np.arange(SIDE) // 8 % 2 * 120 + 60).astype(np.uint8)
    across = np.repeat(np.repeat(stripes[None, :, None], SIDE, axis=0), 3, axis=2)
    down = np.ascontiguousarray(across.transpose(1, 0, 2))
    two = Footage([across, down], other.landmarks[:2])
    carried = swap_footage(still(1), two, np.random.default_rng(3))
    inside = [frame[70:90, 70:90].astype(float) for frame in carried.frames]
    upright = [np.abs(np.diff(f, axis=1)).mean() > np.abs(np.diff(f, axis=0)).mean() for f in inside]
    assert upright == [i % 2 == 0 for i in range(COUNT)]


def test_to_and_fro() -> None:
    assert [ping_pong_index(i, 3) for i in range(7)] == [0, 1, 2, 1, 0, 1, 2]
    assert [ping_pong_index(i, 1) for i in range(3)] == [0, 0, 0]


def test_similarity() -> None:
    turn = np.array([[0.0, -2.0], [2.0, 0.0]])
    move = similarity(POINTS, (POINTS @ turn.T + [3, 4]).astype(np.float32))
    assert np.allclose(move, [[0, -2, 3], [2, 0, 4]], atol=1e-3)
    flat = similarity(np.zeros((5, 2), np.float32), np.ones((5, 2), np.float32))
    assert np.allclose(flat, [[1, 0, 1], [0, 1, 1]])


def test_jitter_levels() -> None:
    """From next to nothing to plain, and correlated over time."""
    drawn = [draw_jitter(60, np.random.default_rng(seed)) for seed in range(30)]
    spread = np.array([jitter.outline.std() for jitter in drawn])
    assert spread.min() < 0.002 and 0.005 < spread.max() < 0.03
    colour = np.concatenate([j.colour[:, 0] / j.colour[:, 0].std() for j in drawn])
    assert np.corrcoef(colour[1:], colour[:-1])[0, 1] > 0.4


def test_interval() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        count = int(rng.integers(10, 31))
        inside = interval(count, rng)
        assert inside.shape == (count,) and 0.35 * count <= inside.sum() <= 0.8 * count
        assert np.abs(np.diff(inside.astype(int))).sum() <= 2
