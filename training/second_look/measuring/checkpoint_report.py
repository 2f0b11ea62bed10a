"""Figures of a checkpoint on the develop clips while training goes on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detector.files import atomic_path, hash_file
from detector.models.card import FUSION_INPUTS
from detector.progress import ReportText
from detector.scoring.scorer import Scorer
from training.second_look.examples.patches import Patch, load
from training.second_look.fitting import fusion
from training.second_look.fitting.patch_scores import (
    ClipScores,
    by_clip,
    clip_aucs,
    every_nth_frame,
    fusion_columns,
    read_network,
)


@dataclass(frozen=True)
class Inputs:
    """Scores of a checkpoint on every ``every``-th frame of the develop clips.

    Patches lie below ``out``; scores are stored in ``folder``, since ``weights`` may be the shipped ones.
    """

    weights: Path
    scorer: Scorer
    out: Path
    folder: Path
    every: int = 1
    architecture: str | None = None

    def patches(self, source: str) -> list[Patch]:
        """Return the patches of the develop clips."""
        return every_nth_frame([p for p in load(self.out, source) if p.role == "develop"], self.every)

    def clips(self, source: str) -> ClipScores:
        """Return the inputs (clips, 5) of the fusion; scores of frames are stored."""
        patches = self.patches(source)
        kept = self._scores_path(source)
        if not kept.exists():
            network = read_network(self.weights, self.architecture)
            columns = fusion_columns(network, self.scorer, patches)
            with atomic_path(kept) as temporary, temporary.open("wb") as file:
                np.save(file, columns)
        return by_clip(patches, np.load(kept))

    def _scores_path(self, source: str) -> Path:
        """Name the file after the weights' bytes too, because training replaces ``best.pt``."""
        digest = hash_file(self.weights)[1][:12]
        name = f"{self.weights.stem}-{digest}.{self.scorer.card.name}.{source}-{self.every}.npy"
        return self.folder / name


def report_checkpoint(inputs: Inputs, report: ReportText) -> None:
    """Report AUC by input and family, and of a fusion fitted on the same patches."""
    clips = inputs.clips("clips")
    for number, name in enumerate(FUSION_INPUTS):
        report(f"{name:20} {clip_aucs(clips, clips.scores[:, number])}")
    fitted = fusion.fit(clips.scores, clips.fake, clips.talking)
    fused = fitted.logit(clips.scores)
    report(f"{'fused, fit on all':20} {clip_aucs(clips, fused)}")
    _report_extremes(clips, fused, report)


def _report_extremes(clips: ClipScores, scores: NDArray[np.float64], report: ReportText) -> None:
    """Report the clips judged worst, for inspection frame by frame."""
    ranked = sorted(zip(scores.round(2).tolist(), clips.files, clips.fake, strict=True), reverse=True)
    report(f"real, highest: {[(file, score) for score, file, fake in ranked if not fake][:8]}")
    report(f"fake, lowest: {[(file, score) for score, file, fake in ranked[::-1] if fake][:14]}")
