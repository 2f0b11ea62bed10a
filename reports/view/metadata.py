"""What the file itself says and shows of its making, in words: encoding, timing, tags, credentials."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from detector.schema.analysis import Media
from detector.schema.metadata import Anomaly, Credentials, Details, Groups, Picture, Stream, Timing
from reports.text import numbers
from reports.text.numbers import plural, timecode
from reports.view.facts import Fact

NO_ANOMALY = "None of the rules found anything. That is no sign that the file is unaltered."
ANOMALIES = (
    "Each is an observation that a person should look at. None is evidence of manipulation, and none entered "
    "the verdict."
)
CREDENTIALS = (
    "Content Credentials are signed statements about a file's making. Most files have none, and any "
    "program can remove them: their absence proves nothing. Valid ones show that the file is as the signer "
    "left it, not that what the signer says is true."
)
_MOST_FAILURES = 24  # listed; analysis.json has more
_LEVELS = {"h264": 10, "hevc": 30}


@dataclass(frozen=True)
class MetadataView:
    """All that a report shows of the file's making; empty tuples where nothing is known."""

    known: bool
    encoding: tuple[Fact, ...]
    timing: tuple[Fact, ...]
    streams: tuple[tuple[str, str, str, str], ...]
    tags: tuple[tuple[str, str, str], ...]
    tags_note: str
    times: tuple[tuple[str, str, str], ...]
    anomalies: tuple[Anomaly, ...]
    anomalies_note: str
    credentials: tuple[Fact, ...]
    credentials_note: str
    credentials_short: str
    failures: tuple[tuple[str, str], ...]
    failures_note: str


def metadata_view(media: Media) -> MetadataView:
    """The view of an exhibit's details; an older analysis, which has none, says so by ``known``."""
    details = media.details or Details()
    failures = details.timing.failures if details.timing else ()
    return MetadataView(
        known=media.details is not None,
        encoding=_encoding(media, details),
        timing=_timing(media, details),
        streams=tuple(_stream(stream) for stream in details.streams),
        tags=tuple(
            (tag.place, numbers.file_name(tag.name), numbers.file_name(tag.value)) for tag in details.tags
        ),
        tags_note=(
            f"{plural(details.tags_left_out, 'further tag')} left out." if details.tags_left_out else ""
        ),
        times=tuple(
            (
                f"{moment.place}, {moment.name}",
                numbers.file_name(moment.written) if moment.utc is None else moment.utc.replace("T", " "),
                "as written; zone unknown" if moment.utc is None else "",
            )
            for moment in details.times
        ),
        anomalies=media.anomalies,
        anomalies_note=ANOMALIES if media.anomalies else NO_ANOMALY,
        credentials=_credentials(media.credentials),
        credentials_note=CREDENTIALS,
        credentials_short=short(media.credentials),
        failures=tuple(
            ("not known" if each.time is None else timecode(each.time), each.what)
            for each in failures[:_MOST_FAILURES]
        ),
        failures_note=(
            f"The first {_MOST_FAILURES} of {media.frames_undecodable:,}."
            if media.frames_undecodable > _MOST_FAILURES
            else ""
        ),
    )


def _encoding(media: Media, details: Details) -> tuple[Fact, ...]:
    found: list[Fact] = []
    if structure := details.structure:
        brand = structure.brand or "not stated"
        also = f"compatible: {', '.join(structure.compatible)}" if structure.compatible else ""
        found.append(Fact("Container's brand", brand, also))
        found.append(Fact("Order of its parts", ", ".join(structure.boxes) or "not readable"))
        if structure.edits:
            found.append(Fact("Edit list", plural(len(structure.edits), "entry", "entries")))
    if details.photo is None and details.picture:
        found += _picture(media, details.picture)
    if photo := details.photo:
        found.append(Fact("Format", photo.format, _colours(photo.mode)))
        if photo.progressive is not None:
            found.append(
                Fact("JPEG", "progressive" if photo.progressive else "sequential", photo.subsampling or "")
            )
        for name, table in zip(("brightness", "colour", "third", "fourth"), photo.tables, strict=False):
            kind = "libjpeg's table" if table.exact else "a table of its own; the nearest of libjpeg"
            found.append(Fact(f"Quantisation, {name}", f"quality {table.quality}", kind))
        profile = photo.colour_profile
        found.append(Fact("Colour profile", "none" if profile is None else profile or "unnamed"))
        if photo.thumbnail:
            small = photo.thumbnail
            like = (
                "flat"
                if small.correlation is None
                else f"correlation with the picture {small.correlation:.2f}"
            )
            found.append(Fact("EXIF thumbnail", f"{small.width} × {small.height} px", like))
        else:
            found.append(Fact("EXIF thumbnail", "none"))
    if details.encoding:
        found += [Fact("Encoder's settings", text, "found in the stream") for text in details.encoding.texts]
    if details.location:
        found.append(Fact("Place in the tags", numbers.file_name(details.location), "personal data"))
    elif details.tags or details.photo:
        found.append(Fact("Place in the tags", "none"))
    return tuple(found)


