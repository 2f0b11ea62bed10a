"""Whether the second look's heatmaps show what its answers rest on: hidden and scored again.

One face of each manipulated develop clip, in both framings; of each framing the answer that is higher is
explained. The figures are those of the check that every report prints
(:func:`detector.explain.heatmaps.occlusion_check`): by how much the logit falls when the hottest 15 % are
hidden, and when as much is hidden elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detector.explain.heatmaps import heatmap_of, occlusion_check
from detector.faces.crop import CropSquare
from detector.faces.framing import HEAD, INNER
from detector.media.frame import Image
from detector.models.loaded import LoadedModel
from detector.networks.readings import HEADS
from detector.scoring.scorer import Explainable, Scorer, run_in_batches
from detector.training.second_look.examples.crops import plain_crop
from detector.training.second_look.examples.patches import Patch, load

_BATCH = 8
_NAMES = {INNER: "inner face", HEAD: "whole head"}


@dataclass(frozen=True)
class Falls:
    """By how much logits (n,) fall when the hottest part is hidden, and when other parts are."""

    hottest: NDArray[np.float64]
    elsewhere: NDArray[np.float64]

    def __str__(self) -> str:
        share = float(np.mean(self.hottest > self.elsewhere))
        return (
            f"{len(self.hottest)} maps: the logit falls by {self.hottest.mean():.2f} without the hottest "
            f"part, by {self.elsewhere.mean():.2f} without others; by more in {share:.0%}"
        )


def measure_heatmaps(
    out: Path, model: LoadedModel, every: int, report: Callable[[str], None]
) -> dict[str, Falls]:
    """Falls by framing, of every ``every``-th manipulated develop clip whose patches lie below ``out``."""
    chosen = middle_of_fakes(load(out, "clips"))[::every]
    falls = {}
    for framing, name in _NAMES.items():
        checks = [_checked(model, patch, framing) for patch in chosen]
        falls[name] = Falls(*(np.array(side) for side in zip(*checks, strict=True)))
        report(f"{name}, {falls[name]}")
    return falls


def middle_of_fakes(patches: Sequence[Patch]) -> list[Patch]:
    """One patch of each manipulated develop clip, from its middle."""
    by_clip: dict[str, list[Patch]] = {}
    for patch in patches:
        if patch.role == "develop" and patch.fake:
            by_clip.setdefault(patch.file, []).append(patch)
    return [of_clip[len(of_clip) // 2] for _, of_clip in sorted(by_clip.items())]


def _checked(model: LoadedModel, patch: Patch, framing: int) -> tuple[float, float]:
    second = model.second_look
    assert second is not None
    scorer = Scorer(second)
    size = second.card.input.size
    crop = plain_crop(patch, framing, size)
    run = partial(run_in_batches, scorer.backend, batch=_BATCH)
    first = HEADS * framing
    answers = run([crop])[0, first : first + HEADS]
    output = first + int(np.argmax(answers))

    def of_answer(crops: Sequence[Image]) -> NDArray[np.float64]:
        return run(crops)[:, output]

    whole = CropSquare(size / 2, size / 2, size, 0.0)
    face = Explainable(
        crop, whole, second.network, second.card.input, (output,), float(answers.max()), of_answer
    )
    check = occlusion_check(Scorer(model.alone), face, heatmap_of(face), seed=0)
    return check.drop_highlight, check.drop_random
