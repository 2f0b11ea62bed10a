"""Run one stage of a pipeline in parallel with the next, through a bounded queue."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Empty, Queue
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class _End:
    raised: BaseException | None


@contextmanager
def prefetch(items: Generator[T], depth: int) -> Iterator[Iterator[T]]:
    """``items`` in their order, made in a thread of its own; ``depth`` wait at most, and one for its place.

    What making them raises is raised where they are used. On leaving the context the thread
    has ended and ``items`` is closed, whether or not all were used.
    """
    queue: Queue[T | _End] = Queue(depth)
    unwanted = threading.Event()

    def make() -> None:
        raised = None
        try:
            for item in items:
                queue.put(item)
                if unwanted.is_set():
                    break
        except BaseException as error:
            raised = error
        finally:
            items.close()
        queue.put(_End(raised))

    def used() -> Iterator[T]:
        while not isinstance(item := queue.get(), _End):
            yield item
        if item.raised is not None:
            raise item.raised

    thread = threading.Thread(target=make, name="decoding", daemon=True)
    thread.start()
    try:
        yield used()
    finally:
        unwanted.set()
        while thread.is_alive():
            # Room in the queue, or the thread would wait in it for ever.
            try:
                queue.get(timeout=0.01)
            except Empty:
                thread.join(0.01)
