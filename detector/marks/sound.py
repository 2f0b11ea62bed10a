"""Read the mark that Chatterbox hides in the sentences it speaks (Perth, by Resemble AI).

The package ``resemble-perth``, extra ``marks``, holds the weights of the network that reads it. Its own code
needs several further packages only to resample and to transform, so the network is rebuilt here. Three stacks
of one-dimensional convolutions see the spectrogram up to 2 kHz at three speeds. One of their two outputs
weighs them, the other is the answer.

The network knows speech only: it takes every third pure tone for the mark. So a stretch carries it where its
answer holds in both halves of the speech, and still does without the steady lines of the spectrum.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
from numpy.typing import NDArray

from detector.errors import MediaError
from detector.media.acceptance import InputLimits, open_exhibit
from detector.media.channels import SILENT, Samples, alike_channels, mix, widen
from detector.media.open import open_container
from detector.progress import EndingReport, ReportShare
from detector.schema.causes.cause import Cause
from detector.schema.causes.declarations import NoteCode
from detector.voice.samples import SoundReader
from detector.voice.speech import FRAME, SPEECH, SpeechFinder

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

RATE = 32_000  # hertz, and the further values of the package's hparams.yaml
_WINDOW, _HOP, _FLOOR = 2048, 320, 1e-9
_BINS = 128  # up to 2 kHz
_HEADROOM = 15.0  # dB
_LOUD = 0.05  # share of the loudest moment from which a moment counts
_SPEEDS = (("slow", 1.25), ("normal", 1.0), ("fast", 0.75))
_WEIGHTS = Path("perth_net", "pretrained", "implicit", "perth_net_250000.pth.tar")
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
            seconds += end - start
            if samples.any():  # a gap is silence
                strength, channels = _strongest_channels(decoder, samples)
                judged.append(HeardStretch(round(start, 3), round(end, 3), strength, channels))
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
    for whole in (samples, _without_lines(samples)):
        for part in (whole, whole[:middle], whole[middle:]):
            strength = min(strength, decoder.strength(part))
            if strength < LEAST_STRENGTH:
                return strength
    return strength


def _without_lines(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return samples (n,) in which no bin of the spectrum is steadily louder than those around it."""
    import torch

    window = torch.hann_window(_WINDOW)
    spectrum = torch.stft(
        torch.from_numpy(samples), _WINDOW, _HOP, window=window, return_complex=True, pad_mode="reflect"
    )
    level = 20 * torch.log10(spectrum.abs().clamp(min=_FLOOR)).numpy()
    steady = np.quantile(level, _LINE_QUANTILE, axis=1)
    padded = np.pad(steady, _AROUND, mode="reflect")
    around = np.median(np.lib.stride_tricks.sliding_window_view(padded, 2 * _AROUND + 1), axis=1)
    over = np.pad(np.maximum(0, steady - around - _LINE_ABOVE), 1)
    over = np.maximum.reduce([over[:-2], over[1:-1], over[2:]])  # a line reaches into both bins beside it
    gain = torch.from_numpy((10 ** (-over / 20)).astype(np.float32))[:, None]
    return torch.istft(spectrum * gain, _WINDOW, _HOP, window=window, length=len(samples)).numpy()


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


def weights_path() -> Path | None:
    """Return the file with the network's weights; None where ``resemble-perth`` is not installed."""
    spec = find_spec("perth")
    folders = spec.submodule_search_locations if spec else None
    paths = [Path(folder) / _WEIGHTS for folder in folders or ()]
    return next((path for path in paths if path.is_file()), None)


class PerthDecoder:
    """The network. Loading takes torch, which is imported only here."""

    def __init__(self, weights: Path) -> None:
        import torch

        state = torch.load(weights, map_location="cpu", weights_only=True)["model"]
        self._layers = {
            speed: [
                (state[f"decoder.{speed}_layers.{number}.conv.weight"],
                 state[f"decoder.{speed}_layers.{number}.conv.bias"])
                for number in range(7)
            ]
            for speed, _ in _SPEEDS
        }  # fmt: skip
        self._window = torch.hann_window(_WINDOW)

    def strength(self, samples: NDArray[np.float32]) -> float:
        """Return how clearly samples (n,) at 32 kHz carry the mark, 0 to 1; 0 for silence."""
        import torch

        with torch.inference_mode():
            return self._strength(torch.from_numpy(samples))

    def _strength(self, samples: torch.Tensor) -> float:
        import torch
        from torch.nn import functional

        spectrum = torch.stft(
            samples, _WINDOW, _HOP, window=self._window, return_complex=True, pad_mode="reflect"
        )
        level = 20 * torch.log10(spectrum.abs().clamp(min=_FLOOR))
        lowest = 20 * np.log10(_FLOOR)
        magnitudes = ((level - lowest) / (_HEADROOM - lowest))[None]  # (1, bins, moments)
        loudness = magnitudes.sum(dim=1)
        mask = (loudness > _LOUD * loudness.max()).float()[:, None]
        if not mask.any():
            return 0.0
        band = magnitudes[:, :_BINS]
        weights, marks = [], []
        for name, speed in _SPEEDS:
            moments = int(band.shape[2] * speed)
            values, valid = band, mask
            if speed != 1:
                values = functional.interpolate(band, size=moments, mode="linear", align_corners=True)
                valid = functional.interpolate(mask, size=moments, mode="nearest")
            for number, (weight, bias) in enumerate(self._layers[name]):
                values = functional.conv1d(values, weight, bias, padding=weight.shape[2] // 2)
                if number < len(self._layers[name]) - 1:
                    values = functional.leaky_relu(values)
            means = (values * valid).sum(dim=2) / valid.sum(dim=2)
            weights.append(means[0, 0])
            marks.append(means[0, 1])
        shares = torch.softmax(torch.stack(weights), dim=0)
        return float((torch.stack(marks) * shares).sum().clamp(0, 1))
