"""Case, exhibit and recording: the facts at the head of the report."""

from __future__ import annotations

from dataclasses import dataclass, field

from detector.schema.analysis import Analysis, Media, MediaKind
from detector.schema.codec_names import codec_name
from detector.schema.summary import verdicts_of
from language import formatting
from language.formatting import shown, timecode
from language.translation import N_, UNTRANSLATED, Quoted, gettext, translated
from reports.inputs.case import CaseDetails
from reports.inputs.case_fields import STATED
from reports.inputs.input_files import ExhibitCheck
from reports.wording.sections import Fact

_LEAST_FRAMES = 10  # from which a frame rate is measured


@dataclass(frozen=True)
class HeadView:
    """The head of the report and of each page; ``created_iso`` is for programs."""

    case: tuple[Fact, ...]  # as far as stated
    running: str = field(metadata=UNTRANSLATED)  # at the head of every page
    file: str = field(metadata=UNTRANSLATED)
    file_short: str = field(metadata=UNTRANSLATED)
    exhibit_sha256: str = field(metadata=UNTRANSLATED)
    kind: str  # of exhibit
    created: str
    created_iso: str = field(metadata=UNTRANSLATED)
    created_local: str
    zone: str = field(metadata=UNTRANSLATED)
    reelproof: str = field(metadata=UNTRANSLATED)


def head_view(analysis: Analysis, case: CaseDetails) -> HeadView:
    """Describe case, exhibit and time of an analysis."""
    media, software = analysis.media, analysis.software
    created, created_iso = formatting.in_utc(software.created)
    file = formatting.file_name(media.file)
    return HeadView(
        case=case_facts(case),
        running=_running(case),
        file=file,
        file_short=formatting.shortened(file),
        exhibit_sha256=media.sha256,
        kind=_kind(analysis),
        created=created,
        created_iso=created_iso,
        created_local=formatting.in_zone(software.created, case.time_zone),
        zone=case.time_zone,
        reelproof=software.reelproof,
    )


def case_facts(details: CaseDetails) -> tuple[Fact, ...]:
    """List case number, exhibit number, examiner and organisation, as far as they are stated."""
    values = details.model_dump()
    return tuple(
        Fact(translated(label), Quoted(formatting.file_name(values[name])))
        for name, label in STATED.items()
        if values[name]
    )


def _running(case: CaseDetails) -> str:
    """Return the text on the case at the head of every page; "" if nothing is stated."""
    number = formatting.shortened(formatting.file_name(case.case_number), 28)
    exhibit = formatting.shortened(formatting.file_name(case.exhibit_number), 20)
    parts = [
        *([gettext("Case %(number)s", number=number)] if number else []),
        *([gettext("Exhibit %(exhibit)s", exhibit=exhibit)] if exhibit else []),
    ]
    return " · ".join(parts)


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
    "wav": "WAV",
    "mp3": "MP3",
    "aac": "AAC (ADTS)",
    "ogg": "Ogg",
    "flac": "FLAC",
    "amr": "AMR",
    "caf": "Core Audio Format",
    "aiff": "AIFF",
    "au": "AU",
    "w64": "Wave64",
    "dss": "DSS",
    "dts": "DTS",
    "dtshd": "DTS-HD",
    "truehd": "TrueHD",
    "mlp": "MLP",
    "ac3": "AC-3",
    "eac3": "E-AC-3",
    "loas": "AAC (LOAS)",
    "wv": "WavPack",
    "tta": "True Audio",
    "ape": "Monkey's Audio",
    "tak": "TAK",
    "mpc": "Musepack",
    "mpc8": "Musepack",
    "dsf": "DSD (DSF)",
    "iff": "IFF",
    "voc": "Creative Voice",
    "nistsphere": "NIST SPHERE",
    "ircam": "IRCAM",
    "sox": "SoX",
    "pvf": "PVF",
    "epaf": "Ensoniq PARIS",
    "avr": "AVR",
    "wve": "Psion WVE",
    "hcom": "Macintosh HCOM",
    "ilbc": "iLBC",
    "rm": "RealAudio",
    "gsm": "GSM",
}


_KINDS = {
    MediaKind.VIDEO: N_("video"),
    MediaKind.IMAGE: N_("photograph"),
    MediaKind.AUDIO: N_("sound recording"),
}


def _kind(analysis: Analysis) -> str:
    """Name the kind of exhibit; a video whose pictures could not be read is one nevertheless."""
    sound_only = verdicts_of(analysis).faces is None
    kind = analysis.media.kind
    return _KINDS[MediaKind.VIDEO if kind is MediaKind.AUDIO and not sound_only else kind]


def exhibit_facts(media: Media, check: ExhibitCheck | None) -> tuple[Fact, ...]:
    """Identify the exhibit by name and SHA-256, and state whether the stored file still matches."""
    facts = [Fact(gettext("File name"), Quoted(formatting.file_name(media.file)))]
    if not media.file.isascii() or facts[0].value != media.file:
        escaped = media.file.encode("unicode_escape").decode("ascii")
        facts.append(Fact(gettext("File name, escaped"), escaped, gettext("when submitted"), exact=True))
    facts.append(Fact("SHA-256", media.sha256, gettext("when uploaded") if check else "", exact=True))
    return (*facts, *(_compared(media, check) if check else ()))


