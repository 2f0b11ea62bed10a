"""The steps of the command ``python -m training.voice``."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch

from detector.errors import ParameterError
from detector.files import write_atomically
from detector.schema.model import Platt
from detector.voice.model import LoadedVoiceModel
from detector.voice.network import VoiceNetwork
from detector.voice.samples import Samples
from training.voice import measuring
from training.voice.cells import Cells, cells_of
from training.voice.degradations import CHANNELS, Degradation, at_random, telephone_message
from training.voice.encoder import Encoder
from training.voice.heads import PAGES, SHIFTS, STRENGTH, Head, fit_on
from training.voice.measuring import Reached, Thresholds
from training.voice.recordings import FOLDS, Recording, evenly_chosen, folds_of_pages, parted, read_recordings
from training.voice.ship import card_of, ship
from training.voice.splices import Splice, average_precision_of, splices
from training.voice.start import read_start
from training.voice.tuning import RATE, STEPS, tune
from training.voice.whole import confirmed_maps, cost, eight_hours

OF_EACH_CLASS = 100
"""Recordings that are measured after each channel."""
_SENT = 60  # of each class, beside all human ones of role develop, that are sent through a telephone
CHAIN = "random chain"
"""The condition in which all recordings are learned from beside as published."""
MESSAGE = "telephone and message"
"""The condition of human speech that came by telephone and was sent on."""
LEARNT = ("", CHAIN, "telephone band")
"""Conditions that are learned from; the last in some of the recordings."""
SHIFTED = ("telephone band", MESSAGE, "noise at 15 dB")
"""Channels whose effect on features the head shall not hear."""
STEADY = ("Opus 24 kbit/s", "telephone band", MESSAGE)
"""Conditions in which no more human speech may be flagged than without."""
_SPLICES, _MAPS = 40, 24
_TUNED = "tuned.pt"


def prepare(options: argparse.Namespace) -> None:
    """Keep the start's cells in all conditions and the heads of all folds; print what they reach."""
    recordings, conditions = read_recordings(options.data), _cells_of_start(options)
    folds = folds_of_pages(recordings)
    heads = [_fitted(parted(recordings, folds, fold)[0], conditions) for fold in sorted(set(folds.values()))]
    np.savez(
        options.out / "heads.npz",
        weight=np.stack([head.weight for head in heads]),
        bias=np.array([head.bias for head in heads]),
    )
    for name, cells in conditions.items():
        scores = measuring.score(recordings, lambda recording: heads[folds[recording.page]], cells)
        for figure, value in measuring.separation(scores).items():
            print(f"start, six folds, {name or 'as published'}: {figure}: {value:.4g}")


def tune_encoders(options: argparse.Namespace) -> None:
    """Tune encoders and head on all pages; what an earlier run has tuned is kept."""
    torch.set_num_threads(options.threads)
    recordings, conditions = read_recordings(options.data), _cells_of_start(options)
    file = options.out / _TUNED
    if not file.is_file():
        tune(Encoder(_start(options), _fitted(recordings, conditions)), recordings, conditions[""], file)
    _keep(options, "tuning", _what_tuning_changes(options, recordings, conditions[""]))


def measure(options: argparse.Namespace) -> None:
    """Measure each recording by the head of its fold, choose the thresholds, and keep the figures."""
    recordings, conditions = read_recordings(options.data), _cells_of_start(options)
    heads = _heads(options)
    folds = folds_of_pages(recordings)

    def head_of(recording: Recording) -> Head:
        return heads[folds[recording.page]]

    clean = measuring.score(recordings, head_of, conditions[""])
    figures = measuring.separation(clean)
    calibration = measuring.calibrate(clean)
    reached = {
        name: measuring.reached(
            [recording for recording in recordings if recording.name in cells], head_of, cells, calibration
        )
        for name, cells in conditions.items()
        if name != CHAIN
    }
    after = {name: measuring.score(recordings, head_of, conditions[name]) for name in (*CHANNELS, MESSAGE)}
    enter = measuring.threshold(
        [
            reached[""].highest[~clean.synthetic],
            *(reached[name].highest[~after[name].synthetic] for name in STEADY),
        ]
    )
    doubt = measuring.doubt_below(reached[""], enter)
    figures |= _rates(clean.recordings, reached[""], enter, doubt, "")
    figures |= measuring.counts_at_strengths(reached[""], clean.synthetic, enter)
    for name, scores in after.items():
        separated = measuring.separation(scores)
        figures[f"AUC after {name}"] = separated["AUC, all pages together"]
        figures[f"mean AUC inside a page after {name}"] = separated["mean AUC inside a page"]
        figures |= _rates(scores.recordings, reached[name], enter, doubt, f" after {name}")
    thresholds = {"scale": calibration.scale, "offset": calibration.offset, "enter": enter, "doubt": doubt}
    _keep(options, "thresholds", thresholds)
    _keep(options, "separation", figures)


