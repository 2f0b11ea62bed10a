"""What a card says of its training data: of the research data, and of a set of somebody's own."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from detector.models.model_files import load_card
from detector.schema.causes.cause import join
from training.model_card import card_origin, limits_once_measured, sentences
from training.recipe import DEFAULT_RECIPE, Config, read_config


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
    shipped = read_config(DEFAULT_RECIPE).model_dump()
    shipped |= {
        "mix": None,
        "sequences": None,
        "set": {"frames": 4, "streamed": False, "fake_share": 0.5},
        "start": start,
    }
    return Config.model_validate(shipped)


def test_a_set_of_ones_own_is_what_the_card_is_about(own_set: Path) -> None:
    origin = card_origin(own_recipe("imagenet"), own_set)
    assert origin.data == (
        "Data set newsroom-2026.csv, training split: 4 videos and 4 pictures, 4 real and 4 manipulated, "
        "of 4 groups",
        "Data set newsroom-2026.csv, validation split: 4 pictures, 2 real and 2 manipulated, of 2 groups",
    )
    assert "newsroom-2026.csv" in origin.domain.text
    text = " ".join((*origin.data, join((origin.domain, *origin.limits)), origin.terms))
    for other in ("Deepfake Detection Challenge", "FaceForensics", "Face2Face", "Actors", "UTKFace"):
        assert other not in text
    assert origin.validated == ()


def test_once_measured_only_the_thresholds_stay_a_limit(own_set: Path) -> None:
    origin = card_origin(own_recipe("imagenet"), own_set)
    fields = sentences(origin.domain, origin.limits)
    shipped, _ = load_card("reelproof")
    measured = limits_once_measured(shipped.model_copy(update=fields))
    assert measured["limit_causes"] == origin.limits[:-1] and "unknown" in origin.limits[-1].text
    assert measured["limits"] == fields["limits"][:-1]
    earlier = shipped.model_copy(update={**fields, "limit_causes": ()})
    assert limits_once_measured(earlier)["limits"] == fields["limits"][:-1], "a card without codes"


def test_it_names_the_model_whose_weights_it_began_with(own_set: Path) -> None:
    origin = card_origin(own_recipe("reelproof"), own_set)
    assert "the model reelproof" in origin.data[-1]


@pytest.fixture
def research(tmp_path: Path) -> Path:
    for name, real, fake in (("train-0", 3, 1200), ("train-1", 1, 40), ("val", 2, 1), ("test", 9, 9)):
        labels = ["real"] * real + ["fake"] * fake
        rows = [f"{number}.jpg,{label},{number}" for number, label in enumerate(labels)]
        (tmp_path / f"dfdc-{name}.csv").write_text("\n".join(["file,label,source", *rows]) + "\n")
    with zipfile.ZipFile(tmp_path / "photos-real.zip", "w") as photos:
        for name in ("lfw/a.jpg", "lfw/b.jpg", "utkface/c.jpg"):
            photos.writestr(name, "")
    (tmp_path / "videos").mkdir()
    rows = ["file,label,role", "a.mp4,real,train", "b.mp4,real,develop", "c.mp4,fake,develop"]
    (tmp_path / "videos" / "labels.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


def test_of_the_research_data_it_counts_what_was_there(research: Path) -> None:
    """Whoever has less of it than the shipped models had must not publish their counts."""
    config = read_config(DEFAULT_RECIPE).model_copy(update={"start": "reelproof"})
    origin = card_origin(config, research)
    crops, *others, before = origin.data
    assert "Deepfake Detection Challenge" in crops and "Deepfake Detection Challenge" in origin.domain.text
    assert "4 unmanipulated and 1,240 manipulated; validation 2 and 1," in crops
    assert [line.split(":")[-1].split()[0] for line in others] == ["2", "1", "1"]
    assert "the model reelproof" in before
    assert card_origin(config.model_copy(update={"start": "imagenet"}), research).data == origin.data[:-1]
    assert origin.validated
