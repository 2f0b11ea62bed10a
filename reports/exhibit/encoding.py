"""Encoding of the exhibit in words: container, picture, encoder settings, frame timing and key frames."""

from __future__ import annotations

from detector.schema.analysis import Media
from detector.schema.codec_names import codec_name
from detector.schema.metadata import Details, Groups, Photo, Picture, Structure, Timing
from language import formatting
from language.formatting import grouped, plural, shown, timecode
from language.translation import N_, Quoted, gettext
from reports.wording.sections import Fact

_LEVELS = {"h264": 10, "hevc": 30}  # by what a level is multiplied
_MAXIMUM = 31  # of AV1: a stream is not held to a level (AV1 Bitstream Specification, A.3)

# Of a JPEG, in their order.
_TABLES = (
    N_("Quantisation, brightness"),
    N_("Quantisation, colour"),
    N_("Quantisation, third table"),
    N_("Quantisation, fourth table"),
)


def encoding_facts(media: Media, details: Details) -> tuple[Fact, ...]:
    """List what is known of container, pictures and encoder, and whether the tags contain a location."""
    facts: list[Fact] = []
    if details.structure:
        facts += _container(details.structure)
    if details.photo is None and details.picture:
        facts += _picture(media, details.picture)
    if details.photo:
        facts += _photo(details.photo)
    if details.encoding:
        facts += [
            Fact(gettext("Encoder settings"), Quoted(text), gettext("found in the stream"))
            for text in details.encoding.texts
        ]
    if details.location:
        facts.append(
            Fact(
                gettext("Place in the tags"),
                Quoted(formatting.file_name(details.location)),
                gettext("personal data"),
            )
        )
    elif details.tags or details.photo:
        facts.append(Fact(gettext("Place in the tags"), gettext("absent")))
    return tuple(facts)


def _container(structure: Structure) -> list[Fact]:
    note = ""
    if structure.compatible:
        note = gettext("compatible: %(compatible)s", compatible=", ".join(structure.compatible))
    boxes = Quoted(", ".join(structure.boxes)) or gettext("not readable")
    facts = [Fact(gettext("Order of container parts"), boxes)]
    if structure.brand:
        facts.insert(0, Fact(gettext("Container brand"), Quoted(structure.brand), note))
    if structure.edits:
        facts.append(Fact(gettext("Edit list"), plural(len(structure.edits), "entry", "entries")))
    return facts


def _photo(photo: Photo) -> list[Fact]:
    modes = {
        "L": gettext("grey"),
        "RGB": gettext("colour"),
        "RGBA": gettext("colour with transparency"),
        "P": gettext("palette"),
    }
    facts = [Fact(gettext("Format"), photo.format, modes.get(photo.mode, photo.mode))]
    if photo.progressive is not None:
        order = gettext("progressive") if photo.progressive else gettext("sequential")
        facts.append(Fact("JPEG", order, photo.subsampling or ""))
    for name, table in zip(_TABLES, photo.tables, strict=False):
        kind = gettext("a table of its own; the nearest of libjpeg")
        if table.exact:
            kind = gettext("libjpeg's table")
        facts.append(Fact(gettext(name), gettext("quality %(quality)s", quality=table.quality), kind))
    profile = photo.colour_profile
    profile_name = gettext("absent") if profile is None else Quoted(profile) or gettext("unnamed")
    if profile is None and photo.colours:
        profile_name = gettext("stated otherwise")
    conversions = {"converted": gettext("converted to sRGB"), "unusable": gettext("unusable, taken for sRGB")}
    facts.append(Fact(gettext("Colour profile"), profile_name, conversions.get(photo.colours or "", "")))
    thumbnail, note = gettext("absent"), ""
    if small := photo.thumbnail:
        thumbnail, note = f"{small.width} × {small.height} px", gettext("flat")
        if small.correlation is not None:
            figure = shown(small.correlation, ".2f")
            note = gettext("correlation with the picture %(correlation)s", correlation=figure)
    return [*facts, Fact(gettext("EXIF thumbnail"), thumbnail, note)]


def _picture(media: Media, picture: Picture) -> list[Fact]:
    colour = (
        picture.colour_range and gettext("%(colour_range)s range", colour_range=picture.colour_range),
        picture.colour_space,
        picture.colour_primaries
        and gettext("primaries %(colour_primaries)s", colour_primaries=picture.colour_primaries),
        picture.colour_transfer
        and gettext("transfer %(colour_transfer)s", colour_transfer=picture.colour_transfer),
    )
    facts = []
    if picture.profile:
        tag = gettext("tag %(codec_tag)s", codec_tag=picture.codec_tag) if picture.codec_tag else ""
        level = _level(media.codec, picture.level)
        facts.append(Fact(gettext("Codec profile"), picture.profile + level, tag))
    if picture.pixel_format:
        facts.append(Fact(gettext("Pixel format"), picture.pixel_format))
    if stated := ", ".join(filter(None, colour)):
        facts.append(Fact(gettext("Colour"), stated))
    facts.append(Fact(gettext("Pixel shape"), _shape(picture.sample_aspect_ratio)))
    if picture.bit_rate:
        note = gettext("not stated in the file")
        if declared := picture.declared_bit_rate:
            note = gettext("stated: %(rate)s kbit/s", rate=formatting.number(declared / 1000))
        rate = f"{formatting.number(picture.bit_rate / 1000)} kbit/s"
        facts.append(Fact(gettext("Video bit rate"), rate, note))
    return facts


