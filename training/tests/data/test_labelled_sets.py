"""Data sets as people have them, and what is refused: leaks, missing files, unknown labels."""

from __future__ import annotations

import zipfile
from collections import Counter
from pathlib import Path

import pytest
from made_faces import crop, encoded, write_archive
from odd_zips import ODD_ZIPS

from detector.errors import ParameterError
from training.data.labelled_sets import DataSetError, Item, check_leakage, contents, read_set

ALL_TRAIN = (1.0, 0.0, 0.0)


def put(path: Path, seed: int, fake: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded(crop(seed, fake, 32)))


def three_splits(folder: Path) -> Path:
    for number, split in enumerate(("train", "val", "test")):
        for fake in (False, True):
            label = "fake" if fake else "real"
            put(folder / split / label / f"{split}-{label}.png", 2 * number + fake, fake)
    return folder


def item(name: str, group: str, split: str, label: int = 0) -> Item:
    return Item(Path(name), None, label, group, split)


def test_folders_with_splits(tmp_path: Path) -> None:
    items = read_set(three_splits(tmp_path))
    assert Counter(i.split for i in items) == {"train": 2, "val": 2, "test": 2}
    assert all(i.label == ("fake" in i.path.name) for i in items)
    assert all(i.group == i.path.stem and i.member is None and i.path.is_file() for i in items)


def test_folders_without_splits_at_any_depth(tmp_path: Path) -> None:
    for number in range(60):
        put(tmp_path / "from somewhere" / "Real" / "deep" / f"r{number}.png", number)
        put(tmp_path / "fake" / f"v{number}" / f"f{number}.MP4", number, True)
    items = read_set(tmp_path, ALL_TRAIN)
    groups = {i.group for i in items}
    assert "deep" in groups and "f3" in groups, "images of one folder are one group, videos their own"
    assert {i.is_video for i in items if i.label} == {True}
    assert len(items) == 120


def test_hashed_splits_keep_groups_together_and_stay_when_the_set_grows(tmp_path: Path) -> None:
    def table(rows: range) -> Path:
        path = tmp_path / "set.csv"
        lines = [f"{n}-{label}.png,{label},g{n}" for n in rows for label in ("real", "fake")]
        path.write_text("\n".join(["path,label,group", *lines]))
        return path

    for n in range(120):
        put(tmp_path / f"{n}-real.png", n)
        put(tmp_path / f"{n}-fake.png", n, True)
    few = {i.name: i.split for i in read_set(table(range(80)), (0.6, 0.2, 0.2))}
    many = {i.name: i.split for i in read_set(table(range(120)), (0.6, 0.2, 0.2))}
    assert all(many[name] == split for name, split in few.items())
    share = Counter(many.values())
    assert share["train"] == pytest.approx(144, abs=30) and share["val"] > 20 and share["test"] > 20
    assert {i.split for i in read_set(table(range(80)), (0, 0, 1))} == {"test"}
    with pytest.raises(DataSetError, match="add up to 1"):
        read_set(table(range(80)), (0.6, 0.2, 0.1))


def test_csv_labels_splits_and_default_group(tmp_path: Path) -> None:
    for n in range(4):
        put(tmp_path / "in" / f"{n}.png", n)
    (tmp_path / "set.csv").write_text(
        "\ufeffpath,label,split\nin/0.png,0,train\nin/1.png,FAKE,train\nin/2.png,real,val\nin/3.png,1,val\n"
    )
    items = read_set(tmp_path / "set.csv")
    assert [(i.path.name, i.label, i.group, i.split) for i in items] == [
        ("0.png", 0, "0", "train"),
        ("1.png", 1, "1", "train"),
        ("2.png", 0, "2", "val"),
        ("3.png", 1, "3", "val"),
    ]


def test_zip_beside_its_csv(tmp_path: Path) -> None:
    write_archive(tmp_path / "crops.zip", 5)
    items = read_set(tmp_path / "crops.zip", ALL_TRAIN)
    assert len(items) == 10 and {i.group for i in items} == {f"source-{n}" for n in range(5)}
    assert all((i.member or "").startswith("fake" if i.label else "real") for i in items)
    with zipfile.ZipFile(tmp_path / "crops.zip") as archive:
        assert [data for _, data in contents(items)] == [archive.read(i.member or "") for i in items]


def test_zip_of_folders(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "crops.zip", "w") as archive:
        for label in ("real", "fake"):
            archive.writestr(
                f"my crops/train/{label}/{label}.png", encoded(crop(len(label), label == "fake"))
            )
            archive.writestr(f"__MACOSX/train/{label}/._{label}.png", b"shadow")
        archive.writestr("my crops/README.txt", b"words")
    items = read_set(tmp_path / "crops.zip")
    assert [(i.group, i.label, i.split) for i in items] == [("fake", 1, "train"), ("real", 0, "train")]


