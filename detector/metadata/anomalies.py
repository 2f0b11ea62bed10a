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
            kind="editing software",
            observation=f"Tags name editing software: {_listed(editors)}.",
            concern="The file was written, or its source processed, by a program that can change pictures.",
            innocent="Cutting, titles, colour correction, developing raw photos or only exporting leave the "
            "same tag, and tags can be written by anybody.",
        )
    if generators := known_programs.named(tags, known_programs.GENERATORS):
        yield Anomaly(
            kind="generating software",
            observation=f"Tags name software that makes or swaps pictures: {_listed(generators)}.",
            concern="Such programs make pictures, or parts of them, that no camera took.",
            innocent="A name may stand there for another reason; some programs also retouch, enlarge or "
            "remove noise, and tags can be written by anybody.",
        )
    if recorders := known_programs.named(tags, known_programs.RECORDERS):
        yield Anomaly(
            kind="screen recording",
            observation=f"Tags name software that records screens: {_listed(recorders)}.",
            concern="The exhibit may show another recording being played, so its own traces are weakened.",
            innocent="Calls, lessons and games are recorded this way; the same programs also save camera "
            "pictures.",
        )
    if converters := known_programs.named(tags, known_programs.CONVERTERS):
        yield Anomaly(
            kind="converted",
            observation=f"Tags name a converter rather than a camera: {_listed(converters)}.",
            concern="The file is probably not the first recording; what was before cannot be told from it.",
            innocent="Messengers, social networks, archives, and some cameras and phones write files with "
            "the same libraries.",
        )


def _clocks(times: tuple[Moment, ...], now: datetime) -> Iterator[Anomaly]:
    dated = [(each, timestamps.parse(each.utc)) for each in times if each.utc]
    if ahead := [each for each, moment in dated if moment > now + _AHEAD]:
        yield Anomaly(
            kind="time in the future",
            observation=f"Written times lie after the analysis: {_moments(ahead)}.",
            concern="At least this written time is wrong, so others from the same clock may be too.",
            innocent="A camera's clock set wrong, or reset after its battery was empty.",
        )
    if early := [each for each, moment in dated if moment < _OLDEST]:
        yield Anomaly(
            kind="time before digital video",
            observation=f"Written times lie before 1990: {_moments(early)}.",
            concern="The written time cannot be that of the recording.",
            innocent="A clock that was never set, or a program that writes its zero.",
        )
    sane = [(each, moment) for each, moment in dated if _OLDEST <= moment <= now + _AHEAD]
    made = [(each, moment) for each, moment in sane if "modif" not in each.name.lower()]
    if made:
        first, last = min(made, key=lambda e: e[1]), max(made, key=lambda e: e[1])
        if last[1] - first[1] > _SAME_TIME:
            yield Anomaly(
                kind="creation times disagree",
                observation=f"Written times of creation are {_span(last[1] - first[1])} apart: "
                f"{_moments([first[0], last[0]])}.",
                concern="Parts of the file, or the file and its pictures, were written on different days.",
                innocent="Editing, converting or copying by some programs dates the file anew and keeps the "
                "old date of its parts.",
            )
    places = {each.place for each, _ in made}
    files = [m for each, m in made if each.place == "file"]
    parts = [m for each, m in made if each.place != "file"]
    if files and parts and len(places) > 1:
        apart = min(abs(a - b) for a in files for b in parts)
        if timedelta(seconds=60) < apart <= _SAME_TIME:
            yield Anomaly(
                kind="file and stream times differ",
                observation=f"The time of the file and those of its streams differ by {_span(apart)}.",
                concern="The container was written at another moment than its streams, as remuxing does.",
                innocent="Long recordings, whole hours between zones, and programs that date streams by "
                "their source.",
            )
    modified = [m for each, m in sane if "modif" in each.name.lower()]
    later = max(modified) - min(m for _, m in made) if modified and made else timedelta(0)
    if later > _SAME_TIME:
        yield Anomaly(
            kind="changed after it was made",
            observation=f"The file says it was changed {_span(later)} after it was made.",
            concern="Something of the file was written anew later.",
            innocent="Rotating, naming, tagging, trimming in a phone's gallery or copying by some programs.",
        )
    unreadable = [e for e in times if e.utc is None and not any(c.isdigit() for c in e.written)]
    if unreadable:
        yield Anomaly(
            kind="unreadable time",
            observation=f"A tag for a time holds none: {_moments(unreadable)}.",
            concern="No camera writes this; some program or person did.",
            innocent="A program that fills tags with placeholders.",
        )


def _lengths(media: Media, details: Details) -> Iterator[Anomaly]:
    picture = details.picture
    if picture is None:
        return
    stated = [("the file", picture.container_duration), ("the stream of pictures", picture.stream_duration)]
    stated += [(f"sound (stream {s.index})", s.duration) for s in details.streams if s.kind == "audio"]
    apart = [(n, v) for n, v in stated if v is not None and abs(v - media.duration) > _SAME_LENGTH]
    if apart:
        told = ", ".join(f"{name} {timecode(value)}" for name, value in apart)
        yield Anomaly(
            kind="durations disagree",
            observation=f"Decoded frames last {timecode(media.duration)}, but stated are: {told}.",
            concern="Pictures or sound are missing, were cut away, or begin and end at different times.",
            innocent="Recording that broke off, a partial copy, sound that runs on, or rounding by simple "
            "programs.",
        )


