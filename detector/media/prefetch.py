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
    error: BaseException | None


@contextmanager
def prefetch(items: Generator[T], depth: int) -> Iterator[Iterator[T]]:
    """Produce ``items`` in a thread of their own, at most ``depth`` (and one more) ahead of their use.

    An exception in the producer is raised in the consumer. When the context ends, the thread has ended and
    ``items`` is closed, whether or not all were consumed.
    """
    queue: Queue[T | _End] = Queue(depth)
    stop = threading.Event()

    def produce() -> None:
        error = None
        try:
            for item in items:
                queue.put(item)
                if stop.is_set():
                    break
        except BaseException as raised:
            error = raised
        finally:
            items.close()
        queue.put(_End(error))

    def consume() -> Iterator[T]:
        while not isinstance(item := queue.get(), _End):
            yield item
        if item.error is not None:
            raise item.error

    thread = threading.Thread(target=produce, name="decoding", daemon=True)
    thread.start()
    try:
        yield consume()
    finally:
        stop.set()
        while thread.is_alive():
            # Make room in the queue, or the thread would wait for it forever.
            try:
                queue.get(timeout=0.01)
            except Empty:
                thread.join(0.01)
