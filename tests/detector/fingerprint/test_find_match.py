"""Matches between fingerprints of copies, parts and unrelated exhibits."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from made_fingerprints import HEIGHT, WIDTH, captioned, film, fingerprint, noisy, scene

from detector.fingerprint.index import MOST_ALIKE, MOST_FOUND, Entries, search_index
from detector.fingerprint.match import Match, View, find_match

FILM = film(1, 2, 3)


def is_near(found: float, wanted: float, by: float = 0.5) -> bool:
    return abs(found - wanted) <= by


def test_encoding_does_not_prevent_a_match():
    match = find_match(fingerprint(noisy(FILM)), fingerprint(FILM))
    assert match is not None and match.of_all and not match.mirrored
    assert match.own.whole and match.other.whole and match.differs is None
    (piece,) = match.pieces
    assert (piece.start, piece.end, piece.other_start, piece.other_end) == (0, 15, 0, 15)


def test_unrelated_clips_do_not_match():
    assert find_match(fingerprint(FILM), fingerprint(film(7, 8, 9))) is None
    assert find_match(fingerprint(scene(1), still=True), fingerprint(scene(2), still=True)) is None


def test_mirrored_copy_is_reported():
    match = find_match(fingerprint(FILM[:, :, ::-1]), fingerprint(FILM))
    assert match is not None and match.mirrored and match.own.whole and match.other.whole


@pytest.mark.parametrize("corner", [0.0, 0.05, 0.1])
def test_cropped_copy_reports_its_part(corner):
    left, top = round(corner * WIDTH), round(corner * HEIGHT)
    cropped = noisy_crop = FILM[:, top : top + round(0.9 * HEIGHT), left : left + round(0.9 * WIDTH)]
    for own, other, part in ((cropped, FILM, "other"), (FILM, noisy_crop, "own")):
        match = find_match(fingerprint(own), fingerprint(other))
        assert match is not None
        view: View = getattr(match, part)
        assert is_near(view.left, corner, 0.03) and is_near(view.right, corner + 0.9, 0.03)
        assert is_near(view.top, corner, 0.03) and 0.75 < view.area < 0.87


def test_a_caption_is_found_at_the_bottom():
    match = find_match(fingerprint(captioned(FILM)), fingerprint(FILM))
    assert match is not None and match.differs == "bottom" and match.own.whole and match.other.whole


def test_painted_area_is_reported():
    painted = FILM.copy()
    painted[:, 60:110, 90:150] = 255
    match = find_match(fingerprint(painted), fingerprint(FILM))
    assert match is not None and match.differs == "part"


def test_part_reports_its_interval():
    part = noisy(FILM[9:21])  # 4.5 to 10.5 seconds
    match = find_match(fingerprint(part), fingerprint(FILM))
    assert match is not None and not match.of_all
    assert match.share > 0.9 and is_near(match.other_share, 0.4, 0.05)
    assert is_near(match.pieces[0].other_start, 4.5) and is_near(match.pieces[-1].other_end, 10.5)
    back = find_match(fingerprint(FILM), fingerprint(part))
    assert back is not None and is_near(back.pieces[0].start, 4.5) and back.share == match.other_share


def test_rearranged_parts_are_separate_pieces():
    match = find_match(fingerprint(film(3, 8, 1)), fingerprint(FILM))
    assert match is not None
    intervals = [
        (round(p.start), round(p.end), round(p.other_start), round(p.other_end)) for p in match.pieces
    ]
    assert intervals == [(0, 5, 10, 15), (10, 15, 0, 5)]


@pytest.mark.parametrize("own", [np.concatenate([FILM[:25], film(8)[:5]]), FILM[:25]])
def test_different_ending_is_no_full_copy(own):
    """The last sixth is other footage, or missing."""
    match = find_match(fingerprint(own), fingerprint(FILM))
    assert match is not None and match.of_most and not match.of_all
    (piece,) = match.pieces
    assert is_near(piece.end, 12.5) and is_near(piece.other_end, 12.5)


def test_still_of_a_video_reports_its_time():
    photo = noisy(FILM[14:15])
    match = find_match(fingerprint(photo, still=True), fingerprint(FILM))
    assert match is not None and match.share == 1.0
    (piece,) = match.pieces
    assert piece.start == piece.end == 0.0 and is_near(piece.other_start, 7.0)
    assert piece.other_end - piece.other_start == 0.5


def test_photos_are_compared_with_photos():
    photo = scene(4)
    small = cv2.resize(photo[0], None, fx=0.5, fy=0.5)[None]
    match = find_match(fingerprint(small, still=True), fingerprint(photo, still=True))
    assert match is not None and match.of_all and match.pieces[0].end == 0.0


def test_plain_pictures_match_nothing():
    black = np.full((10, HEIGHT, WIDTH), 12, np.uint8)
    assert find_match(fingerprint(black), fingerprint(black)) is None


def test_inverse_of_a_match():
    match = find_match(fingerprint(FILM[9:21]), fingerprint(FILM))
    assert match is not None
    inverse = match.inverse()
    assert inverse.share == match.other_share and inverse.own == match.other
    assert inverse.pieces[0].start == match.pieces[0].other_start
    assert inverse.inverse() == match
    assert Match.model_validate_json(match.model_dump_json()) == match


def test_index_finds_copies_and_parts():
    kept = {number: fingerprint(film(number, number + 100)) for number in range(1, 30)}
    kept[77] = fingerprint(FILM)
    entries = Entries.joined([Entries.of(number, signature) for number, signature in kept.items()])
    cropped = FILM[:, round(0.1 * HEIGHT) :, round(0.1 * WIDTH) :]
    for copy in (noisy(FILM), FILM[:, :, ::-1], cropped, captioned(FILM), FILM[12:22]):
        assert 77 in search_index(entries, fingerprint(copy))
    assert search_index(entries, fingerprint(film(501))) == []
    assert search_index(Entries.joined([]), fingerprint(FILM)) == []


def test_near_identical_ones_are_all_candidates_and_others_limited():
    photo = scene(1)
    alike = [fingerprint(noisy(photo, seed), still=True) for seed in range(50)]
    mixed = [np.uint8(0.6 * photo + 0.4 * scene(100 + seed)) for seed in range(50)]
    remote = [fingerprint(sample, still=True) for sample in mixed]
    index = Entries.joined(Entries.of(number, sample) for number, sample in enumerate([*alike, *remote]))
    candidates = search_index(index, fingerprint(photo, still=True))
    assert set(candidates) == set(range(50))
    index = Entries.joined(Entries.of(number, sample) for number, sample in enumerate(remote))
    assert len(search_index(index, fingerprint(photo, still=True))) == MOST_FOUND
    index = Entries.joined(Entries.of(number, alike[0]) for number in range(MOST_ALIKE + 20))
    assert len(search_index(index, fingerprint(photo, still=True))) == MOST_ALIKE
