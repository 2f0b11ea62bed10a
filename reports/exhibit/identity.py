"""Case, exhibit and recording: the facts at the head of the report."""

from __future__ import annotations

from dataclasses import dataclass, field

from detector.schema.analysis import Analysis, Media
from reports.inputs.case import NOT_STATED, CaseDetails
from reports.inputs.case_fields import STATED
from reports.inputs.input_files import ExhibitCheck
from reports.language import formatting
from reports.language.formatting import shown, timecode
from reports.language.translation import N_, UNTRANSLATED, Quoted, gettext, translated
from reports.wording.sections import Fact


@dataclass(frozen=True)
class HeadView:
    """By what a reader knows the report, and each of its pages. ``created_iso`` is for programs."""

    case: tuple[Fact, ...]
    running: str = field(metadata=UNTRANSLATED)  # at the head of every page
    file: str = field(metadata=UNTRANSLATED)
    file_short: str = field(metadata=UNTRANSLATED)
    exhibit_sha256: str = field(metadata=UNTRANSLATED)
    created: str
    created_iso: str = field(metadata=UNTRANSLATED)
    created_local: str
    zone: str = field(metadata=UNTRANSLATED)
    reelproof: str = field(metadata=UNTRANSLATED)


def head_view(analysis: Analysis, case: CaseDetails) -> HeadView:
    """Case, exhibit and moment of an analysis in words."""
    media, software = analysis.media, analysis.software
    created, created_iso = formatting.in_utc(software.created)
    file = formatting.file_name(media.file)
    return HeadView(
        case=case_facts(case),
        running=_running(case),
        file=file,
        file_short=formatting.shortened(file),
        exhibit_sha256=media.sha256,
        created=created,
        created_iso=created_iso,
        created_local=formatting.in_zone(software.created, case.time_zone),
        zone=case.time_zone,
        reelproof=software.reelproof,
    )


def case_facts(details: CaseDetails) -> tuple[Fact, ...]:
    """Numbers of case and exhibit, examiner, organisation; what was not given is said to be so."""
    given = details.model_dump()
    return tuple(
        Fact(translated(label), Quoted(formatting.file_name(given[name])) or gettext(NOT_STATED))
        for name, label in STATED.items()
    )


def _running(case: CaseDetails) -> str:
    """What the head of every page says of the case."""
    number = formatting.shortened(formatting.file_name(case.case_number), 28) or gettext(
        "number %(not_stated)s", not_stated=gettext(NOT_STATED)
    )
    exhibit = formatting.shortened(formatting.file_name(case.exhibit_number), 20)
    return gettext(
        "Case %(number)s%(exhibit)s",
        number=number,
        exhibit=(gettext(" · Exhibit %(exhibit)s", exhibit=exhibit) if exhibit else ""),
    )


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
    found = [Fact(gettext("File name"), Quoted(formatting.file_name(media.file)))]
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
        checked=formatting.moment(check.checked),
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
                gettext("looked for on %(checked)s", checked=formatting.moment(check.checked)),
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
        Fact(gettext("Size"), formatting.size(media.bytes)),
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
        Fact(gettext("Frame rate"), formatting.frame_rate(media.frame_rate, media.variable_frame_rate)),
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
    if (offset := formatting.player_offset(media)) is None:
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
