"""Analyse an exhibit of sound alone: its facts, and an analysis in which no face was examined."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple

import av

from detector import timestamps
from detector.environment import describe_recording_software
from detector.errors import MediaError
from detector.files import hash_file
from detector.marks.search import declare_sound
from detector.marks.sound import SoundSearch, search_sound
from detector.media.acceptance import MP4, UNREADABLE, InputLimits, open_exhibit
from detector.media.behind_end import sound_end
from detector.media.containers import Layout, read_layout
from detector.media.open import open_container, played_sound
from detector.media.sound import SoundDecoder, refuse_rate
from detector.media.sound_clock import SoundClock
from detector.media.stated_durations import DurationSource, duration_source, stated_mp3_seconds
from detector.media.unknown_sound import refuse_undecodable
from detector.metadata.anomalies import clock_anomalies, program_anomalies
from detector.metadata.embedded_text import EmbeddedText, embedded_texts, xmp_tags, xmp_texts
from detector.metadata.exhibit import (
    MOST_STREAMS,
    MOST_TIMES,
    read_declarations,
    stream_facts,
    tagged_times,
)
from detector.metadata.unreadable import MetadataReaders
from detector.models.loaded import LoadedModel
from detector.progress import ReportShare
from detector.schema.analysis import Analysis, Coverage, Declaration, Media, MediaKind, Parameters, Verdict
from detector.schema.causes.anomalies import AnomalyCode
from detector.schema.causes.cause import Cause
from detector.schema.formatting import N_, printable_name
from detector.schema.metadata import MOST_TAGS, Anomaly, Details, MarkSearch, Tag, location_of, tags_of

_SAME_LENGTH = 0.5  # seconds
_LONG = 0.25  # seconds: longer packets do not say exactly enough where sound ends
_NEGATIVE = 1 << 31
_NO_SOUND = N_(
    "The file states a sound track, but none of it can be read: it is damaged, or was copied only in part. "
    "Copy it again."
)


def analyze_recording(
    path: Path,
    name: str | None,
    parameters: Parameters,
    model: LoadedModel,
    cause: Cause,
    bounds: InputLimits | None,
    progress: ReportShare = lambda share: None,
) -> Analysis:
    """Return the analysis of a recording of sound, before its voices are examined.

    ``cause`` says why no face was examined. ``model`` is the model of faces that was asked for, which
    judged nothing. ``progress`` is called with the share of the sound that was searched for marks. Raises
    :class:`~detector.errors.MediaError` for a file of which no sound can be read, or that is too long.
    """
    sound = search_sound(path, progress, bounds) if parameters.sound else SoundSearch(0.0, (), None)
    media, declarations = recording_facts(path, name or path.name, bounds or InputLimits(), sound)
    return Analysis(
        verdict=Verdict.INCONCLUSIVE,
        causes=(cause,),
        probability=None,
        declarations=declarations,
        marks=MarkSearch(frames=0, sound=sound.seconds or None, cause=sound.note),
        segments=(),
        persons=(),
        media=media,
        model=model.card.as_model(),
        parameters=parameters,
        coverage=Coverage(
            frames_sampled=0,
            frames_with_face=0,
            frames_with_usable_face=0,
            faces_found=0,
            faces_unusable=0,
            faces_discarded=0,
            cuts=(),
            not_examined=(),
        ),
        software=describe_recording_software(
            timestamps.iso_seconds(datetime.now(UTC)), media.file, model.command_name, parameters
        ),
    )


def recording_facts(
    path: Path, name: str, bounds: InputLimits, sound: SoundSearch | None = None
) -> tuple[Media, tuple[Declaration, ...]]:
    """Return the facts of a recording and what it declares about its making.

    Packets are read, and decoded only where they state no exact times.

    ``sound`` says whether it carries a hidden mark; None: not looked for.

    Raises :class:`~detector.errors.MediaError` as :func:`analyze_recording` does.
    """
    size, digest = hash_file(path)
    with open_exhibit(path) as file, open_container(file, None) as container:
        if not container.streams.audio:
            raise MediaError(UNREADABLE)
        refuse_undecodable(file, container, played_sound(container))
        stream = examined_sound(container)
        refuse_rate(stream)
        stated = _stated_durations(path, container)
        start, end = _sound_times(path, container, stream, bounds)
        readers = MetadataReaders()
        details, texts = _details(container, stream, stated, path, readers)
        marks = declare_sound(sound) if sound else ()
        credentials, declarations = read_declarations(
            path, container.format.name, texts, None, marks, readers
        )
        time_base = stream.time_base or Fraction(1, stream.sample_rate or 1)
        media = Media(
            file=printable_name(name),
            bytes=size,
            sha256=digest,
            kind=MediaKind.AUDIO,
            container=container.format.name,
            codec=stream.codec_context.codec.canonical_name,
            width=0,
            height=0,
            rotation=0,
            time_base=f"{time_base.numerator}/{time_base.denominator}",
            frame_rate=None,
            variable_frame_rate=False,
            duration=float(end - start),
            start_offset=0.0,
            frames_decoded=0,
            frames_undecodable=0,
            has_sound=True,
            details=details,
            anomalies=(
                *program_anomalies(details.tags),
                *clock_anomalies(details.times, datetime.now(UTC)),
                *_length_anomalies(stated.get(stream.index), float(end - start), float(end)),
                *_more_behind(file),
                *readers.anomalies(),
            ),
            credentials=credentials,
        )
        return media, declarations


def _stated_durations(path: Path, container: av.container.InputContainer) -> dict[int, float]:
    """Return the seconds that the file states for each stream, without estimates of FFmpeg."""
    with path.open("rb") as file:
        source = duration_source(file, container.format.name)
        if source is not DurationSource.STATED:
            return {}
        whole = container.duration / av.time_base if container.duration else None
        if container.format.name == "mp3":
            whole = stated_mp3_seconds(file)
    durations = {}
    for stream in container.streams:
        seconds = whole
        if stream.duration and stream.time_base and container.format.name != "mp3":
            seconds = float(stream.duration * stream.time_base)
        if seconds:
            durations[stream.index] = seconds
    return durations


def _length_anomalies(stated: float | None, seconds: float, end: float) -> Iterator[Anomaly]:
    """Yield the anomaly of a stated duration that is neither the ``seconds`` of the sound nor its end."""
    if stated is None or min(abs(stated - seconds), abs(stated - end)) <= _SAME_LENGTH:
        return
    code = AnomalyCode.SOUND_IS_SHORTER if seconds < stated else AnomalyCode.SOUND_IS_LONGER
    yield Anomaly.of(code, duration=seconds, stated=stated)


def _more_behind(file: BinaryIO) -> Iterator[Anomaly]:
    """Yield the anomaly of sound behind the stated end, which was examined as well."""
    if taken := sound_end(file).taken:
        yield Anomaly.of(AnomalyCode.MORE_BEHIND_SOUND, behind_end=taken)


def examined_sound(container: av.container.InputContainer) -> av.AudioStream:
    """Return the sound that a player plays: the default stream, or else the first."""
    stream = played_sound(container)
    if stream is None:
        raise MediaError(UNREADABLE)
    return stream


def _sound_times(
    path: Path, container: av.container.InputContainer, stream: av.AudioStream, bounds: InputLimits
) -> tuple[Fraction, Fraction]:
    """Return the times in seconds at which the sound begins and ends, on one clock.

    They are those of its packets, and of the decoded sound where packets are too long to tell.
    """
    clock, are_exact = SoundClock(), True
    for _, packet in clock.on_clock(_packets(container, stream)):
        are_exact &= packet.time is not None and 0 < packet.seconds <= _LONG
    bounds.refuse_length(float(clock.end))
    if not are_exact:
        clock = SoundClock()
        with open_exhibit(path) as file, open_container(file, None) as again:
            for _ in clock.on_clock(SoundDecoder(again, examined_sound(again)).parts()):
                bounds.refuse_length(float(clock.end))
    if clock.first is None or not clock.end:
        raise MediaError(_NO_SOUND)
    start, end = clock.first, clock.first + clock.end
    if are_exact and stream.start_time is not None and stream.time_base is not None:
        # What an encoder put before the sound, and players leave out, is not part of it.
        start = max(start, min(stream.start_time * stream.time_base, end))
    return start, end


class _Packet(NamedTuple):
    """The time of a packet in seconds, None if it states none, and its length, 0 if it states none."""

    time: Fraction | None
    seconds: Fraction


def _packets(container: av.container.InputContainer, stream: av.AudioStream) -> Iterator[_Packet]:
    try:
        for packet in container.demux(stream):
            if packet.size:
                base = packet.time_base
                # What Ogg cuts off the last packet may exceed it; FFmpeg drops the sign of what is left.
                duration = packet.duration if 0 < (packet.duration or 0) < _NEGATIVE else 0
                yield _Packet(None if packet.pts is None else packet.pts * base, duration * base)
    except (av.FFmpegError, IndexError):
        pass  # what comes after the damage is not read; decoding reports it


def _details(
    container: av.container.InputContainer,
    examined: av.AudioStream,
    stated: dict[int, float],
    path: Path,
    readers: MetadataReaders,
) -> tuple[Details, tuple[EmbeddedText, ...]]:
    """Return the metadata of the file, and the full texts from which its tags were cut."""
    metadata = dict(container.metadata)
    tags: list[Tag] = tags_of("file", metadata)
    texts = embedded_texts("file", metadata)
    streams = list(container.streams)[:MOST_STREAMS]
    for stream in streams:
        tags += tags_of(f"stream {stream.index}", stream.metadata)
        texts += embedded_texts(f"stream {stream.index}", stream.metadata)
    layout = None
    if container.format.name == MP4:
        with path.open("rb") as file:
            layout = readers.read("MP4", lambda: read_layout(file), Layout())
        xmp = readers.read("XMP", partial(xmp_texts, layout.xmp), [])
        tags, texts = [*tags, *xmp_tags(xmp)], [*texts, *xmp]
    tags = list(dict.fromkeys(tags))
    details = Details(
        streams=tuple(
            stream_facts(
                stream,
                examined=stream.index == examined.index,
                duration=stated.get(stream.index),
            )
            for stream in streams
        ),
        structure=layout.structure if layout else None,
        tags=tuple(tags[:MOST_TAGS]),
        tags_left_out=max(0, len(tags) - MOST_TAGS),
        times=tuple(tagged_times(tags, layout))[:MOST_TIMES],
        location=location_of(tags),
    )
    return details, tuple(texts)
