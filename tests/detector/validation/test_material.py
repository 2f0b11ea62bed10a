"""What a laboratory labels: folders and CSV files, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from media_files import ACCEPTED

from detector.validation.material import LabelledFile, MaterialError, material_of, read_material


def file(path: Path, content: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content or path.name)
    return path


def table(folder: Path, text: str) -> Path:
    return file(folder / "material.csv", text)


def test_folders_name_labels_and_generators(tmp_path: Path) -> None:
    file(tmp_path / "real" / "a.mp4")
    file(tmp_path / "manipulated" / "swap" / "b.jpg")
    file(tmp_path / "manipulated" / "notes.txt")
    material = read_material(tmp_path)
    assert [(exhibit.name, exhibit.manipulated, exhibit.generator) for exhibit in material.files] == [
        ("manipulated/swap/b.jpg", True, "swap"),
        ("real/a.mp4", False, None),
    ]
    assert material.labelled == ("generator",)


def test_files_are_recognised_by_their_first_bytes(tmp_path: Path) -> None:
    file(tmp_path / "real" / "a.mp4")
    file(tmp_path / "manipulated" / "source.ts", "export const not = 'a video'")
    ACCEPTED["ts"](tmp_path / "manipulated")
    ACCEPTED["png"](tmp_path / "manipulated").rename(tmp_path / "manipulated" / "without ending")
    material = read_material(tmp_path)
    assert [exhibit.name for exhibit in material.files] == [
        "manipulated/a.ts",
        "manipulated/without ending",
        "real/a.mp4",
    ]


def test_table_holds_all_labels(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4", "c.mp4"):
        file(tmp_path / name)
    text = (
        "file,label,generator,group,segments,persons,skin_tone,sex,camera\n"
        "a.mp4,manipulated,swap,one,0.5-1.25;3-4,anna; bert,V,female,x\n"
        "b.mp4,real,none,two,,bert,VI,male,y\n"
        "c.mp4,0,,three,,carl,,,\n"
    )
    material = read_material(table(tmp_path, text))
    first, second, third = material.files
    assert first.truth == ((0.5, 1.25), (3.0, 4.0))
    assert first.attributes == {"skin tone": "V", "sex": "female"}
    assert first.persons == ("anna", "bert")
    assert second.truth is None
    assert second.generator is None
    assert first.group == second.group != third.group, "they share a person"
    assert [remark.text for remark in material.remarks] == ["Columns not used: camera."]
    assert {"generator", "group", "segments", "persons", "skin tone", "sex"} == set(material.labelled)


def test_files_of_the_same_name_are_separate_groups() -> None:
    """As exhibits may be called; a group may still be the name of the one file called so."""

    def one(name: str, sha256: str, group: str = "") -> LabelledFile:
        return LabelledFile(name, Path(sha256), sha256 == "a", group, sha256=sha256)

    same = material_of("x", [one("image.jpg", "a"), one("image.jpg", "b"), one("image.jpg", "c")])
    assert len(same.numbers) == 3
    assert same.labelled == ()
    made_of = material_of("x", [one("fake.mp4", "a", "clip.mp4"), one("clip.mp4", "b"), one("c.mp4", "c")])
    assert [exhibit.group for exhibit in made_of.files] == ["c.mp4", "clip.mp4", "clip.mp4"]
    assert made_of.labelled == ("group",)


def test_identical_files_count_once(tmp_path: Path) -> None:
    file(tmp_path / "real" / "a.mp4", "same")
    file(tmp_path / "real" / "b.mp4", "same")
    file(tmp_path / "manipulated" / "c.mp4")
    material = read_material(tmp_path)
    assert len(material.files) == 2
    assert [remark.text for remark in material.remarks] == ["1 file is a copy of another and was left out."]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("file\na.mp4\n", "must name at least the columns file,label"),
        ("file,label\na.mp4,perhaps\n", "line 2: unknown label 'perhaps'"),
        ("file,label\na.mp4,real\n", "one label only"),
        ("file,label\nno.mp4,real\na.mp4,fake\n", "1 of its files are missing: no.mp4"),
        ("file,label,segments\na.mp4,fake,2-1\nb.mp4,real,\n", "segments are written as"),
        ("file,label\na.mp4,real\ncopy.mp4,fake\n", "same bytes with different labels"),
    ],
)
def test_invalid_material_is_rejected(tmp_path: Path, text: str, why: str) -> None:
    file(tmp_path / "a.mp4", "a")
    file(tmp_path / "copy.mp4", "a")
    file(tmp_path / "b.mp4")
    with pytest.raises(MaterialError, match=why):
        read_material(table(tmp_path, text))


def test_file_without_label_is_rejected(tmp_path: Path) -> None:
    file(tmp_path / "real" / "a.mp4")
    file(tmp_path / "b.mp4")
    with pytest.raises(MaterialError, match=r"b\.mp4 has no known label"):
        read_material(tmp_path)