def _tracks(details: Details) -> Iterator[Anomaly]:
    if others := details.other_pictures:
        told = ", ".join(f"stream {each.index} ({each.codec})" for each in others)
        yield Anomaly(
            kind="another picture track",
            observation=f"The file holds more than one track of pictures; not examined: {told}.",
            concern="Another program, or a viewer who chooses, may show other pictures than those examined.",
            innocent="Cameras with two lenses, recordings of meetings, and copies in another resolution hold "
            "several tracks.",
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
                by_track[edit.track].append(f"waits {edit.duration:.3f} s")
        elif edit.media_start > late:
            by_track[edit.track].append(f"begins {edit.media_start:.3f} s into its material")
        if edit.rate != 1 and edit.media_start is not None:
            by_track[edit.track].append(f"plays at rate {edit.rate:g}")
    played = [e for e in details.structure.edits if e.media_start is not None]
    for track in by_track:
        if sum(e.track == track for e in played) > 1:
            by_track[track].append(f"is put together of {sum(e.track == track for e in played)} stretches")
    hidden = details.timing.packets_not_shown if details.timing else 0
    told = [f"track {track} {', '.join(said)}" for track, said in by_track.items() if said]
    if hidden:
        told.append(f"{hidden:,} frames are in the file and not shown")
    if told:
        yield Anomaly(
            kind="edit list",
            observation=f"The file's edit list changes what is played: {'; '.join(told)}.",
            concern="What a player shows is not all that the file holds; hidden frames are not examined.",
            innocent="Trimming on a phone without converting, cutting at key frames, and the start of sound "
            "are stored this way.",
        )


def _joints(details: Details) -> Iterator[Anomaly]:
    signs = []
    if details.encoding and len(details.encoding.texts) > 1:
        signs.append(f"{len(details.encoding.texts)} different settings of the encoder")
    if details.encoding and details.encoding.parameter_sets > 1:
        signs.append(f"{details.encoding.parameter_sets} different sequence headers")
    if details.encoding and details.encoding.headers > 1:
        signs.append(f"{details.encoding.headers} different codec headers")
    if details.structure and any(count > 1 for count in details.structure.descriptions):
        signs.append(f"{max(details.structure.descriptions)} sample descriptions for one track")
    if signs:
        yield Anomaly(
            kind="more than one encoding",
            observation=f"The stream of pictures holds {' and '.join(signs)}.",
            concern="Stretches that were encoded separately were put together.",
            innocent="Cameras that split recordings, live streams whose quality changes, and advertisements "
            "joined without converting look alike.",
        )


def _time_stamps(details: Details) -> Iterator[Anomaly]:
    timing = details.timing
    if timing is None:
        return
    if timing.gaps:
        told = ", ".join(f"{g.length:.3f} s from {timecode(g.start)}" for g in timing.gaps[:4])
        more = f" and {len(timing.gaps) - 4} more" if len(timing.gaps) > 4 else ""
        yield Anomaly(
            kind="gaps in time",
            observation=f"No frame is shown for unusually long: {told}{more}.",
            concern="Frames may have been removed, or were never recorded.",
            innocent="Phones in poor light, calls and streams on poor networks, screens that did not change, "
            "slides.",
        )
    repeated = sum("not after" in failure.what for failure in timing.failures)
    if repeated or timing.decoding_order_breaks:
        yield Anomaly(
            kind="time stamps out of order",
            observation=f"Time stamps run backwards or repeat: {repeated:,} of decoded frames, "
            f"{timing.decoding_order_breaks:,} of packets.",
            concern="Stretches may have been joined, or the file was written by a faulty program.",
            innocent="Streams that were interrupted, and simple converters, leave such stamps.",
        )


def _photo(details: Details) -> Iterator[Anomaly]:
    photo = details.photo
    if photo is None:
        return
    thumb = photo.thumbnail
    if thumb is not None and thumb.correlation is not None and thumb.correlation < _UNLIKE:
        yield Anomaly(
            kind="thumbnail differs",
            observation=f"The EXIF thumbnail ({thumb.width}×{thumb.height} px) differs from the picture "
            f"(correlation {thumb.correlation:.2f}).",
            concern="The picture may have been changed by a program that kept the old thumbnail.",
            innocent="Cropping, turning, filters and some phones' own processing have the same effect.",
        )
    software = [t for t in details.tags if t.name in {"Software", "CreatorTool", "ProcessingSoftware"}]
    if photo.tables and not all(table.exact for table in photo.tables) and software:
        yield Anomaly(
            kind="unusual compression tables",
            observation=f"The JPEG's tables are not libjpeg's, and tags name software: {_listed(software)}.",
            concern="Programs have tables of their own, so the picture was perhaps saved by one.",
            innocent="Most cameras have tables of their own too and name their firmware in the same tag.",
        )
    if photo.frames > 1:
        yield Anomaly(
            kind="more than one picture",
            observation=f"The file holds {photo.frames:,} pictures; the first one was examined.",
            concern="What the others show was not looked at.",
            innocent="Animations, and depth or preview pictures that phones store beside the photo.",
        )


def _listed(tags: Iterable[Tag]) -> str:
    told = list(dict.fromkeys(f"“{tag.value[:80]}” ({tag.place}, {tag.name})" for tag in tags))
    return ", ".join(told[:4]) + (f" and {len(told) - 4} more" if len(told) > 4 else "")


def _moments(times: Iterable[Moment]) -> str:
    told = list(dict.fromkeys(f"{(t.utc or t.written)[:40]} ({t.place}, {t.name})" for t in times))
    return ", ".join(told[:4]) + (f" and {len(told) - 4} more" if len(told) > 4 else "")


def _span(length: timedelta) -> str:
    if length.days >= 2:
        return f"{length.days:,} days"
    hours, rest = divmod(int(length.total_seconds()), 3600)
    return f"{hours} h {rest // 60} min" if hours else f"{rest // 60} min"
