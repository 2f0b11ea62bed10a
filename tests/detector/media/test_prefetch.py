"""Prefetching: order, bounds, errors and termination."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator

import pytest

from detector.media.prefetch import prefetch


class Source:
    def __init__(self, count: int, fails_at: int | None = None) -> None:
        self.count, self.fails_at = count, fails_at
        self.made = 0
        self.closed = False
        self.thread = ""

    def items(self) -> Generator[int]:
        self.thread = threading.current_thread().name
        try:
            for number in range(self.count):
                if number == self.fails_at:
                    raise OSError("the disk is gone")
                self.made += 1
                yield number
        finally:
            self.closed = True


def decoding_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "decoding"]


@pytest.mark.parametrize("count", [0, 1, 50])
def test_items_are_in_order(count: int) -> None:
    source = Source(count)
    with prefetch(source.items(), 3) as items:
        assert list(items) == list(range(count))
    assert source.closed and source.thread == "decoding" and not decoding_threads()


def test_depth_is_respected() -> None:
    source = Source(50)
    with prefetch(source.items(), 3) as items:
        for number in items:
            time.sleep(0.001)
            # Three in the queue, one in the hand of each side.
            assert source.made <= number + 5
    assert source.made == 50


def test_error_is_raised_in_the_consumer() -> None:
    source = Source(9, fails_at=4)
    with pytest.raises(OSError, match="gone"), prefetch(source.items(), 2) as items:
        list(items)
    assert source.closed and not decoding_threads()


def test_items_before_an_error_are_used() -> None:
    got = []
    with prefetch(Source(9, fails_at=4).items(), 20) as items, pytest.raises(OSError):
        for number in items:
            got.append(number)
    assert got == [0, 1, 2, 3]


@pytest.mark.parametrize("depth", [1, 4])
def test_leaving_early_ends_the_thread(depth: int) -> None:
    source = Source(10**9)
    with pytest.raises(KeyError), prefetch(source.items(), depth) as items:
        next(items)
        raise KeyError
    assert source.closed and not decoding_threads() and source.made < 20
