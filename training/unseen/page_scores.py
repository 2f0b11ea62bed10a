"""What ships, measured on pages left out: heads of windows fitted anew without them, fused as the card fuses.

The branch has learned from no label, so its features are kept once for all folds. Scan and inner face's
*altered* come as they ship; they have learned from the first collection of clips and from crops, of no page
of ``native`` but those that the caller names, where *altered* is left out of the answer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from detector.models.card import FUSION_INPUTS
from detector.schema.scores import logit_of
from detector.schema.strength import MaterialKind, counted_thresholds, figure_names
from detector.scoring.fusion import Floats, Fusion
from training.second_look.fitting.fusion import SynthesisLevels
from training.unseen.features import FeatureSet
from training.unseen.heads import fitted, learnable
from training.unseen.pages import (
    FOLDS,
    ClipScore,
    auc,
    figures,
    fold_of_pages,
    footage_of,
    intervals,
    threshold,
)
from training.unseen.samples import Sample

FLAGGED = 0.035
"""Of the unmanipulated clips of each kind of footage: exceed the threshold of *synthesised*."""
_LEAST_OF_KIND = 50  # clips; a smaller kind has no such quantile
SILENT = -20.0
"""Logit of an answer that is left out."""
ANSWERS = ("fused", "synthesised", "altered")


@dataclass(frozen=True)
class PageScores:
    """Samples of stills with published logits (n,) of all :data:`ANSWERS`."""

    samples: Sequence[Sample]
    logits: dict[str, Floats]

    def clips(self, answer: str) -> list[ClipScore]:
        """Return the mean of an answer over the stills of each clip."""
        of: dict[str, list[float]] = defaultdict(list)
        for sample, logit in zip(self.samples, self.logits[answer].tolist(), strict=True):
            of[sample.file].append(logit)
        first = {sample.file: sample for sample in reversed(self.samples)}
        return [
            ClipScore(file, first[file].origin, first[file].fake, float(np.mean(logits)), first[file].kind)
            for file, logits in of.items()
        ]


def synthesised_of_folds(native: Sequence[FeatureSet], clips: Sequence[FeatureSet]) -> Floats:
    """Return the sum (n,) of the windows' logits of each still, by heads that learned from no page of its
    fold.

    ``native`` and ``clips`` have a set for each window. Clips that share a family with the fold are left out.
    """
    samples = native[0].samples
    folds = fold_of_pages(samples)
    own = np.array([folds[sample.origin] for sample in samples])
    total = np.zeros(len(samples))
    for fold in range(FOLDS):
        outside = own == fold
        families = {
            sample.family for sample, out in zip(samples, outside, strict=True) if out and sample.fake
        }
        for of_native, of_clips in zip(native, clips, strict=True):
            kept = np.array([not (s.fake and s.family in families) for s in of_clips.samples])
            head = fitted(learnable(of_native.of(~outside)), of_clips.of(kept))
            total[outside] += head(of_native.features[outside])
    return total


def synthesis_levels(
    samples: Sequence[Sample], synthesised: Floats, notes: dict[str, str]
) -> SynthesisLevels:
    """Return the levels of what windows say (n,) of unmanipulated clips; notes state kinds of footage."""
    clips = PageScores(samples, {"synthesised": synthesised}).clips("synthesised")
    real = [clip for clip in clips if not clip.fake]
    by_kind: dict[str, list[float]] = defaultdict(list)
    for clip in real:
        by_kind[footage_of(notes[clip.clip])].append(clip.score)
    limits = [threshold(np.array(of), FLAGGED) for of in by_kind.values() if len(of) >= _LEAST_OF_KIND]
    return SynthesisLevels(max(limits), float(np.median([clip.score for clip in real])))


def page_scores(
    samples: Sequence[Sample], synthesised: Floats, altered: Floats, formula: Fusion, learnt: Collection[str]
) -> PageScores:
    """Fuse what windows say (n,) with logits (n, 2) of scan and inner face; ``learnt`` are pages of these."""
    inputs = np.tile(formula.neutral, (len(samples), 1))
    inputs[:, FUSION_INPUTS.index("head synthesised")] = synthesised
    inputs[:, [FUSION_INPUTS.index("fast"), FUSION_INPUTS.index("inner altered")]] = altered
    of_altered, of_synthesised = formula.halves(inputs)
    of_altered = np.where([sample.origin in learnt for sample in samples], SILENT, of_altered)
    answers = (np.maximum(of_altered, of_synthesised), of_synthesised, of_altered)
    return PageScores(samples, dict(zip(ANSWERS, answers, strict=True)))


def measured(scores: PageScores, notes: dict[str, str], enter: float) -> dict[str, float]:
    """Return all figures by name: of each answer, of kinds of footage and of fakes at threshold ``enter``.

    ``notes`` are the notes of clips, from which the kind of footage follows.
    """
    out = {}
    for answer in ANSWERS:
        clips = scores.clips(answer)
        names = ("AUC", "found at 5 %", "found at 1 %", "AUC inside pages")
        for name, value, bounds in zip(names, figures(clips).values, intervals(clips), strict=True):
            out[f"{answer}, {name}"] = value
            out |= {f"{answer}, {name}, {end}": of for end, of in zip(("low", "high"), bounds, strict=True)}
    clips, limit = scores.clips("fused"), logit_of(enter)
    real = [clip for clip in clips if not clip.fake]
    at_five = threshold(np.array([clip.score for clip in real]), 0.05)
    footage = {clip.clip: footage_of(notes[clip.clip]) for clip in real}
    for kind in sorted(set(footage.values())):
        flags = [clip.score >= limit for clip in real if footage[clip.clip] == kind]
        out[f"unmanipulated, flagged, {kind}"] = float(np.mean(flags))
        out[f"unmanipulated, clips, {kind}"] = len(flags)
    out["unmanipulated, flagged, all"] = float(np.mean([clip.score >= limit for clip in real]))
    for kind in sorted({clip.footage for clip in clips if clip.fake}):
        of_kind = [clip for clip in clips if clip.fake and clip.footage == kind]
        scored = np.array([clip.score for clip in of_kind])
        out[f"manipulated, flagged, {kind}"] = float((scored >= limit).mean())
        out[f"manipulated, found at 5 %, {kind}"] = float((scored > at_five).mean())
        out[f"manipulated, AUC, {kind}"] = auc(scored, np.array([clip.score for clip in real]))
        out[f"manipulated, clips, {kind}"] = len(of_kind)
    out["manipulated, flagged, all"] = float(np.mean([c.score >= limit for c in clips if c.fake]))
    return out | _at_strengths(clips, enter)


def _at_strengths(clips: Sequence[ClipScore], enter: float) -> dict[str, float]:
    """Count clips of both classes, and those flagged with each strength or a higher one."""
    degrees = [(None, -np.inf)] + [
        (strength, logit_of(score)) for strength, score in counted_thresholds(MaterialKind.VIDEO, enter)
    ]
    counts = {}
    for strength, least in degrees:
        for name, fake in zip(figure_names(MaterialKind.VIDEO, strength), (False, True), strict=True):
            counts[name] = float(sum(clip.fake is fake and clip.score >= least for clip in clips))
    return counts
