"""Names and values: the case, the exhibit, what was covered, the parameters and the model."""

from __future__ import annotations

from dataclasses import dataclass, field

from detector.schema.analysis import Analysis, Media, Model, Parameters, Platt
from reports.inputs.case import NOT_STATED, CaseDetails
from reports.inputs.case_fields import STATED
from reports.inputs.exhibit_check import ExhibitCheck
from reports.text import dates, numbers, photographs
from reports.text.certainty.measured import concerns
from reports.text.numbers import shown, timecode
from reports.text.translation.language import (
    DEFAULT,
    N_,
    UNTRANSLATED,
    Quoted,
    current,
    gettext,
    in_parts,
    translated,
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


@dataclass(frozen=True)
class Fact:
    """A name and what it is; ``exact`` marks text to be set letter by letter, such as a hash.

    A value that the file or a person supplied is :class:`~reports.text.translation.language.Quoted`;
    exact ones are.
    """

    name: str
    value: str
    note: str = ""
    exact: bool = False

    def __post_init__(self) -> None:
        if self.exact:
            object.__setattr__(self, "value", Quoted(self.value))


@dataclass(frozen=True)
class ParameterView:
    """One parameter of the analysis; ``changed`` when it is not the shipped default."""

    name: str
    value: str
    default: str
    meaning: str
    changed: bool


@dataclass(frozen=True)
class ModelView:
    """The network that judged, and how well it was measured to."""

    title: str = field(metadata=UNTRANSLATED)
    facts: tuple[Fact, ...]
    figures: tuple[Fact, ...]
    domain: str
    limits: tuple[str, ...]
    foreign: bool  # its author's words have no translation into the language spoken


def case(details: CaseDetails) -> tuple[Fact, ...]:
    """Numbers of case and exhibit, examiner, organisation; what was not given is said to be so."""
    given = details.model_dump()
    return tuple(
        Fact(translated(label), Quoted(numbers.file_name(given[name])) or gettext(NOT_STATED))
        for name, label in STATED.items()
    )


def exhibit(media: Media, check: ExhibitCheck | None = None) -> tuple[Fact, ...]:
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


def recording(media: Media, between: int = 0) -> tuple[Fact, ...]:
    """What the exhibit holds, as read from its bytes.

    ``between`` frames were judged besides those sampled, which are decoded after all others.
    """
    found = [
        Fact(gettext("Size"), numbers.size(media.bytes)),
        Fact(gettext("Kind"), "photograph" if media.still else media.kind.value),
        Fact(gettext("Container"), CONTAINERS.get(media.container, media.container)),
        Fact(gettext("Codec"), Quoted(media.codec)),
        *_range(media),
        Fact(gettext("Resolution"), f"{media.width} × {media.height} px", _turned(media) or _brought(media)),
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
    note = gettext("times in this report count from the first frame; add this to find them in a player")
    return (Fact(gettext("First frame on a player's clock"), timecode(offset), note),)


def _range(media: Media) -> tuple[Fact, ...]:
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


def _brought(media: Media) -> str:
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


def coverage(analysis: Analysis) -> tuple[Fact, ...]:
    """How much was looked at, in counts."""
    looked = analysis.coverage
    if analysis.media.still:
        flaws = "; ".join(map(translated, looked.flaws))
        return (
            Fact(gettext("Faces found"), shown(looked.faces_found, ",")),
            Fact(gettext("… judged"), shown(looked.faces_found - looked.faces_unusable, ",")),
            Fact(gettext("… not judged"), shown(looked.faces_unusable, ","), flaws),
        )
    beside = shown(looked.frames_between, ",")
    return (
        Fact(gettext("Frames sampled"), shown(looked.frames_sampled, ",")),
        Fact(gettext("… with a face"), shown(looked.frames_with_face, ",")),
        Fact(gettext("… with a usable face"), shown(looked.frames_with_usable_face, ",")),
        Fact(gettext("Frames judged besides"), beside, gettext("around segments' ends")),
        Fact(gettext("Faces found"), shown(looked.faces_found, ",")),
        Fact(gettext("… unusable"), shown(looked.faces_unusable, ",")),
        Fact(gettext("Scene cuts"), shown(len(looked.cuts), ",")),
    )


def parameters(analysis: Analysis) -> tuple[ParameterView, ...]:
    """Every parameter that plays a part, with its meaning as the schema gives it."""
    found = []
    for name in photographs.parameters_of(analysis.media.still):
        field = Parameters.model_fields[name]
        value, default = getattr(analysis.parameters, name), field.default
        found.append(
            ParameterView(
                name.replace("_", " "),
                numbers.number(value),
                numbers.number(default),
                field.description or "",
                value != default,
            )
        )
    return tuple(found)


def _platt(value: Platt | None) -> str:
    if value is None:
        return gettext("as of frames")
    sign = "−" if value.offset < 0 else "+"
    return gettext(
        "mean raw score × %(scale)s %(sign)s %(offset)s",
        scale=numbers.number(value.scale),
        sign=sign,
        offset=numbers.number(abs(value.offset)),
    )


def model(value: Model, still: bool) -> ModelView:
    """The model's card, as it was when the analysis was made; its figures of exhibits of the same kind."""
    figures = {name: figure for name, figure in value.figures.items() if concerns(value, name, still)}
    return ModelView(
        title=value.title,
        facts=(
            Fact(gettext("Name"), Quoted(value.name)),
            Fact(gettext("Architecture"), Quoted(value.architecture)),
            Fact(gettext("SHA-256 of the weights"), value.sha256, exact=True),
            Fact(
                gettext("Calibration of frames"),
                gettext("raw score ÷ %(temperature)s", temperature=numbers.number(value.temperature)),
            ),
            Fact(gettext("Calibration of segments"), _platt(value.segment)),
            Fact(gettext("Calibration of the whole exhibit"), _platt(value.exhibit)),
        ),
        figures=tuple(
            Fact(in_parts(name.replace("_", " ")), numbers.number(figure)) for name, figure in figures.items()
        ),
        domain=value.domain,
        limits=value.limits,
        foreign=current() != DEFAULT
        and any(translated(each) == each for each in (value.domain, *value.limits) if each),
    )
