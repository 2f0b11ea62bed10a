"""Pseudo-fakes: changed where the mask says, and nowhere else."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from detector.face_blending import OUTLINE, TEMPLATE, align, face_outline, limit_detail, match_colour
from training.synthesis.blending import face_mask, self_blend, swap_blend

SEEDS = range(24)


def textured(seed: int, size: int = 160) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(30, 225, (size // 4, size // 4, 3), np.uint8)
    return cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)


@pytest.fixture(scope="module")
def face() -> np.ndarray:
    return textured(1)


@pytest.fixture(scope="module")
def landmarks() -> np.ndarray:
    return (TEMPLATE * 120 + 20).astype(np.float32)


class TestMask:
    @pytest.mark.parametrize("seed", SEEDS)
    def test_soft_and_over_the_face(self, landmarks: np.ndarray, seed: int) -> None:
        mask = face_mask((160, 160), landmarks, np.random.default_rng(seed))
        assert mask.shape == (160, 160) and mask.dtype == np.float32
        assert mask.min() >= 0 and mask.max() == pytest.approx(1, abs=1e-5)
        assert ((mask > 0.02) & (mask < 0.98)).any(), "a hard edge is no seam"
        rows, columns = np.nonzero(mask > 0.5)
        x0, y0 = face_outline(landmarks).min(axis=0) - 25
        x1, y1 = face_outline(landmarks).max(axis=0) + 25
        assert x0 <= columns.min() and columns.max() <= x1
        assert y0 <= rows.min() and rows.max() <= y1
        assert 0.005 < (mask > 0.5).mean() < 0.8

    def test_whole_faces_and_parts(self, landmarks: np.ndarray) -> None:
        """About one in four covers only the mouth, the eyes or the lower face."""
        sizes = np.array(
            [(face_mask((160, 160), landmarks, np.random.default_rng(s)) > 0.5).mean() for s in range(120)]
        )
        assert 0.12 < (sizes < 0.16).mean() < 0.42

    def test_a_face_outside_the_picture(self, landmarks: np.ndarray) -> None:
        mask = face_mask((160, 160), landmarks + 1000, np.random.default_rng(0))
        assert mask.max() <= 1 and np.isfinite(mask).all()

    def test_the_outline_goes_where_the_landmarks_go(self, landmarks: np.ndarray) -> None:
        assert face_outline(TEMPLATE) == pytest.approx(OUTLINE, abs=1e-5)
        assert face_outline(landmarks) == pytest.approx(OUTLINE * 120 + 20, abs=1e-3)
        turned = landmarks[:, ::-1].copy()
        assert face_outline(turned) == pytest.approx((OUTLINE * 120 + 20)[:, ::-1], abs=1e-3)


class TestSelfBlend:
    @pytest.mark.parametrize("seed", SEEDS)
    def test_shape_kind_and_mask(self, face: np.ndarray, landmarks: np.ndarray, seed: int) -> None:
        before = face.copy()
        image, mask = self_blend(face, landmarks, np.random.default_rng(seed))
        assert (image.shape, image.dtype) == (face.shape, np.uint8)
        assert mask.shape == face.shape[:2] and mask.min() >= 0 and mask.max() <= 1
        assert np.array_equal(face, before), "the original is left alone"
        assert not np.array_equal(image, face)

    def test_outside_the_mask_the_picture_is_at_most_recoloured_or_resharpened(
        self, face: np.ndarray, landmarks: np.ndarray
    ) -> None:
        """The target keeps its colours half of the time, and its sharpness: a quarter is untouched."""
        untouched = 0
        for seed in range(80):
            image, mask = self_blend(face, landmarks, np.random.default_rng(seed))
            untouched += int(np.array_equal(image[mask == 0], face[mask == 0]))
        assert 8 <= untouched <= 36

    @pytest.mark.parametrize("seed", SEEDS)
    def test_recolouring_is_of_the_whole_target_alike(self, landmarks: np.ndarray, seed: int) -> None:
        """On a picture of one colour all of the outside stays one colour, and the inside has the blend."""
        flat = np.full((160, 160, 3), (150, 120, 100), np.uint8)
        image, mask = self_blend(flat, landmarks, np.random.default_rng(seed))
        assert len(np.unique(image[mask == 0], axis=0)) == 1

    @pytest.mark.parametrize("seed", SEEDS)
    def test_the_change_follows_the_mask(self, landmarks: np.ndarray, seed: int) -> None:
        """With source and target each of one colour, the blend is a line between the two."""
        flat = np.full((160, 160, 3), (150, 120, 100), np.uint8)
        image, mask = self_blend(flat, landmarks, np.random.default_rng(seed))
        outside, inside = image[mask == 0][0].astype(float), image[mask == mask.max()][0].astype(float)
        expected = outside + (inside - outside) * (mask / mask.max())[..., None]
        assert np.abs(image - expected).max() <= 2

    def test_the_same_draw_gives_the_same_fake(self, face: np.ndarray, landmarks: np.ndarray) -> None:
        first, again, other = (self_blend(face, landmarks, np.random.default_rng(s)) for s in (5, 5, 6))
        assert np.array_equal(first.image, again.image) and np.array_equal(first.mask, again.mask)
        assert not np.array_equal(first.image, other.image)


class TestSwapBlend:
    @pytest.mark.parametrize("seed", SEEDS)
    def test_nothing_changes_outside_the_mask(
        self, face: np.ndarray, landmarks: np.ndarray, seed: int
    ) -> None:
        other = textured(2, 200)
        image, mask = swap_blend(face, landmarks, other, landmarks * 1.2, np.random.default_rng(seed))
        assert (image.shape, image.dtype) == (face.shape, np.uint8)
        assert mask.min() >= 0 and mask.max() <= 1
        assert np.array_equal(image[mask == 0], face[mask == 0])
        assert np.abs(image[mask > 0.6].astype(int) - face[mask > 0.6]).mean() > 5

    def test_faces_without_extent(self, face: np.ndarray, landmarks: np.ndarray) -> None:
        """Landmarks of a full profile may fall together."""
        point = np.full((5, 2), 80, np.float32)
        image, _ = swap_blend(face, landmarks, textured(2), point, np.random.default_rng(0))
        assert image.shape == face.shape


class TestSteps:
    def test_align_brings_landmarks_together(self, landmarks: np.ndarray) -> None:
        other = np.zeros((240, 240, 3), np.uint8)
        there = landmarks * 1.4 + 5
        turn = cv2.getRotationMatrix2D((110, 110), 20, 1)
        there = (np.c_[there, np.ones(5)] @ turn.T).astype(np.float32)
        for point in there:
            cv2.circle(other, tuple(int(round(v)) for v in point), 5, (255, 255, 255), -1)
        aligned = align(other, there, landmarks, (160, 160))
        assert aligned.shape == (160, 160, 3)
        for x, y in landmarks:
            assert aligned[round(float(y)), round(float(x)), 0] > 200

    def test_colours_are_matched_inside_the_mask(self, face: np.ndarray) -> None:
        mask = np.zeros((160, 160), np.float32)
        mask[40:120, 40:120] = 1
        target = np.clip(face.astype(int) // 2 + 100, 0, 255).astype(np.uint8)
        matched = match_colour(face, target, mask, 1.0)
        inside = mask > 0.5
        assert matched[inside].mean(axis=0) == pytest.approx(target[inside].mean(axis=0), abs=4)
        assert matched[inside].std(axis=0) == pytest.approx(target[inside].std(axis=0), rel=0.15)
        assert np.abs(match_colour(face, target, mask, 0.0).astype(int) - face).mean() < 2
        assert np.array_equal(match_colour(face, target, np.zeros_like(mask), 1.0), face)

    def test_a_generators_detail_ends_somewhere(self, landmarks: np.ndarray) -> None:
        noise = np.random.default_rng(0).integers(0, 255, (160, 160, 3), np.uint8)
        soft = [limit_detail(noise, landmarks, np.random.default_rng(seed)) for seed in SEEDS]
        assert all(image.shape == noise.shape and image.dtype == np.uint8 for image in soft)
        assert np.mean([image.std() for image in soft]) < 0.8 * noise.std()
