"""Many files at once: where they are found."""

from __future__ import annotations

import os
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest
from batch_files import PHOTO, files
from odd_zips import ODD_ZIPS

from detector.batch.input_files import File, InputFiles


class TestFolders:
    def found(self, tmp_path: Path, *given: Path, **options: Any) -> tuple[list[File], InputFiles]:
        (tmp_path / "unpacked").mkdir()
        handed_in = InputFiles(given, tmp_path / "unpacked", **options)
        return list(handed_in), handed_in

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        folder = tmp_path / "folder"
        (folder / "below" / "deeper").mkdir(parents=True)
        (folder / ".hidden").mkdir()
        files(folder, "b.MP4", "a.jpg", "notes.txt", "._a.jpg", "photo-without-ending", "below/c.mkv")
        files(folder, "below/deeper/d.webp", ".hidden/e.mp4")
        (folder / "notes.txt").write_text("words")
        (folder / "below" / "README").write_text("words")
        os.mkfifo(folder / "below" / "pipe")
        return folder

    def test_videos_and_photos_of_a_folder_in_order(self, tmp_path: Path, folder: Path) -> None:
        input_files, handed_in = self.found(tmp_path, folder)
        names = ["a.jpg", "b.MP4", "photo-without-ending", "below/c.mkv", "below/deeper/d.webp"]
        assert [file.name for file in input_files] == [str(folder / name) for name in names]
        assert not any(file.error or file.unpacked for file in input_files)
        assert handed_in.left_out == {".txt": 1, ".jpg": 1, "without ending": 2}

    def test_crops_take_images_only(self, tmp_path: Path, folder: Path) -> None:
        input_files, _ = self.found(tmp_path, folder, only_images=True)
        assert [file.path.name for file in input_files] == ["a.jpg", "d.webp"]

    def test_file_given_by_name_is_always_taken(self, tmp_path: Path, folder: Path) -> None:
        input_files, handed_in = self.found(tmp_path, folder / "notes.txt", folder / "gone.mp4")
        assert [(file.path.name, file.error) for file in input_files] == [
            ("notes.txt", ""),
            (
                "gone.mp4",
                "The file cannot be opened: it does not exist. Check its name and folder.",
            ),
        ]  # fmt: skip
        assert not handed_in.left_out

    def test_empty_folder_is_an_error(self, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        ((file,), _) = self.found(tmp_path, tmp_path / "empty")
        assert file.error == "The folder holds no video, photo or sound recording."

    def test_circular_links_terminate(self, tmp_path: Path, folder: Path) -> None:
        (folder / "below" / "up").symlink_to(folder)
        (folder / ".up").symlink_to(folder)
        input_files, handed_in = self.found(tmp_path, folder)
        assert len(input_files) == 5 and handed_in.left_out["linked folder"] == 1

    def test_search_is_lazy(self, tmp_path: Path, folder: Path) -> None:
        handed_in = iter(InputFiles([folder, tmp_path / "gone"], tmp_path))
        assert next(handed_in).path.name == "a.jpg"
        (folder / "below" / "c.mkv").unlink()
        assert "c.mkv" not in [file.path.name for file in handed_in]


class TestZips:
    @staticmethod
    def found(path: Path, *more: Path, **options: Any) -> tuple[list[File], InputFiles]:
        (path.parent / "unpacked").mkdir(exist_ok=True)
        handed_in = InputFiles([path, *more], path.parent / "unpacked", **options)
        return list(handed_in), handed_in

    @pytest.mark.parametrize("odd", ODD_ZIPS)
    @pytest.mark.parametrize("only_images", [False, True])
    def test_odd_zip_does_not_end_the_run(self, tmp_path: Path, odd: str, only_images: bool) -> None:
        (tmp_path / "odd.zip").write_bytes(ODD_ZIPS[odd])
        (after,) = files(tmp_path, "after.jpg")
        (bad, good), _ = self.found(tmp_path / "odd.zip", after, only_images=only_images)
        assert bad.name == str(tmp_path / "odd.zip") and good.path == after
        assert bad.error == "The zip is damaged or of a kind not read here."

    def test_odd_entry_does_not_end_the_run(self, tmp_path: Path) -> None:
        path = tmp_path / "odd.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for name in ("\u00e9.jpg", "far.jpg", "good.jpg"):
                archive.writestr(name, PHOTO)
        data = path.read_bytes().replace(
            "\u00e9".encode(), b"\xe9\xe9", 1
        )  # beside the entry, not in the list
        with zipfile.ZipFile(path) as archive:
            far = archive.getinfo("far.jpg")
        # In the list it lies where no file has bytes.
        at = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 4)
        extra = struct.pack("<HHQ", 1, 8, 2**63)
        end = data.index(b"PK\x05\x06")
        listed = bytearray(data[at:end])
        struct.pack_into("<H", listed, 30, len(extra))
        struct.pack_into("<I", listed, 42, 0xFFFFFFFF)
        listed[46 + len(far.filename) : 46 + len(far.filename)] = extra
        tail = bytearray(data[end:])
        (size,) = struct.unpack_from("<I", tail, 12)
        struct.pack_into("<I", tail, 12, size + len(extra))
        path.write_bytes(data[:at] + listed + tail)
        (name, place, good), _ = self.found(path)
        assert {entry.error.split(":")[0] for entry in (name, place)} == {"The entry cannot be unpacked"}
        assert good.name == "good.jpg" and not good.error

    @pytest.mark.parametrize("only_images", [False, True])
    def test_hidden_files_and_macos_additions_are_ignored(self, tmp_path: Path, only_images: bool) -> None:
        names = ("a.jpg", "__MACOSX/._a.jpg", "b/._c.jpg", ".d/e.jpg", "b/__MACOSX/f.jpg", "../g.jpg")
        with zipfile.ZipFile(tmp_path / "mac.zip", "w") as archive:
            for name in names:
                archive.writestr(name, PHOTO)
        input_files, _ = self.found(tmp_path / "mac.zip", only_images=only_images)
        assert [(file.name, file.error) for file in input_files] == [("a.jpg", ""), ("../g.jpg", "")]

    @pytest.mark.parametrize("only_images", [False, True])
    def test_other_files_are_counted(self, tmp_path: Path, only_images: bool) -> None:
        names = (
            "a.jpg",
            "below/",
            "below/CLIP.MP4",
            "b.mp4",
            "more.zip",
            "README",
            ".hidden",
            "__MACOSX/._b.mp4",
        )
        with zipfile.ZipFile(tmp_path / "given.zip", "w") as archive:
            for name in names:
                archive.writestr(name, b"" if name.endswith("/") else PHOTO)
        input_files, handed_in = self.found(tmp_path / "given.zip", only_images=only_images)
        assert [file.name for file in input_files] == ["a.jpg"]
        assert handed_in.left_out == {".mp4": 2, ".zip": 1, "without ending": 1}
