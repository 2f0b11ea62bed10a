"""What identifies the exhibit, and what it holds as read from its bytes."""

from __future__ import annotations

from detector.schema.analysis import Media
from reports.inputs.exhibit_check import ExhibitCheck
from reports.text import dates, numbers
from reports.text.numbers import shown, timecode
from reports.text.translation.language import N_, Quoted, gettext
from reports.view.facts import Fact

# Names of the formats that are accepted, FFmpeg's or Pillow's, in words.
CONTAINERS = {
    "mov,mp4,m4a,3gp,3g2,mj2": N_("MP4 or QuickTime"),
    "matroska,webm": N_("Matroska or WebM"),
    "avi": "AVI",
    "jpeg_pipe": "JPEG",
    "png_pipe": "PNG",
    "webp_pipe": "WebP",
    "heif": "HEIF",
    "avif": "AVIF",
    "tiff_pipe": "TIFF",
    "bmp_pipe": "BMP",
    "gif": "GIF",
    "mpeg": N_("MPEG program stream"),
    "mpegts": N_("MPEG transport stream"),
    "flv": N_("Flash video"),
    "asf": N_("Windows Media"),
}


def exhibit_facts(media: Media, check: ExhibitCheck | None) -> tuple[Fact, ...]:
    """What identifies the exhibit: its name and its SHA-256, and whether that was found again."""
    found = [Fact(gettext("File name"), Quoted(numbers.file_name(media.file)))]
    if not media.file.isascii() or found[0].value != media.file:
        escaped = media.file.encode("unicode_escape").decode("ascii")
        found.append(
            Fact(gettext("File name, escaped"), escaped, gettext("for fonts that lack a letter"), exact=True)
        )
    found.append(Fact("SHA-256", media.sha256, gettext("when handed in") if check else "", exact=True))
    return (*found, *(_compared(media, check) if check else ()))


def _compared(media: Media, check: ExhibitCheck) -> tuple[Fact, ...]:
    when = gettext(
        "of the kept file, computed for this report on %(checked)s",
        checked=dates.moment(check.checked),
    )
    if check.fits(media.sha256, media.bytes):
        same = gettext(
            "The same: the kept file has the %(bytes)s bytes that were handed in.",
            bytes=shown(media.bytes, ","),
        )
        return Fact(gettext("SHA-256, again"), check.sha256, when, exact=True), Fact(
            gettext("Comparison"), same
        )
    if not check.sha256:
        gone = gettext(
            "NOT CONFIRMED: the kept file is missing or cannot be read. The custody log says more."
        )
        return (
            Fact(
                gettext("Comparison"),
                gone,
                gettext("looked for on %(checked)s", checked=dates.moment(check.checked)),
            ),
        )
    differs = gettext(
        "NOT THE SAME: the kept file no longer has the bytes that were handed in "
        "(%(bytes_now)s bytes now, %(bytes_then)s then). The findings are about the bytes that "
        "were handed in.",
        bytes_now=shown(check.bytes, ","),
        bytes_then=shown(media.bytes, ","),
    )
    return Fact(gettext("SHA-256, again"), check.sha256, when, exact=True), Fact(
        gettext("Comparison"), differs
    )


def recording_facts(media: Media, between: int) -> tuple[Fact, ...]:
    """What the exhibit holds, as read from its bytes.

    ``between`` frames were judged besides those sampled, which are decoded after all others.
    """
    found = [
        Fact(gettext("Size"), numbers.size(media.bytes)),
        Fact(gettext("Kind"), "photograph" if media.still else media.kind.value),
        Fact(gettext("Container"), CONTAINERS.get(media.container, media.container)),
        Fact(gettext("Codec"), Quoted(media.codec)),
        *_dynamic_range(media),
        Fact(gettext("Resolution"), f"{media.width} × {media.height} px", _turned(media) or _resized(media)),
    ]
    if media.still:
        return tuple(found)
    return (
        *found,
        Fact(gettext("Sound"), gettext("present, not examined") if media.has_sound else gettext("absent")),
        Fact(gettext("Duration"), timecode(media.duration)),
        *_offset(media),
        Fact(gettext("Frame rate"), numbers.frame_rate(media.frame_rate, media.variable_frame_rate)),
        Fact(gettext("Time base"), f"{media.time_base} s"),
        Fact(
            gettext("Frames decoded"),
            _decoded(media),
            gettext("in the first pass; frames around segments' ends were decoded after it")
            if between
            else "",
        ),
        Fact(gettext("Frames undecodable"), shown(media.frames_undecodable, ",")),
    )


def _decoded(media: Media) -> str:
    if not media.frames_passed_over:
        return shown(media.frames_decoded, ",")
    return gettext(
        "%(decoded)s of %(all)s; the others were not sampled, and no other frame refers to them",
        decoded=shown(media.frames_decoded, ","),
        all=shown(media.frames, ","),
    )


def _offset(media: Media) -> tuple[Fact, ...]:
    if (offset := numbers.player_offset(media)) is None:
        return ()
    note = gettext("times count from the first frame; add this to find them in a player")
    return (Fact(gettext("First frame on a player's clock"), timecode(offset), note),)


def _dynamic_range(media: Media) -> tuple[Fact, ...]:
    transfer = media.picture.colour_transfer if media.picture else None
    name = {"SMPTE2084": "PQ", "ARIB_STD_B67": "HLG"}.get(transfer or "")
    if name is None:
        return ()
    return (
        Fact(
            gettext("Colours"),
            gettext("high dynamic range (%(name)s)", name=name),
            gettext("converted to standard range to be examined"),
        ),
    )


def _resized(media: Media) -> str:
    picture = media.picture
    if picture is None or not picture.sizes:
        return ""
    return gettext(
        "the picture changes its size (%(sizes)s px); each frame is as large as it fits",
        sizes=", ".join(f"{width} × {height}" for width, height in picture.sizes),
    )


def _turned(media: Media) -> str:
    if not media.turned:
        return (
            gettext("upright, after turning by %(rotation)s° clockwise", rotation=media.rotation)
            if media.rotation
            else ""
        )
    return gettext(
        "after turning by %(rotation)s° clockwise, %(turned)s° of which the file does "
        "not ask for: only so do its faces stand upright",
        rotation=media.rotation,
        turned=media.turned,
    )
