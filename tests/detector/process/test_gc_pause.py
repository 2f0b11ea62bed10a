"""Garbage is not looked for inside, and is again once everybody is out."""

from __future__ import annotations

import gc
from threading import Event, Thread

import pytest
from waiting import PATIENCE

from detector.process.resources import gc_paused


def test_it_is_off_inside_and_on_again_after_an_error() -> None:
    assert gc.isenabled()
    with pytest.raises(KeyError), gc_paused():
        assert not gc.isenabled()
        raise KeyError
    assert gc.isenabled()


def test_the_last_one_out_turns_it_on() -> None:
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


def test_who_had_it_off_keeps_it_off() -> None:
    gc.disable()
    try:
        with gc_paused():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
