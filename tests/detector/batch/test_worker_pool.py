"""Many files at once, and processes that come to grief.

Analyses are replaced by what their file's name says, in a process of its own.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from batch_files import PHOTO, files
from onnx_models import put
from unconfined import Unconfined
from waiting import PATIENCE, until
from warm import Script

from detector import Parameters
from detector.batch import worker_pool
from detector.batch import worker_pool as batch_worker_pool
from detector.batch.input_files import File
from detector.batch.results_file import OtherModelNames
from detector.batch.run import BatchRun
from detector.batch.worker_pool import score_files
from detector.errors import ModelError, ReelproofError
from detector.files import ROOT
from detector.sandbox import Limits
from detector.schema.joint import JointRule

DEFAULT = Parameters()
SCAN = Parameters(second_look=0)


# `score` with analyses that do what a file's name says, in the confined process or in the hand.
ACTING = Script("""
import os, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background may begin without
from types import SimpleNamespace
from detector.batch import worker_pool
from cli.engine.main import main

def scored(path, name, asked, threads, report):
    began = time.monotonic()
    what = name.partition(".")[0].partition("-")[0]
    if what == "crash":
        signal.signal(signal.SIGSEGV, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGSEGV)
    if what == "raise":
        raise KeyError("nobody thought of this")
    while what == "held" and os.stat(path).st_mode & 0o200:  # until its test lets go of it
        time.sleep(0.01)
    return {"verdict": what, "probability": 0.5, "faces": threads, "duration": 0.0, "from": began,
            "to": time.monotonic()}

def line(file, work, real=worker_pool.line_of):
    if file.path.name.startswith("killed"):
        os.kill(os.getpid(), signal.SIGKILL)
    return real(file, work)

worker_pool._scored, worker_pool.line_of = scored, line
worker_pool._PATIENCE = float(os.environ.get("PATIENCE", worker_pool._PATIENCE))
worker_pool.MODULES = worker_pool._FOR_SEVERAL = ()
worker_pool._one_thread = lambda: None
worker_pool._make_networks = lambda loaded: None
worker_pool.load_once = lambda model: SimpleNamespace()
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


