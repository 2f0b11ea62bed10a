"""Collect the facts of an exhibit, from its bytes and from a reader that has read it to the end."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from enum import IntEnum
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from av.stream import Disposition
from av.video import reformatter

from detector.media.acceptance import MATROSKA
from detector.media.completeness import (
    lost_frames,
    seconds_before_first_frame,
    seconds_lost_at_end,
    seconds_lost_at_start,
)
from detector.media.containers import Layout, display_sizes, read_layout
from detector.media.reader import MediaReader
from detector.media.stated_durations import DurationSource
from detector.metadata.anomalies import find_anomalies
from detector.metadata.c2pa import Claim, read_store
from detector.metadata.declarations import collect_declarations
from detector.metadata.embedded_text import EmbeddedText, embedded_texts, xmp_tags, xmp_texts
from detector.metadata.photo import PhotoFacts, read_photo
from detector.metadata.unreadable import MetadataReaders
from detector.schema.analysis import Declaration, Media, MediaKind
from detector.schema.causes.declarations import NoteCode
from detector.schema.metadata import (
    MOST_TAGS,
    Credentials,
    Details,
    Moment,
    Photo,
    Picture,
    Stream,
    Tag,
    clean_text,
    location_of,
    tags_of,
)
from detector.timestamps import iso_seconds

MOST_STREAMS = 32
MOST_TIMES = 64
_TIME = re.compile(
    r"creation_time|creationdate|date_?(?:utc|time|taken|recorded)|^date$|createdate|modifydate",
    re.I | re.A,
)
# Animations have photo tags, which FFmpeg does not report, and no frame rate, which it makes up.
_ANIMATIONS = frozenset({"webp_pipe", "gif"})
_SEQUENTIAL = frozenset({"mpegts", "flv"})  # containers that are read from start to end
_UNREAD_SHARE, _UNREAD_SECONDS = (
    0.05,
    1.0,
)  # least unread share of a file, and the seconds of pictures it could hold
_UNSPECIFIED = 2  # ISO/IEC 23091-2


class CollectedFacts(NamedTuple):
    """Facts for publishing, and the full texts from which their tags were cut."""

    details: Details
    texts: tuple[EmbeddedText, ...]


def collect_facts(
    reader: MediaReader,
    path: Path,
    hidden: Sequence[EmbeddedText] = (),
    readers: MetadataReaders | None = None,
) -> CollectedFacts:
    """Collect the facts about the file at ``path``, which ``reader`` has read to the end.

    ``hidden`` are texts that were read from the pixels; ``readers`` is given what cannot be read.
    """
    readers = readers or MetadataReaders()
    tags, texts = tags_of("file", reader.metadata), embedded_texts("file", reader.metadata)
    for stream in list(reader.streams)[:MOST_STREAMS]:
        tags += tags_of(f"stream {stream.index}", stream.metadata)
        texts += embedded_texts(f"stream {stream.index}", stream.metadata)
    layout = photo = None
    shown: dict[int, tuple[int, int]] = {}
    with path.open("rb") as file:
        if reader.kind is MediaKind.IMAGE:
            facts = readers.read("photo", lambda: read_photo(file, readers), PhotoFacts())
            # FFmpeg reports some of a photo's texts as well.
            photo, tags, texts = facts.photo, [*tags, *facts.tags], facts.texts
        elif reader.container_format in _ANIMATIONS:
            facts = readers.read("photo", lambda: read_photo(file, readers), PhotoFacts())
            tags, texts = [*tags, *facts.tags], [*texts, *facts.texts]
        elif reader.container_format.startswith("mov"):
            layout = readers.read("MP4", lambda: read_layout(file), Layout())
            xmp = readers.read("XMP", partial(xmp_texts, layout.xmp), [])
            tags, texts = [*tags, *xmp_tags(xmp)], [*texts, *xmp]
            shown = layout.apertures
        elif reader.container_format == MATROSKA:
            shown = readers.read("Matroska", lambda: display_sizes(file), {})
    for text in hidden:
        tags += tags_of(text.place, {text.name: text.value})
    texts = [*texts, *hidden]
    tags = list(dict.fromkeys(tags))
    is_stated = reader.duration_source is DurationSource.STATED
    video, packets, damage = reader.kind is MediaKind.VIDEO, reader.tally.packets, reader.tally.damage
    details = Details(
        streams=tuple(
            stream_facts(
                stream,
                examined=stream.index == reader.stream_index,
                duration=reader.duration_of(stream) if is_stated else None,
            )
            for stream in list(reader.streams)[:MOST_STREAMS]
        ),
        picture=_picture(reader, layout, shown.get(reader.stream_index), _ends_at(reader, path)),
        groups=packets.groups() if video else None,
        timing=packets.timing(reader.tally.first_pts, reader.time_base, damage.spans()) if video else None,
        structure=layout.structure if layout else None,
        encoding=packets.encoding() if video else None,
        photo=photo,
        tags=tuple(tags[:MOST_TAGS]),
        tags_left_out=max(0, len(tags) - MOST_TAGS),
        times=tuple(tagged_times(tags, layout))[:MOST_TIMES],
        location=location_of(tags),
    )
    return CollectedFacts(details, tuple(texts))


def stream_facts(stream: Any, *, examined: bool, duration: float | None) -> Stream:
    """Return the facts about one stream of a container; ``duration`` is the stated one in seconds."""
    context = stream.codec_context
    sound = stream.type == "audio" and context is not None
    return Stream(
        index=stream.index,
        kind=stream.type or "unknown",
        codec=clean_text(context.codec.canonical_name if context is not None else "unknown", 40),
        examined=examined,
        channels=context.channels if sound else None,
        sample_rate=context.sample_rate if sound else None,
        duration=duration,
        cover=bool(stream.disposition & Disposition.attached_pic),
    )


def _ends_at(reader: MediaReader, path: Path) -> float | None:
    """Return the share of the file at which its pictures end; None if that is about its end.

    Streams that begin within a file, because another was appended, are not read.
    """
    size, end = path.stat().st_size, reader.tally.packets.end_in_file
    if reader.container_format not in _SEQUENTIAL or not 0 < end < (1 - _UNREAD_SHARE) * size:
        return None
    return end / size if float(reader.duration) * (size - end) / end > _UNREAD_SECONDS else None


def _picture(
    reader: MediaReader, layout: Layout | None, shown: tuple[int, int] | None, ends_at: float | None
) -> Picture:
    stream = reader.stream
    context = stream.codec_context
    level = -1 if context.level is None else context.level
    seconds, sent = float(reader.duration), reader.tally.packets.bytes
    video = reader.kind is MediaKind.VIDEO
    has_rate = reader.container_format not in _ANIMATIONS
    is_stated = reader.duration_source is DurationSource.STATED
    return Picture(
        profile=clean_text(context.profile, 60) if context.profile else None,
        level=level if level > 0 or level == 0 and reader.codec == "av1" else None,
        codec_tag=clean_text(tag, 24) if (tag := context.codec_tag) and tag.strip("\0") else None,
        pixel_format=context.pix_fmt,
        colour_range=_named(reformatter.ColorRange, context.color_range),
        colour_space=_named(reformatter.Colorspace, context.colorspace),
        colour_primaries=_named(reformatter.ColorPrimaries, context.color_primaries),
        colour_transfer=_named(reformatter.ColorTrc, context.color_trc),
        sample_aspect_ratio=_fraction(stream.sample_aspect_ratio),
        transparent=reader.transparent or None,
        sizes=tuple(reader.sizes) if len(reader.sizes) > 1 else (),
        interlaced=reader.interlaced or None,
        shown=shown if shown and (shown[0] < context.width or shown[1] < context.height) else None,
        ends_at=ends_at,
        dolby_vision=layout.dolby_vision.get(reader.stream_index) if layout else None,
        declared_frame_rate=_fraction(stream.base_rate) if video and has_rate else None,
        bit_rate=round(8 * sent / seconds) if video and seconds > 0 else None,
        declared_bit_rate=context.bit_rate if video and context.bit_rate and context.bit_rate > 0 else None,
        container_duration=reader.container_duration if video and is_stated else None,
        stream_duration=reader.stream_duration if video and is_stated else None,
    )


def _fraction(value: Fraction | None) -> str | None:
    return f"{value.numerator}/{value.denominator}" if value else None


def _named(kinds: type[IntEnum], value: int) -> str | None:
    if not value or value == _UNSPECIFIED and kinds is not reformatter.ColorRange:
        return None
    if kinds is reformatter.ColorRange:
        return {1: "limited", 2: "full"}.get(value)
    try:
        return kinds(value).name
    except ValueError:
        return f"code {value}"


def tagged_times(tags: Iterable[Tag], layout: Layout | None) -> Iterable[Moment]:
    """Yield the times in boxes, which include the last modification of the file, and in tags."""
    boxes = layout.times if layout else []
    yield from boxes
    offsets = {tag.name: tag.value for tag in tags if tag.name.startswith("OffsetTime")}
    for tag in tags:
        if tag.name.startswith("DateTime") and tag.place == "EXIF":
            offset = offsets.get("OffsetTime" + tag.name.removeprefix("DateTime"), "")
            yield Moment(place="EXIF", name=tag.name, written=tag.value, utc=exif_time(tag.value, offset))
        elif _TIME.search(tag.name) and not (boxes and tag.name == "creation_time"):
            yield Moment(place=tag.place, name=tag.name, written=tag.value, utc=iso_time(tag.value))


def exif_time(written: str, offset: str) -> str | None:
    """Return an EXIF time in UTC; None without a zone, because a camera's clock may be set to any."""
    if not offset:
        return None
    try:
        return iso_seconds(datetime.strptime(f"{written} {offset}", "%Y:%m:%d %H:%M:%S %z"))
    except (ValueError, OverflowError):
        return None


