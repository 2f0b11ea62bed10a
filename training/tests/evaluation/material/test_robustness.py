"""Distortions do what their names say, and a table is made of them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clips import write_clip

from detector.media.open import open_media
from detector.scoring.scorer import Scorer
from training.evaluation.material import ListedClip
from training.evaluation.robustness import SECONDS, Compressed, distortions, robustness, robustness_subset


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory, astronaut: np.ndarray) -> Path:
    """Four seconds of a portrait that moves a little, ten frames a second."""
    pictures = (np.ascontiguousarray(astronaut[i : i + 256, 96:352]) for i in range(40))
    path = tmp_path_factory.mktemp("portrait") / "clip.mp4"
    return write_clip(path, pictures, time_base=Fraction(1, 10), rate=10)


def frames(path: Path, name: str) -> list[np.ndarray]:
    with open_media(path) as reader:
        return [frame.image for frame in distortions()[name].frames(reader, 1.0)]


def test_every_distortion_has_a_name_of_its_own() -> None:
    """Recordings are kept by that name."""
    made = distortions()
    assert len({d.name for d in made.values()}) == len(made) == 11
    assert list(made)[0] == "as it is"


def test_what_they_do(clip: Path) -> None:
    plain = frames(clip, "as it is")
    assert len(plain) == SECONDS
    height, width, _ = plain[0].shape
    assert frames(clip, "half size")[0].shape[:2] == (round(height / 2), round(width / 2))
    assert frames(clip, "quarter size")[0].shape[:2] == (round(height / 4), round(width / 4))
    assert frames(clip, "dark")[0].mean() < 0.8 * plain[0].mean()
    assert frames(clip, "bright")[0].mean() > 1.2 * plain[0].mean()
    noisy = frames(clip, "noisy")
    assert 4 < (noisy[0].astype(float) - plain[0]).std() < 11
    assert np.array_equal(noisy[0], frames(clip, "noisy")[0])
    detail = [
        np.abs(np.diff(some[0].astype(float), axis=1)).mean() for some in (plain, frames(clip, "blurred"))
    ]
    assert detail[1] < 0.8 * detail[0]


def test_compression(clip: Path) -> None:
    plain = frames(clip, "as it is")
    lost = []
    for crf in (23, 40):
        with open_media(clip) as reader:
            made = [f.image for f in Compressed(f"crf {crf}", crf).frames(reader, 1.0)]
        assert len(made) == len(plain)
        pairs = zip(made, plain, strict=True)
        lost.append(float(np.mean([np.abs(a.astype(float) - b).mean() for a, b in pairs])))
    assert 0 < lost[0] < lost[1] < 20


def test_a_table(clip: Path, scorer: Scorer, tmp_path: Path) -> None:
    clips = [ListedClip("a", clip, True, "made"), ListedClip("b", clip, False, "none")]
    rows = robustness(clips, scorer, tmp_path, lambda text: None, ["as it is", "dark"])
    assert [row["distortion"] for row in rows] == ["as it is", "dark"]
    assert rows[0]["clip AUC"] == 0.5 and rows[0]["clip AUC lost"] == 0.0
    assert rows[0]["faces judged"] and "frame AUC lost" in rows[1]


def test_subset() -> None:
    clips = [
        ListedClip("ffpp-c40-deepfakes-183_253.mp4", Path(), True, "Deepfakes"),
        ListedClip("ffpp-c40-original-481.mp4", Path(), False, "none"),
        ListedClip("dfdc-a.mp4", Path(), False, "none"),
        ListedClip("splice.mp4", Path(), True, "Deepfakes", ((1, 2),)),
    ]
    assert [c.file for c in robustness_subset(clips)] == ["ffpp-c40-deepfakes-183_253.mp4", "dfdc-a.mp4"]
    # Of other data all whole clips are taken.
    assert robustness_subset(clips[1:2] + clips[3:]) == [clips[1]]
