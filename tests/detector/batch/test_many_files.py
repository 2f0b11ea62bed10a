"""Many files at once: where they are found, what is kept of them, and processes that come to grief.

Analyses are replaced by what their file's name says, in a process of its own.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from warm import Script

from detector import Parameters
from detector.batch.input_files import File, InputFiles
from detector.batch.other_models import Others
from detector.batch.results_file import ResultsFile, read_lines, run_key
from detector.batch.run import BatchRun
from detector.batch.worker_pool import score_files
from detector.errors import ModelError, ParameterError, ReelproofError
from detector.models.card import MODELS, SECOND_LOOKS
from detector.paths import ROOT
from detector.schema.others import JointRule
from tests.detector.models.onnx_models import put

PHOTO = b"\xff\xd8\xff\xe0" + bytes(60)
DEFAULT = Parameters()

# `score` with analyses that do what a file's name says, in the confined process or in the hand.
ACTING = Script("""
import os, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background may begin without
from types import SimpleNamespace
from detector.batch import worker_pool
from detector.cli.main import main

def scored(path, name, asked, threads, report):
    began = time.monotonic()
    what, _, number = name.partition(".")[0].partition("-")
    if what == "crash":
        signal.signal(signal.SIGSEGV, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGSEGV)
    if what == "raise":
        raise KeyError("nobody thought of this")
    if what == "sleep":
        time.sleep(float(number))
    return {"verdict": what, "probability": 0.5, "faces": threads, "duration": 0.0, "from": began,
            "to": time.monotonic()}

def line(file, work, real=worker_pool._line):
    if file.path.name.startswith("killed"):
        os.kill(os.getpid(), signal.SIGKILL)
    return real(file, work)

