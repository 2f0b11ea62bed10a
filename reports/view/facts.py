"""Names and values: the exhibit, what was covered, the settings and the model."""

from __future__ import annotations

from dataclasses import dataclass

from detector import timestamps
from detector.schema.analysis import Analysis, Media, MediaKind, Model, Parameters, Platt
from reports.inputs.exhibit_check import ExhibitCheck
from reports.text import numbers, photographs
from reports.text.numbers import timecode

# Names of the formats that are accepted, FFmpeg's or Pillow's, in words.
CONTAINERS = {
    "mov,mp4,m4a,3gp,3g2,mj2": "MP4 or QuickTime",
    "matroska,webm": "Matroska or WebM",
    "avi": "AVI",
    "jpeg_pipe": "JPEG",
    "png_pipe": "PNG",
    "webp_pipe": "WebP",
    "heif": "HEIF",
    "avif": "AVIF",
    "tiff_pipe": "TIFF",
    "bmp_pipe": "BMP",
    "gif": "GIF",
    "mpeg": "MPEG program stream",
    "mpegts": "MPEG transport stream",
    "flv": "Flash video",
    "asf": "Windows Media",
}

_OF_PHOTOS = "photographs"  # unit of a rate
_ATTACKED = "100 faces"  # beginning of a figure's name


@dataclass(frozen=True)
class Fact:
    """A name and what it is; ``exact`` marks text to be set letter by letter, such as a hash."""

    name: str
    value: str
    note: str = ""
    exact: bool = False


@dataclass(frozen=True)
class Setting:
    """One parameter of the analysis; ``changed`` when it is not the shipped default."""

    name: str
    value: str
    default: str
    meaning: str
    changed: bool


@dataclass(frozen=True)
class ModelView:
    """The network that judged, and how well it was measured to."""

    title: str
    facts: tuple[Fact, ...]
    figures: tuple[Fact, ...]
    domain: str
    limits: tuple[str, ...]


def exhibit(media: Media, check: ExhibitCheck | None = None) -> tuple[Fact, ...]:
    """What identifies the exhibit: its name and its fingerprint, and whether that was found again."""
    found = [Fact("File name", numbers.file_name(media.file))]
    if not media.file.isascii() or found[0].value != media.file:
        escaped = media.file.encode("unicode_escape").decode("ascii")
        found.append(Fact("File name, escaped", escaped, "for fonts that lack a letter", exact=True))
    found.append(Fact("SHA-256", media.sha256, "when handed in" if check else "", exact=True))
    return (*found, *(_compared(media, check) if check else ()))


def _compared(media: Media, check: ExhibitCheck) -> tuple[Fact, ...]:
    when = f"of the kept file, computed for this report on {timestamps.readable(check.checked)}"
    if check.fits(media.sha256, media.bytes):
        same = f"The same: the kept file has the {media.bytes:,} bytes that were handed in."
        return Fact("SHA-256, again", check.sha256, when, exact=True), Fact("Comparison", same)
    if not check.sha256:
        gone = "NOT CONFIRMED: the kept file is missing or cannot be read. The custody log says more."
        return (Fact("Comparison", gone, f"looked for on {timestamps.readable(check.checked)}"),)
    differs = (
        "NOT THE SAME: the kept file no longer has the bytes that were handed in "
        f"({check.bytes:,} bytes now, {media.bytes:,} then). "
        "The findings are about the bytes that were handed in."
    )
    return Fact("SHA-256, again", check.sha256, when, exact=True), Fact("Comparison", differs)


def recording(media: Media) -> tuple[Fact, ...]:
    """What the exhibit holds, as read from its bytes."""
    found = [
        Fact("Size", numbers.size(media.bytes)),
        Fact("Kind", "photograph" if media.kind is MediaKind.IMAGE else media.kind.value),
        Fact("Container", CONTAINERS.get(media.container, media.container)),
        Fact("Codec", media.codec),
        *_range(media),
        Fact("Resolution", f"{media.width} × {media.height} px", _turned(media)),
    ]
    if media.kind is MediaKind.IMAGE:
        return tuple(found)
    return (
        *found,
        Fact("Sound", "present, not examined" if media.has_sound else "none"),
        Fact("Duration", timecode(media.duration)),
        *_offset(media),
        Fact("Frame rate", numbers.frame_rate(media.frame_rate, media.variable_frame_rate)),
        Fact("Time base", f"{media.time_base} s"),
        Fact("Frames decoded", f"{media.frames_decoded:,}"),
        Fact("Frames undecodable", f"{media.frames_undecodable:,}"),
    )


