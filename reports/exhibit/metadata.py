"""Metadata of the exhibit: streams, tags, Content Credentials and anomalies."""

from __future__ import annotations

from dataclasses import dataclass, field

from detector.schema.analysis import Media
from detector.schema.metadata import Anomaly, Credentials, Details, Moment, Stream
from reports.exhibit.encoding import encoding_facts, timing_facts
from reports.language import formatting
from reports.language.formatting import plural, shown, timecode
from reports.language.translation import N_, UNTRANSLATED, Quoted, gettext, translated
from reports.wording.sections import Fact

NOTE = N_(
    "Content Credentials are signed statements about a file's making. Most files "
    "have none, and any program can remove them: their absence proves nothing. "
    "Valid ones show that the file is as the signer left it, not that what the "
    "signer says is true."
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


def credential_facts(found: Credentials | None) -> tuple[Fact, ...]:
    """What was found, who signed it and what it claims; empty for an older analysis."""
    if found is None:
        return ()
    facts = [Fact(gettext("Content Credentials"), short(found))]
    if found.note:
        facts.append(Fact(gettext("Remark"), found.note))
    if found.remote:
        facts.append(Fact(gettext("Said to be at"), found.remote, exact=True))
    if found.found:
        facts += [Fact(gettext("Failed check"), Quoted(check)) for check in found.failed]
        facts += [
            Fact(
                gettext("Signer"),
                Quoted(found.signer or "") or gettext("not named"),
                gettext("not checked against a trust list: none is shipped"),
            ),
            Fact(gettext("Signer's organisation"), Quoted(found.issuer or "") or gettext("not named")),
            Fact(gettext("Signed"), Quoted(found.signed or "") or gettext("no time stamp")),
            Fact(gettext("Made with"), Quoted(found.generator or "") or gettext("not named")),
            Fact(gettext("Actions claimed"), Quoted("; ".join(found.actions)) or gettext("none")),
            Fact(gettext("Ingredients"), shown(found.ingredients, ",")),
        ]
    if found.library:
        facts.append(
            Fact(gettext("Checked with"), Quoted(found.library), gettext("offline: nothing was fetched"))
        )
    return tuple(facts)


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
            (translated(tag.place), formatting.file_name(tag.name), formatting.file_name(tag.value))
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
        return place, Quoted(formatting.file_name(moment.written)), gettext("as written; zone unknown")
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
