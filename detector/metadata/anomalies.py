"""Anomalies in an exhibit's metadata that deserve a person's look (docs/exhibit.md).

They never affect the verdict.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from detector import timestamps
from detector.metadata import generators
from detector.metadata.video_anomalies import container_anomalies
from detector.schema.analysis import Media
from detector.schema.causes.anomalies import AnomalyCode, AnomalyPart
from detector.schema.causes.cause import Cause, CauseParameter
from detector.schema.metadata import LEAST_TRANSPARENT, Anomaly, Details, Moment, Photo, Tag

_USES = (
    (generators.EDITORS, AnomalyCode.EDITING_SOFTWARE),
    (generators.GENERATORS, AnomalyCode.GENERATING_SOFTWARE),
    (generators.RECORDERS, AnomalyCode.SCREEN_RECORDING),
    (generators.CONVERTERS, AnomalyCode.CONVERTED),
)
_MOST_LISTED = 4


def program_anomalies(tags: tuple[Tag, ...]) -> Iterator[Anomaly]:
    """Yield one anomaly for each group of programs that the tags name."""
    for programs, code in _USES:
        if naming := generators.tags_naming(tags, programs):
            yield Anomaly.of(code, **_listed_tags(naming))


def _listed_tags(tags: Iterable[Tag]) -> dict[str, CauseParameter]:
    return _first_four(
        "tags", (AnomalyPart.TAG.cause(value=tag.value[:80], place=tag.place, name=tag.name) for tag in tags)
    )


def _listed_moments(times: Iterable[Moment]) -> dict[str, CauseParameter]:
    return _first_four("moments", map(_moment, times))


def _moment(time: Moment) -> Cause:
    return AnomalyPart.MOMENT.cause(time=(time.utc or time.written)[:40], place=time.place, name=time.name)


def _first_four(name: str, causes: Iterable[Cause]) -> dict[str, CauseParameter]:
    """Return the first four distinct ones as a parameter, and the number of further ones."""
    distinct = list({cause.text: cause for cause in causes}.values())
    return {name: tuple(distinct[:_MOST_LISTED]), "more": max(0, len(distinct) - _MOST_LISTED)}


# Clocks are set by hand and time zones forgotten, so a smaller difference is no disagreement.
_TIME_TOLERANCE = timedelta(hours=26)
_FUTURE_TOLERANCE = timedelta(hours=26)
_OLDEST = datetime(1990, 1, 1, tzinfo=UTC)
IN_THE_FUTURE = AnomalyCode.FUTURE_TIME.kind
DEPEND_ON_NOW = frozenset(
    code.kind
    for code in (
        AnomalyCode.FUTURE_TIME,
        AnomalyCode.CREATION_TIMES_DISAGREE,
        AnomalyCode.FILE_AND_STREAM_TIMES_DIFFER,
        AnomalyCode.CHANGED_LATER,
    )
)
"""Anomalies that a repeated analysis may change, because a time in the future becomes one in the past."""
_Dated = tuple[Moment, datetime]  # a written time and the moment it means


def clock_anomalies(times: tuple[Moment, ...], now: datetime) -> Iterator[Anomaly]:
    """Yield the anomalies of the times in a file that is analysed at ``now``."""
    dated = [(time, timestamps.parse(time.utc)) for time in times if time.utc]
    yield from _impossible(dated, now)
    sane = [(time, moment) for time, moment in dated if _OLDEST <= moment <= now + _FUTURE_TOLERANCE]
    made = [(time, moment) for time, moment in sane if "modif" not in time.name.lower()]
    modified = [(time, moment) for time, moment in sane if "modif" in time.name.lower()]
    if made:
        yield from _made_on_different_days(made)
        yield from _file_and_streams(made)
    if made and modified:
        yield from _changed_later(made, modified)
    unreadable = [time for time in times if time.utc is None and not any(c.isdigit() for c in time.written)]
    if unreadable:
        yield Anomaly.of(AnomalyCode.UNREADABLE_TIME, **_listed_moments(unreadable))


def _impossible(dated: Sequence[_Dated], now: datetime) -> Iterator[Anomaly]:
    if ahead := [time for time, moment in dated if moment > now + _FUTURE_TOLERANCE]:
        yield Anomaly.of(AnomalyCode.FUTURE_TIME, **_listed_moments(ahead))
    if early := [time for time, moment in dated if moment < _OLDEST]:
        yield Anomaly.of(AnomalyCode.EARLY_TIME, **_listed_moments(early))


def _made_on_different_days(made: Sequence[_Dated]) -> Iterator[Anomaly]:
    first, last = min(made, key=lambda e: e[1]), max(made, key=lambda e: e[1])
    apart = last[1] - first[1]
    if apart > _TIME_TOLERANCE:
        moments = _moment(first[0]), _moment(last[0])
        yield Anomaly.of(
            AnomalyCode.CREATION_TIMES_DISAGREE, apart=int(apart.total_seconds()), moments=moments
        )


def _file_and_streams(made: Sequence[_Dated]) -> Iterator[Anomaly]:
    places = {time.place for time, _ in made}
    files = [m for time, m in made if time.place == "file"]
    parts = [m for time, m in made if time.place != "file"]
    if files and parts and len(places) > 1:
        apart = min(abs(a - b) for a in files for b in parts)
        if timedelta(seconds=60) < apart <= _TIME_TOLERANCE:
            yield Anomaly.of(AnomalyCode.FILE_AND_STREAM_TIMES_DIFFER, apart=int(apart.total_seconds()))


def _changed_later(made: Sequence[_Dated], modified: Sequence[_Dated]) -> Iterator[Anomaly]:
    later = max(moment for _, moment in modified) - min(moment for _, moment in made)
    if later > _TIME_TOLERANCE:
        yield Anomaly.of(AnomalyCode.CHANGED_LATER, apart=int(later.total_seconds()))


# Thumbnail and picture differ below this correlation, as measured in docs/exhibit.md.
_LEAST_CORRELATION = 0.9
_WITH_MAIN = frozenset({"HEIF", "AVIF"})  # formats in which any picture may be the primary item


def photo_anomalies(details: Details) -> Iterator[Anomaly]:
    """Yield the anomalies of a photo file."""
    if details.photo is None:
        return
    yield from _thumbnail(details.photo)
    yield from _tables(details.photo, details.tags)
    yield from _colours(details.photo)
    yield from _further_pictures(details.photo)


def _thumbnail(photo: Photo) -> Iterator[Anomaly]:
    thumb = photo.thumbnail
    if thumb is not None and thumb.correlation is not None and thumb.correlation < _LEAST_CORRELATION:
        yield Anomaly.of(
            AnomalyCode.THUMBNAIL_DIFFERS,
            width=thumb.width,
            height=thumb.height,
            correlation=thumb.correlation,
        )


def _tables(photo: Photo, tags: Sequence[Tag]) -> Iterator[Anomaly]:
    software = [t for t in tags if t.name in {"Software", "CreatorTool", "ProcessingSoftware"}]
    if photo.tables and not all(table.exact for table in photo.tables) and software:
        yield Anomaly.of(AnomalyCode.UNUSUAL_TABLES, **_listed_tags(software))


def _colours(photo: Photo) -> Iterator[Anomaly]:
    if photo.colours == "unusable":
        yield Anomaly.of(AnomalyCode.UNUSABLE_COLOURS)


def _further_pictures(photo: Photo) -> Iterator[Anomaly]:
    if photo.frames > 1:
        has_main = photo.format in _WITH_MAIN
        code = AnomalyCode.PICTURES_BESIDE_MAIN if has_main else AnomalyCode.FURTHER_PICTURES
        yield Anomaly.of(code, pictures=photo.frames)


def transparency_anomalies(details: Details) -> Iterator[Anomaly]:
    """Yield the anomalies of transparent areas, under which something may be hidden."""
    # WebM stores the transparency of VP8 and VP9 beside the pictures, where decoders ignore it.
    if any(tag.name.lower() == "alpha_mode" and tag.value == "1" for tag in details.tags):
        yield Anomaly.of(AnomalyCode.TRANSPARENCY_NOT_EXAMINED)
    share = details.picture.transparent if details.picture else None
    if not share:
        return
    if share < LEAST_TRANSPARENT:
        yield Anomaly.of(AnomalyCode.TRANSPARENT_SPOTS)
    else:
        yield Anomaly.of(AnomalyCode.TRANSPARENT_AREAS, transparent=share)


def find_anomalies(media: Media, details: Details, now: datetime, before: float = 0.0) -> tuple[Anomaly, ...]:
    """Return the anomalies of an exhibit that is analysed at ``now``, a time with a zone.

    ``before`` has the seconds before the first frame that the duration of the whole file includes.
    """
    anomalies = [
        *program_anomalies(details.tags),
        *clock_anomalies(details.times, now),
        *transparency_anomalies(details),
    ]
    if media.still:
        anomalies += photo_anomalies(details)
    else:
        anomalies += container_anomalies(media, details, before)
    return tuple(anomalies)
