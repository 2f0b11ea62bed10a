"""Stability: score the same moments in other views, shifted, re-encoded and with a little noise."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence

import av
import numpy as np

from detector.voice.model import LoadedVoiceModel
from detector.voice.network import CELL, Floats, spectra
from detector.voice.samples import RATE, Samples
from detector.voice.speech import SpeechFinder, share_in_cells

MARGIN = 0.25
"""Seconds that are read before and after a window, by which views may be shifted."""
_NOISE = 10 ** (-30 / 20)  # of the speech: 30 dB below it
_AAC = 48_000  # bit/s, as in many videos of social networks
_SHIFT = int(MARGIN * RATE)


def _original(samples: Samples) -> Samples:
    return samples[_SHIFT:-_SHIFT]


def _earlier(samples: Samples) -> Samples:
    return samples[: -2 * _SHIFT]


def _later(samples: Samples) -> Samples:
    return samples[2 * _SHIFT :]


def _noisy(samples: Samples) -> Samples:
    noise = np.random.default_rng(0).standard_normal(len(samples)).astype(np.float32)
    noisy: Samples = samples + noise * np.float32(_NOISE * np.sqrt(np.mean(samples**2)))
    return _original(noisy)


def _reencoded(samples: Samples) -> Samples:
    return _original(through_aac(samples, _AAC))


VIEWS: tuple[Callable[[Samples], Samples], ...] = (_original, _earlier, _later, _noisy, _reencoded)


def share_of_views(model: LoadedVoiceModel, stretches: Sequence[Samples]) -> float | None:
    """Return the share of views in which the mean score is on the same side of the threshold as originally.

    ``stretches`` are windows with :data:`MARGIN` on both sides. None if they contain no speech.
    """
    original, *others = (mean_logit(model, [view(samples) for samples in stretches]) for view in VIEWS)
    if original is None:
        return None
    side = original >= model.threshold
    agreeing = [other is not None and (other >= model.threshold) == side for other in others]
    return sum(agreeing) / len(agreeing)


def mean_logit(model: LoadedVoiceModel, windows: Sequence[Samples]) -> float | None:
    """Return the mean calibrated logit of ``windows`` that contain speech; None if none does."""
    logits = []
    for samples in windows:
        cells, shares = encode_window(model, samples)
        if shares.any():
            logits.append(model.logit(model.network.logit(cells[shares > 0], shares[shares > 0])))
    return float(np.mean(logits)) if logits else None


def encode_window(model: LoadedVoiceModel, samples: Samples) -> tuple[Floats, Floats]:
    """Return the cells of at most 4 s of sound, and the share of speech in each."""
    count = len(samples) // CELL
    samples = samples[: count * CELL]
    if not count:
        return np.zeros((0, 2, 1), np.float32), np.zeros(0, np.float32)
    shares = share_in_cells(SpeechFinder()(samples), CELL, count)
    return model.network.cells([spectra(samples)])[0], shares


def through_aac(samples: Samples, bit_rate: int) -> Samples:
    """Encode and decode ``samples`` as AAC; as long as before, and aligned."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as out:
        stream = out.add_stream("aac", rate=RATE, layout="mono")
        stream.bit_rate = bit_rate
        frame = av.AudioFrame.from_ndarray(np.clip(samples, -1, 1)[None].astype(np.float32), "fltp", "mono")
        frame.sample_rate, frame.pts = RATE, 0
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    file.seek(0)
    with av.open(file) as again:
        parts = [frame.to_ndarray()[0] for frame in again.decode(audio=0)]
    decoded = np.concatenate(parts)[: len(samples)]
    out_samples: Samples = np.pad(decoded, (0, len(samples) - len(decoded))).astype(np.float32)
    return out_samples
