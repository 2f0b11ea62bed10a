"""Making millions of objects at once without Python looking for garbage among them again and again."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

_lock = Lock()
_inside = 0
_was = False


@contextmanager
def gc_paused() -> Iterator[None]:
    """Garbage in circles is left until after the block; threads may be inside at the same time.

    For work that makes much and throws little away, such as reading an analysis of hundreds of
    thousands of scores: looking through what is kept takes most of its time. Of importing the engine, or
    the web app, it takes a seventh.
    """
    global _inside, _was
    with _lock:
        if not _inside:
            _was = gc.isenabled()
            gc.disable()
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside and _was:
                gc.enable()
