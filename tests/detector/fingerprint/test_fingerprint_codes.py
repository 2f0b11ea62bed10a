"""Codes of small pictures, and stored fingerprints."""

from __future__ import annotations

import numpy as np
import pytest
from made_fingerprints import film, fingerprint, noisy, scene

from detector.errors import FingerprintError
from detector.fingerprint.fingerprint import (
    MOST_LOOKS,
    SIDE,
    Fingerprint,
    Window,
    code_distances,
    code_similarity,
    compute_codes,
    mirror_codes,
)


def make_pictures(seed: int, count: int = 4) -> np.ndarray:
    return fingerprint(scene(seed, count)).pictures


def test_codes_distinguish_pictures():
    codes, other = compute_codes(make_pictures(1)), compute_codes(make_pictures(2))
    assert codes.shape == (4, 4) and codes.dtype == np.uint64
    assert np.diag(code_distances(codes, codes)).max() == 0
    assert abs(float(code_similarity(codes, other).mean())) < 0.15
    assert (
        float(np.diag(code_similarity(codes, compute_codes(fingerprint(noisy(scene(1, 4))).pictures))).min())
        > 0.85
    )


def test_brightness_and_contrast_do_not_matter():
    pictures = make_pictures(3)
    assert np.diag(code_distances(compute_codes(pictures), compute_codes(pictures // 2 + 40))).max() < 20


def test_a_mirrored_code_is_that_of_the_mirrored_picture():
    pictures = make_pictures(4)
    for window in (Window(), Window(0, 0.1, 0.9, 1)):
        turned = Window(1 - window.right, window.top, 1 - window.left, window.bottom)
        expected = compute_codes(pictures[:, :, ::-1], turned)
        assert np.diag(code_distances(mirror_codes(compute_codes(pictures, window)), expected)).max() <= 2


def test_window_code_equals_crop_code():
    pictures = scene(5, 3)
    height, width = pictures.shape[1:]
    cropped = fingerprint(pictures[:, round(0.1 * height) :, round(0.1 * width) :])
    similarity = code_similarity(
        compute_codes(fingerprint(pictures).pictures, Window(0.1, 0.1, 1, 1)), cropped.codes
    )
    assert np.diag(similarity).min() > 0.75


def test_fingerprint_round_trip():
    made = fingerprint(film(1, 2))
    kept = made.to_bytes()
    again = Fingerprint.from_bytes(kept)
    assert (again.pictures == made.pictures).all() and again.size == made.size and not again.still
    assert again.duration == 10.0
    assert len(kept) < made.pictures.nbytes


@pytest.mark.parametrize("broken", [b"", b"RPF1", b"x" * 400])
def test_other_data_is_refused(broken):
    with pytest.raises(FingerprintError):
        Fingerprint.from_bytes(broken)


def test_truncated_or_oversized_fingerprint_is_refused():
    kept = fingerprint(film(1)).to_bytes()
    for broken in (kept[: len(kept) // 2], kept[:13] + b"\xff\xff\xff\xff" + kept[17:]):
        with pytest.raises(FingerprintError):
            Fingerprint.from_bytes(broken)


def test_each_scene_has_one_look():
    still = scene(1, moving=False)
    assert len(fingerprint(np.repeat(still, 20, axis=0)).looks) == 1
    four = np.concatenate([np.repeat(scene(seed), 5, axis=0) for seed in range(4)])
    assert fingerprint(four).looks.tolist() == [0, 5, 10, 15]


def test_number_of_looks_is_bounded():
    assert len(fingerprint(np.full((5, SIDE, SIDE), 16, np.uint8)).looks) == 0
    noise = np.random.default_rng(0).integers(0, 255, (400, SIDE, SIDE), dtype=np.uint8)
    assert 0 < len(fingerprint(noise).looks) <= MOST_LOOKS
