"""Metadata of the exhibit: streams, tags, Content Credentials and anomalies."""

from __future__ import annotations

from dataclasses import dataclass, field

from detector.schema.analysis import Media
from detector.schema.causes.anomalies import AnomalyCode, place
from detector.schema.causes.cause import CODES
from detector.schema.codec_names import codec_name
from detector.schema.metadata import Anomaly, Credentials, Details, Moment, Stream
from language import formatting
from language.formatting import plural, shown, timecode
from language.translation import N_, UNTRANSLATED, WORDS, Quoted, gettext, text_of, translated
from reports.exhibit.encoding import encoding_facts, timing_facts
from reports.wording.sections import Fact

NOTE = N_(
    "Content Credentials are signed statements about the origin of a file. Most files have none, and any "
    "program can remove them, so their absence proves nothing. Valid credentials show that the file is "
    "unchanged since it was signed, not that the signer's statements are true."
)


def short(credentials: Credentials | None) -> str:
    """Summarise Content Credentials in one line; return "" for an older analysis."""
    if credentials is None:
        return ""
    if not credentials.checked:
        return gettext("not looked for")
    if not credentials.found:
        return gettext("named but elsewhere; not fetched") if credentials.remote else gettext("none found")
    if not credentials.valid:
        return gettext("found, NOT valid")
    return (
        gettext("found, valid, signer not on a trust list")
        if not credentials.trusted
        else gettext("found, valid, signer trusted")
    )


def credential_facts(credentials: Credentials | None) -> tuple[Fact, ...]:
    """Describe Content Credentials, their signer and claims; return nothing for an older analysis."""
    if credentials is None:
        return ()
    facts = [Fact(gettext("Content Credentials"), short(credentials))]
    if credentials.note:
        facts.append(Fact(gettext("Remark"), text_of(credentials.cause, credentials.note)))
    if credentials.remote:
        facts.append(Fact(gettext("Stated location"), credentials.remote, exact=True))
    if credentials.found:
        facts += [Fact(gettext("Failed check"), Quoted(check)) for check in credentials.failed]
        facts += [
            Fact(
                gettext("Signer"),
                Quoted(credentials.signer or "") or gettext("not named"),
                gettext("not checked: Reelproof ships no trust list"),
            ),
            Fact(gettext("Signer's organisation"), Quoted(credentials.issuer or "") or gettext("not named")),
            Fact(gettext("Signed"), Quoted(credentials.signed or "") or gettext("no time stamp")),
            Fact(gettext("Made with"), Quoted(credentials.generator or "") or gettext("not named")),
            Fact(gettext("Actions claimed"), Quoted("; ".join(credentials.actions)) or gettext("none")),
            Fact(gettext("Ingredients"), shown(credentials.ingredients, ",")),
        ]
    if credentials.library:
        facts.append(
            Fact(
                gettext("Checked with"), Quoted(credentials.library), gettext("offline: nothing was fetched")
            )
        )
    return tuple(facts)


NO_ANOMALY = N_("None of the rules found anything. This does not show that the file is unaltered.")
ANOMALIES = N_(
    "A person should look at each of these observations. None of them is evidence of manipulation, and "
    "none affected the verdict."
)
_MOST_FAILURES = 24  # listed; analysis.json has more


@dataclass(frozen=True)
class AnomalyView:
    """An anomaly in the current language; in English if an earlier version stated it."""

    observation: str
    concern: str
    innocent: str


@dataclass(frozen=True)
class MetadataView:
    """Metadata of the file; ``known`` is false for an older analysis."""

    known: bool
    encoding: tuple[Fact, ...]
    timing: tuple[Fact, ...]
    streams: tuple[tuple[str, str, str, str], ...]
    tags: tuple[tuple[str, str, str], ...] = field(metadata=UNTRANSLATED)
    tags_note: str
    times: tuple[tuple[str, str, str], ...]
    anomalies: tuple[AnomalyView, ...]
    anomalies_note: str
    credentials: tuple[Fact, ...]
    credentials_note: str
    credentials_short: str
    failures: tuple[tuple[str, str], ...]
    failures_note: str


def metadata_view(media: Media) -> MetadataView:
    """Describe the metadata of an exhibit."""
    details = media.details or Details()
    failures = details.timing.failures if details.timing else ()
    return MetadataView(
        known=media.details is not None,
        encoding=encoding_facts(media, details),
        timing=timing_facts(media, details),
        streams=tuple(_stream(stream) for stream in details.streams),
        tags=tuple(
            (place(WORDS, tag.place), formatting.file_name(tag.name), formatting.file_name(tag.value))
            for tag in details.tags
        ),
        tags_note=_tags_note(details),
        times=tuple(_time(moment) for moment in details.times),
        anomalies=tuple(map(_anomaly, media.anomalies)),
        anomalies_note=ANOMALIES if media.anomalies else NO_ANOMALY,
        credentials=credential_facts(media.credentials),
        credentials_note=NOTE,
        credentials_short=short(media.credentials),
        failures=tuple(
            (
                gettext("not known") if failure.time is None else timecode(failure.time),
                text_of(failure.cause, failure.what),
            )
            for failure in failures[:_MOST_FAILURES]
        ),
        failures_note=_failures_note(media),
    )


def _anomaly(anomaly: Anomaly) -> AnomalyView:
    code = CODES.get(anomaly.cause.code) if anomaly.cause else None
    concern, innocent = anomaly.concern, anomaly.innocent
    if isinstance(code, AnomalyCode):
        concern, innocent = gettext(code.concern), gettext(code.innocent)
    return AnomalyView(text_of(anomaly.cause, anomaly.observation), Quoted(concern), Quoted(innocent))


def _tags_note(details: Details) -> str:
    if not details.tags_left_out:
        return ""
    return gettext("%(tags)s omitted.", tags=plural(details.tags_left_out, "further tag", "further tags"))


def _time(moment: Moment) -> tuple[str, str, str]:
    """Return the place of a time in the file, the time, and a remark."""
    where = Quoted(f"{place(WORDS, moment.place)}, {moment.name}")
    if moment.utc is None:
        return where, Quoted(formatting.file_name(moment.written)), gettext("as written; zone unknown")
    return where, Quoted(moment.utc.replace("T", " ")), ""


def _failures_note(media: Media) -> str:
    """State the number of failures if not all of them are listed."""
    failed = media.frames_undecodable + media.frames_out_of_order
    if failed <= _MOST_FAILURES:
        return ""
    return gettext(
        "The first %(most_failures)s of %(frames_undecodable)s.",
        most_failures=_MOST_FAILURES,
        frames_undecodable=shown(failed, ","),
    )


def _stream(stream: Stream) -> tuple[str, str, str, str]:
    details = []
    if stream.channels:
        details.append(plural(stream.channels, "channel", "channels"))
    if stream.sample_rate:
        details.append(gettext("%(sample_rate)s Hz", sample_rate=shown(stream.sample_rate, ",")))
    if stream.duration is not None:
        details.append(timecode(stream.duration))
    return (
        str(stream.index),
        f"{translated(stream.kind)}, {codec_name(stream.codec)}",
        ", ".join(details) or "–",
        gettext("examined") if stream.examined else gettext("not examined"),
    )
