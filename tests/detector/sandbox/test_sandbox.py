"""Confined processes: messages, limits, start and end."""

from __future__ import annotations

import ctypes
import mmap
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path

import pytest
from confined import error_of
from waiting import until

from detector.errors import MediaError, ModelError, ReelproofError
from detector.files import ROOT
from detector.sandbox import (
    AllowedPaths,
    CrashError,
    KilledError,
    LimitError,
    Limits,
    Sandbox,
    UnexpectedError,
    capabilities,
    confined_process,
    refuse_links,
)
from detector.sandbox.confined_process import folder_of_this_process, remove_abandoned

MB = 1_000_000


def test_results_and_progress_are_returned(run):
    def target(number, report):
        report("reading", 0.25)
        report("done", 1.0)
        return {"twice": number * 2}

    reports = []
    assert run(target, 21, report=lambda *at: reports.append(at)) == {"twice": 42}
    assert [at for i, at in enumerate(reports) if at not in reports[:i]][-2:] == [
        ("reading", 0.25),
        ("done", 1.0),
    ]


def test_progress_is_repeated_and_may_end_the_process(run):
    class Enough(Exception):
        pass

    reports = []

    def report(*at):
        reports.append(at)
        if reports.count(("stuck", 0.5)) == 3:
            raise Enough

    def silent(report):
        report("stuck", 0.5)
        time.sleep(600)

    with pytest.raises(Enough):
        run(silent, report=report)


def test_failed_start_leaves_nothing_open(tmp_path, monkeypatch):
    def refused():
        raise BlockingIOError

    capabilities()  # found out once, by a fork
    monkeypatch.setattr(confined_process, "native_threads", lambda: 1)
    monkeypatch.setattr(os, "fork", refused)
    before = sorted(os.listdir("/proc/self/fd"))
    with pytest.raises(BlockingIOError):
        Sandbox(print, limits=Limits(), places=AllowedPaths(), scratch=tmp_path)
    assert sorted(os.listdir("/proc/self/fd")) == before and not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", [MediaError, ModelError])
def test_engine_errors_keep_their_class(run, kind):
    def target(_report):
        raise kind("Do this and that.")

    with pytest.raises(kind, match=r"^Do this and that\.$"):
        run(target)


def test_other_errors_come_back_as_text(run):
    def target(_report):
        return {}["missing"]

    with pytest.raises(UnexpectedError, match="KeyError: 'missing'"):
        run(target)


def test_results_are_not_trusted(run):
    """It is JSON and nothing else: an object that JSON cannot hold is an error, not a pickle."""
    with pytest.raises(UnexpectedError, match="not JSON serializable"):
        run(lambda _report: object())


class TestLimits:
    def test_memory(self, run):
        def target(_report):
            kept = []
            while True:
                kept.append(bytearray(50 * MB))

        with pytest.raises(LimitError, match="more memory than the 2,000 MB allowed.*MEMORY_LIMIT_MB"):
            run(target, limits=Limits(memory=2000 * MB))

    def test_memory_that_the_kernel_does_not_count(self, run):
        def target(_report):
            kept = []
            while True:
                kept.append(mmap.mmap(-1, 20 * MB))
                kept[-1].write(b"x" * len(kept[-1]))
                time.sleep(0.01)

        with pytest.raises(LimitError, match="more memory"):
            run(target, limits=Limits(memory=1200 * MB))

    def test_memory_that_a_library_asks_for(self, run):
        def target(_report):
            import torch

            return torch.zeros(10**12).numel()

        with pytest.raises(LimitError, match="more memory"):
            run(target)

    def test_processor_time(self, run):
        def target(_report):
            while True:
                pass

        with pytest.raises(LimitError, match="processor time than the one second allowed.*CPU_LIMIT"):
            run(target, limits=Limits(cpu=1))

    def test_elapsed_time(self, run):
        started = time.monotonic()
        with pytest.raises(LimitError, match="longer than the 0.3 seconds.*TIME_LIMIT"):
            run(lambda _report: time.sleep(600), limits=Limits(wall=0.3))
        assert time.monotonic() - started < 120

    def test_one_large_file(self, run):
        def target(_report):
            with open("x", "wb") as file:
                while True:
                    file.write(bytes(MB))

        with pytest.raises(LimitError, match="wrote more than the 5 MB.*TEMP_LIMIT_MB"):
            run(target, limits=Limits(written=5 * MB))

    def test_many_small_files(self, run, tmp_path):
        def target(_report):
            for number in range(1000):
                Path(tmp_path, f"{number}").write_bytes(bytes(MB))
                time.sleep(0.005)
            time.sleep(600)

        with pytest.raises(LimitError, match="wrote more than the 20 MB"):
            run(target, limits=Limits(written=20 * MB), places=AllowedPaths(writable=(tmp_path,)))

    def test_open_files(self, run):
        def target(_report):
            kept = []
            try:
                while True:
                    kept.append(os.open(os.devnull, os.O_RDONLY))
            except OSError as problem:
                return [len(kept), error_of(problem)]

        count, error = run(target, limits=Limits(files=40))
        assert count < 40 and error == "EMFILE"


