"""Tune both encoders throughout, together with their head, on pairs of one page."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from detector.files import atomic_path
from detector.voice.network import CELL, Spectra, spectra
from detector.voice.samples import Samples
from training.loop import Loop, cosine, train
from training.voice.cells import Cells
from training.voice.degradations import colour, low_pass, noise, telephone
from training.voice.encoder import Encoder
from training.voice.recordings import Recording

STEPS, RATE = 24, 2e-5
PAIRS = 4  # a step
CELLS = 4  # of each example: 2 s
_WARM_UP = 5
_KEPT = 0.5  # of the start in the weights that ship
_SOFT = 0.02  # targets are this far from 0 and 1
_RANKING = 0.5  # weight of the loss that compares the two of a page
_HEAD_FASTER = 3.0

report_line = partial(print, flush=True)


def tune(
    start: Encoder,
    recordings: Sequence[Recording],
    cells: Mapping[str, Cells],
    weights: Path,
    steps: int = STEPS,
) -> Encoder:
    """Tune ``start`` on ``recordings``, whose shares of speech are in ``cells``; keep it in ``weights``.

    Each step takes pairs of a human and a synthetic recording of one page, so that what the page has in
    common teaches nothing. The mean of the weights before and after is kept.
    """
    torch.manual_seed(1)
    rng = np.random.default_rng(1)
    pages: dict[str, tuple[list[Recording], list[Recording]]] = defaultdict(lambda: ([], []))
    for recording in recordings:
        if cells[recording.name].cleaned().sum() >= 2:
            pages[recording.page][recording.synthetic].append(recording)
    both = [pair for pair in pages.values() if all(pair)]
    chance = np.array([min(2 * len(human), len(synthetic)) ** 0.5 for human, synthetic in both])
    before = {name: tensor.clone() for name, tensor in start.state_dict().items()}
    head = set(start.head.parameters())
    groups = [
        {"params": [p for p in start.parameters() if p not in head], "peak": RATE},
        {"params": list(head), "peak": _HEAD_FASTER * RATE},
    ]
    loop = Loop(groups, cosine(steps, _WARM_UP), clip_norm=1.0, clipped=start.parameters(), random=rng)

    def losses() -> Iterator[torch.Tensor]:
        while loop.step < steps:
            examples = []
            for pair in (both[i] for i in rng.choice(len(both), PAIRS, p=chance / chance.sum())):
                for of_class in pair:
                    recording = of_class[rng.integers(len(of_class))]
                    examples.append(_example(recording, cells[recording.name], rng))
            sounds, shares = zip(*examples, strict=True)
            scores = start(
                torch.from_numpy(np.stack([sound.mel for sound in sounds])),
                torch.from_numpy(np.stack([sound.compressed for sound in sounds])),
                torch.from_numpy(np.stack(shares)),
            )
            wanted = torch.tensor([0.0, 1.0] * PAIRS) * (1 - 2 * _SOFT) + _SOFT
            ranking = F.softplus(scores[0::2] - scores[1::2]).mean()
            yield F.binary_cross_entropy_with_logits(scores, wanted) + _RANKING * ranking

    names = sorted(recording.name for recording in recordings)
    unfinished = weights.with_suffix(".checkpoint.pt")
    train(loop, losses, {"encoder": start}, unfinished, steps, report_line, names)
    after = start.state_dict()
    start.load_state_dict(
        {name: _KEPT * before[name] + (1 - _KEPT) * tensor for name, tensor in after.items()}
    )
    with atomic_path(weights) as temporary:
        torch.save(start.state_dict(), temporary)
    unfinished.unlink()
    return start


def _example(recording: Recording, own: Cells, rng: np.random.Generator) -> tuple[Spectra, np.ndarray]:
    """Return spectra and shares of speech (4,) of a random stretch of 2 s, every other one changed."""
    samples, shares = recording.samples(), own.cleaned()
    places = [i for i in range(max(1, len(shares) - CELLS + 1)) if shares[i : i + CELLS].sum() >= 1]
    first = int(rng.choice(places)) if places else 0
    if rng.random() < 0.5:
        samples = _changed(samples, rng)
    part = samples[first * CELL : (first + CELLS) * CELL]
    part = np.pad(part, (0, CELLS * CELL - len(part)))
    weights = np.zeros(CELLS, np.float32)
    weights[: len(shares[first : first + CELLS])] = shares[first : first + CELLS]
    return spectra(part), weights if weights.any() else np.ones_like(weights)


def _changed(samples: Samples, rng: np.random.Generator) -> Samples:
    if rng.random() < 0.5:
        samples = colour(samples, rng)
    drawn = rng.random()
    if drawn < 0.3:
        return noise(samples, rng.uniform(10, 35), float(rng.choice([0.0, 0.5, 1.0])), rng)
    if drawn < 0.45:
        return telephone(samples)
    return low_pass(samples, rng.uniform(3400, 7500)) if drawn < 0.6 else samples