def test_a_group_in_two_splits_is_named(tmp_path: Path) -> None:
    for n in range(3):
        put(tmp_path / f"{n}", n)
    first, second, third = (str(tmp_path / f"{n}") for n in range(3))
    check_leakage([item(first, "x", "train"), item(second, "x", "train"), item(third, "y", "val")])
    with pytest.raises(ParameterError, match=r"alice \(test, train\)"):
        check_leakage([item("a", "alice", "train"), item("b", "alice", "test")])
    crowd = [item(f"{n}{split}", f"g{n}", split) for n in range(9) for split in ("train", "val")]
    with pytest.raises(ParameterError, match="and 4 more"):
        check_leakage(crowd)


def test_the_same_bytes_in_two_splits(tmp_path: Path) -> None:
    folder = three_splits(tmp_path / "set")
    (folder / "test" / "real" / "copy.png").write_bytes(
        (folder / "train" / "real" / "train-real.png").read_bytes()
    )
    with pytest.raises(DataSetError, match=r"same bytes.*train-real\.png \(train\)|copy\.png \(test\)"):
        read_set(folder)
    # In a zip and in a folder likewise.
    (folder / "test" / "real" / "copy.png").unlink()
    with zipfile.ZipFile(tmp_path / "more.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(folder / "train" / "fake" / "train-fake.png", "other.png")
    with pytest.raises(DataSetError, match=r"more\.zip:other\.png"):
        check_leakage([*read_set(folder), Item(tmp_path / "more.zip", "other.png", 1, "z", "val")])


@pytest.mark.parametrize("cut", [0, 400])
def test_a_damaged_zip_is_named_where_splits_are_compared(tmp_path: Path, cut: int) -> None:
    """One that was copied in part, and one with a byte that changed."""
    archive = tmp_path / "crops.zip"
    write_archive(archive, 1)
    with zipfile.ZipFile(archive) as crops:
        name, twin = crops.namelist()[0], tmp_path / "twin.jpg"
        twin.write_bytes(crops.read(name))
    whole = bytearray(archive.read_bytes())
    whole[100] ^= 255  # of the first picture
    archive.write_bytes(whole[: cut or None])
    with pytest.raises(DataSetError, match=r"crops\.zip: not a zip, or damaged\. Copy or download it again"):
        check_leakage([Item(archive, name, 1, "a", "train"), Item(twin, None, 1, "b", "val")])


@pytest.mark.parametrize("odd", ODD_ZIPS)
def test_a_zip_that_is_not_read_is_named(tmp_path: Path, odd: str) -> None:
    (tmp_path / "crops.zip").write_bytes(ODD_ZIPS[odd])
    with pytest.raises(DataSetError, match=r"crops\.zip: not a zip, or damaged"):
        read_set(tmp_path / "crops.zip")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("path,label\n", "empty"),
        ("name,label\n0.png,real\n", "path,label"),
        ("", "path,label"),
        ("path,label\n0.png,real\n1.png,maybe\n", "line 3: unknown label 'maybe'"),
        ("path,label,split\n0.png,real,train\n1.png,fake,dev\n", "unknown split 'dev'"),
        ("path,label\n0.png,real\nlost.png,fake\n", "1 of its files are missing: lost.png"),
        ("path,label,split\n0.png,real,train\n1.png,real,train\n", "nothing labelled fake"),
        ("path,label,split\n0.png,fake,train\n1.png,real,val\n", "train holds nothing labelled real"),
        ("path,label,split\n0.png,real,train\n0.png,fake,train\n", "more than once"),
        ('path,label\n"0.png,real\n', "CSV"),
    ],
)
def test_refused_tables(tmp_path: Path, rows: str, message: str) -> None:
    put(tmp_path / "0.png", 0)
    put(tmp_path / "1.png", 1)
    (tmp_path / "set.csv").write_text(rows)
    with pytest.raises(DataSetError, match=message):
        read_set(tmp_path / "set.csv", ALL_TRAIN)


def test_refused_places(tmp_path: Path) -> None:
    with pytest.raises(DataSetError, match="no such data set"):
        read_set(tmp_path / "nothing")
    (tmp_path / "set.txt").write_text("words")
    with pytest.raises(DataSetError, match="a folder, a CSV or a zip"):
        read_set(tmp_path / "set.txt")
    (tmp_path / "set.zip").write_text("words")
    with pytest.raises(DataSetError, match="not a zip"):
        read_set(tmp_path / "set.zip")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataSetError, match="empty"):
        read_set(tmp_path / "empty")


@pytest.mark.parametrize("stray", ["train/other/x.png", "x.png", "train/real/fake/x.png"])
def test_files_of_no_known_label(tmp_path: Path, stray: str) -> None:
    put(three_splits(tmp_path) / stray, 99)
    with pytest.raises(DataSetError, match="no known label"):
        read_set(tmp_path)


def test_files_half_in_splits(tmp_path: Path) -> None:
    put(three_splits(tmp_path) / "real" / "x.png", 99)
    with pytest.raises(DataSetError, match="split folders"):
        read_set(tmp_path)
