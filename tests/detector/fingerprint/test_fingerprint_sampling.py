"""Fingerprints of frames, alone and during an analysis."""

from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np
import pytest
from clips import write_clip
from made_fingerprints import scene

from detector import analyze
from detector.errors import MediaError
from detector.fingerprint.confined import fingerprint_confined
from detector.fingerprint.fingerprint import Fingerprint
from detector.fingerprint.match import find_match
from detector.fingerprint.sampling import FingerprintSampler, fingerprint_file
from detector.media.frame import Frame
from detector.sandbox import Limits


def add_colour(pictures: np.ndarray) -> np.ndarray:
    return np.repeat(pictures[..., None], 3, axis=3)


def sample(
    times: list[str], pictures: np.ndarray, duration: str = "0", damaged: bool = False
) -> Fingerprint | None:
    sampler = FingerprintSampler(still=False)
    for number, (time, picture) in enumerate(zip(times, add_colour(pictures), strict=False)):
        sampler.process_frame(Frame(number, Fraction(time), picture))
    return sampler.post_process(Fraction(duration), damaged)


def test_first_frame_of_each_half_second_counts():
    made = sample(["0", "0.1", "0.4", "0.5", "1.2", "1.3"], scene(1, 6))
    assert made is not None and len(made) == 3 and made.size == (240, 180)
    expected = [scene(1, 6)[number] for number in (0, 3, 4)]
    for picture, wanted in zip(made.pictures, expected, strict=True):
        small = cv2.resize(wanted, (24, 24), interpolation=cv2.INTER_AREA)
        assert np.abs(picture - small.astype(int)).max() < 25


def test_damaged_file_has_short_gaps_filled_and_long_ones_blank():
    made = sample(["0", "1.5", "9"], scene(1, 3), "20", damaged=True)
    assert made is not None and len(made) == 19
    assert (made.pictures[1] == made.pictures[0]).all()
    assert made.usable.tolist() == [True] * 4 + [False] * 14 + [True]


def test_intact_file_has_gaps_filled():
    made = sample(["0", "1.5", "9"], scene(1, 3), "12.04")
    assert made is not None and len(made) == 24 and made.usable.all()
    assert (made.pictures[17] == made.pictures[3]).all() and (made.pictures[23] == made.pictures[18]).all()


def test_gap_is_filled_with_the_latest_frame():
    pictures = scene(1, 5)
    made = sample(["0", "0.25", "0.375", "2.1", "2.2"], pictures, "3.5")
    plain = sample(["0", "0.5", "2", "2.5"], pictures[[0, 2, 3, 4]], "3.5")
    assert made is not None and plain is not None and len(made) == 7
    assert (made.pictures == plain.pictures).all()


def test_slides_recorded_at_a_varying_rate_are_found_as_a_copy_of_a_constant_one(tmp_path):
    slides = add_colour(np.concatenate([scene(seed) for seed in range(4)]))
    clip = write_clip(tmp_path / "slides.mkv", slides, pts=[0, 75, 150, 225])
    constant = [slides[min(3, number // 15)] for number in range(48)]
    copy = write_clip(tmp_path / "copy.mp4", constant, time_base=Fraction(1, 5), rate=5)
    original, other = fingerprint_file(clip), fingerprint_file(copy)
    assert original is not None and other is not None and original.usable.all()
    same = find_match(original, other)
    assert same is not None and same.of_all


def test_no_frames_make_no_fingerprint():
    assert FingerprintSampler(still=True).post_process() is None


def test_a_file_and_its_copy(tmp_path):
    pictures = add_colour(scene(2, 75))
    clip = write_clip(tmp_path / "clip.mp4", pictures)
    small = [cv2.resize(picture, (160, 120)) for picture in pictures]
    copy = write_clip(tmp_path / "copy.mp4", small, options={"crf": "38"})
    (tmp_path / "folder").mkdir()
    original, other = fingerprint_confined(clip, tmp_path / "folder", Limits()), fingerprint_file(copy)
    assert original is not None and other is not None
    assert len(original) == 6 and other.size == (160, 120)
    same = find_match(other, original)
    assert same is not None and same.of_all


def test_other_file_is_refused(tmp_path):
    (tmp_path / "notes.mp4").write_text("no video")
    with pytest.raises(MediaError):
        fingerprint_confined(tmp_path / "notes.mp4", tmp_path, Limits())


def test_analysis_computes_the_fingerprint(tmp_path, model):
    photo, place = tmp_path / "photo.png", tmp_path / "fingerprint.bin"
    cv2.imwrite(str(photo), scene(3)[0])
    analyze(photo, model=model.alone, fingerprint=place)
    made = Fingerprint.from_bytes(place.read_bytes())
    alone = fingerprint_file(photo)
    assert made.still and alone is not None and (made.pictures == alone.pictures).all()
