"""Figures of a checkpoint on the develop clips while training goes on, with checks against label leakage."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.faces.crop import INNER
from detector.files import atomic_path, hash_file
from detector.media.frame import Image
from detector.models.card import FUSION_INPUTS
from detector.progress import ReportText
from detector.scoring.scorer import Scorer
from training.second_look.examples.patches import Patch, load
from training.second_look.examples.sampling import plain_crop, square_of
from training.second_look.fitting import fusion
from training.second_look.fitting.patch_scores import (
    FAMILIES,
    ClipScores,
    by_clip,
    clip_aucs,
    every_nth_frame,
    fusion_columns,
    read_network,
)

_SIZE = 168
_FOLDS = 5
_NEAREST = 6  # unmanipulated clips that a fake is ranked against
_COUNT, _SEED = 240, 5  # patches of each source


def numbers(crop: Image, native: float | None = None) -> list[float]:
    """Return sharpness at three scales, contrast, brightness, saturation, JPEG bytes, and native side."""
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32)
    out = []
    for _ in range(3):
        out.append(float(np.log(cv2.Laplacian(grey, cv2.CV_32F).var() + 1)))
        grey = cv2.resize(grey, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    out += [float(grey.std()), float(grey.mean()), float(np.ptp(crop.astype(np.int16), axis=2).mean())]
    out.append(float(np.log(len(cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, 90])[1]))))
    return out if native is None else [*out, float(np.log(native))]


def clip_covariates(patches: Sequence[Patch], files: Sequence[str]) -> NDArray[np.float64]:
    """Return sharpness and log face size of each clip, as medians over its patches."""
    by_file: dict[str, list[list[float]]] = defaultdict(list)
    for patch in patches:
        sharpness = numbers(plain_crop(patch, INNER, 128))[0]
        by_file[patch.file].append([sharpness, float(np.log(square_of(patch, INNER).side / patch.scale))])
    return np.array([np.median(by_file[file], axis=0) for file in files])


def matched_auc(
    fake: NDArray[np.bool_],
    score: NDArray[np.float64],
    covariates: NDArray[np.float64],
    kept: NDArray[np.bool_],
) -> float:
    """Return the AUC of the ``kept`` fakes, each against the six nearest real ones in ``covariates``."""
    z = (covariates - covariates.mean(axis=0)) / covariates.std(axis=0)
    reals = np.flatnonzero(~fake)
    out = []
    for index in np.flatnonzero(fake & kept):
        close = reals[np.argsort(((z[reals] - z[index]) ** 2).sum(axis=1))[:_NEAREST]]
        out.append(np.mean((score[index] > score[close]) + 0.5 * (score[index] == score[close])))
    return float(np.mean(out))


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
    """Report AUC by input, fusion and family, and decisions with a fusion fitted on the same patches."""
    clips = inputs.clips("clips")
    for number, name in enumerate(FUSION_INPUTS):
        report(f"{name:20} {clip_aucs(clips, clips.scores[:, number])}")
    fitted = fusion.fit(clips.scores, clips.fake, clips.talking)
    fused = fitted.logit(clips.scores)
    report(f"{'fused, fit on all':20} {clip_aucs(clips, fused)}")
    for share in (0.03, 0.05, 0.1):
        decisions = fusion.left_out_decisions(fused, clips.fake, clips.group, share)
        report(f"left out, threshold for {share:.0%}: {describe_flagged(decisions, clips.fake)}")
    _report_extremes(clips, fused, report)
    _report_matched(inputs.patches("clips"), clips, fused, report)


def describe_flagged(said: NDArray[np.bool_], fake: NDArray[np.bool_]) -> str:
    """Describe how many of each class are flagged."""
    real = f"{said[~fake].sum()} of {(~fake).sum()} real"
    return f"flagged {real}, {said[fake].sum()} of {fake.sum()} fake"


def _report_extremes(clips: ClipScores, scores: NDArray[np.float64], report: ReportText) -> None:
    """Report the clips judged worst, for inspection frame by frame."""
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