def _picture(media: Media, picture: Picture) -> list[Fact]:
    level = picture.level
    divisor = _LEVELS.get(media.codec)
    shown = f"{level / divisor:g}" if level and divisor else str(level) if level else ""
    colour = [
        text
        for text in (
            picture.colour_range and f"{picture.colour_range} range",
            picture.colour_space,
            picture.colour_primaries and f"primaries {picture.colour_primaries}",
            picture.colour_transfer and f"transfer {picture.colour_transfer}",
        )
        if text
    ]
    found = [
        Fact(
            "Codec's profile",
            f"{picture.profile or 'not stated'}{f', level {shown}' if shown else ''}",
            f"tag {picture.codec_tag}" if picture.codec_tag else "",
        ),
        Fact("Pixel format", picture.pixel_format or "not stated"),
        Fact("Colour", ", ".join(colour) or "not stated"),
        Fact("Shape of a pixel", _shape(picture.sample_aspect_ratio)),
    ]
    if picture.bit_rate:
        stated = picture.declared_bit_rate
        note = f"stated: {numbers.number(stated / 1000)} kbit/s" if stated else "not stated in the file"
        found.append(Fact("Bit rate of pictures", f"{numbers.number(picture.bit_rate / 1000)} kbit/s", note))
    return found


def _timing(media: Media, details: Details) -> tuple[Fact, ...]:
    found: list[Fact] = []
    picture, timing, groups = details.picture, details.timing, details.groups
    if timing is None or groups is None:
        return ()
    if picture:
        stated = picture.declared_frame_rate
        found.append(Fact("Frame rate as declared", _exactly(stated)))
        found.append(Fact("Frame rate on average", _exactly(media.frame_rate)))
    found.append(Fact("Frame intervals", *_intervals(timing, media.variable_frame_rate)))
    if picture:
        lengths = (
            ("the file", picture.container_duration),
            ("its pictures", picture.stream_duration),
        )
        told = [f"{name} {timecode(value)}" for name, value in lengths if value is not None]
        found.append(Fact("Durations as stated", ", ".join(told) or "none"))
    found.append(Fact("Frames by kind", _kinds(groups)))
    found.append(Fact("Key frames", *_keys(groups)))
    if timing.packets_not_shown:
        found.append(
            Fact("Not shown", plural(timing.packets_not_shown, "frame"), "cut away by the edit list")
        )
    return tuple(found)


def _intervals(timing: Timing, variable: bool) -> tuple[str, str]:
    if timing.least_interval is None or timing.greatest_interval is None:
        return "one frame only", ""
    least, greatest = (f"{1000 * value:.3f}" for value in (timing.least_interval, timing.greatest_interval))
    kind = "variable" if variable else "constant"
    if least == greatest:
        return f"{kind}, {least} ms", "measured"
    return (
        f"{kind}, {least} to {greatest} ms",
        f"measured; median {1000 * (timing.median_interval or 0):.3f} ms",
    )


def _kinds(groups: Groups) -> str:
    kinds = (
        ("I", groups.i_frames),
        ("P", groups.p_frames),
        ("B", groups.b_frames),
        ("other", groups.other_frames),
    )
    return ", ".join(f"{count:,} {name}" for name, count in kinds if count) or "not known"


def _keys(groups: Groups) -> tuple[str, str]:
    if groups.shortest is None or groups.longest is None:
        return f"{groups.key_frames:,}", ""
    apart = (
        f"every {plural(groups.longest, 'frame')}"
        if groups.shortest == groups.longest
        else f"{groups.shortest:,} to {groups.longest:,} frames apart, median {groups.median:g}"
    )
    leads = groups.with_leading_frames
    kind = f"{leads:,} with frames shown before them: open groups" if leads else "closed groups"
    return f"{groups.key_frames:,}, {apart}", kind


def _exactly(rate: str | None) -> str:
    if rate is None:
        return "not stated"
    return f"{rate} ({numbers.number(round(float(Fraction(rate)), 3))} a second)"


def _shape(ratio: str | None) -> str:
    if ratio is None:
        return "not stated; taken as square"
    return (
        "square" if Fraction(ratio) == 1 else f"{ratio.replace('/', ' : ')}; frames were judged unstretched"
    )


def _colours(mode: str) -> str:
    return {"L": "grey", "RGB": "colour", "RGBA": "colour with transparency", "P": "palette"}.get(mode, mode)


def _stream(stream: Stream) -> tuple[str, str, str, str]:
    told = []
    if stream.channels:
        told.append(plural(stream.channels, "channel"))
    if stream.sample_rate:
        told.append(f"{stream.sample_rate:,} Hz")
    if stream.duration is not None:
        told.append(timecode(stream.duration))
    return (
        str(stream.index),
        f"{stream.kind}, {stream.codec}",
        ", ".join(told) or "–",
        "examined" if stream.examined else "not examined",
    )


def short(found: Credentials | None) -> str:
    """Content Credentials in one line; empty for an older analysis."""
    if found is None:
        return ""
    if not found.checked:
        return "not looked for"
    if not found.found:
        return "named but elsewhere; not fetched" if found.remote else "none found"
    if not found.valid:
        return "found, NOT valid"
    return "found, valid, signer not on a trust list" if not found.trusted else "found, valid, signer trusted"


def _credentials(found: Credentials | None) -> tuple[Fact, ...]:
    if found is None:
        return ()
    facts = [Fact("Content Credentials", short(found))]
    if found.note:
        facts.append(Fact("Remark", found.note))
    if found.remote:
        facts.append(Fact("Said to be at", found.remote, exact=True))
    if found.found:
        facts += [Fact("Failed check", check) for check in found.failed]
        facts += [
            Fact("Signer", found.signer or "not named", "not checked against a trust list: none is shipped"),
            Fact("Signer's organisation", found.issuer or "not named"),
            Fact("Signed", found.signed or "no time stamp"),
            Fact("Made with", found.generator or "not named"),
            Fact("Actions claimed", "; ".join(found.actions) or "none"),
            Fact("Ingredients", f"{found.ingredients:,}"),
        ]
    if found.library:
        facts.append(Fact("Checked with", found.library, "offline: nothing was fetched"))
    return tuple(facts)