def _compared(media: Media, check: ExhibitCheck) -> tuple[Fact, ...]:
    checked = formatting.moment(check.checked)
    if not check.sha256:
        result = gettext("NOT CONFIRMED: the stored file is missing or cannot be read. See the custody log.")
        return (Fact(gettext("Comparison"), result, gettext("searched on %(checked)s", checked=checked)),)
    if check.fits(media.sha256, media.bytes):
        result = gettext(
            "Unchanged: the stored file is identical to the %(bytes)s bytes that were submitted.",
            bytes=shown(media.bytes, ","),
        )
    else:
        result = gettext(
            "CHANGED: the stored file differs from the submitted file (%(bytes_now)s bytes now, "
            "%(bytes_then)s then). The findings are about the submitted file.",
            bytes_now=shown(check.bytes, ","),
            bytes_then=shown(media.bytes, ","),
        )
    note = gettext("of the stored file, computed for this report on %(checked)s", checked=checked)
    return (
        Fact(gettext("SHA-256, recomputed"), check.sha256, note, exact=True),
        Fact(gettext("Comparison"), result),
    )


def recording_facts(analysis: Analysis) -> tuple[Fact, ...]:
    """Describe the recording as read from the file.

    Frames between sampled ones were judged besides and decoded after all others.
    """
    media, between = analysis.media, analysis.coverage.frames_between
    facts = [
        Fact(gettext("Size"), formatting.size(media.bytes)),
        Fact(gettext("Kind"), _kind(analysis)),
        Fact(gettext("Container"), CONTAINERS.get(media.container, media.container)),
        _codec(media),
    ]
    transfer = media.picture.colour_transfer if media.picture else None
    if name := {"SMPTE2084": "PQ", "ARIB_STD_B67": "HLG"}.get(transfer or ""):
        note = gettext("converted to standard range to be examined")
        facts.append(Fact(gettext("Colours"), gettext("high dynamic range (%(name)s)", name=name), note))
    if media.sound_only:
        return (*facts, Fact(gettext("Duration"), timecode(media.duration)))
    facts.append(Fact(gettext("Resolution"), f"{media.width} × {media.height} px", _resolution_note(media)))
    if media.still:
        return tuple(facts)
    facts += [
        Fact(gettext("Sound"), _sound(analysis)),
        Fact(gettext("Duration"), timecode(media.duration)),
    ]
    if (offset := formatting.player_offset(media)) is not None:
        note = gettext("times count from the first frame; add this value to find them in a player")
        facts.append(Fact(gettext("First frame on a player's clock"), timecode(offset), note))
    decoded, note = shown(media.frames_decoded, ","), ""
    if media.frames_passed_over:
        decoded = gettext(
            "%(decoded)s of %(all)s; the others were not sampled, and no other frame depends on them",
            decoded=decoded,
            all=shown(media.frames, ","),
        )
    if between:
        note = gettext("in the first pass; frames around the ends of segments were decoded afterwards")
    return (
        *facts,
        Fact(
            gettext("Frame rate"),
            formatting.frame_rate(media.frame_rate, media.variable_frame_rate, _measured_rate(media)),
        ),
        Fact(gettext("Time base"), f"{media.time_base} s"),
        Fact(gettext("Frames decoded"), decoded, note),
        Fact(gettext("Frames undecodable"), shown(media.frames_undecodable, ",")),
    )


def _sound(analysis: Analysis) -> str:
    if not analysis.media.has_sound:
        return gettext("absent")
    if analysis.voice is None:
        return gettext("present, not examined")
    return gettext("present, examined") if analysis.voice.stream else gettext("present, could not be decoded")


def _codec(media: Media) -> Fact:
    name = "JPEG" if media.still and media.codec == "mjpeg" else codec_name(media.codec)
    note = gettext("%(name)s in FFmpeg", name=media.codec) if name.lower() != media.codec else ""
    return Fact(gettext("Codec"), Quoted(name), note)


def _measured_rate(media: Media) -> float | None:
    """Return the frames a second of an intact video; None where too few, or not all, were read."""
    lost = media.frames_undecodable + media.frames_out_of_order
    is_measured = media.duration > 0 and media.frames >= _LEAST_FRAMES and not lost
    return media.frames / media.duration if is_measured else None


def _resolution_note(media: Media) -> str:
    if media.turned:
        return gettext(
            "after rotation by %(rotation)s° clockwise; the file does not specify %(turned)s° of these, but "
            "faces are upright only then",
            rotation=media.rotation,
            turned=media.turned,
        )
    if media.rotation:
        return gettext("upright, after rotation by %(rotation)s° clockwise", rotation=media.rotation)
    if media.picture is None or not media.picture.sizes:
        return ""
    return gettext(
        "the picture size changes (%(sizes)s px); each frame is scaled to fit",
        sizes=", ".join(f"{width} × {height}" for width, height in media.picture.sizes),
    )