def iso_time(written: str) -> str | None:
    """Return an ISO 8601 time in UTC; None without a zone."""
    try:
        moment = datetime.fromisoformat(written)
        return iso_seconds(moment) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def read_declarations(
    path: Path,
    container: str,
    texts: Iterable[EmbeddedText],
    photo: Photo | None,
    marks: Iterable[Declaration],
    readers: MetadataReaders,
) -> tuple[Credentials, tuple[Declaration, ...]]:
    """Return the Content Credentials of a file, and what it declares; ``container`` is FFmpeg's name."""
    marks = list(marks)

    def read() -> tuple[Credentials, tuple[Claim, ...]]:
        with path.open("rb") as file:
            return read_store(file, container)

    note = NoteCode.CREDENTIALS_UNREADABLE.cause()
    unread: tuple[Credentials, tuple[Claim, ...]] = Credentials(checked=False, cause=note), ()
    credentials, claims = readers.read("C2PA", read, unread)
    declarations = readers.read(
        "declarations",
        lambda: collect_declarations(texts, photo, credentials, claims, marks),
        tuple(marks),
    )
    return credentials, declarations


def media_facts(reader: MediaReader, name: str, size: int, digest: str) -> Media:
    """Return the basic facts about the file that ``reader`` has read."""
    rate = reader.frame_rate
    return Media(
        file=name,
        bytes=size,
        sha256=digest,
        kind=reader.kind,
        container=reader.container_format,
        codec=reader.codec,
        width=reader.width,
        height=reader.height,
        rotation=reader.rotation,
        turned=90 * reader.turned,
        time_base=f"{reader.time_base.numerator}/{reader.time_base.denominator}",
        frame_rate=f"{rate.numerator}/{rate.denominator}" if rate else None,
        variable_frame_rate=reader.variable_frame_rate,
        duration=float(reader.duration),
        start_offset=reader.start_offset,
        lost_at_start=seconds_lost_at_start(reader),
        lost_at_end=seconds_lost_at_end(reader),
        frames_decoded=reader.tally.decoded,
        frames_passed_over=reader.tally.passed_over,
        frames_undecodable=reader.tally.undecodable + lost_frames(reader),
        frames_out_of_order=reader.tally.out_of_order,
        frames_from_damaged=reader.tally.damage.frames,
        has_sound=reader.has_sound,
    )


def add_metadata(
    media: Media,
    reader: MediaReader,
    path: Path,
    hidden: Sequence[EmbeddedText] = (),
    marks: Iterable[Declaration] = (),
    readers: MetadataReaders | None = None,
) -> tuple[Media, tuple[Declaration, ...]]:
    """Return ``media`` with details, anomalies and credentials, and what the file declares.

    ``hidden`` are texts and ``marks`` declarations that were read from pixels and sound. The
    anomalies include what ``readers`` could not read.
    """
    readers = readers or MetadataReaders()
    collected = collect_facts(reader, path, hidden, readers)
    details = collected.details
    if details.photo is not None:
        photo = details.photo.model_copy(update={"colours": reader.to_srgb.description})
        details = details.model_copy(update={"photo": photo})
    credentials, declarations = read_declarations(
        path, reader.container_format, collected.texts, details.photo, marks, readers
    )
    before = seconds_before_first_frame(reader)
    anomalies = readers.read(
        "anomalies", lambda: find_anomalies(media, details, datetime.now(UTC), before), ()
    )
    update = {
        "details": details,
        "anomalies": (*anomalies, *readers.anomalies()),
        "credentials": credentials,
    }
    return media.model_copy(update=update), declarations
