"""What of a set is measured: by default what was not learned from, and what was learned from is said."""

from __future__ import annotations

import csv
import zipfile
from pathlib import Path

import pytest
from made_faces import crop, encoded

from detector.models.model_files import SHIPPED_MODELS, load_card
from training.data.labelled_sets import DataSetError, file_marks, read_set
from training.evaluation.material import note_unmarked, own_set_crops, own_set_part

NOBODY: frozenset[str] = frozenset()


@pytest.fixture(scope="module")
def undivided(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eighty crops in a zip and a CSV beside it, each a group of its own."""
    folder = tmp_path_factory.mktemp("undivided")
    with zipfile.ZipFile(folder / "set.zip", "w") as archive, (folder / "set.csv").open("w") as file:
        table = csv.writer(file)
        table.writerow(["path", "label", "group"])
        for i in range(80):
            archive.writestr(f"{i}.png", encoded(crop(i, bool(i % 2)), ".png"))
            table.writerow([f"{i}.png", i % 2, f"person {i}"])
    return folder / "set.zip"


@pytest.fixture(scope="module")
def learnt(undivided: Path) -> frozenset[str]:
    """The marks of what a model learned from that was trained on it."""
    return frozenset(file_marks([item for item in read_set(undivided) if item.split != "test"]))


def divided(folder: Path) -> Path:
    for split, first in (("train", 0), ("val", 10), ("test", 20)):
        for i in range(4):
            path = folder / "videos" / split / ("fake" if i % 2 else "real") / f"{first + i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encoded(crop(first + i, bool(i % 2)), ".png"))
    return folder / "videos"


def test_of_a_set_that_was_trained_on_the_rest_is_measured(undivided: Path, learnt: frozenset[str]) -> None:
    given = own_set_part(undivided, None, learnt)
    assert 0 < len(given.items) < 20 and given.learnt == 0
    assert [i.name for i in given.items] == [i.name for i in read_set(undivided) if i.split == "test"]
    assert given.notes == (f"Measured: what is new to the model, {len(given.items)} of 80 files.",)
    assert len(own_set_crops(given)) == len(given.items)


def test_other_models_measure_all_of_it(undivided: Path) -> None:
    given = own_set_part(undivided, None, NOBODY)
    assert len(given.items) == 80 and not given.notes


def test_it_is_known_wherever_it_lies(undivided: Path, learnt: frozenset[str], tmp_path: Path) -> None:
    """Unpacked, under other names; groups of which one file was learned from go as a whole."""
    for item in read_set(undivided):
        place = tmp_path / ("fake" if item.label else "real") / f"renamed {item.member}"
        place.parent.mkdir(exist_ok=True)
        with zipfile.ZipFile(undivided) as archive:
            place.write_bytes(archive.read(item.member or ""))
    assert len(own_set_part(tmp_path, None, learnt).items) == len(own_set_part(undivided, None, learnt).items)
    (tmp_path / "table.csv").write_text(
        "path,label,group\n"
        + "".join(
            f"{p.relative_to(tmp_path)},{p.parent.name},{'all' if p.parent.name == 'fake' else p.stem}\n"
            for p in sorted(tmp_path.glob("*/*.png"))
        )
    )
    assert {item.label for item in own_set_part(tmp_path / "table.csv", None, learnt).items} == {0}


@pytest.mark.parametrize("split", ["train", "val", "all"])
def test_what_was_learnt_from_is_said(undivided: Path, learnt: frozenset[str], split: str) -> None:
    given = own_set_part(undivided, split, learnt)
    parts = [item.split for item in read_set(undivided)]
    assert len(given.items) == (80 if split == "all" else parts.count(split))
    assert given.learnt == (80 - parts.count("test") if split == "all" else len(given.items))
    assert f"learned from {given.learnt} of these {len(given.items)} files" in given.notes[-1]


def test_a_set_that_names_splits_is_measured_on_test(tmp_path: Path) -> None:
    videos = divided(tmp_path)
    assert {item.split for item in own_set_part(videos, None, NOBODY).items} == {"test"}
    assert {item.split for item in own_set_part(videos, "val", NOBODY).items} == {"val"}
    assert len(own_set_part(videos, "all", NOBODY).items) == 12
    every = read_set(videos)
    table = "".join(f"videos/{i.path.relative_to(videos)},{i.label},{i.split}\n" for i in every)
    (tmp_path / "set.csv").write_text("path,label,split\n" + table)
    assert len(own_set_part(tmp_path / "set.csv", None, NOBODY).items) == 4


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_a_folder_that_is_a_split_is_measured_whole(tmp_path: Path, split: str) -> None:
    videos = divided(tmp_path)
    known = frozenset(file_marks([item for item in read_set(videos) if item.split != "test"]))
    given = own_set_part(videos / split, None, known)
    assert len(given.items) == 4 and given.learnt == (0 if split == "test" else 4)


def test_a_model_whose_files_nobody_noted_is_told_of() -> None:
    own = ("Data set crops.zip, training split: 98 pictures, 53 real and 45 manipulated, of 94 groups",)
    assert "--split test" in note_unmarked(own, NOBODY)[0]
    assert note_unmarked(own, frozenset({"0" * 16})) == ()
    assert not any(note_unmarked(load_card(name)[0].data, NOBODY) for name in SHIPPED_MODELS)


def test_where_nothing_is_left_the_remedy_is_named(tmp_path: Path) -> None:
    videos = divided(tmp_path)
    moved = (videos / "train").rename(tmp_path / "material")
    with pytest.raises(DataSetError, match="nothing of it is new to the model.*--split all"):
        own_set_part(moved, None, frozenset(file_marks(read_set(moved, (0, 0, 1)))))
    with pytest.raises(DataSetError, match="nothing of it is in the train split"):
        own_set_part(videos, "train", NOBODY)
