"""Whether the second look's heatmaps show what its answers rest on: hidden and scored again.

One face of each manipulated develop clip: in both framings the higher answer of the transformer alone, and
the altered half of the fusion, on which it and the scan decide together. The figures are those of the check
that every report prints (:mod:`detector.explain.occlusion_check`): by how much the logit falls when the
hottest 15 % are hidden, and when as much is hidden elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detector.explain.heatmaps import heatmap_of
from detector.explain.occlusion_check import occlusion_check
from detector.faces.crop import CropSquare
from detector.faces.framing import HEAD, INNER
from detector.media.frame import Image
from detector.models.loaded import LoadedModel
from detector.networks.readings import outputs_of
from detector.progress import ReportText
from detector.schema.analysis import HideAndRescore
from detector.scoring.explainable import Explainable, SeenCrop
from detector.scoring.fusion import Fusion
from detector.scoring.scorer import Scorer, run_in_batches
from detector.training.second_look.examples.crops import plain_crop
from detector.training.second_look.examples.patches import Patch, load

MomentLogits = Callable[[Sequence[Sequence[Image]]], NDArray[np.float64]]

_BATCH = 8
_TOGETHER = "inner face, scan and transformer"
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


def measure_heatmaps(out: Path, model: LoadedModel, every: int, report: ReportText) -> dict[str, Falls]:
    """Falls by framing, of every ``every``-th manipulated develop clip whose patches lie below ``out``."""
    chosen = middle_of_fakes(load(out, "clips"))[::every]
    falls = {}
    for framing, name in _NAMES.items():
        falls[name] = _falls([_checked(model, patch, framing) for patch in chosen])
    falls[_TOGETHER] = _falls([_checked_together(model, patch) for patch in chosen])
    for name, fall in falls.items():
        report(f"{name}, {fall}")
    return falls


def middle_of_fakes(patches: Sequence[Patch]) -> list[Patch]:
    """One patch of each manipulated develop clip, from its middle."""
    by_clip: dict[str, list[Patch]] = {}
    for patch in patches:
        if patch.role == "develop" and patch.fake:
            by_clip.setdefault(patch.file, []).append(patch)
    return [of_clip[len(of_clip) // 2] for _, of_clip in sorted(by_clip.items())]


def _falls(checks: Sequence[HideAndRescore]) -> Falls:
    return Falls(
        np.array([check.drop_highlight for check in checks]),
        np.array([check.drop_random for check in checks]),
    )


def _checked(model: LoadedModel, patch: Patch, framing: int) -> HideAndRescore:
    second = model.second_look
    assert second is not None
    scorer = Scorer(second)
    size = second.card.input.size
    crop = plain_crop(patch, framing, size)
    run = partial(run_in_batches, scorer.backend, batch=_BATCH)
    outputs = outputs_of(framing)
    output = outputs[int(np.argmax(run([crop])[0, outputs]))]
    seen = SeenCrop(crop, second.network, second.card.input, output)
    return _check(model, (seen,), lambda changed: run(changed[0])[:, output])


def _checked_together(model: LoadedModel, patch: Patch) -> HideAndRescore:
    scan, second, card = Scorer(model.alone), model.second_look, model.card.second_look
    assert second is not None and card is not None
    fusion, run = Fusion.of(card), partial(run_in_batches, Scorer(second).backend, batch=_BATCH)
    sides = scan.card.input.size, second.card.input.size
    crops = [plain_crop(patch, INNER, side) for side in sides]

    def altered(changed: Sequence[Sequence[Image]]) -> NDArray[np.float64]:
        inputs = np.tile(fusion.neutral, (len(changed[0]), 1))
        inputs[:, 0], inputs[:, 1] = scan.logits(changed[0]), run(changed[1])[:, 0]
        return fusion.altered.logit(inputs)

    seen = (
        SeenCrop(crops[0], scan.network, scan.card.input),
        SeenCrop(crops[1], second.network, second.card.input, 0),
    )
    return _check(model, seen, altered)


def _check(model: LoadedModel, seen: tuple[SeenCrop, ...], logits: MomentLogits) -> HideAndRescore:
    as_it_is = float(logits([[one.crop] for one in seen])[0])
    nowhere = CropSquare(0.0, 0.0, 1.0, 0.0)  # of no frame
    face = Explainable(nowhere, seen, as_it_is, logits)
    return occlusion_check(Scorer(model.alone), face, heatmap_of(face), seed=0)
