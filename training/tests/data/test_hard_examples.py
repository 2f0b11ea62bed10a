"""Failures as training material, and never those of a test split."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from made_faces import crop, encoded

from training.data.labelled_sets import DataSetError, Item, check_leakage
from training.data.own_sets import read_failures
from training.evaluation.results import Failure, write_failures


@pytest.fixture
def known(tmp_path: Path) -> list[Item]:
    """Two items of each split; the fakes lie in a zip."""
    items = []
    for number, split in enumerate(("train", "val", "test")):
        path = tmp_path / f"{split}.png"
        path.write_bytes(encoded(crop(number, False)))
        items.append(Item(path, None, 0, f"real-{split}", split))
        items.append(Item(tmp_path / "crops.zip", f"{split}.png", 1, f"fake-{split}", split))
    return items


def failed(item: Item, probability: float, **other: object) -> dict[str, object]:
    entry = {"path": str(item.path), "member": item.member, "label": item.label, "group": item.group}
    return {**entry, "probability": probability, "kind": "missed", **other}


def write(tmp_path: Path, *entries: dict[str, object]) -> Path:
    path = tmp_path / "failures.json"
    path.write_text(json.dumps(entries))
    return path


def test_the_worse_the_heavier(tmp_path: Path, known: list[Item]) -> None:
    listed = write(tmp_path, failed(known[0], 0.9), failed(known[1], 0.4), failed(known[3], 0.1))
    hard = read_failures(listed, known)
    assert [h.item.name for h in hard] == [known[0].name, known[1].name, known[3].name]
    assert [h.weight for h in hard] == pytest.approx([0.9 / 0.8, 0.6 / 0.8, 0.9 / 0.8])
    assert {h.item.split for h in hard} == {"train"}


@pytest.mark.parametrize("given", ["train.png", "./train.png", "set/train.png"])
def test_a_file_is_known_by_the_end_of_its_path(tmp_path: Path, given: str) -> None:
    known = [
        Item(tmp_path / "set" / "train.png", None, 0, "a", "train"),
        Item(tmp_path / "set" / "retrain.png", None, 0, "b", "train"),
    ]
    (hard,) = read_failures(write(tmp_path, failed(known[0], 0.9, path=given)), known)
    assert hard.item == known[0] and hard.weight == 1


def test_a_file_that_could_be_either_of_two(tmp_path: Path) -> None:
    known = [Item(tmp_path / folder / "a.png", None, 0, folder, "train") for folder in ("x", "y")]
    with pytest.raises(DataSetError, match="or in several"):
        read_failures(write(tmp_path, failed(known[0], 0.9, path="a.png")), known)


def test_as_evaluation_writes_them(tmp_path: Path) -> None:
    """Its own function, so that neither side changes the form alone."""
    written = [
        Failure("crops.zip/fake-2.png", "fake", 0.2, "two", "crop", "dfdc-val"),
        Failure("clip.mp4", "real", None, "three", "video", "given", verdict="inconclusive"),
    ]
    write_failures(written, tmp_path)
    known = [
        Item(tmp_path / "crops.zip", "fake-2.png", 1, "two", "val"),
        Item(tmp_path / "clips" / "clip.mp4", None, 0, "three", "train"),
    ]
    hard = read_failures(tmp_path / "failures.json", known)
    assert [h.item.name for h in hard] == [item.name for item in known]
    assert [h.weight for h in hard] == pytest.approx([0.8 / 0.65, 0.5 / 0.65])


@pytest.mark.parametrize("data", ["dfdc-test", "develop"])
def test_nothing_of_a_set_to_measure_on(tmp_path: Path, known: list[Item], data: str) -> None:
    with pytest.raises(DataSetError, match="reserved for measuring"):
        read_failures(write(tmp_path, failed(known[0], 0.9, data=data)), known)


def test_validation_failures_must_leave_validation(tmp_path: Path, known: list[Item]) -> None:
    hard = [h.item for h in read_failures(write(tmp_path, failed(known[2], 0.9)), known)]
    validation = [item for item in known if item.split == "val" and item.member is None]
    with pytest.raises(DataSetError, match="real-val"):
        check_leakage([*hard, *validation])


@pytest.mark.parametrize("number", [4, 5])
def test_nothing_of_a_test_split(tmp_path: Path, known: list[Item], number: int) -> None:
    listed = write(tmp_path, failed(known[0], 0.9), failed(known[number], 0.6))
    with pytest.raises(DataSetError, match=r"1 failures belong .*test\.png.*measures nothing"):
        read_failures(listed, known)


def test_nothing_of_a_group_in_test(tmp_path: Path, known: list[Item]) -> None:
    """The same person's other video is as much a leak."""
    with pytest.raises(DataSetError, match="reserved for measuring"):
        read_failures(write(tmp_path, failed(known[0], 0.9, group="real-test")), known)


def test_unknown_failures(tmp_path: Path, known: list[Item]) -> None:
    with pytest.raises(DataSetError, match=r"in none of the data sets.*train\.png"):
        read_failures(write(tmp_path, failed(known[0], 0.9)), known[2:])


def test_another_label(tmp_path: Path, known: list[Item]) -> None:
    with pytest.raises(DataSetError, match="another label"):
        read_failures(write(tmp_path, failed(known[0], 0.1, label=1)), known)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "no failures"),
        ("{}", "its top level"),
        ("not json", "its top level"),
        ('[{"path": "a", "member": null, "label": 2, "probability": 0.5, "group": "g"}]', "0.label"),
        ('[{"path": "a", "member": null, "label": 1, "probability": 7, "group": "g"}]', "0.probability"),
    ],
)
def test_no_list_of_failures(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "failures.json").write_text(text)
    with pytest.raises(DataSetError, match=message):
        read_failures(tmp_path / "failures.json", [])


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(DataSetError, match="Evaluate a model first"):
        read_failures(tmp_path / "failures.json", [])


def test_no_errors_at_all(tmp_path: Path, known: list[Item]) -> None:
    with pytest.raises(DataSetError, match="exactly right"):
        read_failures(write(tmp_path, failed(known[0], 0.0)), known)
