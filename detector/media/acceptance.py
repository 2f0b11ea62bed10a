"""Decide which files are accepted: recognise types by the first bytes and limit pixels, frames and length.

Imports no decoder.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from detector.errors import MediaError, NotOpenedError
from detector.files import open_file
from detector.media.container_types import PICTURE_BRANDS, RAW_BRANDS, SEQUENCE_BRANDS, Container
from detector.media.sound_frames import behind_tags
from detector.media.sound_types import SOUND_CONTAINERS, TAGGED_SOUND, UNDECODABLE_SOUND
from detector.schema.formatting import N_, sentences

HEAD_BYTES = 1 << 16
"""Number of bytes read from the start of a file to recognise its type: zeros, or a tag, may come first."""
# Formats that Pillow may open. It knows many more, and some of those run other programs.
PHOTOS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF")


# Types that are not accepted: their first bytes (in texts after white space), their name, and a remedy.
_TO_MP4, _TO_PNG = N_("Convert it to mp4."), N_("Convert it to png.")
_BARE = N_("a bare stream of H.264, HEVC or MPEG-2, without times")
# What follows a start code: H.264, HEVC (parameter sets or delimiters), and MPEG-2 (sequence header).
_BARE_STARTS = (b"\x09", b"\x27", b"\x47", b"\x67", b"\x40\x01", b"\x42\x01", b"\x46\x01", b"\xb3")
_INTO_MP4 = N_("Put it into an mp4, at the rate at which it was recorded, and keep the original.")
_EXPORT = N_("Export it as mp4 or avi with the recorder's program, and keep the original.")
_OTHERS = (
    (b"\x06\x0e\x2b\x34", N_("an MXF video"), _TO_MP4),
    (b".RMF", N_("a RealMedia file"), _TO_MP4),
    *((code + first, _BARE, _INTO_MP4) for code in (b"\0\0\1", b"\0\0\0\1") for first in _BARE_STARTS),
    (b"\x1f\x07\x00", N_("a bare DV stream"), N_("Put it into an avi or mov, and keep the original.")),
    (b"DHAV", N_("a file in the format of Dahua recorders"), _EXPORT),
    (b"DAHUA", N_("a file in the format of Dahua recorders"), _EXPORT),
    (b"FWS", N_("a Flash program"), N_("Record what it shows as mp4.")),
    (b"CWS", N_("a Flash program"), N_("Record what it shows as mp4.")),
    (b"\x00\x00\x00\x0cjP  \r\n", N_("a JPEG 2000 picture"), _TO_PNG),
    (b"\xff\x4f\xff\x51", N_("a JPEG 2000 picture"), _TO_PNG),
    (b"\x00\x00\x00\x0cJXL ", N_("a JPEG XL picture"), _TO_PNG),
    (b"\xff\x0a", N_("a JPEG XL picture"), _TO_PNG),
    (b"8BPS", N_("a Photoshop document"), _TO_PNG),
    (b"%!PS", N_("a PostScript document"), _TO_PNG),
    (b"%PDF", N_("a PDF document"), N_("Extract the pictures and submit those.")),
    (
        b"PK\x03\x04",
        N_("a zip archive or an office document"),
        N_("Unpack it and submit the files inside."),
    ),
    (b"Rar!", N_("a RAR archive"), N_("Unpack it and submit the files inside.")),
    (b"7z\xbc\xaf\x27\x1c", N_("a 7z archive"), N_("Unpack it and submit the files inside.")),
    (b"\x1f\x8b", N_("a gzip archive"), N_("Unpack it and submit the files inside.")),
    (b"\x7fELF", N_("a program"), N_("Submit the video or photo itself.")),
    (b"MZ", N_("a program"), N_("Submit the video or photo itself.")),
    *UNDECODABLE_SOUND,
)
_OTHER_STARTS = tuple(start for start, *_ in _OTHERS)
# In lower case, as the text they are compared with.
_TEXTS = (
    (b"#extm3u", N_("a playlist, which only names other files"), N_("Submit the video that it names.")),
    (b"ffconcat version", N_("a list of files for FFmpeg"), N_("Submit the videos that it names.")),
    (b"[playlist]", N_("a playlist, which only names other files"), N_("Submit the video that it names.")),
    (b"<?xml", N_("an XML text, such as a playlist or a drawing"), N_("Submit the video or photo itself.")),
    (b"<svg", N_("a drawing (SVG)"), N_("Convert it to png.")),
    (b"<mpd", N_("a playlist (DASH)"), N_("Submit the video that it names.")),
    (b"<!doctype html", N_("a web page"), N_("Save the video or photo in it, not the page.")),
    (b"<html", N_("a web page"), N_("Save the video or photo in it, not the page.")),
)
_SEGMENTS = (b"styp", b"moof", b"sidx", b"emsg", b"prft")  # boxes that begin a part of a stream
_TS_PACKET, _TS_SYNC = 188, 0x47  # ISO/IEC 13818-1
_TS_LOOKED_AT = 4096  # bytes: damage behind them is not in the way
_TS_MARKS = 8  # sync bytes in a row that cannot be chance
TIFF = (b"II*\0", b"MM\0*")
_IS_DNG, _SUBFILE, _REDUCED = 0xC612, 0x00FE, 1  # tags of TIFF 6.0 and DNG


def _is_transport_stream(head: bytes) -> bool:
    head = head[:_TS_LOOKED_AT]
    # Packets of 188 bytes that begin with a sync byte; in M2TS four more bytes precede each packet.
    for length, first in ((_TS_PACKET, 0), (_TS_PACKET + 4, 4)):
        for start in range(length):
            marks = head[start::length]
            # A capture may begin within a packet; more sync bytes are required then.
            if len(marks) >= (3 if start == first else _TS_MARKS) and set(marks) == {_TS_SYNC}:
                return True
    return False


def _is_bitmap(head: bytes) -> bool:
    # Two letters are a weak signature: check the four reserved bytes and the offset of the pixels as well.
    return head[6:10] == bytes(4) and 26 <= int.from_bytes(head[10:14], "little") < 1 << 16


def is_raw_photo(head: bytes) -> bool:
    """Return whether the file is a camera's raw picture, such as a TIFF whose first picture is a preview."""
    if head[8:12] in RAW_BRANDS and head[4:8] == b"ftyp":
        return True
    if not head.startswith(TIFF):
        return head.startswith((b"IIU\0", b"IIRO", b"IIRS", b"MMOR", b"FUJIFILMCCD-RAW"))
    order: Literal["little", "big"] = "little" if head[:1] == b"I" else "big"
    if head[8:10] == b"CR":
        return True
    at = int.from_bytes(head[4:8], order)
    for entry in range(at + 2, at + 2 + 12 * min(64, int.from_bytes(head[at : at + 2], order)), 12):
        tag = int.from_bytes(head[entry : entry + 2], order)
        value = int.from_bytes(head[entry + 8 : entry + 12], order)
        if tag == _IS_DNG or (tag == _SUBFILE and value & _REDUCED):
            return True
    return False


