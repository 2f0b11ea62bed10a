"""The steps of the command ``python -m training.voice``."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
import torch

from detector.errors import ParameterError
from detector.schema.model import Platt
from detector.voice.network import VoiceNetwork
from detector.voice.samples import Samples
from training.voice import measuring
from training.voice.cells import Cells, cells_of
from training.voice.degradations import CHANNELS, Degradation
from training.voice.heads import STRENGTH, Head, fit_on
from training.voice.recordings import Recording, folds_of_pages, read_recordings
from training.voice.ship import ship
from training.voice.start import read_start
from training.voice.tuning import RATE, STEPS, Encoder, tune

LEFT_OUT = frozenset(
    {
        "Azure-Samples/cognitive-services-speech-sdk", "alphacep/vosk-api", "coqui-ai/TTS", "gemelo-ai/vocos",
        "grad-tts/grad-tts.github.io", "howard1337/S2VC", "jasonppy/VoiceCraft_web",
        "naturalspeech2/naturalspeech2.github.io", "neonbjb/tortoise-tts", "shivammehta25/Matcha-TTS",
        "speechbot/speechbot.github.io", "styletts2/styletts2.github.io", "yistLin/FragmentVC",
    }
)  # fmt: skip
"""Pages from which nothing is learned: a third of the recordings, on which the frozen start did worst."""


def prepare(options: argparse.Namespace) -> None:
    """Keep the cells of the start, and print what its frozen encoder reaches with each fold left out."""
    recordings, cells = read_recordings(options.data), _cells_of_start(options)
    folds = folds_of_pages(recordings)
    raw: dict[str, float] = {}
    for fold in sorted(set(folds.values())):
        head = fit_on([recording for recording in recordings if folds[recording.page] != fold], [cells])
        own = [recording for recording in recordings if folds[recording.page] == fold]
        scores = measuring.score(own, head, cells)
        raw |= dict(zip((recording.name for recording in scores.recordings), scores.raw, strict=True))
    scores = measuring.Scores(recordings, np.array([raw[recording.name] for recording in recordings]))
    for name, value in measuring.separation(scores).items():
        print(f"frozen start, six folds: {name}: {value:.4g}")


def tune_encoder(options: argparse.Namespace) -> None:
    """Tune the encoder and its head on all pages but those left out."""
    torch.set_num_threads(options.threads)
    kept, _ = _parted(options)
    cells = _cells_of_start(options)
    start = Encoder(read_start(sorted(options.start.glob("*.whl"))), fit_on(kept, [cells]))
    tune(start, kept, cells, options.out / "tuned.pt")


def measure(options: argparse.Namespace) -> tuple[dict[str, float], Platt, float]:
    """Print the figures of the pages left out; return them with calibration and threshold."""
    _, left_out = _parted(options)
    tensors, head = _tuned(options).tensors()
    network = _network(tensors)
    by_condition = {"": cells_of(left_out, network, None, options.out / "tuned-clean.npz")}
    for number, (name, change) in enumerate(CHANNELS.items()):
        file = options.out / f"tuned-channel{number}.npz"
        by_condition[name] = cells_of(left_out, network, partial(_without_chance, change), file)
    figures, calibration, enter = figures_of(left_out, head, by_condition)
    for name, value in figures.items():
        print(f"{name}: {value:.4g}")
    return figures, calibration, enter


def figures_of(
    recordings: list[Recording], head: Head, by_condition: Mapping[str, Mapping[str, Cells]]
) -> tuple[dict[str, float], Platt, float]:
    """Return figures, calibration and threshold; the condition "" is that of the recordings as published."""
    clean = by_condition[""]
    scores = measuring.score(recordings, head, clean)
    figures = measuring.separation(scores)
    calibration = measuring.calibrate(scores)
    highest = measuring.highest_smoothed(scores.recordings, head, clean, calibration)
    enter = measuring.threshold(highest[~scores.synthetic])
    figures["human recordings flagged"] = float(np.mean(highest[~scores.synthetic] >= enter))
    figures["synthetic recordings found"] = float(np.mean(highest[scores.synthetic] >= enter))
    for name, cells in by_condition.items():
        if name:
            changed = measuring.score(recordings, head, cells)
            name = f"{name}, {len(changed.recordings)} recordings"
            figures[f"AUC after {name}"] = measuring.separation(changed)["AUC, all pages together"]
            reached = measuring.highest_smoothed(changed.recordings, head, cells, calibration)
            flagged = float(np.mean(reached[~changed.synthetic] >= enter))
            figures[f"human recordings flagged after {name}"] = flagged
    return figures, calibration, enter


def _without_chance(change: Degradation, samples: Samples, _rng: np.random.Generator) -> Samples:
    return change(samples)


def ship_model(options: argparse.Namespace) -> None:
    """Measure, and write weights and card."""
    figures, calibration, enter = measure(options)
    recipe = {"steps": STEPS, "rate": RATE, "strength of the first head": STRENGTH}
    card = ship(*_tuned(options).tensors(), calibration, enter, figures, recipe)
    print(f"models/voice/{card.name}: {card.sha256}")


def _parted(options: argparse.Namespace) -> tuple[list[Recording], list[Recording]]:
    """Return the recordings to learn from, and those of the pages left out."""
    recordings = read_recordings(options.data)
    kept = [recording for recording in recordings if recording.page not in LEFT_OUT]
    return kept, [recording for recording in recordings if recording.page in LEFT_OUT]


def _cells_of_start(options: argparse.Namespace) -> dict[str, Cells]:
    network = _network(read_start(sorted(options.start.glob("*.whl"))))
    return cells_of(read_recordings(options.data), network, None, options.out / "start-clean.npz")


def _network(tensors: Mapping[str, np.ndarray]) -> VoiceNetwork:
    nothing = {"head.weight": np.zeros(1), "head.bias": np.zeros(1)}
    return VoiceNetwork({**tensors, **nothing})


def _tuned(options: argparse.Namespace) -> Encoder:
    path: Path = options.out / "tuned.pt"
    if not path.is_file():
        raise ParameterError(f"{path} is missing. Run the step `tune` first.")
    arrays = {name: tensor.numpy() for name, tensor in torch.load(path, weights_only=True).items()}
    weight, bias = arrays.pop("head.weight")[0], float(arrays.pop("head.bias")[0])
    return Encoder(arrays, Head(weight.astype(np.float64), bias)).eval()
