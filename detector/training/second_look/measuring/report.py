"""Figures of a checkpoint on the patches of the develop clips in ``clips``, while training goes on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detector.files import atomic_path, hashed
from detector.models.card import FUSION_INPUTS
from detector.progress import ReportText
from detector.scoring.scorer import Scorer
from detector.training.second_look.examples.patches import Patch, load
from detector.training.second_look.examples.source_probe import clip_covariates, matched_auc
from detector.training.second_look.fitting import fusion
from detector.training.second_look.fitting.inputs import fusion_columns, read_network
from detector.training.second_look.fitting.patch_scores import (
    FAMILIES,
    ClipScores,
    by_clip,
    clip_aucs,
    every_nth_frame,
)


@dataclass(frozen=True)
class Inputs:
    """Where the scores of one checkpoint come from. Of a clip's frames, every ``every``-th is looked at.

    Patches lie below ``out``; scores are kept in ``folder``, since ``weights`` may be those that ship.
    """

    weights: Path
    scorer: Scorer
    out: Path
    folder: Path
    every: int = 1
    architecture: str | None = None

    def patches(self, source: str) -> list[Patch]:
        """Patches of the develop clips."""
        return every_nth_frame([p for p in load(self.out, source) if p.role == "develop"], self.every)

    def clips(self, source: str) -> ClipScores:
        """Inputs (clips, 5) of the fusion; scores of frames are kept."""
        patches = self.patches(source)
        kept = self._scores_path(source)
        if not kept.exists():
            network = read_network(self.weights, self.architecture)
            columns = fusion_columns(network, self.scorer, patches)
            with atomic_path(kept) as temporary, temporary.open("wb") as file:
                np.save(file, columns)
        return by_clip(patches, np.load(kept))

    def _scores_path(self, source: str) -> Path:
        """Named after the weights' bytes too: training goes on and replaces ``best.pt``."""
        digest = hashed(self.weights)[1][:12]
        name = f"{self.weights.stem}-{digest}.{self.scorer.card.name}.{source}-{self.every}.npy"
        return self.folder / name


def report_checkpoint(inputs: Inputs, report: ReportText) -> None:
    """Report AUC by input, fusion and family, and decisions with a fusion fitted on the same patches."""
    clips = inputs.clips("clips")
    for number, name in enumerate(FUSION_INPUTS):
        report(f"{name:20} {clip_aucs(clips, clips.scores[:, number])}")
    fitted = fusion.fit(clips.scores, clips.fake, clips.talking)
    fused = fitted.logit(clips.scores)
    report(f"{'fused, fit on all':20} {clip_aucs(clips, fused)}")
    left_out = fusion.left_out_logits(clips.scores, clips.fake, clips.talking, clips.group)
    report(f"{'fused, left out':20} {clip_aucs(clips, left_out)}")
    for share in (0.03, 0.05, 0.1):
        said = fusion.left_out_decisions(left_out, clips.fake, clips.group, share)
        report(f"left out, threshold for {share:.0%}: {flagged(said, clips.fake)}")
    threshold = fusion.threshold_for(fused, clips.fake)
    report(f"fit on all, threshold {threshold:.3f}: {flagged(fused >= threshold, clips.fake)}")
    _report_extremes(clips, left_out, report)
    _report_matched(inputs.patches("clips"), clips, left_out, report)


def flagged(said: NDArray[np.bool_], fake: NDArray[np.bool_]) -> str:
    """How many of each class are flagged, in words."""
    real = f"{said[~fake].sum()} of {(~fake).sum()} real"
    return f"flagged {real}, {said[fake].sum()} of {fake.sum()} fake"


def _report_extremes(clips: ClipScores, scores: NDArray[np.float64], report: ReportText) -> None:
    """The clips that are judged worst, to be looked at frame by frame."""
    ranked = sorted(zip(scores.round(2).tolist(), clips.files, clips.fake, strict=True), reverse=True)
    report(f"real, highest: {[(file, score) for score, file, fake in ranked if not fake][:8]}")
    report(f"fake, lowest: {[(file, score) for score, file, fake in ranked[::-1] if fake][:14]}")


def _report_matched(
    patches: list[Patch], clips: ClipScores, scores: NDArray[np.float64], report: ReportText
) -> None:
    covariates, of = clip_covariates(patches, clips.files), np.array(clips.family)
    for name, kinds in FAMILIES.items():
        auc = matched_auc(clips.fake, scores, covariates, np.isin(of, kinds))
        report(f"against real clips of like sharpness and size, {name}: {auc:.3f}")
    report(f"{'sharpness alone':20} {clip_aucs(clips, -covariates[:, 0])}")
