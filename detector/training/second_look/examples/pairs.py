"""Two examples that differ in one thing: a face as it is, and with what was made of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from detector.media.frame import Image


class Pair(Protocol):
    """A face that is framed and degraded alike with and without what was made."""

    def crops(self, size: int) -> tuple[Image, Image]:
        """As it is and made, (size, size, 3)."""
        ...


def pair_crops(pairs: Iterable[Pair], size: int) -> Iterator[Image]:
    """As it is, made, as it is, made."""
    for pair in pairs:
        yield from pair.crops(size)