def _level(codec: str, level: int | None) -> str:
    """Return the level as its standard writes it, to follow the profile."""
    if level is None:
        return ""
    text = f"{level / _LEVELS[codec]:g}" if codec in _LEVELS else str(level)
    if codec_name(codec) == "AV1":
        if level == _MAXIMUM:
            return gettext(", with maximum parameters instead of a level")
        text = f"{2 + level // 4}.{level % 4}"
    return gettext(", level %(level)s", level=text)


def _shape(ratio: str | None) -> str:
    if ratio is None:
        return gettext("not stated; taken as square")
    if formatting.ratio(ratio) == 1:
        return gettext("square")
    return gettext(
        "%(aspect_ratio)s; frames were judged without stretching", aspect_ratio=ratio.replace("/", " : ")
    )


_WITHOUT_RATE = ("webp_pipe", "gif")  # older analyses contain a rate that FFmpeg made up


def timing_facts(media: Media, details: Details) -> tuple[Fact, ...]:
    """List frame rates, intervals and groups of frames; return nothing for an older analysis."""
    facts: list[Fact] = []
    picture, timing, groups = details.picture, details.timing, details.groups
    if timing is None or groups is None:
        return ()
    if picture:
        if picture.declared_frame_rate and media.container not in _WITHOUT_RATE:
            rate, note = _exactly(picture.declared_frame_rate), gettext("estimated by FFmpeg")
            facts.append(Fact(gettext("Lowest rate that fits all time stamps"), rate, note))
        if media.frame_rate:
            facts.append(Fact(gettext("Frame rate on average"), _exactly(media.frame_rate)))
    facts.append(Fact(gettext("Frame intervals"), *_intervals(timing, media.variable_frame_rate)))
    if picture:
        lengths = (
            (gettext("the file"), picture.container_duration),
            (gettext("its pictures"), picture.stream_duration),
        )
        durations = [f"{name} {timecode(value)}" for name, value in lengths if value is not None]
        if durations:
            facts.append(Fact(gettext("Durations as stated"), ", ".join(durations)))
    kinds = (
        ("I", groups.i_frames),
        ("P", groups.p_frames),
        ("B", groups.b_frames),
        (gettext("other"), groups.other_frames),
    )
    counts = ", ".join(f"{grouped(count)} {name}" for name, count in kinds if count)
    facts.append(Fact(gettext("Frames by kind"), counts or gettext("not known")))
    facts.append(Fact(gettext("Key frames"), *_keys(groups)))
    if timing.packets_not_shown:
        frames = plural(timing.packets_not_shown, "frame", "frames")
        facts.append(Fact(gettext("Not shown"), frames, gettext("cut away by the edit list")))
    return tuple(facts)


def _intervals(timing: Timing, variable: bool) -> tuple[str, str]:
    if timing.least_interval is None or timing.greatest_interval is None:
        return gettext("one frame only"), ""
    least, greatest = (
        shown(1000 * value, ".3f") for value in (timing.least_interval, timing.greatest_interval)
    )
    kind = gettext("variable") if variable else gettext("constant")
    if least == greatest:
        return gettext("%(kind)s, %(least)s ms", kind=kind, least=least), gettext("measured")
    return (
        gettext("%(kind)s, %(least)s to %(greatest)s ms", kind=kind, least=least, greatest=greatest),
        gettext("measured; median %(median)s ms", median=shown(1000 * (timing.median_interval or 0), ".3f")),
    )


def _keys(groups: Groups) -> tuple[str, str]:
    if not groups.packets:  # an animation that FFmpeg did not read
        return gettext("not known"), ""
    if groups.shortest is None or groups.longest is None:
        return shown(groups.key_frames, ","), ""
    if groups.shortest == groups.longest:
        distance = gettext("every %(frames)s", frames=plural(groups.longest, "frame", "frames"))
    else:
        distance = gettext(
            "%(shortest)s to %(longest)s frames apart, median %(median)s",
            shortest=shown(groups.shortest, ","),
            longest=shown(groups.longest, ","),
            median=shown(groups.median, "g"),
        )
    kind = gettext("closed groups")
    if groups.with_leading_frames:
        leads = shown(groups.with_leading_frames, ",")
        kind = gettext("%(leads)s are preceded by frames that depend on them: open groups", leads=leads)
    return f"{grouped(groups.key_frames)}, {distance}", kind


def _exactly(rate: str) -> str:
    if (decimal := formatting.ratio(rate)) is None:
        return rate
    return gettext(
        "%(fraction)s (%(decimal)s a second)", fraction=rate, decimal=formatting.number(round(decimal, 3))
    )
