"""The facts of an exhibit in an analysis: those that decoding gives, and those that its bytes tell."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from detector.media.completeness import lost_at_end, lost_at_start, lost_frames, seconds_before
from detector.media.reader import MediaReader
from detector.metadata.anomalies.rules import anomalies_of
from detector.metadata.collect import collect
from detector.metadata.declared.c2pa import read_store
from detector.metadata.declared.declarations import declarations_of
from detector.schema.analysis import Declaration, Media


def media_facts(reader: MediaReader, name: str, size: int, digest: str) -> Media:
    """Facts about the file ``reader`` has read."""
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
        lost_at_start=lost_at_start(reader),
        lost_at_end=lost_at_end(reader),
        frames_decoded=reader.tally.decoded,
        frames_passed_over=reader.tally.passed_over,
        frames_undecodable=reader.tally.undecodable + lost_frames(reader),
        frames_out_of_order=reader.tally.out_of_order,
        frames_from_damaged=reader.tally.damage.frames,
        has_sound=reader.has_sound,
    )


def with_metadata(media: Media, reader: MediaReader, path: Path) -> tuple[Media, tuple[Declaration, ...]]:
    """``media`` with everything else that is known of the file, and what the file declares."""
    collected = collect(reader, path)
    details = collected.details
    if details.photo is not None:
        photo = details.photo.model_copy(update={"colours": reader.to_srgb.said})
        details = details.model_copy(update={"photo": photo})
    with path.open("rb") as file:
        credentials, claims = read_store(file, reader.container_format)
    known = {
        "details": details,
        "anomalies": anomalies_of(media, details, datetime.now(UTC), seconds_before(reader)),
        "credentials": credentials,
    }
    declared = declarations_of(collected.texts, details.photo, credentials, claims)
    return media.model_copy(update=known), declared
