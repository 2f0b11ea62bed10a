"""What in an exhibit's facts deserves a person's look, and why that may mean nothing.

Each is an observation, never a sign of manipulation by itself; nothing of it enters the verdict. What is
not listed was not seen by these rules, which docs/exhibit.md defines.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from detector import timestamps
from detector.metadata import known_programs
from detector.schema.analysis import Media, MediaKind
from detector.schema.formatting import timecode
from detector.schema.metadata import Anomaly, Details, Moment, Tag
from detector.schema.translatable import N_

# Clocks are set by hand, and zones forgotten: less than this is no disagreement.
_SAME_TIME = timedelta(hours=26)
_AHEAD = timedelta(hours=26)
_OLDEST = datetime(1990, 1, 1, tzinfo=UTC)
# A frame's length and the rounding of containers.
_SAME_LENGTH = 0.5
_UNLIKE = (
    0.9  # below this correlation thumbnail and picture differ; see docs/exhibit.md for what was measured
)
_REORDERED = 2.5  # intervals between frames


def anomalies_of(media: Media, details: Details, now: datetime) -> tuple[Anomaly, ...]:
    """Anomalies of an exhibit; ``now`` is when it was analysed, with its zone."""
    found = [*_making(details.tags), *_clocks(details.times, now)]
    if media.kind is MediaKind.IMAGE:
        found += _photo(details)
    else:
        found += [
            *_tracks(details),
            *_lengths(media, details),
            *_edits(details),
            *_joints(details),
            *_time_stamps(details),
        ]
    return tuple(found)


def _making(tags: tuple[Tag, ...]) -> Iterator[Anomaly]:
    if editors := known_programs.named(tags, known_programs.EDITORS):
        yield Anomaly(
            kind=N_("editing software"),
            observation=N_("Tags name editing software: %(listed)s.") % {"listed": _listed(editors)},
            concern=N_(
                "The file was written, or its source processed, by a program that can change pictures."
            ),
            innocent=N_(
                "Cutting, titles, colour correction, developing raw photos or only exporting "
                "leave the same tag, and tags can be written by anybody."
            ),
        )
    if generators := known_programs.named(tags, known_programs.GENERATORS):
        yield Anomaly(
            kind=N_("generating software"),
            observation=N_("Tags name software that makes or swaps pictures: %(listed)s.")
            % {"listed": _listed(generators)},
            concern=N_("Such programs make pictures, or parts of them, that no camera took."),
            innocent=N_(
                "A name may stand there for another reason; some programs also retouch, "
                "enlarge or remove noise, and tags can be written by anybody."
            ),
        )
    if recorders := known_programs.named(tags, known_programs.RECORDERS):
        yield Anomaly(
            kind=N_("screen recording"),
            observation=N_("Tags name software that records screens: %(listed)s.")
            % {"listed": _listed(recorders)},
            concern=N_(
                "The exhibit may show another recording being played, so its own traces are weakened."
            ),
            innocent=N_(
                "Calls, lessons and games are recorded this way; the same programs also save camera pictures."
            ),
        )
    if converters := known_programs.named(tags, known_programs.CONVERTERS):
        yield Anomaly(
            kind="converted",
            observation=N_("Tags name a converter rather than a camera: %(listed)s.")
            % {"listed": _listed(converters)},
            concern=N_(
                "The file is probably not the first recording; what was before cannot be told from it."
            ),
            innocent=N_(
                "Messengers, social networks, archives, and some cameras and phones write "
                "files with the same libraries."
            ),
        )


def _clocks(times: tuple[Moment, ...], now: datetime) -> Iterator[Anomaly]:
    dated = [(each, timestamps.parse(each.utc)) for each in times if each.utc]
    if ahead := [each for each, moment in dated if moment > now + _AHEAD]:
        yield Anomaly(
            kind=N_("time in the future"),
            observation=N_("Written times lie after the analysis: %(moments)s.")
            % {"moments": _moments(ahead)},
            concern=N_("At least this written time is wrong, so others from the same clock may be too."),
            innocent=N_("A camera's clock set wrong, or reset after its battery was empty."),
        )
    if early := [each for each, moment in dated if moment < _OLDEST]:
        yield Anomaly(
            kind=N_("time before digital video"),
            observation=N_("Written times lie before 1990: %(moments)s.") % {"moments": _moments(early)},
            concern=N_("The written time cannot be that of the recording."),
            innocent=N_("A clock that was never set, or a program that writes its zero."),
        )
    sane = [(each, moment) for each, moment in dated if _OLDEST <= moment <= now + _AHEAD]
    made = [(each, moment) for each, moment in sane if "modif" not in each.name.lower()]
    if made:
        first, last = min(made, key=lambda e: e[1]), max(made, key=lambda e: e[1])
        if last[1] - first[1] > _SAME_TIME:
            yield Anomaly(
                kind=N_("creation times disagree"),
                observation=N_("Written times of creation are %(span)s apart: %(moments)s.")
                % {"span": _span(last[1] - first[1]), "moments": _moments([first[0], last[0]])},
                concern=N_(
                    "Parts of the file, or the file and its pictures, were written on different days."
                ),
                innocent=N_(
                    "Editing, converting or copying by some programs dates the file anew and keeps "
                    "the old date of its parts."
                ),
            )
    places = {each.place for each, _ in made}
    files = [m for each, m in made if each.place == "file"]
    parts = [m for each, m in made if each.place != "file"]
    if files and parts and len(places) > 1:
        apart = min(abs(a - b) for a in files for b in parts)
        if timedelta(seconds=60) < apart <= _SAME_TIME:
            yield Anomaly(
                kind=N_("file and stream times differ"),
                observation=N_("The time of the file and those of its streams differ by %(span)s.")
                % {"span": _span(apart)},
                concern=N_("The container was written at another moment than its streams, as remuxing does."),
                innocent=N_(
                    "Long recordings, whole hours between zones, and programs that date streams by "
                    "their source."
                ),
            )
    modified = [m for each, m in sane if "modif" in each.name.lower()]
    later = max(modified) - min(m for _, m in made) if modified and made else timedelta(0)
    if later > _SAME_TIME:
        yield Anomaly(
            kind=N_("changed after it was made"),
            observation=N_("The file says it was changed %(span)s after it was made.")
            % {"span": _span(later)},
            concern=N_("Something of the file was written anew later."),
            innocent=N_(
                "Rotating, naming, tagging, trimming in a phone's gallery or copying by some programs."
            ),
        )
    unreadable = [e for e in times if e.utc is None and not any(c.isdigit() for c in e.written)]
    if unreadable:
        yield Anomaly(
            kind=N_("unreadable time"),
            observation=N_("A tag for a time holds none: %(moments)s.") % {"moments": _moments(unreadable)},
            concern=N_("No camera writes this; some program or person did."),
            innocent=N_("A program that fills tags with placeholders."),
        )


def _lengths(media: Media, details: Details) -> Iterator[Anomaly]:
    picture = details.picture
    if picture is None:
        return
    stated = [
        (N_("the file"), picture.container_duration),
        (N_("the stream of pictures"), picture.stream_duration),
    ]
    stated += [
        (N_("sound (stream %(index)s)") % {"index": s.index}, s.duration)
        for s in details.streams
        if s.kind == "audio"
    ]
    apart = [(n, v) for n, v in stated if v is not None and abs(v - media.duration) > _SAME_LENGTH]
    if apart:
        told = ", ".join(f"{name} {timecode(value)}" for name, value in apart)
        yield Anomaly(
            kind=N_("durations disagree"),
            observation=N_("Decoded frames last %(duration)s, but stated are: %(told)s.")
            % {"duration": timecode(media.duration), "told": told},
            concern=N_("Pictures or sound are missing, were cut away, or begin and end at different times."),
            innocent=N_(
                "Recording that broke off, a partial copy, sound that runs on, or rounding by "
                "simple programs."
            ),
        )


def _tracks(details: Details) -> Iterator[Anomaly]:
    if others := details.other_pictures:
        told = ", ".join(
            N_("stream %(index)s (%(codec)s)") % {"index": each.index, "codec": each.codec} for each in others
        )
        yield Anomaly(
            kind=N_("another picture track"),
            observation=N_("The file holds more than one track of pictures; not examined: %(told)s.")
            % {"told": told},
            concern=N_(
                "Another program, or a viewer who chooses, may show other pictures than those examined."
            ),
            innocent=N_(
                "Cameras with two lenses, recordings of meetings, and copies in another "
                "resolution hold several tracks."
            ),
        )


def _edits(details: Details) -> Iterator[Anomaly]:
    if details.structure is None:
        return
    # Frames shown before those they are decoded after make the first one wait for two intervals at most.
    interval = (details.timing.median_interval if details.timing else None) or 0.0
    late = max(_SAME_LENGTH, _REORDERED * interval)
    by_track: dict[int, list[str]] = {}
    for edit in details.structure.edits:
        by_track.setdefault(edit.track, [])
        if edit.media_start is None:
            if edit.duration > _SAME_LENGTH:
                by_track[edit.track].append(N_("waits %(duration)s s") % {"duration": f"{edit.duration:.3f}"})
        elif edit.media_start > late:
            by_track[edit.track].append(
                N_("begins %(media_start)s s into its material") % {"media_start": f"{edit.media_start:.3f}"}
            )
        if edit.rate != 1 and edit.media_start is not None:
            by_track[edit.track].append(N_("plays at rate %(rate)s") % {"rate": f"{edit.rate:g}"})
    played = [e for e in details.structure.edits if e.media_start is not None]
    for track in by_track:
        if sum(e.track == track for e in played) > 1:
            by_track[track].append(
                N_("is put together of %(played)s stretches")
                % {"played": sum(e.track == track for e in played)}
            )
    hidden = details.timing.packets_not_shown if details.timing else 0
    told = [
        N_("track %(track)s %(said)s") % {"track": track, "said": ", ".join(said)}
        for track, said in by_track.items()
        if said
    ]
    if hidden:
        told.append(N_("%(hidden)s frames are in the file and not shown") % {"hidden": f"{hidden:,}"})
    if told:
        yield Anomaly(
            kind=N_("edit list"),
            observation=N_("The file's edit list changes what is played: %(told)s.")
            % {"told": "; ".join(told)},
            concern=N_("What a player shows is not all that the file holds; hidden frames are not examined."),
            innocent=N_(
                "Trimming on a phone without converting, cutting at key frames, and the start "
                "of sound are stored this way."
            ),
        )


def _joints(details: Details) -> Iterator[Anomaly]:
    signs = []
    if details.encoding and len(details.encoding.texts) > 1:
        signs.append(
            N_("%(texts)s different settings of the encoder") % {"texts": len(details.encoding.texts)}
        )
    if details.encoding and details.encoding.parameter_sets > 1:
        signs.append(
            N_("%(parameter_sets)s different sequence headers")
            % {"parameter_sets": details.encoding.parameter_sets}
        )
    if details.encoding and details.encoding.headers > 1:
        signs.append(N_("%(headers)s different codec headers") % {"headers": details.encoding.headers})
    if details.structure and any(count > 1 for count in details.structure.descriptions):
        signs.append(
            N_("%(descriptions)s sample descriptions for one track")
            % {"descriptions": max(details.structure.descriptions)}
        )
    if signs:
        yield Anomaly(
            kind=N_("more than one encoding"),
            observation=N_("The stream of pictures holds %(signs)s.") % {"signs": " and ".join(signs)},
            concern=N_("Stretches that were encoded separately were put together."),
            innocent=N_(
                "Cameras that split recordings, live streams whose quality changes, and "
                "advertisements joined without converting look alike."
            ),
        )


def _time_stamps(details: Details) -> Iterator[Anomaly]:
    timing = details.timing
    if timing is None:
        return
    if timing.gaps:
        told = ", ".join(
            N_("%(length)s s from %(start)s") % {"length": f"{g.length:.3f}", "start": timecode(g.start)}
            for g in timing.gaps[:4]
        )
        more = N_(" and %(gaps)s more") % {"gaps": len(timing.gaps) - 4} if len(timing.gaps) > 4 else ""
        yield Anomaly(
            kind=N_("gaps in time"),
            observation=N_("No frame is shown for unusually long: %(told)s%(more)s.")
            % {"told": told, "more": more},
            concern=N_("Frames may have been removed, or were never recorded."),
            innocent=N_(
                "Phones in poor light, calls and streams on poor networks, screens that did "
                "not change, slides."
            ),
        )
    repeated = sum("not after" in failure.what for failure in timing.failures)
    if repeated or timing.decoding_order_breaks:
        yield Anomaly(
            kind=N_("time stamps out of order"),
            observation=N_(
                "Time stamps run backwards or repeat: %(repeated)s of decoded frames, "
                "%(decoding_order_breaks)s of packets."
            )
            % {"repeated": f"{repeated:,}", "decoding_order_breaks": f"{timing.decoding_order_breaks:,}"},
            concern=N_("Stretches may have been joined, or the file was written by a faulty program."),
            innocent=N_("Streams that were interrupted, and simple converters, leave such stamps."),
        )


def _photo(details: Details) -> Iterator[Anomaly]:
    photo = details.photo
    if photo is None:
        return
    thumb = photo.thumbnail
    if thumb is not None and thumb.correlation is not None and thumb.correlation < _UNLIKE:
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
    software = [t for t in details.tags if t.name in {"Software", "CreatorTool", "ProcessingSoftware"}]
    if photo.tables and not all(table.exact for table in photo.tables) and software:
        yield Anomaly(
            kind=N_("unusual compression tables"),
            observation=N_("The JPEG's tables are not libjpeg's, and tags name software: %(listed)s.")
            % {"listed": _listed(software)},
            concern=N_("Programs have tables of their own, so the picture was perhaps saved by one."),
            innocent=N_("Most cameras have tables of their own too and name their firmware in the same tag."),
        )
    if photo.frames > 1:
        yield Anomaly(
            kind=N_("more than one picture"),
            observation=N_("The file holds %(frames)s pictures; the first one was examined.")
            % {"frames": f"{photo.frames:,}"},
            concern=N_("What the others show was not looked at."),
            innocent=N_("Animations, and depth or preview pictures that phones store beside the photo."),
        )


def _listed(tags: Iterable[Tag]) -> str:
    told = list(dict.fromkeys(f"“{tag.value[:80]}” ({tag.place}, {tag.name})" for tag in tags))
    return ", ".join(told[:4]) + (N_(" and %(told)s more") % {"told": len(told) - 4} if len(told) > 4 else "")


def _moments(times: Iterable[Moment]) -> str:
    told = list(dict.fromkeys(f"{(t.utc or t.written)[:40]} ({t.place}, {t.name})" for t in times))
    return ", ".join(told[:4]) + (N_(" and %(told)s more") % {"told": len(told) - 4} if len(told) > 4 else "")


def _span(length: timedelta) -> str:
    if length.days >= 2:
        return N_("%(days)s days") % {"days": f"{length.days:,}"}
    hours, rest = divmod(int(length.total_seconds()), 3600)
    return (
        N_("%(hours)s h %(rest)s min") % {"hours": hours, "rest": rest // 60}
        if hours
        else N_("%(rest)s min") % {"rest": rest // 60}
    )
