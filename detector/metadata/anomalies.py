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
from detector.schema.formatting import N_
from detector.schema.metadata import LEAST_TRANSPARENT, Anomaly, Details, Moment, Photo, Tag

# Programs by use, each with kind, observation, concern and innocent explanation of the anomaly.
_USES = (
    (
        generators.EDITORS,
        N_("editing software"),
        N_("Tags name editing software: %(listed)s."),
        N_("The file was written, or its source processed, by a program that can change pictures."),
        N_(
            "Cutting, titles, colour correction, developing raw photos or only exporting "
            "leave the same tag, and tags can be written by anybody."
        ),
    ),
    (
        generators.GENERATORS,
        N_("generating software"),
        N_("Tags name software that makes or swaps pictures: %(listed)s."),
        N_("Such programs make pictures, or parts of them, that no camera took."),
        N_(
            "A name may stand there for another reason; some programs also retouch, "
            "enlarge or remove noise, and tags can be written by anybody."
        ),
    ),
    (
        generators.RECORDERS,
        N_("screen recording"),
        N_("Tags name software that records screens: %(listed)s."),
        N_("The exhibit may show another recording being played, so its own traces are weakened."),
        N_("Calls, lessons and games are recorded this way; the same programs also save camera pictures."),
    ),
    (
        generators.CONVERTERS,
        N_("converted"),
        N_("Tags name a converter rather than a camera: %(listed)s."),
        N_("The file is probably not the first recording; what was before cannot be told from it."),
        N_(
            "Messengers, social networks, archives, and some cameras and phones write "
            "files with the same libraries."
        ),
    ),
)


def program_anomalies(tags: tuple[Tag, ...]) -> Iterator[Anomaly]:
    """Yield one anomaly for each group of programs that the tags name."""
    for programs, kind, observation, concern, innocent in _USES:
        if naming := generators.tags_naming(tags, programs):
            yield Anomaly(
                kind=kind,
                observation=observation % {"listed": list_tags(naming)},
                concern=concern,
                innocent=innocent,
            )


def list_tags(tags: Iterable[Tag]) -> str:
    """List the first four tags with value and place, and the number of further ones."""
    return _first_four(f"“{tag.value[:80]}” ({tag.place}, {tag.name})" for tag in tags)


def _first_four(texts: Iterable[str]) -> str:
    distinct = list(dict.fromkeys(texts))
    more = len(distinct) - 4
    return ", ".join(distinct[:4]) + (N_(" and %(told)s more") % {"told": more} if more > 0 else "")


# Clocks are set by hand and time zones forgotten, so a smaller difference is no disagreement.
_TIME_TOLERANCE = timedelta(hours=26)
_FUTURE_TOLERANCE = timedelta(hours=26)
_OLDEST = datetime(1990, 1, 1, tzinfo=UTC)
IN_THE_FUTURE = N_("time in the future")
_CREATIONS_DISAGREE = N_("creation times disagree")
_FILE_AND_STREAM = N_("file and stream times differ")
_CHANGED_LATER = N_("changed after it was made")
DEPEND_ON_NOW = frozenset({IN_THE_FUTURE, _CREATIONS_DISAGREE, _FILE_AND_STREAM, _CHANGED_LATER})
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
        yield Anomaly(
            kind=N_("unreadable time"),
            observation=N_("A tag for a time holds none: %(moments)s.") % {"moments": _moments(unreadable)},
            concern=N_("No camera writes this; some program or person did."),
            innocent=N_("A program that fills tags with placeholders."),
        )


def _impossible(dated: Sequence[_Dated], now: datetime) -> Iterator[Anomaly]:
    if ahead := [time for time, moment in dated if moment > now + _FUTURE_TOLERANCE]:
        yield Anomaly(
            kind=IN_THE_FUTURE,
            observation=N_("Written times lie after the analysis: %(moments)s.")
            % {"moments": _moments(ahead)},
            concern=N_("At least this written time is wrong, so others from the same clock may be too."),
            innocent=N_("A camera's clock set wrong, or reset after its battery was empty."),
        )
    if early := [time for time, moment in dated if moment < _OLDEST]:
        yield Anomaly(
            kind=N_("time before digital video"),
            observation=N_("Written times lie before 1990: %(moments)s.") % {"moments": _moments(early)},
            concern=N_("The written time cannot be that of the recording."),
            innocent=N_("A clock that was never set, or a program that writes its zero."),
        )


def _made_on_different_days(made: Sequence[_Dated]) -> Iterator[Anomaly]:
    first, last = min(made, key=lambda e: e[1]), max(made, key=lambda e: e[1])
    if last[1] - first[1] > _TIME_TOLERANCE:
        yield Anomaly(
            kind=_CREATIONS_DISAGREE,
            observation=N_("Written times of creation are %(span)s apart: %(moments)s.")
            % {"span": _span(last[1] - first[1]), "moments": _moments([first[0], last[0]])},
            concern=N_("Parts of the file, or the file and its pictures, were written on different days."),
            innocent=N_(
                "Editing, converting or copying by some programs dates the file anew and keeps "
                "the old date of its parts."
            ),
        )


