"""Which GIF animations FFmpeg shows in part only: it tells pictures apart by their control extensions."""

from __future__ import annotations

from typing import BinaryIO

# GIF89a, sections 18 to 26.
_HEADER = 13
_EXTENSION, _CONTROL, _PICTURE = 0x21, 0xF9, 0x2C


def has_uncontrolled_pictures(file: BinaryIO) -> bool:
    """Whether a picture after the first has no control extension: it becomes one with that before it."""
    file.seek(0)
    header = file.read(_HEADER)
    if not header.startswith((b"GIF87a", b"GIF89a")) or len(header) < _HEADER:
        return False
    file.seek(_colours(header[10]), 1)
    begun = controlled = False
    while kind := file.read(1):
        if kind[0] == _EXTENSION:
            controlled |= file.read(1) == bytes([_CONTROL])
        elif kind[0] == _PICTURE:
            descriptor = file.read(9)
            if len(descriptor) < 9:
                break
            if begun and not controlled:
                return True
            begun, controlled = True, False
            file.seek(_colours(descriptor[8]) + 1, 1)  # and the size of its codes
        else:
            break
        while (size := file.read(1)) and size[0]:
            file.seek(size[0], 1)
    return False


def _colours(flags: int) -> int:
    """The length of a table of colours."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0
