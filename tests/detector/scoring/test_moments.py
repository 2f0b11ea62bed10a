"""Moments kept of each track while it lasts, spread evenly, within a bound of memory."""

from __future__ import annotations

import errno
import os
from fractions import Fraction

import numpy as np
import pytest

from detector.faces.crop import Face
from detector.faces.patch import PatchInFile
from detector.faces.tracks import Split
from detector.media.frame import Frame
from detector.scoring.moments import KeptMoment, MomentKeeper, spread

FACE = Face((20.0, 20.0, 40.0, 44.0), 0.9, np.zeros((5, 2), np.float32))
PICTURE = np.random.default_rng(0).integers(0, 8, (64, 64, 3), np.uint8)  # as fine as a face's skin


def offered(keeper: MomentKeeper, count: int, track: int = 0) -> None:
    for number in range(count):
        keeper.offer(Frame(number, Fraction(number, 8), PICTURE, number), track, FACE)


@pytest.mark.parametrize("count", [1, 5, 15, 16, 17, 100, 1000])
def test_moments_are_evenly_spread(count: int) -> None:
    keeper = MomentKeeper(8)
    offered(keeper, count)
    pts = [moment.pts for moment in keeper.of([0])]
    assert min(count, 8) <= len(pts) < 16
    assert pts[0] == 0
    assert len(set(np.diff(pts).tolist())) <= 1
    assert count - pts[-1] <= max(1, 2 * count / len(pts))


def test_selection_spreads_over_all_faces() -> None:
    keeper = MomentKeeper(8)
    offered(keeper, 100)
    chosen = spread(keeper.of([0]), np.arange(100) / 8, 8)
    assert len(chosen) == 8
    assert chosen[0].time < 1.5 and chosen[-1].time > 10.5
    assert spread(keeper.of([0]), np.arange(100) / 8, 0) == []
    assert spread(keeper.of([7]), np.arange(100) / 8, 8) == []


def test_tracks_are_separate_and_can_be_combined() -> None:
    keeper = MomentKeeper(4)
    offered(keeper, 6, track=3)
    offered(keeper, 6, track=5)
    assert {moment.track for moment in keeper.of([3])} == {3}
    both = keeper.of([3, 5])
    assert {moment.track for moment in both} == {3, 5}
    assert [moment.time for moment in both] == sorted(moment.time for moment in both)


def test_moments_move_to_the_split_track() -> None:
    keeper = MomentKeeper(8)
    offered(keeper, 10, track=3)
    keeper.offer(Frame(10, Fraction(10, 8), PICTURE, 10), 4, FACE)
    keeper.split([Split(3, 4, 6 / 8), Split(9, 11, 0.0)])
    assert [(moment.track, moment.pts) for moment in keeper.of([3])] == [(3, number) for number in range(6)]
    assert [(moment.track, moment.pts) for moment in keeper.of([4])] == [(4, n) for n in (6, 7, 8, 9, 10)]
    assert keeper.of([9, 11]) == []


def in_file(moment: KeptMoment) -> bool:
    return isinstance(moment.pixels, PatchInFile)


def test_memory_is_bounded_with_many_tracks() -> None:
    probe = MomentKeeper(8)
    offered(probe, 1)
    (moment,) = probe.of([0])
    size = moment.size
    keeper = MomentKeeper(8, most_bytes=40 * size, in_memory=10 * size)
    for track in range(1000):
        offered(keeper, 12, track)
    kept = keeper.of(range(1000))
    assert sum(entry.size for entry in kept) <= 40 * size
    # Early tracks are thinned for later ones before any later one goes without.
    assert len({entry.track for entry in kept}) == len(kept) == 40
    assert sum(not in_file(entry) for entry in kept) <= 10


def test_moments_in_the_file_are_unchanged() -> None:
    loose, apart = MomentKeeper(8), MomentKeeper(8, in_memory=0)
    for track in range(4):
        offered(loose, 12, track)
        offered(apart, 12, track)
    for original, other in zip(loose.of(range(4)), apart.of(range(4)), strict=True):
        assert (original.time, original.pts, original.roll, original.size) == (
            other.time,
            other.pts,
            other.roll,
            other.size,
        )
        assert np.array_equal(original.patch.image, other.patch.image)
        assert original.patch[1:] == other.patch[1:]
    assert sum(in_file(moment) for moment in apart.of(range(4))) == len(apart.of(range(4))) - 1


def test_file_size_is_bounded() -> None:
    keeper = MomentKeeper(8, most_bytes=1 << 20, in_memory=0)
    for track in range(300):
        offered(keeper, 40, track)
    file = next(moment.pixels.file for moment in keeper.of(range(300)) if in_file(moment))
    assert os.fstat(file._to).st_size <= 1.1 * (1 << 20)


def test_full_disk_keeps_fewer_moments(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*given: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    probe = MomentKeeper(8)
    offered(probe, 1)
    size = probe.of([0])[0].size
    keeper = MomentKeeper(8, most_bytes=40 * size, in_memory=10 * size)
    for track in range(100):
        offered(keeper, 3, track)
    kept = keeper.of(range(100))
    assert not any(in_file(moment) for moment in kept) and len(kept) == 20


def test_padding_around_a_photograph_is_not_kept() -> None:
    pasted = np.full((160, 160, 3), 255, np.uint8)
    pasted[72:112, 72:112] = np.random.default_rng(0).integers(0, 160, (40, 40, 3), np.uint8)
    face, kept = Face((80.0, 80.0, 104.0, 104.0), 0.9, FACE.landmarks), {}
    for still in (False, True):
        keeper = MomentKeeper(1, still=still)
        keeper.offer(Frame(0, Fraction(0), pasted, 0), 0, face)
        kept[still] = keeper.of([0])[0].patch.image
    assert (kept[False] > 240).all(axis=2).mean() > 0.1
    assert not (kept[True] > 240).all(axis=2).any()
