"""What a card says of its training data: of the research data, and of a set of somebody's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from detector.paths import ROOT
from detector.training.config import Config, read_config
from detector.training.publish.origin import measured_limits, origin_of

CONFIGS = ROOT / "detector" / "training" / "configs"


@pytest.fixture
def own_set(tmp_path: Path) -> Path:
    folder = tmp_path / "newsroom-2026"
    rows = ["path,label,group,split"]
    for number in range(6):
        for label in ("real", "fake"):
            name = f"{label}-{number}.{'mp4' if number < 2 else 'jpg'}"
            folder.mkdir(exist_ok=True)
            (folder / name).write_bytes(name.encode())
            split = "train" if number < 4 else "val"
            rows.append(f"{name},{label},{number},{split}")
    listed = folder / "newsroom-2026.csv"
    listed.write_text("\n".join(rows) + "\n")
    return listed


def own_recipe(start: str) -> Config:
    shipped = read_config(CONFIGS / "reelproof-lite0.toml").model_dump()
    shipped |= {
        "mix": None,
        "sequences": None,
        "set": {"frames": 4, "streamed": False, "fake_share": 0.5},
        "start": start,
    }
    return Config.model_validate(shipped)


def test_a_set_of_ones_own_is_what_the_card_is_about(own_set: Path) -> None:
    found = origin_of(own_recipe("imagenet"), own_set)
    assert found.data == (
        "Data set newsroom-2026.csv, training split: 4 videos and 4 pictures, 4 real and 4 manipulated, "
        "of 4 groups",
        "Data set newsroom-2026.csv, validation split: 4 pictures, 2 real and 2 manipulated, of 2 groups",
    )
    assert "newsroom-2026.csv" in found.domain
    said = " ".join((*found.data, found.domain, *found.limits, found.terms))
    for other in ("Deepfake Detection Challenge", "FaceForensics", "Face2Face", "Actors", "UTKFace"):
        assert other not in said
    assert found.validated == ()


def test_once_measured_only_the_thresholds_stay_a_limit(own_set: Path) -> None:
    limits = origin_of(own_recipe("imagenet"), own_set).limits
    assert set(limits) - set(measured_limits(limits)) == {limits[-1]} and "unknown" in limits[-1]
    before = limits[-2].removesuffix(".")
    before += "; its error rates are unknown until it is evaluated on a labelled set of its own."
    assert measured_limits([before]) == (limits[-2],), "as earlier versions wrote it"


def test_it_names_the_model_whose_weights_it_began_with(own_set: Path) -> None:
    found = origin_of(own_recipe("reelproof"), own_set)
    assert "the model reelproof" in found.data[-1]


def test_the_research_data_is_named_where_it_was_used(tmp_path: Path) -> None:
    found = origin_of(read_config(CONFIGS / "reelproof-2.toml"), tmp_path)
    assert "Deepfake Detection Challenge" in found.data[0] and "Deepfake Detection Challenge" in found.domain
    assert found.validated
