"""Open video and photos without trusting the file.

FFmpeg (through PyAV) is given an open file, never a name or an address, and may use
only the demuxers on :data:`~detector.media.exhibit.signatures.DEMUXERS`: a playlist, or a file that points at
another one, can open nothing.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import BinaryIO

import av

from detector.errors import MediaError
from detector.media.exhibit.asf import stated_seconds
from detector.media.exhibit.file import UNREADABLE, accepted_head, opened
from detector.media.exhibit.isobmff import cut_fragment, read_layout
from detector.media.exhibit.limits import Bounds
from detector.media.exhibit.signatures import (
    DEMUXERS,
    HEAD,
    MP4,
    container_of,
    is_animated_webp,
    is_boxed_picture,
    refuse_mismatch,
)
from detector.media.pictures.colour_profile import to_srgb
from detector.media.pictures.gif_file import has_uncontrolled_pictures, whole_pictures
from detector.media.pictures.orientation import photo_orientation
from detector.media.pictures.photo_file import (
    has_transparency,
    is_tiff_beyond_ffmpeg,
    is_tiff_of_numbers,
    is_whole,
)
from detector.media.pillow_reader import UNREAD, open_with_pillow
from detector.media.reader import MediaReader
from detector.schema.analysis import MediaKind
from detector.schema.translatable import N_

_ENCRYPTED = N_(
    "The pictures are encrypted, as copy protection does it: only programs that have the key can show them. "
    "Ask whoever has it for an mp4 without encryption, and keep the original."
)
_BROKE_OFF = N_(
    "The file lacks its table of contents (moov): the recording broke off, or the file was copied only in "
    "part. Copy it again; if it is so at its source, the recorder's maker or a repair program may restore it."
)
_MISSED = frozenset({"jpeg_pipe", "mpegts"})


class _Nameless:
    """A file without its name: FFmpeg would choose demuxers by it, one of which opens files itself.

    With an ``end`` it ends there.
    """

    name = ""

    def __init__(self, file: BinaryIO, end: int | None = None) -> None:
        self.tell, self._read, self._seek, self._end = file.tell, file.read, file.seek, end

    def read(self, size: int) -> bytes:
        """The next bytes, at most ``size``."""
        return self._read(size if self._end is None else max(0, min(size, self._end - self.tell())))

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Where it then is; a number below 0, an error to FFmpeg, for a place that no file has.

        A damaged index leads there. PyAV would raise Python's error, where FFmpeg goes on otherwise.
        """
        try:
            if whence == os.SEEK_END and self._end is not None:
                return self._seek(self._end + offset)
            return self._seek(offset, whence)
        except (OSError, ValueError) as problem:
            if isinstance(problem, OSError) and problem.errno != errno.EINVAL:
                raise
            return -errno.EINVAL


@contextmanager
def open_media(path: Path, bounds: Bounds | None = None) -> Iterator[MediaReader]:
    """Open ``path`` for reading; ``bounds`` are how much of what it may hold.

    Raises :class:`MediaError` when it is missing, empty, of a kind not accepted, beyond the
    bounds, or holds no picture.
    """
    with opened(path) as file:
        head = accepted_head(file)
        file.seek(0)
        bounds = bounds or Bounds()
        photo = photo_orientation(file, bounds)
        if is_tiff_of_numbers(file):
            raise MediaError(UNREAD)
        transparency = has_transparency(file)
        beyond = is_tiff_beyond_ffmpeg(file) or has_uncontrolled_pictures(file)
        whole = whole_pictures(file)
        file.seek(0)
        end = cut_fragment(file)
        with open_container(file, end) as container:
            refuse_mismatch(head, container.format.name)
            place = file.tell()  # FFmpeg reads on from there
            colours = to_srgb(file, _colour_code(container))
            layout = read_layout(file) if container.format.name == MP4 else None
            stated = stated_seconds(file)
            file.seek(place)
            by_pillow = is_boxed_picture(head) or is_animated_webp(head) or beyond or colours.of_cmyk
            opening: AbstractContextManager[MediaReader] = (
                open_with_pillow(container, file, bounds)
                if by_pillow
                else nullcontext(MediaReader(container, photo, bounds))
            )
            with opening as reader, ExitStack() as others:
                reader.open_again = partial(_open_again, file, end, others)
                reader.to_srgb, reader.has_transparency = colours, transparency
                reader.stated_seconds = stated
                if colours.of_cmyk or not by_pillow:
                    reader.is_whole = partial(is_whole, file)
                if layout and reader.stream_index in layout.encrypted:
                    raise MediaError(_ENCRYPTED)
                if not by_pillow:
                    reader.played = layout.played if layout and _waits(container) else {}
                    reader.breaks_off = end is not None
                    reader.whole_pictures = whole if reader.kind is MediaKind.VIDEO else None
                yield reader


def _waits(container: av.container.InputContainer) -> bool:
    """Whether something in a file begins later than the file."""
    return any((each.start_time or 0) > 0 for each in container.streams)


def _colour_code(container: av.container.InputContainer) -> tuple[int, int]:
    """Primaries and transfer characteristics by ITU-T H.273; 2 where the container does not say."""
    for stream in container.streams.video:
        if stream.codec_context is not None:
            return stream.codec_context.color_primaries, stream.codec_context.color_trc
    return 2, 2


def _open_again(file: BinaryIO, end: int | None, others: ExitStack) -> av.container.InputContainer:
    """The file as a container that stands at its first byte, in the place of the one in ``others``."""
    others.close()
    file.seek(0)
    return others.enter_context(open_container(file, end))


def open_container(file: BinaryIO, end: int | None) -> av.container.InputContainer:
    """An open file as a container, which knows no name and only the demuxers of the accepted kinds.

    It is read up to ``end``, the :func:`~detector.media.exhibit.isobmff.cut_fragment` of the file. Raises
    :class:`MediaError` when none of them can read it.
    """
    for demuxer in _demuxers(file):
        try:
            # `enable_drefs` stays off (FFmpeg's default): a mov may not point at other files.
            # Tags that are no UTF-8 must not keep a file from being examined.
            return av.open(
                _Nameless(file, end),
                mode="r",
                format=demuxer,
                # A transport stream's pictures may go on under another number, as where advertisements were
                # put in.
                options={"format_whitelist": ",".join(DEMUXERS), "merge_pmt_versions": "1"},
                metadata_errors="replace",
            )
        except (av.FFmpegError, ValueError):
            continue
    raise MediaError(_BROKE_OFF if _lacks_table(file) else UNREADABLE)


def _lacks_table(file: BinaryIO) -> bool:
    """Whether an MP4 or QuickTime file has no table of contents, which recorders write last."""
    file.seek(0)
    kind = container_of(file.read(HEAD))
    if kind is None or kind.is_photo or MP4 not in kind.demuxers:
        return False
    return "moov" not in read_layout(file).boxes


def _demuxers(file: BinaryIO) -> Iterator[str | None]:
    """FFmpeg's own choice, and where it finds none, one by name: what begins as one kind may soon look like
    others.

    So do small JPEGs with something behind them, and M2TS files that begin within a packet.
    """
    start = file.tell()
    yield None
    file.seek(start)
    container = container_of(file.read(HEAD))
    file.seek(start)
    if container is not None:
        yield from _MISSED.intersection(container.demuxers)
