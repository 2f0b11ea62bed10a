"""Anomalies of a video's container, tracks and time stamps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from detector.schema.analysis import Media
from detector.schema.codec_names import codec_name
from detector.schema.formatting import N_, timecode
from detector.schema.metadata import Anomaly, Details, Edit, Picture

_SAME_LENGTH = 0.5  # seconds, for the duration of a frame and the rounding of containers
_REORDERED = 2.5  # intervals between frames
_WITHOUT_BASE = frozenset({"5.0", "10.0"})  # Dolby Vision profiles whose base layer has colours of its own


def container_anomalies(media: Media, details: Details, before: float = 0.0) -> Iterator[Anomaly]:
    """Yield the anomalies of a video's tracks, durations, edit list, encodings and time stamps."""
    yield from _track_anomalies(details)
    yield from _rest_anomalies(details)
    yield from _size_anomalies(media, details)
    if details.picture is not None:
        yield from _display_anomalies(details.picture)
    yield from _length_anomalies(media, details, before)
    yield from _edit_anomalies(details)
    yield from _joint_anomalies(details)
    yield from _time_anomalies(media, details)


def _rest_anomalies(details: Details) -> Iterator[Anomaly]:
    """Yield anomalies of what follows the examined pictures in the file."""
    observations = []
    if details.picture and details.picture.ends_at is not None:
        observations.append(
            N_(
                "The examined pictures end at %(share)s %% of the file. What follows was not examined: it is "
                "sound, or other streams that begin there."
            )
            % {"share": f"{100 * details.picture.ends_at:.0f}"}
        )
    if details.structure and details.structure.boxes.count("moov") > 1:
        observations.append(
            N_("The file has more than one table of contents (moov). Pictures of the first were examined.")
        )
    for observation in observations:
        yield Anomaly(
            kind=N_("more behind the pictures"),
            observation=observation,
            concern=N_("Recordings may have been joined, of which players and this analysis show the first."),
            innocent=N_("Downloads of streams with advertisements, and simple joining of parts, look alike."),
        )


def _size_anomalies(media: Media, details: Details) -> Iterator[Anomaly]:
    if details.picture is None or not details.picture.sizes:
        return
    yield Anomaly(
        kind=N_("the picture size changes"),
        observation=N_(
            "Frames have different sizes in the file: %(sizes)s px. All were examined on one of "
            "%(width)s×%(height)s px, each as large as it fits."
        )
        % {
            "sizes": ", ".join(f"{width}×{height}" for width, height in details.picture.sizes),
            "width": media.width,
            "height": media.height,
        },
        concern=N_(
            "Recordings may have been joined; where frames are small in the file, faces show less than "
            "their size says."
        ),
        innocent=N_(
            "Calls and streams fit their pictures to the network; telephones are turned while they record."
        ),
    )


def _display_anomalies(picture: Picture) -> Iterator[Anomaly]:
    """Yield anomalies of pictures that players may show differently from how they were examined."""
    if picture.shown is not None:
        yield Anomaly(
            kind=N_("players are to crop the picture"),
            observation=N_(
                "The file has players show %(width)s×%(height)s px of each picture. All of it was examined."
            )
            % {"width": picture.shown[0], "height": picture.shown[1]},
            concern=N_("Faces that a player hides may have been examined; others show them."),
            innocent=N_("Cameras and editors leave out edges that hold no picture."),
        )
    if picture.dolby_vision in _WITHOUT_BASE:
        yield Anomaly(
            kind=N_("colours of Dolby Vision"),
            observation=N_(
                "The pictures are Dolby Vision of profile %(profile)s, which only players for it show in "
                "their colours. They were examined in others."
            )
            % {"profile": picture.dolby_vision},
            concern=N_("Wrong colours may hide traces of manipulation, or look like some."),
            innocent=N_("Streaming services deliver films so."),
        )
    if picture.interlaced:
        yield Anomaly(
            kind=N_("interlaced pictures"),
            observation=N_(
                "%(share)s %% of the sampled frames are stored as two fields, which may be of different "
                "moments. They were examined as stored: what moves then has combed edges."
            )
            % {"share": f"{100 * picture.interlaced:.0f}"},
            concern=N_("Combed edges on a moving face may hide traces of manipulation, or look like some."),
            innocent=N_("Television, DVDs and many camcorders store pictures so; most players smooth them."),
        )