class TestEnds:
    @pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGILL])
    def test_a_crash(self, run, number):
        with pytest.raises(CrashError, match="keep the original") as crash:
            run(lambda _report: os.kill(os.getpid(), number))
        assert f"signal {number:d}, " in "".join(traceback.format_exception(crash.value))
        assert "signal" not in str(crash.value)

    def test_a_wild_pointer(self, run):
        with pytest.raises(CrashError):
            run(lambda _report: ctypes.string_at(1))

    @pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
    def test_killed_from_outside(self, run, number):
        with pytest.raises(KilledError):
            run(lambda _report: os.kill(os.getpid(), number))

    def test_silent_end(self, run):
        with pytest.raises((UnexpectedError, CrashError)):
            run(lambda _report: os._exit(1))

    def test_errors_are_reelproof_errors(self):
        assert all(issubclass(kind, ReelproofError) for kind in (CrashError, KilledError, LimitError))

    def test_folder_of_a_killed_parent_is_removed(self, tmp_path, run):
        scratch = tmp_path / "scratch"
        parent = os.fork()
        if not parent:
            Sandbox(lambda _report: time.sleep(60), limits=Limits(), places=AllowedPaths(), scratch=scratch)
            os.kill(os.getpid(), signal.SIGKILL)
        os.waitpid(parent, 0)
        (abandoned,) = scratch.iterdir()
        until(lambda: not is_process_in(abandoned), "the kernel does not end it with its parent")
        assert run(lambda _report: 1) == 1  # and the fixture looks whether the folder is gone

    def test_reused_process_id_keeps_no_folder(self, tmp_path):
        kept = folder_of_this_process(tmp_path)
        start, end = kept.name.rsplit("-", 2)[0], kept.name.rsplit("-", 1)[1]
        (tmp_path / f"{start}-1-{end}").mkdir()
        remove_abandoned(tmp_path)
        assert list(tmp_path.iterdir()) == [kept]

    def test_foreign_folders_stay_for_a_day(self, tmp_path):
        yesterday, number = time.time() - 86_401, 10**9  # which no process here has
        for name in ("other", "older", "at-work"):
            (tmp_path / f".reelproof-{name}-{number}-1-x" / "given").mkdir(parents=True)
        for path in ("older", "older/given", "at-work"):
            name, *inner = path.split("/")
            os.utime(tmp_path.joinpath(f".reelproof-{name}-{number}-1-x", *inner), (yesterday, yesterday))
        remove_abandoned(tmp_path)
        assert sorted(path.name.split("-")[1] for path in tmp_path.iterdir()) == ["at", "other"]

    def test_progress_touches_the_folder(self, tmp_path, run):
        ages = {}

        def target(report):
            report("first", 0.1)
            time.sleep(0.5)
            report("second", 0.2)
            return 1

        def heard(stage, _fraction):
            (folder,) = (tmp_path / "scratch").iterdir()
            ages.setdefault(stage, time.time() - folder.stat().st_mtime)
            os.utime(folder, (0, 0))

        run(target, report=heard)
        assert ages["second"] < 3600

    @pytest.mark.skipif(not shutil.which("unshare"), reason="needs unshare")
    def test_active_folder_of_another_container_stays(self, tmp_path):
        mine = folder_of_this_process(tmp_path)
        words = (
            "import sys; from detector.sandbox.confined_process import *; remove_abandoned(Path(sys.argv[1]))"
        )
        inside = ["unshare", "--map-root-user", "--pid", "--fork", "--mount-proc"]
        command = [*inside, sys.executable, "-c", words, tmp_path]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if "unshare" in done.stderr:
            pytest.skip("this machine lets nobody make a PID namespace")
        assert done.returncode == 0 and list(tmp_path.iterdir()) == [mine]