class TestProcesses:
    def test_crash_is_one_line_and_others_continue(self, tmp_path: Path) -> None:
        """A decoder that crashes, a whole process that is killed, and a mistake in the program."""
        files(tmp_path, "crash.jpg", "killed.jpg", "raise.jpg", *(f"good-{n}.jpg" for n in range(6)))
        lines, err, status = done(tmp_path, "--workers", "2")
        results = {Path(line["file"]).stem: line for line in lines}
        assert status == 1 and len(lines) == 9 and err == ""
        assert "crashed the decoder" in results["crash"]["error"]
        assert "was killed" in results["killed"]["error"]
        assert "nobody thought of this" in results["raise"]["error"]
        assert all(
            tuple(results[name]) == ("file", "error", "cause") for name in ("crash", "killed", "raise")
        )
        assert all(results[f"good-{n}"]["verdict"] == "good" for n in range(6))

    def test_lines_arrive_as_files_finish(self, tmp_path: Path) -> None:
        paths = files(tmp_path, "held.jpg", "held-2.jpg", "good.jpg")
        with acting(*paths, "--workers", "2") as run:
            assert run.stdout is not None
            until(lambda: len(session(run.pid)) >= 5, "one file only is read")
            paths[1].chmod(0o444)
            lines = [json.loads(run.stdout.readline()) for _ in range(2)]
            paths[0].chmod(0o444)
            lines.append(json.loads(run.stdout.readline()))
        assert run.returncode == 0
        assert [Path(line["file"]).name for line in lines] == [p.name for p in (paths[1], paths[2], paths[0])]
        one_by_one, _, _ = done(*paths, "--workers", "1")
        assert [line["file"] for line in one_by_one] == [str(path) for path in paths]
        assert all(a["to"] <= b["from"] for a, b in zip(one_by_one, one_by_one[1:], strict=False))

    def test_few_files_share_the_cores(self, tmp_path: Path) -> None:
        """One analysis alone has all of them for its arithmetic."""
        (path,) = files(tmp_path, "good.jpg")
        ((line,), _, _) = done(path)
        assert line["faces"] == len(os.sched_getaffinity(0))

    def test_killed_run_resumes(self, tmp_path: Path) -> None:
        folder = tmp_path / "folder"
        folder.mkdir()
        for path in files(folder, "a.jpg", "b.jpg", "held.jpg"):
            path.write_bytes(PHOTO + path.name.encode())  # the same bytes would be known
        out = tmp_path / "out.jsonl"
        run = acting(folder, "--workers", "1", "--out", out)
        with run:
            assert run.stdout is not None
            before = [json.loads(run.stdout.readline()) for _ in range(2)]
            run.kill()
        gone(run.pid)
        out.write_bytes(out.read_bytes() + b'{"file": "' + os.fsencode(folder))
        (folder / "held.jpg").rename(folder / "good.jpg")
        lines, err, status = done(folder, "--workers", "1", "--out", out)
        assert [Path(line["file"]).name for line in lines] == ["good.jpg"]
        assert status == 0 and "2 files done before" in err
        kept = [json.loads(line) for line in out.read_text().splitlines()]
        assert [line["file"] for line in kept] == [line["file"] for line in (*before, *lines)]
        assert done(folder, "--out", out)[0] == []

    def test_renamed_file_is_known_by_its_bytes(self, tmp_path: Path) -> None:
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
    def test_nothing_runs_after_a_stop(self, tmp_path: Path, number: signal.Signals) -> None:
        paths = files(tmp_path, "good.jpg", "held.jpg", "held-2.jpg")
        run = acting(*paths, "--workers", "2", env=os.environ | {"TMPDIR": str(tmp_path)})
        with run:
            assert run.stdout is not None
            assert json.loads(run.stdout.readline())["verdict"] == "good"
            # The command, its two workers, and the confined process of each: both files are being read.
            until(lambda: len(session(run.pid)) >= 5, "one file only is read")
            if number == signal.SIGINT:
                os.killpg(run.pid, number)  # as a terminal does
            else:
                run.send_signal(number)
            run.wait(PATIENCE)
        gone(run.pid)
        if number != signal.SIGKILL:
            assert run.returncode == 128 + number
            assert sorted(path for path in tmp_path.iterdir()) == sorted(paths)

    def test_killed_worker_leaves_no_folder(self, tmp_path: Path) -> None:
        paths = files(tmp_path, "held.jpg", "held-2.jpg")
        run = acting(*paths, "--workers", "2", env=os.environ | {"TMPDIR": str(tmp_path), "PATIENCE": "0.5"})
        with run:
            until(lambda: len(session(run.pid)) >= 5, "one file only is read")
            for worker in children(run.pid):
                os.kill(worker, signal.SIGSTOP)  # as one that a busy machine keeps waiting
            run.send_signal(signal.SIGTERM)
            run.wait(PATIENCE)
        gone(run.pid)
        assert sorted(path for path in tmp_path.iterdir()) == sorted(paths)

    def test_skipped_files_are_reported(self, tmp_path: Path) -> None:
        files(tmp_path, "good.jpg", "notes.txt")
        (tmp_path / "notes.txt").write_text("words")
        with zipfile.ZipFile(tmp_path / "given.zip", "w") as archive:
            for name in ("good-2.jpg", "clip.mp4", "other.mp4"):
                archive.writestr(name, PHOTO)
        for number in range(2):
            (tmp_path / f"elsewhere-{number}").symlink_to(tmp_path)
        lines, err, status = done(tmp_path)
        assert len(lines) == 2 and status == 0
        assert err == (
            "reelproof: 5 left out of folders and zips: 2 linked folders, 2 .mp4, 1 .txt. "
            "Videos, photos and zips are taken from folders, photos alone from zips.\n"
        )

    def test_unpacking_keeps_pace_with_the_work(self, tmp_path: Path) -> None:
        given = tmp_path / "given.zip"
        with zipfile.ZipFile(given, "w") as archive:
            for number in range(12):
                archive.writestr(f"good-{number}.jpg", PHOTO)
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
    processes = []
    for place in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, _, number = place.read_text().rpartition(")")[2].split()[:4]
            if int(number) == leader and state != "Z":
                processes.append(int(place.parent.name))
    return processes


