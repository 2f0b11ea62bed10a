"""The pictures of a GIF animation: which of them FFmpeg shows wrongly, without a word.

It tells pictures apart by their control extensions, and shows one that breaks off as far as it goes.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import BinaryIO, NamedTuple

# GIF89a, sections 18 to 26.
_HEADER = 13
_EXTENSION, _CONTROL, _PICTURE = 0x21, 0xF9, 0x2C


class _Picture(NamedTuple):
    controlled: bool  # by an extension of its own
    whole: bool


def has_uncontrolled_pictures(file: BinaryIO) -> bool:
    """Whether a picture after the first has no control extension: it becomes one with that before it."""
    return not all(picture.controlled for picture in islice(_pictures(file), 1, None))


def whole_pictures(file: BinaryIO) -> int | None:
    """How many pictures there are before the one in which a GIF breaks off; None where none does."""
    return next((number for number, picture in enumerate(_pictures(file)) if not picture.whole), None)


def _pictures(file: BinaryIO) -> Iterator[_Picture]:
    """Those of a GIF in order; none of another file."""
    file.seek(0)
    header = file.read(_HEADER)
    if not header.startswith((b"GIF87a", b"GIF89a")) or len(header) < _HEADER:
        return
    file.seek(_colours(header[10]), 1)
    controlled = False
    while kind := file.read(1):
        is_picture = kind[0] == _PICTURE
        if is_picture:
            descriptor = file.read(9)
            if len(descriptor) < 9:
                return
            file.seek(_colours(descriptor[8]) + 1, 1)  # and the size of its codes
        elif kind[0] == _EXTENSION:
            controlled |= file.read(1) == bytes([_CONTROL])
        else:
            return
        while (size := file.read(1)) and size[0]:
            file.seek(size[0], 1)
        if is_picture:
            yield _Picture(controlled, whole=bool(size))
            controlled = False


def _colours(flags: int) -> int:
    """The length of a table of colours."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0