def is_process_in(folder: Path) -> bool:
    for place in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if os.readlink(place) == str(folder):
                return True
        except OSError:
            continue
    return False


def test_links_in_a_result_are_refused(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "file").touch()
    refuse_links(tmp_path)
    (tmp_path / "a" / "link").symlink_to("/etc/passwd")
    with pytest.raises(CrashError):
        refuse_links(tmp_path)


def test_confining_takes_little_time(run):
    """Well below the 0.3 seconds an analysis may lose: of the processor's, for the machine may be busy."""

    def spent() -> float:
        own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime

    run(lambda _report: 0)
    before = spent()
    for _ in range(10):
        run(lambda _report: 0)
    assert (spent() - before) / 10 < 0.3


def test_torch_uses_all_threads_after_a_fork(run):
    """A pool of OpenMP threads does not survive a fork, and is not waited for."""
    torch = pytest.importorskip("torch")
    pictures, convolution = torch.randn(4, 8, 64, 64), torch.nn.Conv2d(8, 8, 3)
    here = convolution(pictures)

    def target(_report):
        return [torch.get_num_threads(), convolution(pictures).sum().item()]

    threads, total = run(target)
    assert threads == torch.get_num_threads()
    assert total == pytest.approx(here.sum().item(), abs=0.01)


@pytest.mark.parametrize("alone", [True, False])
def test_fork_requires_a_single_thread(alone):
    code = f"""
import json, threading, time
from detector.sandbox import Sandbox, Limits, AllowedPaths
json.dumps.__doc__ = "changed"
if not {alone}:
    threading.Thread(target=time.sleep, args=[60], daemon=True).start()
with Sandbox(getattr, json.dumps, "__doc__", limits=Limits(), places=AllowedPaths()) as confined:
    print(confined.result() == "changed")
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert (ended.stdout, ended.stderr) == (f"{alone}\n", "")


def count_threads(_report):
    return len(os.listdir("/proc/self/task"))


@pytest.mark.fresh
class TestNoThreadIsThereBeforeItIsConfined:
    """One would stay outside of Landlock."""

    @pytest.fixture(autouse=True)
    def as_many_as_there_are_cores(self, monkeypatch):
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)  # `make test` sets it, and OpenBLAS heeds it

    def test_spawned(self):
        end = threading.Event()
        other = threading.Thread(target=end.wait)
        other.start()
        what = {"limits": Limits(), "places": AllowedPaths(), "modules": ("detector.engine",)}
        with Sandbox(count_threads, **what) as confined:
            assert confined.result() == 1
        end.set()
        other.join()

    def test_forked(self):
        code = """
import os
from detector.sandbox import Sandbox, Limits, AllowedPaths
def threads(_report):
    return len(os.listdir("/proc/self/task"))
with Sandbox(threads, limits=Limits(), places=AllowedPaths(), modules=("detector.engine",)) as confined:
    print(confined.result())
"""
        ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
        assert (ended.stdout, ended.stderr) == ("1\n", "")
