"""Many files at once: where they are found."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from batch_files import files

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

    def test_videos_and_photos_below_it_in_order(self, tmp_path: Path, folder: Path) -> None:
        found, handed_in = self.found(tmp_path, folder)
        names = ["a.jpg", "b.MP4", "photo-without-ending", "below/c.mkv", "below/deeper/d.webp"]
        assert [file.name for file in found] == [str(folder / name) for name in names]
        assert not any(file.error or file.unpacked for file in found)
        assert handed_in.left_out == {".txt": 1, ".jpg": 1, "without ending": 2}

    def test_for_crops_only_images(self, tmp_path: Path, folder: Path) -> None:
        found, _ = self.found(tmp_path, folder, only_images=True)
        assert [file.path.name for file in found] == ["a.jpg", "d.webp"]

    def test_a_file_given_by_name_is_taken_whatever_it_is(self, tmp_path: Path, folder: Path) -> None:
        found, handed_in = self.found(tmp_path, folder / "notes.txt", folder / "gone.mp4")
        assert [(file.path.name, file.error) for file in found] == [
            ("notes.txt", ""), ("gone.mp4", "No such file.")
        ]  # fmt: skip
        assert not handed_in.left_out

    def test_one_that_holds_nothing_is_an_error(self, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        ((file,), _) = self.found(tmp_path, tmp_path / "empty")
        assert file.error == "The folder holds no video or photo."

    def test_a_circle_of_links_ends(self, tmp_path: Path, folder: Path) -> None:
        (folder / "below" / "up").symlink_to(folder)
        found, _ = self.found(tmp_path, folder)
        assert len(found) == 5

    def test_nothing_is_looked_for_before_it_is_wanted(self, tmp_path: Path, folder: Path) -> None:
        handed_in = iter(InputFiles([folder, tmp_path / "gone"], tmp_path))
        assert next(handed_in).path.name == "a.jpg"
        (folder / "below" / "c.mkv").unlink()
        assert "c.mkv" not in [file.path.name for file in handed_in]