def _file_and_streams(made: Sequence[_Dated]) -> Iterator[Anomaly]:
    places = {time.place for time, _ in made}
    files = [m for time, m in made if time.place == "file"]
    parts = [m for time, m in made if time.place != "file"]
    if files and parts and len(places) > 1:
        apart = min(abs(a - b) for a in files for b in parts)
        if timedelta(seconds=60) < apart <= _TIME_TOLERANCE:
            yield Anomaly(
                kind=_FILE_AND_STREAM,
                observation=N_("The time of the file and those of its streams differ by %(span)s.")
                % {"span": _span(apart)},
                concern=N_("The container was written at another moment than its streams, as remuxing does."),
                innocent=N_(
                    "Long recordings, whole hours between zones, and programs that date streams by "
                    "their source."
                ),
            )


def _changed_later(made: Sequence[_Dated], modified: Sequence[_Dated]) -> Iterator[Anomaly]:
    later = max(moment for _, moment in modified) - min(moment for _, moment in made)
    if later > _TIME_TOLERANCE:
        yield Anomaly(
            kind=_CHANGED_LATER,
            observation=N_("The file says it was changed %(span)s after it was made.")
            % {"span": _span(later)},
            concern=N_("Something of the file was written anew later."),
            innocent=N_(
                "Rotating, naming, tagging, trimming in a phone's gallery or copying by some programs."
            ),
        )


def _moments(times: Iterable[Moment]) -> str:
    return _first_four(f"{(t.utc or t.written)[:40]} ({t.place}, {t.name})" for t in times)


def _span(length: timedelta) -> str:
    if length.days >= 2:
        return N_("%(days)s days") % {"days": f"{length.days:,}"}
    hours, rest = divmod(int(length.total_seconds()), 3600)
    return (
        N_("%(hours)s h %(rest)s min") % {"hours": hours, "rest": rest // 60}
        if hours
        else N_("%(rest)s min") % {"rest": rest // 60}
    )


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
        yield Anomaly(
            kind=N_("thumbnail differs"),
            observation=N_(
                "The EXIF thumbnail (%(width)s×%(height)s px) differs from the picture "
                "(correlation %(correlation)s)."
            )
            % {"width": thumb.width, "height": thumb.height, "correlation": f"{thumb.correlation:.2f}"},
            concern=N_("The picture may have been changed by a program that kept the old thumbnail."),
            innocent=N_("Cropping, turning, filters and some phones' own processing have the same effect."),
        )


def _tables(photo: Photo, tags: Sequence[Tag]) -> Iterator[Anomaly]:
    software = [t for t in tags if t.name in {"Software", "CreatorTool", "ProcessingSoftware"}]
    if photo.tables and not all(table.exact for table in photo.tables) and software:
        yield Anomaly(
            kind=N_("unusual compression tables"),
            observation=N_("The JPEG's tables are not libjpeg's, and tags name software: %(listed)s.")
            % {"listed": list_tags(software)},
            concern=N_("Programs have tables of their own, so the picture was perhaps saved by one."),
            innocent=N_("Most cameras have tables of their own too and name their firmware in the same tag."),
        )


def _colours(photo: Photo) -> Iterator[Anomaly]:
    if photo.colours == "unusable":
        yield Anomaly(
            kind=N_("unusable colour profile"),
            observation=N_(
                "What the file says of its colours cannot be used. They were examined as they are stored, as "
                "sRGB."
            ),
            concern=N_("A program that makes something of it shows other colours than those examined."),
            innocent=N_("Some programs write damaged profiles, or those of another kind of picture."),
        )


def _further_pictures(photo: Photo) -> Iterator[Anomaly]:
    if photo.frames > 1:
        yield Anomaly(
            kind=N_("more than one picture"),
            observation=(
                N_("The file holds %(frames)s pictures; the one marked as main was examined.")
                if photo.format in _WITH_MAIN
                else N_("The file holds %(frames)s pictures; the first one was examined.")
            )
            % {"frames": f"{photo.frames:,}"},
            concern=N_("What the others show was not looked at."),
            innocent=N_("Animations, and depth or preview pictures that phones store beside the photo."),
        )


def transparency_anomalies(details: Details) -> Iterator[Anomaly]:
    """Yield the anomalies of transparent areas, under which something may be hidden."""
    # WebM stores the transparency of VP8 and VP9 beside the pictures, where decoders ignore it.
    if any(tag.name.lower() == "alpha_mode" and tag.value == "1" for tag in details.tags):
        yield Anomaly(
            kind=N_("transparency that was not examined"),
            observation=N_(
                "The video says that it has transparent areas. Its whole pictures were examined, as if "
                "nothing of them were transparent."
            ),
            concern=N_("Faces that players hide may have been examined, and the ground behind is missing."),
            innocent=N_("Cut-out persons and lettering for video editing are stored this way."),
        )
    share = details.picture.transparent if details.picture else None
    if not share:
        return
    observation = N_(
        "%(share)s %% of the picture is transparent, wholly or in part. It was examined on a plain "
        "ground, as viewers show it."
    )
    if share < LEAST_TRANSPARENT:
        observation = N_(
            "Less than 0.1 %% of the picture is transparent, wholly or in part. It was examined on a plain "
            "ground, as viewers show it."
        )
    yield Anomaly(
        kind=N_("transparent areas"),
        observation=observation % {"share": f"{100 * share:.1f}"},
        concern=N_(
            "Pixels stay in the file where a program erased them; what lies there is not seen and was not "
            "examined."
        ),
        innocent=N_("Cut-outs, logos, screenshots of windows and round corners are stored this way."),
    )


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
