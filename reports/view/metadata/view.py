"""All that is known of a file's making: encoding, timing, streams, tags, credentials, anomalies."""

from __future__ import annotations

from dataclasses import dataclass, field

from detector.schema.analysis import Media
from detector.schema.metadata import Anomaly, Details, Moment, Stream
from reports.text import numbers
from reports.text.numbers import plural, shown, timecode
from reports.text.translation.language import N_, UNTRANSLATED, Quoted, gettext, translated
from reports.view.facts import Fact
from reports.view.metadata.credentials import NOTE, credential_facts, short
from reports.view.metadata.encoding import encoding_facts
from reports.view.metadata.timing import timing_facts

NO_ANOMALY = N_("None of the rules found anything. That is no sign that the file is unaltered.")
ANOMALIES = N_(
    "Each is an observation that a person should look at. None is evidence of "
    "manipulation, and none entered the verdict."
)
_MOST_FAILURES = 24  # listed; analysis.json has more


@dataclass(frozen=True)
class MetadataView:
    """All that a report shows of the file's making; empty tuples where nothing is known."""

    known: bool
    encoding: tuple[Fact, ...]
    timing: tuple[Fact, ...]
    streams: tuple[tuple[str, str, str, str], ...]
    tags: tuple[tuple[str, str, str], ...] = field(metadata=UNTRANSLATED)
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
        encoding=encoding_facts(media, details),
        timing=timing_facts(media, details),
        streams=tuple(_stream(stream) for stream in details.streams),
        tags=tuple(
            (translated(tag.place), numbers.file_name(tag.name), numbers.file_name(tag.value))
            for tag in details.tags
        ),
        tags_note=_tags_note(details),
        times=tuple(_time(moment) for moment in details.times),
        anomalies=media.anomalies,
        anomalies_note=ANOMALIES if media.anomalies else NO_ANOMALY,
        credentials=credential_facts(media.credentials),
        credentials_note=NOTE,
        credentials_short=short(media.credentials),
        failures=tuple(
            (gettext("not known") if each.time is None else timecode(each.time), each.what)
            for each in failures[:_MOST_FAILURES]
        ),
        failures_note=_failures_note(media),
    )


def _tags_note(details: Details) -> str:
    if not details.tags_left_out:
        return ""
    return gettext("%(tags)s left out.", tags=plural(details.tags_left_out, "further tag", "further tags"))


def _time(moment: Moment) -> tuple[str, str, str]:
    """Where the file says it, when that is, and what is not known of it."""
    place = Quoted(f"{translated(moment.place)}, {moment.name}")
    if moment.utc is None:
        return place, Quoted(numbers.file_name(moment.written)), gettext("as written; zone unknown")
    return place, Quoted(moment.utc.replace("T", " ")), ""


def _failures_note(media: Media) -> str:
    """How many failures there are where not all of them are listed."""
    failed = media.frames_undecodable + media.frames_out_of_order
    if failed <= _MOST_FAILURES:
        return ""
    return gettext(
        "The first %(most_failures)s of %(frames_undecodable)s.",
        most_failures=_MOST_FAILURES,
        frames_undecodable=shown(failed, ","),
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
        f"{translated(stream.kind)}, {stream.codec}",
        ", ".join(told) or "–",
        gettext("examined") if stream.examined else gettext("not examined"),
    )
