"""Garbage collection pauses inside the context and resumes after the last exit."""

from __future__ import annotations

import gc
from threading import Event, Thread

import pytest
from waiting import PATIENCE

from detector.process.resources import gc_paused


def test_collection_resumes_after_an_error() -> None:
    assert gc.isenabled()
    with pytest.raises(KeyError), gc_paused():
        assert not gc.isenabled()
        raise KeyError
    assert gc.isenabled()


def test_last_thread_resumes_collection() -> None:
    inside, leave = Event(), Event()

    def other() -> None:
        with gc_paused():
            inside.set()
            leave.wait(PATIENCE)

    thread = Thread(target=other)
    with gc_paused():
        thread.start()
        assert inside.wait(PATIENCE)
    assert not gc.isenabled()
    leave.set()
    thread.join()
    assert gc.isenabled()


def test_disabled_collection_stays_disabled() -> None:
    gc.disable()
    try:
        with gc_paused():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