def _length_anomalies(media: Media, details: Details, before: float) -> Iterator[Anomaly]:
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
    # If pictures begin later than the file, the duration of the whole file includes that delay.
    expected = media.duration + before, *[media.duration] * (len(stated) - 1)
    different = [
        (name, value)
        for (name, value), length in zip(stated, expected, strict=True)
        if value is not None and abs(value - length) > _SAME_LENGTH
    ]
    if different:
        durations = ", ".join(f"{name} {timecode(value)}" for name, value in different)
        yield Anomaly(
            kind=N_("durations disagree"),
            observation=N_("Decoded frames last %(duration)s, but stated are: %(told)s.")
            % {"duration": timecode(media.duration), "told": durations},
            concern=N_("Pictures or sound are missing, were cut away, or begin and end at different times."),
            innocent=N_(
                "Recording that broke off, a partial copy, sound that runs on, or rounding by "
                "simple programs."
            ),
        )


def _track_anomalies(details: Details) -> Iterator[Anomaly]:
    if others := details.other_pictures:
        tracks = ", ".join(
            N_("stream %(index)s (%(codec)s)") % {"index": track.index, "codec": codec_name(track.codec)}
            for track in others
        )
        yield Anomaly(
            kind=N_("another picture track"),
            observation=N_("The file holds more than one track of pictures; not examined: %(told)s.")
            % {"told": tracks},
            concern=N_(
                "Another program, or a viewer who chooses, may show other pictures than those examined."
            ),
            innocent=N_(
                "Cameras with two lenses, recordings of meetings, and copies in another "
                "resolution hold several tracks."
            ),
        )


def _edit_anomalies(details: Details) -> Iterator[Anomaly]:
    if details.structure is None:
        return
    # Reordering of frames delays the first one by at most two intervals.
    interval = (details.timing.median_interval if details.timing else None) or 0.0
    late = max(_SAME_LENGTH, _REORDERED * interval)
    by_track: dict[int, list[Edit]] = {}
    for edit in details.structure.edits:
        by_track.setdefault(edit.track, []).append(edit)
    changes = [
        N_("track %(track)s %(said)s") % {"track": track, "said": ", ".join(parts)}
        for track, edits in by_track.items()
        if (parts := list(_describe_edits(edits, late)))
    ]
    hidden = details.timing.packets_not_shown if details.timing else 0
    if hidden:
        words = (
            N_("%(hidden)s frame is in the file and not shown")
            if hidden == 1
            else N_("%(hidden)s frames are in the file and not shown")
        )
        changes.append(words % {"hidden": f"{hidden:,}"})
    if changes:
        yield Anomaly(
            kind=N_("edit list"),
            observation=N_("The file's edit list changes what is played: %(told)s.")
            % {"told": "; ".join(changes)},
            concern=N_("What a player shows is not all that the file holds; hidden frames are not examined."),
            innocent=N_(
                "Trimming on a phone without converting, cutting at key frames, and the start "
                "of sound are stored this way."
            ),
        )


def _describe_edits(edits: Sequence[Edit], late: float) -> Iterator[str]:
    """Describe what the edits of one track change; a start after ``late`` seconds counts."""
    begun = False
    for edit in edits:
        if edit.media_start is None:
            # For an empty edit after a stretch FFmpeg plays the beginning of the track again.
            waits = (
                N_("waits %(duration)s s after a stretch, for which its beginning was examined once more")
                if begun
                else N_("waits %(duration)s s")
            )
            if begun or edit.duration > _SAME_LENGTH:
                yield waits % {"duration": f"{edit.duration:.3f}"}
            continue
        begun = True
        if edit.media_start > late:
            yield N_("begins %(media_start)s s into its material") % {
                "media_start": f"{edit.media_start:.3f}"
            }
        if edit.rate != 1:
            yield N_("plays at rate %(rate)s") % {"rate": f"{edit.rate:g}"}
    played = sum(edit.media_start is not None for edit in edits)
    if played > 1:
        yield N_("is put together of %(played)s stretches") % {"played": played}


def _joint_anomalies(details: Details) -> Iterator[Anomaly]:
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


def _time_anomalies(media: Media, details: Details) -> Iterator[Anomaly]:
    timing = details.timing
    if timing is None:
        return
    if timing.gaps:
        gaps = ", ".join(
            N_("%(length)s s from %(start)s") % {"length": f"{g.length:.3f}", "start": timecode(g.start)}
            for g in timing.gaps[:4]
        )
        more = N_(" and %(gaps)s more") % {"gaps": len(timing.gaps) - 4} if len(timing.gaps) > 4 else ""
        yield Anomaly(
            kind=N_("gaps in time"),
            observation=N_("For unusually long no new frame comes: %(told)s%(more)s.")
            % {"told": gaps, "more": more},
            concern=N_("Frames may have been removed, or were never recorded."),
            innocent=N_(
                "Phones in poor light, calls and streams on poor networks, screens that did "
                "not change, slides."
            ),
        )
    repeated = media.frames_out_of_order
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