def is_animated_webp(head: bytes) -> bool:
    """Return whether the extended header of a WebP file announces an animation."""
    return head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X" and bool(head[20:21]) and bool(head[20] & 2)


def is_boxed_picture(head: bytes) -> bool:
    """Return whether the file is a single AVIF or HEIF picture."""
    return head[4:8] == b"ftyp" and head[8:12] in PICTURE_BRANDS


# FFmpeg's names of its demuxers.
MP4 = "mov,mp4,m4a,3gp,3g2,mj2"
MATROSKA = "matroska,webm"
OGG = "ogg"
CONTAINERS = (
    Container(N_("a JPEG photo"), True, ("jpeg_pipe",), starts=(b"\xff\xd8\xff",), endings=(".jpg", ".jpeg")),
    Container(N_("a PNG picture"), True, ("png_pipe",), starts=(b"\x89PNG\r\n\x1a\n",), endings=(".png",)),
    Container(N_("a WebP picture"), True, ("webp_pipe", "webp"), forms=(b"WEBP",), endings=(".webp",)),
    Container(
        N_("an AVIF or HEIF photo"), True, (MP4,), brands=PICTURE_BRANDS, endings=(".heic", ".heif", ".avif")
    ),
    Container(
        N_("a TIFF picture"), True, ("tiff_pipe",), TIFF,
        test=lambda head: not is_raw_photo(head), endings=(".tif", ".tiff"),
    ),
    Container(N_("a BMP picture"), True, ("bmp_pipe",), starts=(b"BM",), test=_is_bitmap, endings=(".bmp",)),
    Container(
        N_("a GIF animation or picture"), False, ("gif",), starts=(b"GIF87a", b"GIF89a"), endings=(".gif",)
    ),
    Container(
        N_("an MPEG program stream"), False, ("mpeg",),
        (b"\x00\x00\x01\xba", b"IMKH"),  # Hikvision's recorders write a header before the stream
        endings=(".mpg", ".mpeg"),
    ),
    Container(
        N_("an MPEG transport stream"), False, ("mpegts",),
        test=_is_transport_stream, endings=(".ts", ".m2ts", ".mts"),
    ),
    Container(N_("a Flash video"), False, ("flv",), starts=(b"FLV\x01",), endings=(".flv",)),
    Container(
        N_("a Windows Media video"), False, ("asf",),
        (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",), endings=(".wmv",),
    ),
    Container(N_("an AVI video"), False, ("avi",), forms=(b"AVI ", b"AVIX"), endings=(".avi",)),
    Container(
        N_("a Matroska or WebM video"), False, (MATROSKA,), (b"\x1a\x45\xdf\xa3",), endings=(".mkv", ".webm")
    ),
    Container(
        N_("an mp4 or mov video"), False, (MP4,),
        # QuickTime files need no `ftyp`, and may begin with any of the others.
        boxes=(b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"uuid"),
        endings=(".mp4", ".mov", ".m4v", ".3gp"),
    ),
    # Sound alone. M4A, WMA and WebM are recognised as the videos of their containers.
    *SOUND_CONTAINERS,
)  # fmt: skip
PHOTO_DEMUXERS, VIDEO_DEMUXERS = (
    tuple(
        demuxer
        for container in CONTAINERS
        if container.is_photo is photos and not container.brands and not container.is_sound
        for name in container.demuxers
        for demuxer in name.split(",")
    )
    for photos in (True, False)
)
DEMUXERS = (*VIDEO_DEMUXERS, *PHOTO_DEMUXERS)
"""The demuxers that FFmpeg may use, except for files that begin as recordings of sound."""
PHOTO_ENDINGS, VIDEO_ENDINGS = (
    frozenset(
        ending
        for container in CONTAINERS
        if container.is_photo is photos and not container.is_sound
        for ending in container.endings
    )
    for photos in (True, False)
)
_CONTAINERS_OF_VIDEO = frozenset({".m4a", ".wma", ".mka", ".weba"})  # with sound alone
SOUND_ENDINGS = _CONTAINERS_OF_VIDEO.union(
    *(container.endings for container in CONTAINERS if container.is_sound)
)
# Names for people, the usual ones first; a test compares them with the table.
VIDEOS_IN_WORDS = "mp4, mov, mkv, webm, avi, mpg, ts, flv, wmv, gif"
PHOTOS_IN_WORDS = "jpeg, png, webp, heic, avif, tiff, bmp"
SOUNDS_IN_WORDS = "wav, mp3, m4a, aac, ogg, opus, flac, amr, wma, caf, aiff, au, w64, mp2, dss"
KINDS_IN_WORDS = f"{VIDEOS_IN_WORDS}, {PHOTOS_IN_WORDS}, {SOUNDS_IN_WORDS}"
ACCEPTED = N_("Accepted are video (%(videos)s), photos (%(photos)s) and sound recordings (%(sounds)s).") % {
    "videos": VIDEOS_IN_WORDS,
    "photos": PHOTOS_IN_WORDS,
    "sounds": SOUNDS_IN_WORDS,
}


def container_of(head: bytes) -> Container | None:
    """Return the accepted type of a file by its first bytes, or None."""
    if head.startswith(_OTHER_STARTS):  # such as an archive of recordings, whose frames would be found in it
        return None
    container = next((container for container in CONTAINERS if container.matches(head)), None)
    return TAGGED_SOUND if container is None and behind_tags(head) else container


def allowed_demuxers(head: bytes) -> tuple[str, ...]:
    """Return the demuxers that FFmpeg may use for a file that begins with ``head``.

    Those of sound recordings are left out for other files: FFmpeg takes some small pictures for MP3.
    """
    container = container_of(head)
    return container.demuxers if container is not None and container.is_sound else DEMUXERS


def is_accepted(head: bytes) -> bool:
    """Return whether the first bytes are those of an accepted video, photo or recording of sound."""
    return container_of(head) is not None


def refuse_other_types(head: bytes, accepted: str = ACCEPTED) -> None:
    """Raise :class:`MediaError` if the first bytes are those of a known type that is not accepted."""
    if head[4:8] == b"ftyp" and head[8:12] in SEQUENCE_BRANDS:
        raise MediaError(
            N_("The file is a sequence of AVIF or HEIF pictures. %(to_mp4)s %(accepted)s")
            % {"to_mp4": _TO_MP4, "accepted": accepted}
        )
    if head[4:8] in _SEGMENTS:
        raise MediaError(
            N_(
                "The file is a part of a stream (DASH, HLS) without its beginning. Put the stream's "
                "initialisation segment before it, and submit both as one file. %(accepted)s"
            )
            % {"accepted": accepted}
        )
    if is_raw_photo(head):
        raise MediaError(
            N_(
                "The file is a camera's raw picture. Develop it to jpeg or tiff, and keep the "
                "original. %(accepted)s"
            )
            % {"accepted": accepted}
        )
    if head.startswith(b"\x89PNG") and b"acTL" in head.partition(b"IDAT")[0]:
        raise MediaError(
            N_("The file is an animated PNG. Convert it to mp4, or its frames to png. %(accepted)s")
            % {"accepted": accepted}
        )
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for data, types in ((head, _OTHERS), (text, _TEXTS)):
        for start, name, remedy in types:
            if data.startswith(start):
                raise MediaError(sentences(N_("The file is %(name)s.") % {"name": name}, remedy, accepted))


def refuse_type_mismatch(head: bytes, demuxer: str) -> None:
    """Raise :class:`MediaError` if the first bytes contradict the ``demuxer`` that FFmpeg chose."""
    container = container_of(head)
    if container is not None and demuxer not in container.demuxers:
        raise MediaError(
            N_(
                "The file starts like %(name)s but is read as another kind (%(demuxer)s), so different "
                "programs would show different contents. Save it again from the program that shows the "
                "content to be examined, and keep the original."
            )
            % {"name": container.name, "demuxer": demuxer}
        )


UNREADABLE = sentences(
    N_(
        "The file cannot be read: it is not a video, photo or sound recording, or it is damaged or was "
        "copied only in part."
    ),
    ACCEPTED,
)


class NamelessFile:
    """A file without its name, optionally ending at ``end``.

    FFmpeg would choose demuxers by the name, and one of them opens further files.
    """

    name = ""

    def __init__(self, file: BinaryIO, end: int | None = None) -> None:
        self.tell, self._read, self._seek, self._end = file.tell, file.read, file.seek, end

    def read(self, size: int) -> bytes:
        """Read at most ``size`` bytes."""
        return self._read(size if self._end is None else max(0, min(size, self._end - self.tell())))

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Seek and return the position; a negative number, which FFmpeg takes as an error, if it is invalid.

        A damaged index leads to such positions. An exception would make PyAV fail where FFmpeg can go on.
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
def open_exhibit(path: Path) -> Iterator[BinaryIO]:
    """Open the file at ``path`` for reading.

    Raises :class:`MediaError` if it is no regular file and :class:`NotOpenedError` if it cannot be opened.
    """
    try:
        file = open_file(path)
    except IsADirectoryError:
        raise MediaError(
            N_("The file cannot be opened: it is a folder. Name one of the files in it.")
        ) from None
    except shutil.SpecialFileError:
        raise MediaError(
            N_(
                "The file cannot be opened: it is a device or a pipe. Save its output as a file, and "
                "name that file."
            )
        ) from None
    except FileNotFoundError:
        raise NotOpenedError(
            N_("The file cannot be opened: it does not exist. Check its name and folder.")
        ) from None
    except PermissionError:
        raise NotOpenedError(
            N_(
                "The file cannot be opened: permission to read it is missing. Grant it, or copy the "
                "file to a place where it can be read."
            )
        ) from None
    except OSError as error:
        raise NotOpenedError(
            N_("The file cannot be opened: %(problem)s.") % {"problem": os.strerror(error.errno or 0)}
        ) from None
    with file:
        yield file


def read_accepted_head(file: BinaryIO) -> bytes:
    """Return the first bytes of a file; raise :class:`MediaError` if it is empty or of no accepted type."""
    head = file.read(HEAD_BYTES)
    if not head:
        raise MediaError(N_("The file is empty (0 bytes). Copy or download it again."))
    refuse_other_types(head)
    if not is_accepted(head):
        raise MediaError(UNREADABLE)
    return head


def refuse_by_first_bytes(path: Path) -> None:
    """Raise :class:`MediaError` if the first bytes rule the file out, before anything heavy is imported."""
    with open_exhibit(path) as file:
        read_accepted_head(file)


_HOUR = 3600
_DAY = 24 * _HOUR


@dataclass(frozen=True)
class InputLimits:
    """The largest input that is examined."""

    pixels: int = 16_384 * 8_192  # decoded, such a picture takes 0.4 GB
    aspect: float = 64.0  # longer side to shorter side
    frames: int = 10_000_000
    seconds: float = _DAY  # from the first frame to the last

    def refuse_picture(self, width: int, height: int) -> None:
        """Raise :class:`MediaError` if a picture is too large or too narrow; 0 stands for an unknown side."""
        if width * height > self.pixels:
            raise MediaError(
                N_(
                    "The picture is %(width)s×%(height)s pixels, more than can be examined here. "
                    "Scale it down and try again."
                )
                % {"width": width, "height": height}
            )
        if min(width, height) > 0 and max(width, height) > self.aspect * min(width, height):
            raise MediaError(
                N_(
                    "The picture is %(width)s×%(height)s pixels, a strip too narrow to show a face. "
                    "Cut out the part in question and try again."
                )
                % {"width": width, "height": height}
            )

    def refuse_claims(self, seconds: float, frames: int) -> None:
        """Raise :class:`MediaError` if the length or frame count that a file states exceeds the limits."""
        self.refuse_length(seconds)
        self.refuse_count(frames)

    def refuse_length(self, seconds: float) -> None:
        """Raise :class:`MediaError` beyond ``seconds``."""
        if seconds > self.seconds:
            raise MediaError(
                N_(
                    "The recording lasts %(length)s by its timestamps; at most %(allowed)s are examined at "
                    "once. Cut out the part in question, or convert the file if the timestamps are wrong."
                )
                % {"length": _words(seconds), "allowed": _words(self.seconds)}
            )

    def refuse_count(self, frames: int) -> None:
        """Raise :class:`MediaError` beyond ``frames``."""
        if frames > self.frames:
            raise MediaError(
                N_(
                    "The video has more than %(frames)s frames, the most that are examined at once. "
                    "Cut out the part in question."
                )
                % {"frames": f"{self.frames:,}"}
            )


def _words(seconds: float) -> str:
    if seconds >= 2 * _DAY:
        return N_("%(days)s days") % {"days": f"{seconds / _DAY:,.0f}"}
    if seconds >= 2 * _HOUR:
        return N_("%(hours)s hours") % {"hours": f"{seconds / _HOUR:.0f}"}
    return N_("%(seconds)s seconds") % {"seconds": f"{seconds:.0f}"}