def _rates(
    recordings: Sequence[Recording], reached: Reached, enter: float, doubt: float, where: str
) -> dict[str, float]:
    flagged = reached.highest >= enter
    synthetic = np.array([recording.synthetic for recording in recordings])
    newer = np.array([recording.system in measuring.NEWER for recording in recordings])
    return {
        f"human recordings flagged{where}": float(flagged[~synthetic].mean()),
        f"synthetic recordings found{where}": float(flagged[synthetic].mean()),
        f"those of systems of 2022 and later found{where}": float(flagged[newer].mean()),
        f"recordings inconclusive{where}": float(np.mean(~flagged & (reached.overall >= doubt))),
    }


def _what_tuning_changes(
    options: argparse.Namespace, recordings: Sequence[Recording], cells: Mapping[str, Cells]
) -> dict[str, float]:
    """Return what the heads of the folds reach on the start, and on the encoders that were tuned."""
    chosen, folds, heads = (
        evenly_chosen(recordings, OF_EACH_CLASS),
        folds_of_pages(recordings),
        _heads(options),
    )
    tuned = cells_of(chosen, _network(_tuned(options).tensors()[0]), None, options.out / "tuned-chosen.npz")
    figures = {}
    for name, heard in (("before tuning", cells), ("tuned", tuned)):
        scores = measuring.score(chosen, lambda recording: heads[folds[recording.page]], heard)
        pooled = measuring.separation(scores)["AUC, all pages together"]
        figures[f"{len(chosen)} recordings, encoders {name}: AUC, all pages together"] = pooled
    return figures


