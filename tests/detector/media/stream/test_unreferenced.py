"""Skipping unreferenced frames changes nothing else."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clips import numbered, write_clip
from reading import KINDS, clip

from detector.media.frame import Frame
from detector.media.open import open_media
from detector.media.stream.packet_stats import Tally

RATE = 8.0
_REORDERED = {"crf": "12", "g": "40", "bf": "3", "b-pyramid": "normal"}


def read_frames(path: Path, all_decoded: bool) -> tuple[list[Frame], Tally]:
    with open_media(path) as reader:
        return list(reader.frames(RATE, all_decoded)), reader.tally


def facts_of(tally: Tally) -> tuple[object, ...]:
    packets = tally.packets
    return (
        *(tally.frames, tally.undecodable, tally.first_pts, tally.end_pts, tally.shortest, tally.longest),
        *(packets.kinds, packets.intervals),
    )


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mov", "clip.mkv"])
@pytest.mark.parametrize("pts", [None, [i + (i // 7) * 3 for i in range(100)]], ids=["constant", "variable"])
def test_the_sampled_frames_and_all_facts_are_the_same(
    tmp_path: Path, name: str, pts: list[int] | None
) -> None:
    path = write_clip(tmp_path / name, (numbered(i) for i in range(100)), pts=pts, options=_REORDERED)
    (every, whole), (some, less) = read_frames(path, all_decoded=True), read_frames(path, all_decoded=False)
    assert [(f.pts, f.time, f.index) for f in some] == [(f.pts, f.time, f.index) for f in every]
    assert all(np.array_equal(a.image, b.image) for a, b in zip(some, every, strict=True))
    assert facts_of(less) == facts_of(whole)
    assert whole.passed_over == 0
    assert less.passed_over >= 20
    assert less.decoded + less.passed_over == 100


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_same_frames_for_any_container(tmp_path: Path, kind: str) -> None:
    path = clip(tmp_path, kind)
    (every, whole), (some, less) = read_frames(path, all_decoded=True), read_frames(path, all_decoded=False)
    assert [(f.pts, f.index) for f in some] == [(f.pts, f.index) for f in every]
    assert facts_of(less) == facts_of(whole)
    if KINDS[kind][1] != "libx264" or kind.startswith("avi"):
        assert less.passed_over == 0


def test_all_frames_after_damage_are_decoded(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", (numbered(i) for i in range(200)), options=_REORDERED)
    _, sound = read_frames(path, all_decoded=False)
    data = bytearray(path.read_bytes())
    with open_media(path) as reader:
        entry = next(e for e in reader.stream.index_entries if e.timestamp > 0 and not e.is_keyframe)
        data[entry.pos : entry.pos + entry.size] = bytes(entry.size)
    (tmp_path / "bad.mp4").write_bytes(data)
    _, tally = read_frames(tmp_path / "bad.mp4", all_decoded=False)
    assert tally.undecodable >= 1
    assert tally.passed_over < sound.passed_over / 2
    assert tally.frames + tally.undecodable == 200


def test_sampling_every_frame_decodes_every_frame(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", (numbered(i) for i in range(50)), options=_REORDERED)
    with open_media(path) as reader:
        assert len(list(reader.frames(25.0, all_decoded=False))) == 50
        assert reader.tally.passed_over == 0


def test_intervals_are_those_of_the_reader(tmp_path: Path) -> None:
    """At a rate that divides nothing evenly."""
    path = write_clip(
        tmp_path / "clip.mp4",
        (numbered(i) for i in range(120)),
        rate=Fraction(30000, 1001),
        time_base=Fraction(1001, 30000),
        options=_REORDERED,
    )
    for rate in (3.0, 7.3, 8.0, 11.11):
        with open_media(path) as reader, open_media(path) as other:
            every, some = list(reader.frames(rate)), list(other.frames(rate, all_decoded=False))
            assert [(f.pts, f.index) for f in some] == [(f.pts, f.index) for f in every]
