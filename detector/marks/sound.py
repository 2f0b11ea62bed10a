"""Search sound for the mark that Chatterbox hides in the sentences it speaks (Perth, by Resemble AI).

The network that reads it knows speech only: it takes every third pure tone for the mark. So a stretch carries
it where its answer holds in both halves of the speech, and still does without the steady lines of the
spectrum.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from detector.errors import MediaError
from detector.marks.perth import RATE, PerthDecoder, level, restore, transform, weights_path
from detector.media.acceptance import InputLimits, open_exhibit
from detector.media.channels import SILENT, Samples, alike_channels, mix, widen
from detector.media.open import open_container
from detector.progress import EndingReport, ReportShare
from detector.schema.causes.cause import Cause
from detector.schema.causes.declarations import NoteCode
from detector.voice.samples import SoundReader
from detector.voice.speech import FRAME, SPEECH, SpeechFinder

log = logging.getLogger(__name__)

STRETCH, _LEAST = 5.0, 1.0  # seconds that are judged at once, and the fewest at the end
MOST_SECONDS = 600.0  # of a recording, evenly spread: a minute of sound takes a few seconds
# The package rounds at 0.5. Of 371 human voices of 4.5 s, four exceed that, the highest with 0.934.
LEAST_STRENGTH = 0.95
LEAST_SPEECH = 0.5
"""Seconds of speech that a stretch needs."""
_LINE_ABOVE, _LINE_QUANTILE, _AROUND = 6.0, 0.2, 15  # dB; share of moments; bins on each side
_MOST_CHANNELS = 8  # of a stretch that are searched
_STRETCHES_A_MARK = 20  # of a long recording one more must carry the mark for each so many


@dataclass(frozen=True)
class HeardStretch:
    """A stretch of sound in seconds, and what the network says of it: 0 without the mark, 1 with it.

    ``channels`` are those of the strength, from 1; empty where all carry the same.
    """

    start: float
    end: float
    strength: float
    channels: tuple[int, ...] = ()


@dataclass(frozen=True)
class SoundSearch:
    """How many seconds were searched, the stretches that carry the mark, and why none was searched."""

    seconds: float
    heard: tuple[HeardStretch, ...]
    note: Cause | None


def search_sound(
    path: Path, progress: ReportShare = lambda share: None, bounds: InputLimits | None = None
) -> SoundSearch:
    """Search the sound that a player plays; of a long one, stretches that are evenly spread.

    Times are seconds from the start of the sound, as voices have them. ``progress`` is called with the share
    of the sound that was searched.
    """
    report = EndingReport(progress)
    judged: list[HeardStretch] = []
    seconds = 0.0
    try:
        weights = weights_path()
        if weights is None:
            return SoundSearch(0.0, (), NoteCode.MARKS_NOT_INSTALLED.cause())
        decoder = PerthDecoder(weights)
        for start, samples in _stretches(path, bounds, report):
            end = start + samples.shape[1] / RATE
            if samples.any():  # a gap is silence
                strength, channels = _strongest_channels(decoder, samples)
                judged.append(HeardStretch(round(start, 3), round(end, 3), strength, channels))
            seconds += end - start
    except Exception as problem:  # neither faces nor voices fail for it
        if problem is report.ending:
            raise
        if not isinstance(problem, MediaError):
            log.error("the search for a mark in the sound ended early", exc_info=problem)
        if not seconds:
            return SoundSearch(0.0, (), NoteCode.MARKS_NOT_DECODED.cause())
    judged.sort(key=lambda stretch: stretch.start)
    heard = tuple(stretch for stretch in judged if stretch.strength >= LEAST_STRENGTH)
    if len(heard) < 1 + len(judged) // _STRETCHES_A_MARK:
        heard = ()
    return SoundSearch(seconds, heard, None)


def _strongest_channels(decoder: PerthDecoder, samples: Samples) -> tuple[float, tuple[int, ...]]:
    """Return the highest strength of channels (c, n) that differ, and which they are; none if all are alike.

    Of channels that are not silent, the first eight that differ are searched.
    """
    groups = alike_channels(samples, RATE // 2, range(len(samples)))
    if len(groups) == 1:
        return confirmed_strength(decoder, mix(samples)), ()
    heard = [group for group in groups if np.sqrt((samples[group[0]] ** 2).mean()) >= SILENT]
    strengths = [confirmed_strength(decoder, mix(samples, group)) for group in heard[:_MOST_CHANNELS]]
    if not strengths:
        return 0.0, ()
    strongest = int(np.argmax(strengths))
    return strengths[strongest], tuple(channel + 1 for channel in heard[strongest])


def confirmed_strength(decoder: PerthDecoder, samples: NDArray[np.float32]) -> float:
    """Return how clearly speech in samples (n,) at 32 kHz carries the mark, 0 to 1; 0 without speech.

    It is the least of six answers: of all samples and of both halves of their speech, as they are and without
    steady lines of the spectrum. Once one is below :data:`LEAST_STRENGTH`, the others are not asked for.
    """
    halved = samples[: len(samples) // 2 * 2].reshape(-1, 2).mean(axis=1)  # 16 kHz; speech has little above 8
    spoken = np.cumsum(SpeechFinder()(halved) >= SPEECH)
    if spoken[-1] * 2 * FRAME < LEAST_SPEECH * RATE:
        return 0.0
    middle = int(np.searchsorted(spoken, spoken[-1] / 2)) * 2 * FRAME
    strength = 1.0
    for change in (np.asarray, _without_lines):
        whole = change(samples)
        for part in sorted((whole[:middle], whole[middle:], whole), key=len):  # the cheapest first
            strength = min(strength, decoder.strength(part))
            if strength < LEAST_STRENGTH:
                return strength
    return strength


def _without_lines(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return samples (n,) in which no bin of the spectrum is steadily louder than those around it."""
    spectrum = transform(samples)
    steady = np.quantile(level(spectrum), _LINE_QUANTILE, axis=1)
    padded = np.pad(steady, _AROUND, mode="reflect")
    around = np.median(np.lib.stride_tricks.sliding_window_view(padded, 2 * _AROUND + 1), axis=1)
    over = np.pad(np.maximum(0, steady - around - _LINE_ABOVE), 1)
    over = np.maximum.reduce([over[:-2], over[1:-1], over[2:]])  # a line reaches into both bins beside it
    gain = (10 ** (-over / 20)).astype(np.float32)
    return restore(spectrum * gain[:, None], len(samples))