def children(parent: int) -> list[int]:
    """The processes that ``parent`` began."""
    return [int(child) for child in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


def gone(leader: int) -> None:
    until(lambda: not session(leader), "processes still run")


# Ends as soon as it is known how the pool's processes are started.
ASKED = """
import multiprocessing, sys
multiprocessing.get_context = sys.exit
from cli.engine.main import main
main(["score", *sys.argv[1:]])
"""


def test_loaded_process_still_has_one_thread(tmp_path: Path) -> None:
    """Else the pool is started afresh and loads for itself, and each of its files may as well."""
    paths = files(tmp_path, "a.jpg", "b.jpg")  # for one file alone less is loaded
    # As it is started by people: with tests, arithmetic has one thread in any case.
    environment = {name: value for name, value in os.environ.items() if not name.endswith("NUM_THREADS")}
    command = [sys.executable, "-c", ASKED, *map(str, paths)]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert ended.stderr.split() == ["fork"]


def test_second_look_beside_an_external_model_is_readable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a process that is started afresh, and so has loaded nothing before it is confined."""
    readable: list[Path] = []

    class Noted(Unconfined):
        def __init__(self, _target: Callable[..., Any], *_arguments: Any, **confinement: Any) -> None:
            readable.extend(confinement["places"].readable)
            super().__init__(lambda _report: {})

    monkeypatch.setattr(batch_worker_pool, "Sandbox", Noted)
    asked = batch_worker_pool.AnalysisSettings(str(tmp_path / "own.json"), DEFAULT, OtherModelNames())
    work = batch_worker_pool.Work(asked, Limits(), 1, os.getpid())
    assert "error" not in batch_worker_pool.line_of(File("x", tmp_path / "x", tmp_path / "x"), work)
    pairs = tmp_path / "own", tmp_path / "second-look" / "own"
    assert {pair.with_suffix(ending) for pair in pairs for ending in (".json", ".safetensors")} < set(
        readable
    )


def test_workers_share_the_time_to_end() -> None:
    """Not one after the other: a machine may have a hundred of them."""
    pool, given = object.__new__(worker_pool._WorkerPool), list[float]()
    ended = SimpleNamespace(terminate=lambda: None)
    pool._workers = [SimpleNamespace(process=ended, close=given.append) for _ in range(3)]
    pool.__exit__()
    assert len(given) == 3 and len(set(given)) == 1


class TestFromAProcessWithThreads:
    @pytest.fixture(autouse=True)
    def ended(self) -> Iterator[None]:
        yield
        import multiprocessing

        assert not multiprocessing.active_children()

    def test_workers_are_restarted(self, tmp_path: Path, astronaut: np.ndarray) -> None:
        """As here, where torch has computed: a fork would take one thread along and all locks."""
        path = tmp_path / "astronaut.png"
        assert cv2.imwrite(str(path), astronaut[:, :, ::-1])
        tiny = put(tmp_path, "tiny")
        others = OtherModelNames([str(tiny)], JointRule.ALL)
        (line, gone) = BatchRun([path, tmp_path / "gone.mp4"], None, SCAN, workers=1, others=others).lines()
        assert line["faces"] == 1 and "error" in gone
        # Other models judge the same faces.
        (answer,) = line["others"]  # type: ignore[attr-defined]
        assert answer["model"] == "tiny" and 0 <= answer["probability"] <= 1
        assert line["joint"] == {"rule": "all", "verdict": line["joint"]["verdict"]}  # type: ignore[index]

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"others": OtherModelNames(["reelproof"])}, "named twice"),
            ({"others": OtherModelNames(["efficientnet-lstm"]), "crops": True}, "judged by one model"),
        ],
    )
    def test_invalid_requests(self, tmp_path: Path, options: dict[str, Any], words: str) -> None:
        with pytest.raises(ReelproofError, match=words):
            next(BatchRun([tmp_path], None, DEFAULT, **options).lines())

    def test_unknown_model(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match="nosuch"):
            next(score_files([File("x", tmp_path, tmp_path)], "nosuch", DEFAULT))
