"""What a file's first bytes say it is: the one table of what is accepted, and words for what is not.

FFmpeg looks for something it can read anywhere in a file's beginning. A file that starts as one
thing and is read as another was made by somebody to be seen as both.
"""

from __future__ import annotations

from dataclasses import dataclass

from detector.errors import MediaError

HEAD = 4096
"""How many bytes from the start are looked at."""
PHOTOS = ("JPEG", "PNG", "WEBP")
"""What Pillow may be asked to open: it knows many more kinds, and some of them run other programs."""

# Kinds that are not accepted, and what to do; by their first bytes, after white space for text.
_OTHERS = (
    (b"GIF8", "a GIF animation", "Convert it to mp4, or its frames to png."),
    (b"%PDF", "a PDF document", "Take the pictures out of it and hand those in."),
    (b"PK\x03\x04", "a zip archive or an office document", "Unpack it and hand in what is inside."),
    (b"Rar!", "a RAR archive", "Unpack it and hand in what is inside."),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "Unpack it and hand in what is inside."),
    (b"\x1f\x8b", "a gzip archive", "Unpack it and hand in what is inside."),
    (b"\x7fELF", "a program", "Hand in the video or photo itself."),
    (b"MZ", "a program", "Hand in the video or photo itself."),
)
_TEXTS = (
    (b"#EXTM3U", "a playlist, which only names other files", "Hand in the video it names."),
    (b"ffconcat version", "a list of files for FFmpeg", "Hand in the videos it names."),
    (b"[playlist]", "a playlist, which only names other files", "Hand in the video it names."),
    (b"<?xml", "an XML text, such as a playlist or a drawing", "Hand in the video or photo itself."),
    (b"<svg", "a drawing (SVG)", "Convert it to png."),
    (b"<mpd", "a playlist (DASH)", "Hand in the video it names."),
    (b"<!doctype html", "a web page", "Save the video or photo in it, not the page."),
    (b"<html", "a web page", "Save the video or photo in it, not the page."),
)
# Of `ftyp`: pictures in boxes (ISO/IEC 23008-12). FFmpeg reads them as videos, and of a sequence one frame.
_PICTURE_BRANDS = (b"avif", b"avis", b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


@dataclass(frozen=True)
class Container:
    """A kind of file that is accepted: how it begins, and the names under which FFmpeg reads it."""

    name: str
    is_photo: bool
    demuxers: tuple[str, ...]
    starts: tuple[bytes, ...] = ()
    """Its first bytes."""
    forms: tuple[bytes, ...] = ()
    """Of a RIFF file: what bytes 8 to 12 say it holds."""
    boxes: tuple[bytes, ...] = ()
    """Of a row of boxes (ISO/IEC 14496-12, QuickTime): the types the first one may have."""

    def matches(self, head: bytes) -> bool:
        """Whether a file that begins with ``head`` is of this kind."""
        if head[:4] == b"RIFF":
            return head[8:12] in self.forms
        if _is_picture_of_boxes(head):
            return False
        return head.startswith(self.starts) or head[4:8] in self.boxes


CONTAINERS = (
    Container("a JPEG photo", True, ("jpeg_pipe",), starts=(b"\xff\xd8\xff",)),
    Container("a PNG picture", True, ("png_pipe",), starts=(b"\x89PNG\r\n\x1a\n",)),
    Container("a WebP picture", True, ("webp_pipe", "webp"), forms=(b"WEBP",)),
    Container("an AVI video", False, ("avi",), forms=(b"AVI ", b"AVIX")),
    Container("a Matroska or WebM video", False, ("matroska,webm",), starts=(b"\x1a\x45\xdf\xa3",)),
    Container(
        "an mp4 or mov video",
        False,
        ("mov,mp4,m4a,3gp,3g2,mj2",),
        # QuickTime files need no `ftyp`, and may begin with any of the others.
        boxes=(b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"uuid"),
    ),
)
PHOTO_DEMUXERS, VIDEO_DEMUXERS = (
    tuple(
        demuxer
        for container in CONTAINERS
        if container.is_photo is photos
        for name in container.demuxers
        for demuxer in name.split(",")
    )
    for photos in (True, False)
)
DEMUXERS = (*VIDEO_DEMUXERS, *PHOTO_DEMUXERS)
"""What FFmpeg may use."""
ACCEPTED = "Accepted are video (mp4, mov, mkv, webm, avi) and photos (jpeg, png, webp)."


def container_of(head: bytes) -> Container | None:
    """The accepted kind of a file that begins so; None if it is of no accepted kind."""
    return next((container for container in CONTAINERS if container.matches(head)), None)


def is_accepted(head: bytes) -> bool:
    """Whether the first bytes are those of a kind of video or photo that is accepted."""
    return container_of(head) is not None


def _is_picture_of_boxes(head: bytes) -> bool:
    return head[4:8] == b"ftyp" and head[8:12] in _PICTURE_BRANDS


def refuse_others(head: bytes, accepted: str = ACCEPTED) -> None:
    """Raise :class:`MediaError` when the first bytes are those of something known not to be accepted."""
    if _is_picture_of_boxes(head):
        raise MediaError(f"The file is an AVIF or HEIF picture. Convert it to png or jpeg. {accepted}")
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for start, name, remedy in _OTHERS:
        if head.startswith(start):
            raise MediaError(f"The file is {name}. {remedy} {accepted}")
    for start, name, remedy in _TEXTS:
        if text.startswith(start.lower()):
            raise MediaError(f"The file is {name}. {remedy} {accepted}")


def refuse_mismatch(head: bytes, demuxer: str) -> None:
    """Raise :class:`MediaError` when FFmpeg reads with ``demuxer`` what starts as something else."""
    container = container_of(head)
    if container is not None and demuxer not in container.demuxers:
        raise MediaError(
            f"The file begins as {container.name} and is read as something else ({demuxer}), so different "
            "programs would show different things. Save it anew from the program in which it shows "
            "what you want examined, and keep the original as it is."
        )