def _offset(media: Media) -> tuple[Fact, ...]:
    if (offset := numbers.player_offset(media)) is None:
        return ()
    note = "times in this report count from the first frame; add this to find them in a player"
    return (Fact("First frame on a player's clock", timecode(offset), note),)


def _range(media: Media) -> tuple[Fact, ...]:
    transfer = media.details.picture.colour_transfer if media.details and media.details.picture else None
    name = {"SMPTE2084": "PQ", "ARIB_STD_B67": "HLG"}.get(transfer or "")
    if name is None:
        return ()
    return (Fact("Colours", f"high dynamic range ({name})", "converted to standard range to be examined"),)


def _turned(media: Media) -> str:
    if not media.turned:
        return f"upright, after turning by {media.rotation}° clockwise" if media.rotation else ""
    return (
        f"after turning by {media.rotation}° clockwise, {media.turned}° of which the file does not ask for: "
        "only so was a face found"
    )


def coverage(analysis: Analysis) -> tuple[Fact, ...]:
    """How much was looked at, in counts."""
    looked = analysis.coverage
    if analysis.media.kind is MediaKind.IMAGE:
        return (
            Fact("Faces found", f"{looked.faces_found:,}"),
            Fact("… judged", f"{looked.faces_found - looked.faces_unusable:,}"),
            Fact("… not judged", f"{looked.faces_unusable:,}", "; ".join(looked.flaws)),
        )
    facts = [
        Fact("Frames sampled", f"{looked.frames_sampled:,}"),
        Fact("… with a face", f"{looked.frames_with_face:,}"),
        Fact("… with a usable face", f"{looked.frames_with_usable_face:,}"),
        Fact("Faces found", f"{looked.faces_found:,}"),
        Fact("… unusable", f"{looked.faces_unusable:,}"),
    ]
    facts.insert(3, Fact("Frames judged besides", f"{looked.frames_between:,}", "around segments' ends"))
    facts.append(Fact("Scene cuts", f"{len(looked.cuts):,}"))
    return tuple(facts)


def settings(analysis: Analysis) -> tuple[Setting, ...]:
    """Every setting that plays a part, with its meaning as the schema gives it."""
    found, parameters = [], analysis.parameters
    for name in photographs.settings_of(analysis.media.kind is MediaKind.IMAGE):
        field = Parameters.model_fields[name]
        value, default = getattr(parameters, name), field.default
        found.append(
            Setting(
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
        return "as of frames"
    sign = "−" if value.offset < 0 else "+"
    return f"mean raw score × {numbers.number(value.scale)} {sign} {numbers.number(abs(value.offset))}"


def concerns(value: Model, name: str, still: bool) -> bool:
    """Whether a figure or a set of data called ``name`` is of exhibits like this one: photos, or videos.

    All are where the card tells nothing of photos. Faces under attack stand on the card alone.
    """
    sets = {rate.data for rate in value.rates if rate.unit == _OF_PHOTOS}
    if name.startswith(_ATTACKED):
        return False
    return not sets or still == any(name.startswith(each) for each in sets)


def model(value: Model, still: bool) -> ModelView:
    """The model's card, as it was when the analysis was made; its figures of exhibits of the same kind."""
    figures = {name: figure for name, figure in value.figures.items() if concerns(value, name, still)}
    return ModelView(
        title=value.title,
        facts=(
            Fact("Name", value.name),
            Fact("Architecture", value.architecture),
            Fact("SHA-256 of the weights", value.sha256, exact=True),
            Fact("Calibration of frames", f"raw score ÷ {numbers.number(value.temperature)}"),
            Fact("Calibration of segments", _platt(value.segment)),
            Fact("Calibration of the whole exhibit", _platt(value.exhibit)),
        ),
        figures=tuple(
            Fact(name.replace("_", " "), numbers.number(figure)) for name, figure in figures.items()
        ),
        domain=value.domain,
        limits=value.limits,
    )
