"""What a Windows Media file states of its length, which FFmpeg does not tell where the file was cut short.

Advanced Systems Format specification, 3.1 and 3.2.
"""

from __future__ import annotations

from typing import BinaryIO

_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_HEAD, _OBJECT = 30, 24  # bytes before the objects of the header, and at the beginning of each
_PROPERTIES_LENGTH = 68  # bytes after that, up to the flags
_MOST, _LARGEST = 256, 1 << 32  # objects looked at; bytes of one
_TICKS = 10_000_000  # a second
_BROADCAST = 1  # a flag: the duration was not known when the header was written


def stated_seconds(file: BinaryIO) -> float | None:
    """How long it plays; None where it does not say, and of another file."""
    file.seek(0)
    if not file.read(_HEAD).startswith(_HEADER):
        return None
    for _ in range(_MOST):
        head = file.read(_OBJECT)
        size = int.from_bytes(head[16:], "little")
        if len(head) < _OBJECT or not _OBJECT <= size <= _LARGEST:
            return None
        if head.startswith(_PROPERTIES):
            return _seconds(file.read(_PROPERTIES_LENGTH))
        file.seek(file.tell() + size - _OBJECT)
    return None


def _seconds(fields: bytes) -> float | None:
    if len(fields) < _PROPERTIES_LENGTH or fields[64] & _BROADCAST:
        return None
    play, preroll = (int.from_bytes(fields[at : at + 8], "little") for at in (40, 56))
    seconds = play / _TICKS - preroll / 1000
    return seconds if seconds > 0 else None
