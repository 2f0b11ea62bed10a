"""Confined processes that wait for a job: preparation, waiting, access."""

from __future__ import annotations

import errno
import os
import pickle
import signal
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import cloudpickle
import pytest
from confined import called, error_of

from detector.errors import ModelError
from detector.sandbox import Limits, NotReadyError, ReadySandbox, capabilities, monitor, ready


def prepare(number):
    return {"number": number, "process": os.getpid()}


def prepare_more(prepared):
    prepared["number"] = 42


def work(prepared, path, folder, word, report):
    report("working", 0.5)
    (folder / "out.txt").write_text(f"{path.read_text()} {word}")
    return prepared


@pytest.fixture
def data(tmp_path) -> Path:
    for name in ("ready", "analyses", "analyses/result"):
        (tmp_path / name).mkdir()
    (tmp_path / "exhibit").write_text("bytes")
    return tmp_path


@pytest.fixture
def start(data) -> Iterator[Callable[..., ReadySandbox]]:
    """Start one; functions of this module are sent whole, and nothing may be left of any."""
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    started: list[ReadySandbox] = []

    def start(prepare=prepare, work=work, patience=600.0, limits=None) -> ReadySandbox:
        functions = (
            partial(called, cloudpickle.dumps(function)) for function in (prepare, prepare_more, work)
        )
        more = {"limits": limits or Limits(), "readable": (), "folder": data / "ready", "patience": patience}
        started.append(ReadySandbox(*functions, 21, **more))
        return started[-1]

    yield start
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])
    for sandbox in started:
        sandbox.close()
    assert list((data / "ready").iterdir()) == []


def test_one_job_uses_the_preparations(start, data):
    reports = []
    result = data / "analyses/result"
    done = start().submit(data / "exhibit", result, "word", report=lambda *at: reports.append(at))
    assert done["number"] == 21 and done["process"] != os.getpid()
    assert (result / "out.txt").read_text() == "bytes word"
    assert ("working", 0.5) in reports


@pytest.mark.parametrize(
    ("jobs", "number"), [((True, True), 21), ((False, True), 21), ((False, False, True), 42)]
)
def test_longer_preparations_wait_for_a_pause(monkeypatch, jobs, number):
    looks = iter(jobs)
    monkeypatch.setattr(ready, "_wait_for_job", lambda *_: next(looks))
    reader, writer = os.pipe()
    job = pickle.dumps(("word",))
    os.write(writer, len(job).to_bytes(8) + job)
    os.close(writer)

    def work(prepared, word, _report):
        return prepared["number"], word

    what = (prepare, prepare_more, work, (21,), 600.0, lambda *_: None)
    assert ready._wait_and_work(reader, *what) == (True, (number, "word"))
    assert list(looks) == []


def test_nothing_else_is_accessible(start, data):
    if not (capabilities().calls and capabilities().files):
        pytest.skip(f"this machine offers only {capabilities()}")
    other = data / "other"
    other.write_text("somebody else's")

    def curious(_prepared, path, folder, other, _report):
        tried = {
            "read": lambda: other.read_text(),
            "write beside": lambda: (folder.parent / "more").write_text("x"),
            "write exhibit": lambda: path.write_text("x"),
        }
        errors = {}
        for name, attempt in tried.items():
            try:
                attempt()
            except OSError as problem:
                errors[name] = error_of(problem)
        return errors

    answer = start(work=curious).submit(data / "exhibit", data / "analyses/result", other)
    assert answer == dict.fromkeys(("read", "write beside", "write exhibit"), "EACCES")


def test_process_ends_after_its_patience(start, data):
    waiting = start(patience=0.05)
    os.waitid(os.P_PID, waiting._sandbox._process, os.WEXITED | os.WNOWAIT)
    with pytest.raises(NotReadyError):
        waiting.submit(data / "exhibit", data / "analyses/result", "word")
    assert list((data / "analyses/result").iterdir()) == []


def test_killed_waiting_process_is_not_ready(start, data):
    waiting = start()
    os.kill(waiting._sandbox._process, signal.SIGKILL)
    os.waitid(os.P_PID, waiting._sandbox._process, os.WEXITED | os.WNOWAIT)
    with pytest.raises(NotReadyError):
        waiting.submit(data / "exhibit", data / "analyses/result", "word")


def test_unlinkable_file_is_not_ready(start, data, monkeypatch):
    def link(*_):
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(os, "link", link)
    with pytest.raises(NotReadyError):
        start().submit(data / "exhibit", data / "analyses/result", "word")
    assert (data / "analyses/result").is_dir()


def test_error_in_preparation_is_reported(start, data):
    def broken(_number):
        raise ModelError("The weights are damaged.")

    # Whether it is still there to be asked depends on who is faster.
    with pytest.raises((ModelError, NotReadyError)):
        start(prepare=broken).submit(data / "exhibit", data / "analyses/result", "word")


def test_clock_starts_with_the_job(start, data, monkeypatch):
    waiting, really = start(limits=Limits(wall=1000)), time.monotonic
    monkeypatch.setattr(monitor.time, "monotonic", lambda: really() + 5000)
    assert waiting.submit(data / "exhibit", data / "analyses/result", "word")["number"] == 21
