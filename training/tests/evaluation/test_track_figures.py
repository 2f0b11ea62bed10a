"""Figures of tracks: whose are joined to persons, and which do not move."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clips import write_clip
from skimage import data

from detector.faces.tracks import SAME_PERSON_SIMILARITY
from training.evaluation.tracks import FollowedClip, figures, follow_clip, main

RATE = 8


def followed(file: str, group: str, first: np.ndarray, last: np.ndarray, origin: str = "a") -> FollowedClip:
    ends = np.stack([first, last]).astype(np.float32)
    return FollowedClip(file, group, origin, tracks=1, motionless=0, ends=ends)


def test_pairs_of_one_person_and_of_two_are_counted() -> None:
    rng = np.random.default_rng(0)
    first, other, third = rng.normal(size=(3, 300))
    clips = [
        followed("a.mp4", "1", first, first + 0.1 * rng.normal(size=300)),
        followed("b.mp4", "2", other, third),  # looks like somebody else in the end
        followed("c.mp4", "3", third, other, origin="b"),
        followed("d.mp4", "1", first, first, origin="b"),  # the person of the first clip
        FollowedClip("e.mp4", "4", "b", tracks=2, motionless=1, ends=None),
    ]
    counts = figures(clips)
    assert (counts["clips"], counts["tracks"], counts["tracks that do not move"]) == (5, 6, 1)
    assert (
        counts["pairs of one person"] == 4
        and counts[f"{SAME_PERSON_SIMILARITY:g}: one person, not joined"] == 2
    )
    assert (
        counts["pairs of two people"] == 10 and counts[f"{SAME_PERSON_SIMILARITY:g}: two people, joined"] == 2
    )
    assert counts["pairs of two people published together"] == 4
    assert counts[f"{SAME_PERSON_SIMILARITY:g}: two people published together, joined"] == 0


@pytest.fixture
def research(tmp_path: Path) -> Path:
    """A portrait that pans and one that stands."""
    portrait = data.astronaut()[:300, 60:460]
    shown = [np.ascontiguousarray(portrait[:, shift : shift + 320]) for shift in range(0, 64, 2)]
    for name, pictures in (("clips/moves.mp4", shown), ("videos/stands.mp4", [shown[9]] * len(shown))):
        (tmp_path / name).parent.mkdir()
        write_clip(tmp_path / name, pictures, rate=RATE, time_base=Fraction(1, RATE))
    rows = {"clips": "file,label,generator,role,group,aligned,origin", "videos": "file,label,generator,role"}
    listed = {"clips": "moves.mp4,real,none,develop,1,,made", "videos": "stands.mp4,real,none,train"}
    for folder, head in rows.items():
        (tmp_path / folder / "labels.csv").write_text(f"{head}\n{listed[folder]}\n")
    return tmp_path


def test_a_clip_is_followed_in_its_first_and_last_third(research: Path) -> None:
    moves = follow_clip(research / "clips" / "moves.mp4", {"file": "moves.mp4", "group": "1"})
    assert moves.tracks == 1 and moves.motionless == 0 and moves.origin == "moves.mp4"
    assert moves.ends is not None and moves.ends.shape[0] == 2
    assert not np.array_equal(*moves.ends)


def test_the_program_writes_what_it_prints(
    research: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--data", str(research), "--out", str(tmp_path / "out")]) == 0
    counts = json.loads((tmp_path / "out" / "figures.json").read_text())
    assert (counts["tracks"], counts["tracks that do not move"], counts["pairs of one person"]) == (2, 1, 2)
    assert counts[f"{SAME_PERSON_SIMILARITY:g}: one person, not joined"] == 0
    assert "tracks that do not move: 1" in capsys.readouterr().out
    assert main(["--data", str(research), "--out", str(tmp_path / "out"), "--role", "develop"]) == 0
    assert json.loads((tmp_path / "out" / "figures.json").read_text())["clips"] == 1