def _stretches(
    path: Path, bounds: InputLimits | None, progress: ReportShare
) -> Iterator[tuple[float, Samples]]:
    """Yield start in seconds and samples (channels, n) of stretches of sound at 32 kHz.

    They are spread over the length that the file states. Where that proves far too long, the sound is read
    again; what lies behind a length that is too short is searched ever more sparsely.
    """
    size, expected, yielded = round(STRETCH * RATE), _stated_seconds(path), set[int]()
    while True:
        every = max(1, round(expected / MOST_SECONDS))
        waiting, number = np.empty((1, 0), np.float32), 0
        for samples in SoundReader(path, bounds, RATE).channel_blocks():
            channels = max(len(waiting), len(samples))
            waiting = np.concatenate((widen(waiting, channels), widen(samples, channels)), axis=1)
            while waiting.shape[1] >= size:
                every = max(every, round(number * STRETCH / (2 * MOST_SECONDS)))
                if number % every == 0 and number not in yielded:
                    yielded.add(number)
                    yield number * STRETCH, waiting[:, :size]
                waiting, number = waiting[:, size:], number + 1
                progress(min(1.0, number * STRETCH / expected) if expected > 0 else 0.0)
        if number % every == 0 and waiting.shape[1] >= _LEAST * RATE and number not in yielded:
            yielded.add(number)
            yield number * STRETCH, waiting
        length = number * STRETCH
        if every == 1 or length >= expected / 2:
            return
        expected = length


def _stated_seconds(path: Path) -> float:
    with open_exhibit(path) as file, open_container(file, None) as container:
        return (container.duration or 0) / av.time_base
