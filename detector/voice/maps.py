"""Explain windows: which parts of the spectrogram raise the score, checked by hiding them.

Tokens of the network span all frequencies, so gradients at its layers (Grad-CAM) tell time alone. Time *and*
frequency come from occlusion (Zeiler and Fergus, 2014): each part is replaced by the noise floor in turn.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.explain.overlays import heat_colours, write_png
from detector.schema.voice import VoiceCheck, VoicePeak
from detector.voice.graphs import BINS, MELS
from detector.voice.model import LoadedVoiceModel
from detector.voice.network import CELL, CELLS_AT_ONCE, Floats, Spectra, mel_filters, power_spectrum, spectra
from detector.voice.outline import spectrum_levels
from detector.voice.samples import RATE, Samples
from detector.voice.windows import Window

BANDS = 5
"""Parts of the spectrogram from bottom to top; from left to right it has one for each second."""
_PART_CELLS = 2  # the cells of a part; each further part costs a run of both encoders
_BAND = MELS // BANDS
HIDDEN = 1 / 8
"""Share of the spectrogram that the check hides."""
RANDOM_AREAS = 8
LEAST_MARGIN = 0.5
"""Of the logit, by which hiding the hottest area must exceed random ones; where these spread, twice their
standard deviation."""
_FLOOR = 0.05  # quantile of a band over time that counts as the noise floor
_FRAMES = CELL // 160  # of a cell
_AT_ONCE = 8
_SIZE = 800, 320  # px
_OPACITY = 0.8


@dataclass(frozen=True)
class VoiceMap:
    """The map (5, seconds) of a window, low frequencies first, in units of the logit, and its check."""

    window: Window
    samples: Samples
    probability: float
    heat: Floats
    check: VoiceCheck


def explain_window(
    model: LoadedVoiceModel, window: Window, samples: Samples, shares: Floats, seed: int, lowered: float = 0.0
) -> VoiceMap:
    """Compute and check the map of a ``window``, of the score that is published for it.

    ``shares`` are those of speech in its cells; its logit is ``lowered`` as in the scores.
    """
    count_of_cells = min(CELLS_AT_ONCE, len(samples) // CELL)
    samples, shares = samples[: count_of_cells * CELL], shares[:count_of_cells]
    sound = spectra(samples)

    def raw_score(cells: Floats) -> float:
        whole = model.network.logit(cells, shares)
        if window.inner is None:
            return whole
        return (whole + model.network.logit(cells[window.inner], shares[window.inner])) / 2

    def logits(hidden: list[NDArray[np.bool_]]) -> Floats:
        out: list[float] = []
        for first in range(0, len(hidden), _AT_ONCE):
            changed = [_hide(sound, mask) for mask in hidden[first : first + _AT_ONCE]]
            out += [model.logit(raw_score(cells)) - lowered for cells in model.network.cells(changed)]
        return np.array(out, np.float32)

    none = np.zeros((BANDS, -(-count_of_cells // _PART_CELLS)), bool)
    single = []
    for place in range(none.size):
        single.append(none.copy())
        single[-1].flat[place] = True
    before, *after = logits([none, *single])
    drops = (before - np.array(after, np.float32)).reshape(none.shape)
    count = max(1, round(HIDDEN * none.size))
    hottest = none.copy()
    hottest.flat[np.argsort(-drops, axis=None, kind="stable")[:count]] = True
    rng = np.random.default_rng(seed)
    areas = []
    for _ in range(RANDOM_AREAS):
        areas.append(none.copy())
        areas[-1].flat[rng.choice(none.size, count, replace=False)] = True
    highlight, *random = logits([hottest, *areas])
    probability = float(_sigmoid(before))
    check = VoiceCheck(
        area=count / none.size,
        probability=probability,
        hidden_highlight=float(_sigmoid(highlight)),
        hidden_random=float(np.mean(_sigmoid(np.array(random)))),
        drop_highlight=float(before - highlight),
        drop_random=float(before - np.mean(random)),
        areas=RANDOM_AREAS,
        margin=max(LEAST_MARGIN, 2 * float(np.std(random))),
    )
    # As in maps of faces, parts that raise the score no more than the average have no colour.
    return VoiceMap(window, samples, probability, np.maximum(drops - max(0.0, float(drops.mean())), 0), check)


def _hide(sound: Spectra, mask: NDArray[np.bool_]) -> Spectra:
    """Replace the parts of ``mask`` (5, seconds) by the noise floor in both spectra; phases are kept."""
    in_time = np.repeat(mask, _PART_CELLS * _FRAMES, axis=1)[:, : sound.mel.shape[1]]
    floor = np.quantile(sound.mel, _FLOOR, axis=1, keepdims=True)
    magnitude = np.hypot(*sound.compressed)
    gain = np.quantile(magnitude, _FLOOR, axis=1, keepdims=True) / np.maximum(magnitude, 1e-6)
    bands = (np.interp(np.linspace(0, RATE / 2, BINS), *_mel_scale()) / _BAND).astype(int)
    return Spectra(
        mel=np.where(np.repeat(in_time, _BAND, axis=0), floor, sound.mel),
        compressed=np.where(in_time[bands], sound.compressed * gain, sound.compressed),
    )


def draw_peak(explained: VoiceMap, name: str, full: float, start: float, images: Path | None) -> VoicePeak:
    """Return the published peak, with pictures below ``images``; ``full`` is the top of the shared scale.

    ``start`` is the time of the recording's first sample.
    """
    window, paths = explained.window, (f"overlays/{name}-spectrogram.png", f"overlays/{name}.png")
    if images is not None:
        (images / "overlays").mkdir(parents=True, exist_ok=True)
        power = power_spectrum(explained.samples)
        decibels = 10 * np.log10(np.maximum(power, 1e-10))
        grey = cv2.resize(
            spectrum_levels(decibels, float(decibels.max())), _SIZE, interpolation=cv2.INTER_AREA
        )
        picture = np.dstack([grey] * 3)
        write_png(images / paths[0], picture)
        heat = _on_hertz(explained.heat / full)
        weight = _OPACITY * np.sqrt(heat)[..., None]
        colours = heat_colours((255 * heat + 0.5).astype(np.uint8))
        write_png(images / paths[1], (picture * (1 - weight) + colours * weight + 0.5).astype(np.uint8))
    return VoicePeak(
        time=start + window.middle,
        start=start + window.start,
        end=start + window.start + len(explained.samples) / RATE,
        probability=explained.probability,
        spectrogram=paths[0] if images is not None else None,
        overlay=paths[1] if images is not None else None,
        heat=min(1.0, float(explained.heat.max()) / full),
        check=explained.check,
    )


def _on_hertz(heat: Floats) -> Floats:
    """Return the map at the size of the picture, whose rows are equal steps of hertz, highest first."""
    rows = np.interp(np.linspace(RATE / 2, 0, _SIZE[1]), *_mel_scale()) / _BAND
    smooth = cv2.resize(heat, (_SIZE[0], 16 * BANDS), interpolation=cv2.INTER_CUBIC)
    chosen = smooth[np.clip((16 * rows).astype(int), 0, 16 * BANDS - 1)]
    return np.clip(chosen, 0, 1).astype(np.float32)


def _mel_scale() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the middle of each mel band that is used, Hz, and the number of the band."""
    hertz = np.linspace(0, RATE / 2, mel_filters().shape[1])
    centres = (mel_filters() @ hertz) / np.maximum(mel_filters().sum(axis=1), 1e-9)
    used = np.flatnonzero(centres > 0)
    return centres[used], used


def _sigmoid(logits: Floats | float) -> Floats:
    out: Floats = (1 / (1 + np.exp(-np.asarray(logits, np.float64)))).astype(np.float32)
    return out
