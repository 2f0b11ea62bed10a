"""What is kept of many files, and which of them are done."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import warnings
import zipfile
from collections.abc import Generator, Iterator
from itertools import islice
from pathlib import Path

import pytest
from batch_files import PHOTO, files

from detector import Parameters
from detector.batch.input_files import File
from detector.batch.results_file import OtherModelNames, ResultLine, ResultsFile, read_lines, run_key
from detector.batch.run import BatchRun
from detector.errors import ParameterError
from detector.models.model_files import MODELS_FOLDER, SECOND_LOOK_FOLDER
from detector.schema.joint import JointRule

DEFAULT = Parameters()


class TestKept:
    BY = "0123456789abcdef"

    @pytest.fixture
    def file(self, tmp_path: Path) -> File:
        (path,) = files(tmp_path, "a.jpg")
        return File(str(path), path, path)

    def keep(self, out: Path, file: File, **line: object) -> None:
        with ResultsFile(out, self.BY) as kept:
            assert not kept.has(file)
            kept.add(file, {"file": file.name, "verdict": "x", **line})

    def has(self, out: Path, file: File, by: str = BY) -> bool:
        with ResultsFile(out, by) as kept:
            return kept.has(file)

    def test_finished_files_are_known(self, tmp_path: Path, file: File) -> None:
        self.keep(tmp_path / "out.jsonl", file)
        assert self.has(tmp_path / "out.jsonl", file)
        line = json.loads((tmp_path / "out.jsonl").read_text())
        assert (line["verdict"], line["bytes"], line["by"]) == ("x", len(PHOTO), self.BY)

    def test_changed_file_is_analysed_again(self, tmp_path: Path, file: File) -> None:
        self.keep(tmp_path / "out.jsonl", file)
        before = file.path.stat().st_mtime_ns
        file.path.write_bytes(PHOTO + b"more")
        os.utime(file.path, ns=(before, before))
        assert not self.has(tmp_path / "out.jsonl", file)
        file.path.write_bytes(PHOTO)
        os.utime(file.path, ns=(before, before + 1))
        assert not self.has(tmp_path / "out.jsonl", file)
        os.utime(file.path, ns=(before, before))
        assert self.has(tmp_path / "out.jsonl", file)

    def test_hashed_file_is_known_by_its_bytes(self, tmp_path: Path, file: File) -> None:
        """Wherever it lies and however it is called; not by its name once it is another."""
        out = tmp_path / "out.jsonl"
        self.keep(out, dataclasses.replace(file, sha256="a" * 64))
        elsewhere = tmp_path / "elsewhere.jpg"
        elsewhere.write_bytes(PHOTO)
        assert self.has(out, File("elsewhere.jpg", elsewhere, elsewhere, sha256="a" * 64))
        assert not self.has(out, dataclasses.replace(file, sha256="b" * 64))
        assert list(read_lines(out, self.BY)) == ["a" * 64]

    def test_file_changed_meanwhile_is_not_known_by_its_old_bytes(self, tmp_path: Path, file: File) -> None:
        out, before = tmp_path / "out.jsonl", dataclasses.replace(file, sha256="a" * 64)
        with ResultsFile(out, self.BY) as kept:
            assert not kept.has(before)
            file.path.write_bytes(PHOTO + b"more")
            kept.add(before, {"file": file.name, "verdict": "x"})
            assert kept.line_of("a" * 64) is None
        assert not self.has(out, before)

    def test_hashed_file_matches_a_line_without_sha256(self, tmp_path: Path, file: File) -> None:
        self.keep(tmp_path / "out.jsonl", file)
        assert self.has(tmp_path / "out.jsonl", dataclasses.replace(file, sha256="a" * 64))

    def test_other_model_or_parameter_is_another_run(self, tmp_path: Path, file: File) -> None:
        self.keep(tmp_path / "out.jsonl", file)
        assert not self.has(tmp_path / "out.jsonl", file, by="f" * 16)
        ways = [
            run_key(None, DEFAULT),
            run_key(None, Parameters(sample_rate=4)),
            run_key("efficientnet-lstm", DEFAULT),
            run_key(None, DEFAULT, crops=True),
            run_key(None, DEFAULT, others=OtherModelNames(["efficientnet-lstm"])),
            run_key(None, DEFAULT, others=OtherModelNames(["efficientnet-lstm"], JointRule.ALL)),
        ]
        assert len(set(ways)) == 6 and run_key("reelproof", Parameters()) == ways[0]

    def test_second_look_weights_count_but_card_figures_do_not(self, tmp_path: Path) -> None:
        folder = tmp_path / "models"
        (folder / SECOND_LOOK_FOLDER).mkdir(parents=True)
        for path in (
            Path("reelproof.json"),
            Path("reelproof.safetensors"),
            Path(SECOND_LOOK_FOLDER, "reelproof.json"),
        ):
            (folder / path).symlink_to(MODELS_FOLDER / path)
        card, second = folder / "reelproof.json", folder / SECOND_LOOK_FOLDER / "reelproof.json"
        before = run_key(card, DEFAULT)

        def change(**values: object) -> None:
            text = json.dumps(json.loads(second.read_text()) | values)
            second.unlink()
            second.write_text(text)

        change(figures={}, rates=[])
        assert run_key(card, DEFAULT) == before
        change(reserve=1.25)
        assert run_key(card, DEFAULT) != before

    @pytest.mark.parametrize("text", ["[1, 2]", '{"a": 1}', "notes", '{"file": "a", "bytes": []}\n'])
    def test_foreign_file_is_not_touched(self, tmp_path: Path, text: str) -> None:
        """Without an end of line, too, where half a line of ours would be removed."""
        (tmp_path / "out.jsonl").write_text(text)
        with pytest.raises(ParameterError, match="something else"):
            ResultsFile(tmp_path / "out.jsonl", self.BY)
        assert (tmp_path / "out.jsonl").read_text() == text

    def test_rounding_back_end_is_another_run(self, monkeypatch: pytest.MonkeyPatch) -> None:
        plain = run_key(None, DEFAULT)
        monkeypatch.setenv("REELPROOF_BACKEND", "onnxruntime")
        assert run_key(None, DEFAULT) == plain
        monkeypatch.setenv("REELPROOF_BACKEND", "openvino-bf16")
        assert run_key(None, DEFAULT) != plain

    def test_failures_are_tried_again(self, tmp_path: Path, file: File) -> None:
        self.keep(tmp_path / "out.jsonl", file, error="Out of memory.")
        assert not self.has(tmp_path / "out.jsonl", file)

    def test_entries_of_two_zips_are_distinct(self, tmp_path: Path, file: File) -> None:
        zips = files(tmp_path, "a.zip", "b.zip")
        first, second = (File("face.jpg", tmp_path / "1.jpg", path) for path in zips)
        self.keep(tmp_path / "out.jsonl", first)
        assert self.has(tmp_path / "out.jsonl", first) and not self.has(tmp_path / "out.jsonl", second)

    def test_partial_line_is_removed(self, tmp_path: Path, file: File) -> None:
        out = tmp_path / "out.jsonl"
        self.keep(out, file)
        whole = out.read_bytes()
        out.write_bytes(whole + whole[: len(whole) // 2])
        assert self.has(out, file)
        assert out.read_bytes() == whole

    def test_other_content_is_rejected_untouched(self, tmp_path: Path) -> None:
        out = tmp_path / "thesis.txt"
        for text in ("years of work\n", '{"other": 1}\n', "[1]\n"):
            out.write_text(text)
            with pytest.raises(ParameterError, match="holds something else"):
                ResultsFile(out, self.BY)
            assert out.read_text() == text

    def test_devices_and_pipes_are_rejected(self, tmp_path: Path) -> None:
        """They cannot be read again; ``--out /dev/stdout`` in a pipe is one."""
        os.mkfifo(tmp_path / "pipe")
        (tmp_path / "link").symlink_to("pipe")
        for path in (tmp_path / "pipe", tmp_path / "link", Path("/dev/null")):
            with pytest.raises(ParameterError, match="device or a pipe"):
                ResultsFile(path, self.BY)

    def test_concurrent_runs_are_rejected(self, tmp_path: Path) -> None:
        with (
            ResultsFile(tmp_path / "out.jsonl", self.BY),
            pytest.raises(ParameterError, match="another run"),
        ):
            ResultsFile(tmp_path / "out.jsonl", self.BY)


class Told(BatchRun):
    """A run whose networks say of each file what follows the photo in it."""

    def _scored(self, files: Iterator[File]) -> Generator[tuple[File, ResultLine]]:
        for file in files:
            yield file, {"file": file.name, "verdict": file.path.read_bytes()[len(PHOTO) :].decode()}


def test_interrupted_run_continues_with_the_second_entry_of_a_name(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for what in (b"first", b"second", b"third"):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # zipfile's, of a name that is there already
                archive.writestr("face.jpg", PHOTO + what)

    def lines(most: int | None = None) -> list[object]:
        run = Told([tmp_path / "photos.zip"], None, DEFAULT, out=tmp_path / "out.jsonl").lines()
        with contextlib.closing(run):
            return [line["verdict"] for line in islice(run, most)]

    assert lines(1) == ["first"]
    assert lines(1) == ["second"]
    assert lines() == ["third"]
    assert lines() == []
    kept = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [line.get("number", 1) for line in kept] == [1, 2, 3]
    assert all(line["sha256"] and line["bytes"] for line in kept)