worker_pool._scored, worker_pool._line, worker_pool._MODULES, worker_pool._FOR_SEVERAL = scored, line, (), ()
worker_pool._one_thread = lambda: None
worker_pool._make_networks = lambda loaded: None
worker_pool._loaded = lambda model: SimpleNamespace()
worker_pool.backends.needs_torch = lambda model: False
sys.exit(main(["score", *sys.argv[1:]]))
""")


def acting(*arguments: str | Path, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", ACTING, *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **options,
    )


def done(*arguments: str | Path) -> tuple[list[dict[str, Any]], str, int]:
    """Lines, standard error and status of `score`."""
    process = acting(*arguments)
    out, err = process.communicate(timeout=400)
    return [json.loads(line) for line in out.splitlines()], err, process.returncode


def files(folder: Path, *names: str) -> list[Path]:
    paths = [folder / name for name in names]
    for path in paths:
        path.write_bytes(PHOTO)
    return paths


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

    def test_what_was_done_is_known(self, tmp_path: Path, file: File) -> None:
        self.keep(tmp_path / "out.jsonl", file)
        assert self.has(tmp_path / "out.jsonl", file)
        line = json.loads((tmp_path / "out.jsonl").read_text())
        assert (line["verdict"], line["bytes"], line["by"]) == ("x", len(PHOTO), self.BY)

    def test_a_file_that_changed_is_done_again(self, tmp_path: Path, file: File) -> None:
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

    def test_a_hashed_file_is_known_by_its_bytes(self, tmp_path: Path, file: File) -> None:
        """Wherever it lies and however it is called; not by its name once it is another."""
        out = tmp_path / "out.jsonl"
        self.keep(out, dataclasses.replace(file, sha256="a" * 64))
        elsewhere = tmp_path / "elsewhere.jpg"
        elsewhere.write_bytes(PHOTO)
        assert self.has(out, File("elsewhere.jpg", elsewhere, elsewhere, sha256="a" * 64))
        assert not self.has(out, dataclasses.replace(file, sha256="b" * 64))
        assert list(read_lines(out, self.BY)) == ["a" * 64]

    def test_a_file_that_changed_meanwhile_is_not_known_by_what_it_was(
        self, tmp_path: Path, file: File
    ) -> None:
        out, before = tmp_path / "out.jsonl", dataclasses.replace(file, sha256="a" * 64)
        with ResultsFile(out, self.BY) as kept:
            assert not kept.has(before)
            file.path.write_bytes(PHOTO + b"more")
            kept.add(before, {"file": file.name, "verdict": "x"})
            assert kept.line_of("a" * 64) is None
        assert not self.has(out, before)

    def test_a_hashed_file_is_known_of_a_line_without_sha256(self, tmp_path: Path, file: File) -> None:
        self.keep(tmp_path / "out.jsonl", file)
        assert self.has(tmp_path / "out.jsonl", dataclasses.replace(file, sha256="a" * 64))

    def test_another_model_or_parameter(self, tmp_path: Path, file: File) -> None:
        self.keep(tmp_path / "out.jsonl", file)
        assert not self.has(tmp_path / "out.jsonl", file, by="f" * 16)
        ways = [
            run_key(None, DEFAULT),
            run_key(None, Parameters(sample_rate=4)),
            run_key("reelproof-lite0", DEFAULT),
            run_key(None, DEFAULT, crops=True),
            run_key(None, DEFAULT, others=Others(["reelproof-lite0"])),
            run_key(None, DEFAULT, others=Others(["reelproof-lite0"], JointRule.ALL)),
        ]
        assert len(set(ways)) == 6 and run_key("reelproof", Parameters()) == ways[0]

    def test_another_second_look_but_not_other_figures(self, tmp_path: Path) -> None:
        folder = tmp_path / "models"
        (folder / SECOND_LOOKS).mkdir(parents=True)
        for path in (
            Path("reelproof.json"),
            Path("reelproof.safetensors"),
            Path(SECOND_LOOKS, "reelproof.json"),
        ):
            (folder / path).symlink_to(MODELS / path)
        card, second = folder / "reelproof.json", folder / SECOND_LOOKS / "reelproof.json"
        before = run_key(card, DEFAULT)

        def change(**values: object) -> None:
            text = json.dumps(json.loads(second.read_text()) | values)
            second.unlink()
            second.write_text(text)

        change(figures={}, rates=[])
        assert run_key(card, DEFAULT) == before
        change(reserve=1.0)
        assert run_key(card, DEFAULT) != before

    @pytest.mark.parametrize("text", ["[1, 2]", '{"a": 1}', "notes", '{"file": "a", "bytes": []}\n'])
    def test_a_file_of_something_else_is_left_alone(self, tmp_path: Path, text: str) -> None:
        """Without an end of line, too, where half a line of ours would be removed."""
        (tmp_path / "out.jsonl").write_text(text)
        with pytest.raises(ParameterError, match="something else"):
            ResultsFile(tmp_path / "out.jsonl", self.BY)
        assert (tmp_path / "out.jsonl").read_text() == text

    def test_a_back_end_that_rounds(self, monkeypatch: pytest.MonkeyPatch) -> None:
        plain = run_key(None, DEFAULT)
        monkeypatch.setenv("REELPROOF_BACKEND", "onnxruntime")
        assert run_key(None, DEFAULT) == plain
        monkeypatch.setenv("REELPROOF_BACKEND", "openvino-bf16")
        assert run_key(None, DEFAULT) != plain

    def test_what_failed_is_tried_again(self, tmp_path: Path, file: File) -> None:
        self.keep(tmp_path / "out.jsonl", file, error="Out of memory.")
        assert not self.has(tmp_path / "out.jsonl", file)

    def test_entries_of_two_zips_are_two_files(self, tmp_path: Path, file: File) -> None:
        zips = files(tmp_path, "a.zip", "b.zip")
        first, second = (File("face.jpg", tmp_path / "1.jpg", path) for path in zips)
        self.keep(tmp_path / "out.jsonl", first)
        assert self.has(tmp_path / "out.jsonl", first) and not self.has(tmp_path / "out.jsonl", second)

    def test_half_a_line_is_removed(self, tmp_path: Path, file: File) -> None:
        out = tmp_path / "out.jsonl"
        self.keep(out, file)
        whole = out.read_bytes()
        out.write_bytes(whole + whole[: len(whole) // 2])
        assert self.has(out, file)
        assert out.read_bytes() == whole

    def test_what_is_no_such_file_is_left_alone(self, tmp_path: Path) -> None:
        out = tmp_path / "thesis.txt"
        for text in ("years of work\n", '{"other": 1}\n', "[1]\n"):
            out.write_text(text)
            with pytest.raises(ParameterError, match="holds something else"):
                ResultsFile(out, self.BY)
            assert out.read_text() == text

    def test_two_runs_do_not_add_to_one(self, tmp_path: Path) -> None:
        with (
            ResultsFile(tmp_path / "out.jsonl", self.BY),
            pytest.raises(ParameterError, match="another run"),
        ):
            ResultsFile(tmp_path / "out.jsonl", self.BY)


class TestProcesses:
    def test_what_breaks_is_one_line_and_the_others_go_on(self, tmp_path: Path) -> None:
        """A decoder that crashes, a whole process that is killed, and a mistake in the program."""
        files(tmp_path, "crash.jpg", "killed.jpg", "raise.jpg", *(f"good-{n}.jpg" for n in range(6)))
        lines, err, status = done(tmp_path, "--workers", "2")
        found = {Path(line["file"]).stem: line for line in lines}
        assert status == 1 and len(lines) == 9 and err == ""
        assert "decoder crash" in found["crash"]["error"]
        assert "ended from outside" in found["killed"]["error"]
        assert "nobody thought of this" in found["raise"]["error"]
        assert all(tuple(found[name]) == ("file", "error") for name in ("crash", "killed", "raise"))
        assert all(found[f"good-{n}"]["verdict"] == "good" for n in range(6))

    def test_several_at_a_time_and_each_as_it_is_finished(self, tmp_path: Path) -> None:
        paths = files(tmp_path, "sleep-3.jpg", "sleep-1.jpg", "sleep-0.jpg")
        lines, _, status = done(*paths, "--workers", "2")
        assert status == 0
        assert [Path(line["file"]).name for line in lines] == [p.name for p in (paths[1], paths[2], paths[0])]
        long = lines[-1]
        assert all(long["from"] < line["to"] < long["to"] for line in lines[:-1])
        one_by_one, _, _ = done(*paths, "--workers", "1")
        assert [line["file"] for line in one_by_one] == [str(path) for path in paths]
        assert all(a["to"] <= b["from"] for a, b in zip(one_by_one, one_by_one[1:], strict=False))

    def test_a_few_files_share_the_cores(self, tmp_path: Path) -> None:
        """One analysis alone has all of them for its arithmetic."""
        (path,) = files(tmp_path, "good.jpg")
        ((line,), _, _) = done(path)
        assert line["faces"] == len(os.sched_getaffinity(0))

    def test_a_killed_run_goes_on_where_it_was(self, tmp_path: Path) -> None:
        folder = tmp_path / "folder"
        folder.mkdir()
        for path in files(folder, "a.jpg", "b.jpg", "sleep-30.jpg"):
            path.write_bytes(PHOTO + path.name.encode())  # the same bytes would be known
        out = tmp_path / "out.jsonl"
        run = acting(folder, "--workers", "1", "--out", out)
        with run:
            assert run.stdout is not None
            before = [json.loads(run.stdout.readline()) for _ in range(2)]
            run.kill()
        gone(run.pid)
        out.write_bytes(out.read_bytes() + b'{"file": "' + os.fsencode(folder))
        (folder / "sleep-30.jpg").rename(folder / "sleep-0.jpg")
        lines, err, status = done(folder, "--workers", "1", "--out", out)
        assert [Path(line["file"]).name for line in lines] == ["sleep-0.jpg"]
        assert status == 0 and "2 files done before" in err
        kept = [json.loads(line) for line in out.read_text().splitlines()]
        assert [line["file"] for line in kept] == [line["file"] for line in (*before, *lines)]
        assert done(folder, "--out", out)[0] == []

    def test_a_file_is_known_by_its_bytes_however_it_is_named(self, tmp_path: Path) -> None:
        """By a relative path, through a link, as a copy in a zip: it has a line each time, measured once."""
        folder, out = tmp_path / "folder", tmp_path / "out.jsonl"
        folder.mkdir()
        (path,) = files(folder, "a.jpg")
        (measured,), _, _ = done(path, "--out", out)
        (folder / "link.jpg").symlink_to("a.jpg")
        named = [Path(os.path.relpath(path, ROOT)), folder / "link.jpg"]
        lines, err, status = done(*named, "--out", out)
        assert status == 0 and "2 files known by their bytes from other names" in err
        assert lines == [measured | {"file": str(name)} for name in named]
        assert done(*named, path, "--out", out)[0] == []
        with zipfile.ZipFile(folder / "given.zip", "w") as archive:
            archive.writestr("copy.jpg", PHOTO)
        assert done(folder / "given.zip", "--out", out)[0] == [measured | {"file": "copy.jpg"}]
        assert done(folder / "given.zip", "--out", out)[0] == []
        path.write_bytes(PHOTO + b"another")
        (line,), _, _ = done(named[0], "--out", out)
        assert line["from"] > measured["from"]

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
    def test_nothing_goes_on_after_it_was_stopped(self, tmp_path: Path, number: signal.Signals) -> None:
        paths = files(tmp_path, "good.jpg", "sleep-60.jpg", "sleep-61.jpg")
        run = acting(*paths, "--workers", "2", env=os.environ | {"TMPDIR": str(tmp_path)})
        with run:
            assert run.stdout is not None
            assert json.loads(run.stdout.readline())["verdict"] == "good"
            time.sleep(0.5)  # until the second sleeps too
            assert len(session(run.pid)) >= 3
            if number == signal.SIGINT:
                os.killpg(run.pid, number)  # as a terminal does
            else:
                run.send_signal(number)
            run.wait(20)
        gone(run.pid)
        if number == signal.SIGINT:
            assert run.returncode == 130
            assert sorted(path for path in tmp_path.iterdir()) == sorted(paths)

    def test_no_more_is_unpacked_than_is_worked_on(self, tmp_path: Path) -> None:
        given = tmp_path / "given.zip"
        with zipfile.ZipFile(given, "w") as archive:
            for number in range(12):
                archive.writestr(f"sleep-0.{number}.jpg", PHOTO)
        temporary = tmp_path / "temporary"
        temporary.mkdir()
        run = acting(given, "--workers", "2", env=os.environ | {"TMPDIR": str(temporary)})
        most = 0
        with run:
            while run.poll() is None:
                most = max(most, len(list(temporary.glob("tmp*/*.jpg"))))
                time.sleep(0.01)
        assert run.returncode == 0 and 1 <= most <= 3
        assert list(temporary.iterdir()) == []


def session(leader: int) -> list[int]:
    """The processes that still run in the session that ``leader`` began."""
    found = []
    for place in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, _, number = place.read_text().rpartition(")")[2].split()[:4]
            if int(number) == leader and state != "Z":
                found.append(int(place.parent.name))
    return found


def gone(leader: int) -> None:
    until = time.monotonic() + 120
    while left := session(leader):
        assert time.monotonic() < until, f"processes {left} still run"
        time.sleep(0.05)


# Ends as soon as it is known how the pool's processes are started.
ASKED = """
import multiprocessing, sys
multiprocessing.get_context = sys.exit
from detector.cli.main import main
main(["score", *sys.argv[1:]])
"""


@pytest.mark.parametrize("count", [1, 2])
def test_a_process_that_loaded_everything_still_has_one_thread(tmp_path: Path, count: int) -> None:
    """Else the pool is started afresh and loads for itself, and each of its files may as well."""
    paths = files(tmp_path, *("a.jpg", "b.jpg")[:count])
    # As it is started by people: with tests, arithmetic has one thread in any case.
    environment = {name: value for name, value in os.environ.items() if not name.endswith("NUM_THREADS")}
    command = [sys.executable, "-c", ASKED, *map(str, paths)]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert ended.stderr.split() == ["fork"]


class TestFromAProcessWithThreads:
    @pytest.fixture(autouse=True)
    def ended(self) -> Iterator[None]:
        yield
        import multiprocessing

        assert not multiprocessing.active_children()

    def test_hands_are_started_afresh(self, tmp_path: Path, astronaut: np.ndarray) -> None:
        """As here, where torch has computed: a fork would take one thread along and all locks."""
        path = tmp_path / "astronaut.png"
        assert cv2.imwrite(str(path), astronaut[:, :, ::-1])
        given = [File(str(path), path, path), File("x", tmp_path / "gone.mp4", tmp_path / "gone.mp4")]
        lines = [line for _, line in score_files(given, None, DEFAULT, workers=1)]
        assert lines[0]["faces"] == 1 and "error" in lines[1]

    def test_other_models_judge_the_same_faces(self, tmp_path: Path, astronaut: np.ndarray) -> None:
        path = tmp_path / "astronaut.png"
        assert cv2.imwrite(str(path), astronaut[:, :, ::-1])
        tiny = put(tmp_path, "tiny")
        run = BatchRun([path], None, DEFAULT, workers=1, others=Others([str(tiny)], JointRule.ALL))
        (line,) = run.lines()
        (said,) = line["others"]  # type: ignore[attr-defined]
        assert said["model"] == "tiny" and 0 <= said["probability"] <= 1
        assert line["joint"] == {"rule": "all", "verdict": line["joint"]["verdict"]}  # type: ignore[index]

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"others": Others(["reelproof"])}, "named twice"),
            ({"others": Others(["reelproof-2"]), "crops": True}, "judged by one model"),
        ],
    )
    def test_what_cannot_be_asked_for(self, tmp_path: Path, options: dict[str, Any], words: str) -> None:
        with pytest.raises(ReelproofError, match=words):
            next(BatchRun([tmp_path], None, DEFAULT, **options).lines())

    def test_an_unknown_model(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match="nosuch"):
            next(score_files([File("x", tmp_path, tmp_path)], "nosuch", DEFAULT))
