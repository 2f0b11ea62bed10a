"""Open video and photos without trusting the file.

FFmpeg (through PyAV) is given an open file, never a name or an address, and may use
only the demuxers on :data:`~detector.media.signatures.DEMUXERS`: a playlist, or a file that points at
another one, can open nothing.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import av

from detector.errors import MediaError
from detector.media.limits import Bounds
from detector.media.orientation import photo_orientation
from detector.media.reader import MediaReader
from detector.media.signatures import ACCEPTED, DEMUXERS, HEAD, is_accepted, refuse_mismatch, refuse_others

_UNREADABLE = (
    "The file cannot be read: it is not a video or photo, or it is damaged or was copied only in part. "
    f"{ACCEPTED}"
)


class _Nameless:
    """A file without its name: FFmpeg would choose demuxers by it, one of which opens files itself."""

    name = ""

    def __init__(self, file: BinaryIO) -> None:
        self.read, self.seek, self.tell = file.read, file.seek, file.tell


@contextmanager
def open_media(path: Path, bounds: Bounds | None = None) -> Iterator[MediaReader]:
    """Open ``path`` for reading; ``bounds`` are how much of what it may hold.

    Raises :class:`MediaError` when it is missing, empty, of a kind not accepted, beyond the
    bounds, or holds no picture.
    """
    with _opened(path) as file:
        head = file.read(HEAD)
        if not head:
            raise MediaError("The file is empty (0 bytes). Copy or download it again.")
        refuse_others(head)
        if not is_accepted(head):
            raise MediaError(_UNREADABLE)
        file.seek(0)
        photo = photo_orientation(file)
        file.seek(0)
        with open_container(file) as container:
            refuse_mismatch(head, container.format.name)
            yield MediaReader(container, photo, bounds or Bounds())


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        # A named pipe that nobody writes to would be waited for.
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise MediaError(f"The file cannot be opened: {os.strerror(error.errno or 0)}.") from None
    mode = os.fstat(number).st_mode
    if not stat.S_ISREG(mode):
        os.close(number)
        what = os.strerror(errno.EISDIR) if stat.S_ISDIR(mode) else "It is a device or a pipe, not a file"
        raise MediaError(f"The file cannot be opened: {what}.")
    with os.fdopen(number, "rb") as file:
        yield file


def open_container(file: BinaryIO) -> av.container.InputContainer:
    """An open file as a container, which knows no name and only the demuxers of the accepted kinds.

    Raises :class:`MediaError` when none of them can read it.
    """
    try:
        # `enable_drefs` stays off (FFmpeg's default): a mov may not point at other files.
        # Tags that are no UTF-8 must not keep a file from being examined.
        return av.open(
            _Nameless(file),
            mode="r",
            options={"format_whitelist": ",".join(DEMUXERS)},
            metadata_errors="replace",
        )
    except (av.FFmpegError, ValueError):
        raise MediaError(_UNREADABLE) from None
