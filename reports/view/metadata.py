"""What the file itself says and shows of its making, in words: encoding, timing, tags, credentials."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from detector.schema.analysis import Media
from detector.schema.metadata import Anomaly, Credentials, Details, Groups, Picture, Stream, Timing
from reports.text import numbers
from reports.text.language import N_, gettext
from reports.text.numbers import grouped, plural, shown, timecode
from reports.view.facts import Fact

NO_ANOMALY = N_("None of the rules found anything. That is no sign that the file is unaltered.")
ANOMALIES = N_(
    "Each is an observation that a person should look at. None is evidence of "
    "manipulation, and none entered the verdict."
)
CREDENTIALS = N_(
    "Content Credentials are signed statements about a file's making. Most files "
    "have none, and any program can remove them: their absence proves nothing. "
    "Valid ones show that the file is as the signer left it, not that what the "
    "signer says is true."
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
            gettext("%(tags)s left out.", tags=plural(details.tags_left_out, "further tag", "further tags"))
            if details.tags_left_out
            else ""
        ),
        times=tuple(
            (
                f"{moment.place}, {moment.name}",
                numbers.file_name(moment.written) if moment.utc is None else moment.utc.replace("T", " "),
                gettext("as written; zone unknown") if moment.utc is None else "",
            )
            for moment in details.times
        ),
        anomalies=media.anomalies,
        anomalies_note=ANOMALIES if media.anomalies else NO_ANOMALY,
        credentials=_credentials(media.credentials),
        credentials_note=CREDENTIALS,
        credentials_short=short(media.credentials),
        failures=tuple(
            (gettext("not known") if each.time is None else timecode(each.time), each.what)
            for each in failures[:_MOST_FAILURES]
        ),
        failures_note=(
            gettext(
                "The first %(most_failures)s of %(frames_undecodable)s.",
                most_failures=_MOST_FAILURES,
                frames_undecodable=shown(media.frames_undecodable, ","),
            )
            if media.frames_undecodable > _MOST_FAILURES
            else ""
        ),
    )


def _encoding(media: Media, details: Details) -> tuple[Fact, ...]:
    found: list[Fact] = []
    if structure := details.structure:
        brand = structure.brand or gettext("not stated")
        also = (
            gettext("compatible: %(compatible)s", compatible=", ".join(structure.compatible))
            if structure.compatible
            else ""
        )
        found.append(Fact(gettext("Container's brand"), brand, also))
        found.append(
            Fact(gettext("Order of its parts"), ", ".join(structure.boxes) or gettext("not readable"))
        )
        if structure.edits:
            found.append(Fact(gettext("Edit list"), plural(len(structure.edits), "entry", "entries")))
    if details.photo is None and details.picture:
        found += _picture(media, details.picture)
    if photo := details.photo:
        found.append(Fact(gettext("Format"), photo.format, _colours(photo.mode)))
        if photo.progressive is not None:
            found.append(
                Fact("JPEG", "progressive" if photo.progressive else "sequential", photo.subsampling or "")
            )
        for name, table in zip(("brightness", "colour", "third", "fourth"), photo.tables, strict=False):
            kind = (
                gettext("libjpeg's table")
                if table.exact
                else gettext("a table of its own; the nearest of libjpeg")
            )
            found.append(
                Fact(
                    gettext("Quantisation, %(name)s", name=name),
                    gettext("quality %(quality)s", quality=table.quality),
                    kind,
                )
            )
        profile = photo.colour_profile
        found.append(Fact(gettext("Colour profile"), "none" if profile is None else profile or "unnamed"))
        if photo.thumbnail:
            small = photo.thumbnail
            like = (
                gettext("flat")
                if small.correlation is None
                else gettext(
                    "correlation with the picture %(correlation)s",
                    correlation=shown(small.correlation, ".2f"),
                )
            )
            found.append(Fact(gettext("EXIF thumbnail"), f"{small.width} × {small.height} px", like))
        else:
            found.append(Fact(gettext("EXIF thumbnail"), "none"))
    if details.encoding:
        found += [
            Fact(gettext("Encoder's settings"), text, gettext("found in the stream"))
            for text in details.encoding.texts
        ]
    if details.location:
        found.append(
            Fact(gettext("Place in the tags"), numbers.file_name(details.location), gettext("personal data"))
        )
    elif details.tags or details.photo:
        found.append(Fact(gettext("Place in the tags"), "none"))
    return tuple(found)


def _picture(media: Media, picture: Picture) -> list[Fact]:
    level = picture.level
    divisor = _LEVELS.get(media.codec)
    shown = f"{level / divisor:g}" if level and divisor else str(level) if level else ""
    colour = [
        text
        for text in (
            picture.colour_range and gettext("%(colour_range)s range", colour_range=picture.colour_range),
            picture.colour_space,
            picture.colour_primaries
            and gettext("primaries %(colour_primaries)s", colour_primaries=picture.colour_primaries),
            picture.colour_transfer
            and gettext("transfer %(colour_transfer)s", colour_transfer=picture.colour_transfer),
        )
        if text
    ]
    found = [
        Fact(
            gettext("Codec's profile"),
            f"{picture.profile or 'not stated'}{f', level {shown}' if shown else ''}",
            gettext("tag %(codec_tag)s", codec_tag=picture.codec_tag) if picture.codec_tag else "",
        ),
        Fact(gettext("Pixel format"), picture.pixel_format or gettext("not stated")),
        Fact(gettext("Colour"), ", ".join(colour) or gettext("not stated")),
        Fact(gettext("Shape of a pixel"), _shape(picture.sample_aspect_ratio)),
    ]
    if picture.bit_rate:
        stated = picture.declared_bit_rate
        note = (
            f"stated: {numbers.number(stated / 1000)} kbit/s" if stated else gettext("not stated in the file")
        )
        found.append(
            Fact(gettext("Bit rate of pictures"), f"{numbers.number(picture.bit_rate / 1000)} kbit/s", note)
        )
    return found


def _timing(media: Media, details: Details) -> tuple[Fact, ...]:
    found: list[Fact] = []
    picture, timing, groups = details.picture, details.timing, details.groups
    if timing is None or groups is None:
        return ()
    if picture:
        stated = picture.declared_frame_rate
        found.append(Fact(gettext("Frame rate as declared"), _exactly(stated)))
        found.append(Fact(gettext("Frame rate on average"), _exactly(media.frame_rate)))
    found.append(Fact(gettext("Frame intervals"), *_intervals(timing, media.variable_frame_rate)))
    if picture:
        lengths = (
            (gettext("the file"), picture.container_duration),
            (gettext("its pictures"), picture.stream_duration),
        )
        told = [f"{name} {timecode(value)}" for name, value in lengths if value is not None]
        found.append(Fact(gettext("Durations as stated"), ", ".join(told) or "none"))
    found.append(Fact(gettext("Frames by kind"), _kinds(groups)))
    found.append(Fact(gettext("Key frames"), *_keys(groups)))
    if timing.packets_not_shown:
        found.append(
            Fact(
                gettext("Not shown"),
                plural(timing.packets_not_shown, "frame", "frames"),
                gettext("cut away by the edit list"),
            )
        )
    return tuple(found)


def _intervals(timing: Timing, variable: bool) -> tuple[str, str]:
    if timing.least_interval is None or timing.greatest_interval is None:
        return gettext("one frame only"), ""
    least, greatest = (
        shown(1000 * value, ".3f") for value in (timing.least_interval, timing.greatest_interval)
    )
    kind = "variable" if variable else "constant"
    if least == greatest:
        return gettext("%(kind)s, %(least)s ms", kind=kind, least=least), "measured"
    return (
        gettext("%(kind)s, %(least)s to %(greatest)s ms", kind=kind, least=least, greatest=greatest),
        gettext("measured; median %(median)s ms", median=shown(1000 * (timing.median_interval or 0), ".3f")),
    )


def _kinds(groups: Groups) -> str:
    kinds = (
        ("I", groups.i_frames),
        ("P", groups.p_frames),
        ("B", groups.b_frames),
        ("other", groups.other_frames),
    )
    return ", ".join(f"{grouped(count)} {name}" for name, count in kinds if count) or gettext("not known")


def _keys(groups: Groups) -> tuple[str, str]:
    if groups.shortest is None or groups.longest is None:
        return shown(groups.key_frames, ","), ""
    apart = (
        gettext("every %(frames)s", frames=plural(groups.longest, "frame", "frames"))
        if groups.shortest == groups.longest
        else gettext(
            "%(shortest)s to %(longest)s frames apart, median %(median)s",
            shortest=shown(groups.shortest, ","),
            longest=shown(groups.longest, ","),
            median=shown(groups.median, "g"),
        )
    )
    leads = groups.with_leading_frames
    kind = (
        gettext("%(leads)s with frames shown before them: open groups", leads=shown(leads, ","))
        if leads
        else gettext("closed groups")
    )
    return f"{grouped(groups.key_frames)}, {apart}", kind


def _exactly(rate: str | None) -> str:
    if rate is None:
        return gettext("not stated")
    return gettext(
        "%(fraction)s (%(decimal)s a second)",
        fraction=rate,
        decimal=numbers.number(round(float(Fraction(rate)), 3)),
    )


def _shape(ratio: str | None) -> str:
    if ratio is None:
        return gettext("not stated; taken as square")
    return (
        gettext("square")
        if Fraction(ratio) == 1
        else gettext(
            "%(aspect_ratio)s; frames were judged unstretched", aspect_ratio=ratio.replace("/", " : ")
        )
    )


def _colours(mode: str) -> str:
    return {"L": "grey", "RGB": "colour", "RGBA": gettext("colour with transparency"), "P": "palette"}.get(
        mode, mode
    )


def _stream(stream: Stream) -> tuple[str, str, str, str]:
    told = []
    if stream.channels:
        told.append(plural(stream.channels, "channel", "channels"))
    if stream.sample_rate:
        told.append(gettext("%(sample_rate)s Hz", sample_rate=shown(stream.sample_rate, ",")))
    if stream.duration is not None:
        told.append(timecode(stream.duration))
    return (
        str(stream.index),
        f"{stream.kind}, {stream.codec}",
        ", ".join(told) or "–",
        gettext("examined") if stream.examined else gettext("not examined"),
    )


def short(found: Credentials | None) -> str:
    """Content Credentials in one line; empty for an older analysis."""
    if found is None:
        return ""
    if not found.checked:
        return gettext("not looked for")
    if not found.found:
        return gettext("named but elsewhere; not fetched") if found.remote else gettext("none found")
    if not found.valid:
        return gettext("found, NOT valid")
    return (
        gettext("found, valid, signer not on a trust list")
        if not found.trusted
        else gettext("found, valid, signer trusted")
    )


def _credentials(found: Credentials | None) -> tuple[Fact, ...]:
    if found is None:
        return ()
    facts = [Fact(gettext("Content Credentials"), short(found))]
    if found.note:
        facts.append(Fact(gettext("Remark"), found.note))
    if found.remote:
        facts.append(Fact(gettext("Said to be at"), found.remote, exact=True))
    if found.found:
        facts += [Fact(gettext("Failed check"), check) for check in found.failed]
        facts += [
            Fact(
                gettext("Signer"),
                found.signer or gettext("not named"),
                gettext("not checked against a trust list: none is shipped"),
            ),
            Fact(gettext("Signer's organisation"), found.issuer or gettext("not named")),
            Fact(gettext("Signed"), found.signed or gettext("no time stamp")),
            Fact(gettext("Made with"), found.generator or gettext("not named")),
            Fact(gettext("Actions claimed"), "; ".join(found.actions) or "none"),
            Fact(gettext("Ingredients"), shown(found.ingredients, ",")),
        ]
    if found.library:
        facts.append(Fact(gettext("Checked with"), found.library, gettext("offline: nothing was fetched")))
    return tuple(facts)