def splice(options: argparse.Namespace) -> None:
    """Measure synthetic stretches in human speech, each by the network of its fold."""
    recordings = read_recordings(options.data)
    folds, model_of = folds_of_pages(recordings), _models(options)
    made: list[tuple[Splice, LoadedVoiceModel]] = []
    for fold in sorted(set(folds.values())):
        own = [recording for recording in recordings if folds[recording.page] == fold]
        made += [(joined, model_of(fold)) for joined in splices(own, _SPLICES // FOLDS)]
    _keep(options, "splices", average_precision_of(made))


def explain(options: argparse.Namespace) -> None:
    """Measure how many maps their check confirms."""
    recordings = read_recordings(options.data)
    folds, model_of = folds_of_pages(recordings), _models(options)
    chosen = evenly_chosen(recordings, OF_EACH_CLASS)
    _keep(options, "maps", confirmed_maps(chosen, lambda recording: model_of(folds[recording.page]), _MAPS))


def weigh(options: argparse.Namespace) -> None:
    """Measure seconds and memory with the tuned network."""
    recordings = evenly_chosen(read_recordings(options.data), OF_EACH_CLASS)
    tensors, head = _tuned(options).tensors()
    model = LoadedVoiceModel(card_of(_thresholds(options), {}, {}), _network(tensors, head))
    _keep(options, "cost", cost(recordings, model, options.out) | eight_hours(recordings, model, options.out))


def ship_model(options: argparse.Namespace) -> None:
    """Write weights and card: the tuned encoders, a head that is fitted to all pages, and the figures."""
    figures: dict[str, float] = {}
    for part in ("separation", "tuning", "splices", "maps", "cost"):
        figures |= _kept(options, part)
    recipe = {"steps": STEPS, "rate": RATE, "strength": STRENGTH, "pages": PAGES, "shifts": SHIFTS}
    head = _fitted(read_recordings(options.data), _cells_of_start(options))
    card = ship(_tuned(options).tensors()[0], head, card_of(_thresholds(options), figures, recipe))
    print(f"models/voice/{card.name}: {card.sha256}")


def _heads(options: argparse.Namespace) -> list[Head]:
    """Return the heads of the folds."""
    stored = np.load(options.out / "heads.npz")
    return [Head(weight, float(bias)) for weight, bias in zip(stored["weight"], stored["bias"], strict=True)]


def _models(options: argparse.Namespace) -> Callable[[int], LoadedVoiceModel]:
    """Return a function that gives the network of a fold: the start with the fold's head."""
    heads, tensors = _heads(options), _start(options)
    card = card_of(_thresholds(options), {}, {})
    return cache(lambda fold: LoadedVoiceModel(card, _network(tensors, heads[fold])))


def _cells_of_start(options: argparse.Namespace) -> dict[str, dict[str, Cells]]:
    """Return the start's cells; the condition "" is that of the recordings as published."""
    recordings, network = read_recordings(options.data), _network(_start(options))
    chosen = evenly_chosen(recordings, OF_EACH_CLASS)
    conditions = {
        "": cells_of(recordings, network, None, options.out / "start-clean.npz"),
        CHAIN: cells_of(recordings, network, at_random, options.out / "start-chain.npz"),
    }
    for number, (name, change) in enumerate(CHANNELS.items()):
        file = options.out / f"start-channel{number}.npz"
        conditions[name] = cells_of(chosen, network, partial(_without_chance, change), file)
    chosen = evenly_chosen(recordings, _SENT)
    sent = [r for r in recordings if r in chosen or (r.role == "develop" and not r.synthetic)]
    conditions[MESSAGE] = cells_of(sent, network, telephone_message, options.out / "start-pairs.npz")
    return conditions


def _fitted(recordings: Sequence[Recording], conditions: Mapping[str, Mapping[str, Cells]]) -> Head:
    """Return the head of ``recordings``, from the start's cells in all conditions."""
    return fit_on(recordings, [conditions[name] for name in LEARNT], [conditions[name] for name in SHIFTED])


def _without_chance(change: Degradation, samples: Samples, _rng: np.random.Generator) -> Samples:
    return change(samples)


def _start(options: argparse.Namespace) -> dict[str, np.ndarray]:
    return read_start(sorted(options.start.glob("*.whl")))


def _network(tensors: Mapping[str, np.ndarray], head: Head | None = None) -> VoiceNetwork:
    weight, bias = (np.zeros(1), 0.0) if head is None else (head.weight, head.bias)
    return VoiceNetwork({**tensors, "head.weight": weight, "head.bias": np.array([bias])})


def _tuned(options: argparse.Namespace) -> Encoder:
    path: Path = options.out / _TUNED
    if not path.is_file():
        raise ParameterError(f"{path} is missing. Run the step `tune` first.")
    arrays = {name: tensor.numpy() for name, tensor in torch.load(path, weights_only=True).items()}
    weight, bias = arrays.pop("head.weight")[0], float(arrays.pop("head.bias")[0])
    return Encoder(arrays, Head(weight.astype(np.float64), bias)).eval()


def _thresholds(options: argparse.Namespace) -> Thresholds:
    kept = _kept(options, "thresholds")
    return Thresholds(Platt(scale=kept["scale"], offset=kept["offset"]), kept["enter"], kept["doubt"])


def _keep(options: argparse.Namespace, part: str, figures: Mapping[str, float]) -> None:
    """Print the figures and keep them for the card."""
    for name, value in figures.items():
        print(f"{name}: {value:.4g}")
    write_atomically(options.out / f"{part}.json", (json.dumps(dict(figures), indent=2) + "\n").encode())


def _kept(options: argparse.Namespace, part: str) -> dict[str, float]:
    path: Path = options.out / f"{part}.json"
    if not path.is_file():
        raise ParameterError(f"{path} is missing. Run all steps before `ship` first.")
    kept: dict[str, float] = json.loads(path.read_text())
    return kept
