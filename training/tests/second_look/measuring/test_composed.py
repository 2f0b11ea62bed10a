"""Clips composed of aligned pairs."""

from __future__ import annotations

import csv
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from training.evaluation.short_clips import ShortClip, read_short_clip, write_short_clip
from training.second_look.measuring.composed_clips import (
    ClipPair,
    develop_pairs,
    generators_in_turn,
    write_alternations,
    write_duos,
    write_splices,
)

COLUMNS = ("file", "label", "generator", "role", "group", "aligned")
SIDE = 96  # px


def clip(path: Path, level: int, count: int = 100) -> Path:
    return write_short_clip(
        ShortClip([np.full((SIDE, SIDE, 3), level, np.uint8)] * count, Fraction(25)), path, 20
    )


def levels(path: Path) -> np.ndarray:
    return np.array([picture.mean() for picture in read_short_clip(path).frames])


@pytest.fixture
def research(tmp_path: Path) -> Path:
    """A research folder of two aligned sets of role ``develop`` and one of role ``train``."""
    rows = []
    for aligned, role in (("a", "develop"), ("b", "develop"), ("c", "train")):
        for label, generator in (("real", "none"), ("fake", "Deepfakes"), ("fake", "Face2Face")):
            file = f"{generator}-{aligned}.mp4"
            rows.append(dict(zip(COLUMNS, (file, label, generator, role, aligned, aligned), strict=True)))
    for folder, listed in (("clips", rows), ("videos", [])):
        (tmp_path / folder).mkdir()
        with (tmp_path / folder / "labels.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(listed)
    return tmp_path


def test_pairs_are_of_role_develop_and_take_generators_in_turn(research: Path) -> None:
    pairs = develop_pairs(research)
    assert [pair.real.name for pair in pairs] == ["none-a.mp4", "none-b.mp4"]
    assert {pair.generator for pair in pairs} == {"Deepfakes", "Face2Face"}


def test_a_splice_shows_the_fake_in_its_interval_and_nowhere_else(tmp_path: Path) -> None:
    pair = ClipPair(clip(tmp_path / "real.mp4", 60), clip(tmp_path / "fake.mp4", 180), "Deepfakes")
    (spliced,) = write_splices([pair], tmp_path)
    ((start, end),) = spliced.truth
    assert 1.2 <= end - start <= 3.0
    shown = levels(spliced.path)
    times = np.arange(len(shown)) / 25
    inside = (times >= start) & (times < end)
    assert shown[inside].min() > 150 and shown[~inside].max() < 90
    short = ClipPair(clip(tmp_path / "short.mp4", 60, 30), pair.fake, "Deepfakes")
    assert write_splices([short], tmp_path) == [], "too short for an interval and what is around it"


def test_of_two_people_one_is_the_fake(tmp_path: Path) -> None:
    pairs = [
        ClipPair(clip(tmp_path / f"real{n}.mp4", 60, 4), clip(tmp_path / f"fake{n}.mp4", 180, 4), "Deepfakes")
        for n in range(4)
    ]
    duos = write_duos(pairs, tmp_path)
    assert {duo.right_is_manipulated for duo in duos} == {False, True}
    for duo in duos:
        picture = read_short_clip(duo.path).frames[0]
        middle, edge = picture[picture.shape[0] // 2], round(duo.split_x)
        left, right = middle[: edge - 8].mean(), middle[edge + 8 :].mean()
        assert (right > left) == duo.right_is_manipulated


def test_original_and_fake_alternate_every_half_second(tmp_path: Path) -> None:
    pair = ClipPair(clip(tmp_path / "real.mp4", 60), clip(tmp_path / "fake.mp4", 180), "Deepfakes")
    (path,) = write_alternations([pair], tmp_path)
    shown = levels(path)
    fake = (np.arange(len(shown)) * 2 // 25) % 2 == 1
    assert len(shown) == 100 and shown[fake].min() > 150 and shown[~fake].max() < 90


def test_generators_take_turns() -> None:
    pairs = [ClipPair(Path(name), Path(name), name[0]) for name in ("a1", "a2", "a3", "b1", "b2")]
    assert [pair.real.name for pair in generators_in_turn(pairs)] == ["a1", "b1", "a2", "b2", "a3"]
