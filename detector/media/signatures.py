"""What a file's first bytes say it is: better words for what is not accepted, and no chameleons.

FFmpeg looks for something it can read anywhere in a file's beginning. A file that starts as one
thing and is read as another was made by somebody to be seen as both.
"""

from __future__ import annotations

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
# What is accepted, and the names under which FFmpeg reads it.
_KINDS = (
    (0, b"\xff\xd8\xff", "a JPEG photo", ("jpeg_pipe",)),
    (0, b"\x89PNG\r\n\x1a\n", "a PNG picture", ("png_pipe",)),
    (8, b"WEBP", "a WebP picture", ("webp_pipe", "webp")),
    (8, b"AVI ", "an AVI video", ("avi",)),
    (0, b"\x1a\x45\xdf\xa3", "a Matroska or WebM video", ("matroska,webm",)),
    (4, b"ftyp", "an mp4 or mov video", ("mov,mp4,m4a,3gp,3g2,mj2",)),
)


def refuse_others(head: bytes, accepted: str) -> None:
    """Raise :class:`MediaError` when the first bytes are those of something known not to be accepted."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for start, name, remedy in _OTHERS:
        if head.startswith(start):
            raise MediaError(f"The file is {name}. {remedy} {accepted}")
    for start, name, remedy in _TEXTS:
        if text.startswith(start.lower()):
            raise MediaError(f"The file is {name}. {remedy} {accepted}")


def refuse_mismatch(head: bytes, container: str) -> None:
    """Raise :class:`MediaError` when FFmpeg reads as ``container`` what starts as something else."""
    for offset, mark, name, containers in _KINDS:
        if head[offset:].startswith(mark) and container not in containers:
            raise MediaError(
                f"The file begins as {name} and is read as something else ({container}), so different "
                "programs would show different things. Save it anew from the program in which it shows "
                "what you want examined, and keep the original as it is."
            )


def is_accepted(head: bytes) -> bool:
    """Whether the first bytes are those of a kind of video or photo that is accepted."""
    return any(head[offset:].startswith(mark) for offset, mark, _, _ in _KINDS)
