"""Fit thresholds of the second look on develop clips, and measure them for its card.

Each half has a threshold of its own, that few unmanipulated clips reach: the altered half's on develop clips,
which neither scan nor inner face has learned from, the other one's on stills of pages left out. Fused logits
are scaled such that these are the thresholds that all models share.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from detector.errors import ParameterError
from detector.models.card import FUSION_INPUTS, SecondLookCard
from detector.progress import ReportText
from detector.schema.analysis import Parameters, Platt, Rate
from detector.schema.scores import logit_of
from detector.scoring.fusion import Floats, Fusion
from detector.segments import rules
from detector.segments.rules import sample_weights
from detector.statistics.error_rates import counted_rate
from training.second_look.examples.patches import REAL
from training.second_look.fitting import fusion
from training.second_look.fitting.exhibits import ClipRecord, clip_inputs, everyone_inputs
from training.second_look.fitting.fusion import SynthesisLevels
from training.second_look.fitting.patch_scores import clip_aucs

FLAGGED, DOUBTED = 0.035, 0.13  # of the unmanipulated clips: by the altered half; by either or in doubt
SYNTHESIS_LEVELS = "synthesis.json"
_SILENT = -60.0


def read_levels(out: Path) -> SynthesisLevels:
    """Read what the step ``levels`` of :mod:`training.unseen` wrote below ``out``."""
    path = out / SYNTHESIS_LEVELS
    if not path.is_file():
        raise ParameterError(f"{path} is missing. Run `python -m training.unseen … levels` first.")
    return SynthesisLevels(**json.loads(path.read_bytes()))


def fitted(records: Sequence[ClipRecord], levels: SynthesisLevels, parameters: Parameters) -> Fusion:
    """Fit the halves on ``records``, and their thresholds."""
    clips = clip_inputs(records)
    formula = fusion.fit(clips.scores, clips.fake, clips.talking)
    alone = replace(formula, synthesised=replace(formula.synthesised, bias=_SILENT, weight=np.zeros(1)))
    real = [record for record in records if not record.fake]
    peaks = np.array([peak(record, alone, parameters) for record in real])
    median = float(np.median([level(record, alone) for record in real if record.persons]))
    limit = fusion.threshold_for(peaks, np.zeros(len(real), bool), FLAGGED)
    return fusion.aligned(formula, limit, median, levels)


def peak(clip: ClipRecord, formula: Fusion, parameters: Parameters) -> float:
    """Return the highest smoothed logit of any person: the threshold above which nothing is flagged."""
    highest = -np.inf
    for person in clip.persons:
        logits = person.fused(formula)
        for track in np.unique(person.track):
            mine = person.track == track
            times = person.time[mine]
            if not rules.is_long_enough(times[0], times[-1], parameters):
                continue
            weights = sample_weights(times, parameters.sample_rate)
            smoothed = rules.sliding_median(times, logits[mine], parameters.median_window, weights)
            highest = max(highest, float(smoothed.max()))
    return highest


def level(clip: ClipRecord, formula: Fusion) -> float:
    """Return the highest mean fused logit of any person."""
    return max((float(p.fused(formula).mean()) for p in clip.persons), default=-np.inf)


def left_out_peaks_and_levels(
    records: Sequence[ClipRecord], levels: SynthesisLevels, parameters: Parameters
) -> tuple[Floats, Floats, Floats]:
    """Return peak, level and mean input's logit of each clip, by fusions and thresholds without its group."""
    out = {}
    for group in sorted({r.group for r in records}):
        formula = fitted([r for r in records if r.group != group], levels, parameters)
        for r in records:
            if r.group == group:
                inputs = r.persons[0].inputs if r.persons else None
                logit = -np.inf if inputs is None else float(formula.logit(inputs)[0])
                out[r.file] = peak(r, formula, parameters), level(r, formula), logit
    every = np.array([out[r.file] for r in records])
    return every[:, 0], every[:, 1], every[:, 2]


def probability_for(flagged: float, doubted: float, parameters: Parameters) -> Platt:
    """Return the scaling that maps the thresholds ``flagged`` and ``doubted`` to those of ``parameters``."""
    enter, doubt = (logit_of(p) for p in (parameters.enter_threshold, parameters.doubt_threshold))
    scale = float(np.clip((enter - doubt) / max(flagged - doubted, 1e-3), 0.4, 2.0))
    return Platt(scale=scale, offset=enter - scale * flagged)


def doubt_level(records: Sequence[ClipRecord], formula: Fusion) -> float:
    """Return the fused logit that the levels of the share ``DOUBTED`` of unmanipulated clips exceed."""
    levels = np.array([level(record, formula) for record in records])
    return fusion.threshold_for(levels, np.array([record.fake for record in records]), DOUBTED)


def fit_card(
    records: Sequence[ClipRecord], card: SecondLookCard, parameters: Parameters, levels: SynthesisLevels
) -> SecondLookCard:
    """Fit fusion and thresholds of ``card`` on all ``records``.

    Below the threshold of a finding the probability falls as slowly as the threshold of doubt requires; above
    it, it rises as a logistic regression of the label does.
    """
    formula = fitted(records, levels, parameters)
    platt = probability_for(0.0, doubt_level(records, formula), parameters)
    fake = np.array([r.fake for r in records])
    slope = fusion.platt(np.array([level(record, formula) for record in records]), fake).scale
    changed: dict[str, Any] = {
        "altered": fusion.half_of_card(formula.altered),
        "synthesised": fusion.half_of_card(formula.synthesised),
        "reserve": 0.0,
        "contrast": fusion.CONTRAST,
        "within": fusion.WITHIN,
        "agreement": fusion.agreement(formula, everyone_inputs(records)),
        "probability": platt,
        "knee": logit_of(parameters.enter_threshold),
        "beyond": slope if slope > platt.scale else None,
    }
    return card.model_copy(update=changed)


def measure_card(
    records: Sequence[ClipRecord],
    card: SecondLookCard,
    parameters: Parameters,
    synthesis: SynthesisLevels,
    report: ReportText,
) -> SecondLookCard:
    """Add figures over the develop clips to ``card``, and report them.

    Every clip is judged by a fusion and thresholds without its group.
    """
    clips = clip_inputs(records)
    for number, name in enumerate(FUSION_INPUTS):
        report(f"{name:20} {clip_aucs(clips, clips.scores[:, number])}")
    peaks, levels, logits = left_out_peaks_and_levels(records, synthesis, parameters)
    seen = {file: logit for file, logit in zip((r.file for r in records), logits.tolist(), strict=True)}
    scores = np.array([seen[file] for file in clips.files])
    report(f"{'fused, left out':20} {clip_aucs(clips, scores)}")
    fake, groups = np.array([r.fake for r in records]), np.array([r.group for r in records])
    doubt = fusion.threshold_for(levels, fake, DOUBTED)
    flagged = peaks >= 0
    doubted = ~flagged & (levels >= min(doubt, 0.0))
    for name, chosen in (("unmanipulated", ~fake), ("manipulated", fake)):
        report(
            f"{name}: of {chosen.sum()} flagged {flagged[chosen].sum()}, in doubt {doubted[chosen].sum()}; "
            "each by thresholds chosen without its group"
        )
    kinds = np.array([r.family for r in records])
    figures = {"AUC": float(roc_auc_score(clips.fake, scores))}
    figures |= {f"AUC, {name}": value for name, value in clip_aucs(clips, scores).items() if name != "all"}
    figures["inconclusive by doubt, unmanipulated"] = float(doubted[~fake].mean())
    figures["inconclusive by doubt, manipulated"] = float(doubted[fake].mean())
    for kind in sorted(set(kinds.tolist())):
        mine = kinds == kind
        if kind != REAL:
            figures[f"flagged, {kind}"] = float(flagged[mine].mean())
        report(f"{kind}: of {mine.sum()} flagged {flagged[mine].sum()}, in doubt {doubted[mine].sum()}")
    names = np.array([r.file for r in records])
    report(f"unmanipulated, flagged or in doubt: {names[~fake & (flagged | doubted)].tolist()}")
    report(f"manipulated, neither: {names[fake & ~flagged & ~doubted].tolist()}")
    report(f"probability: {card.probability}")
    data = f"{len(records)} develop clips"
    rates = (
        _rate("false positive rate", flagged[~fake], groups[~fake], data),
        _rate("false negative rate", ~flagged[fake], groups[fake], data),
    )
    named = {f"{data}, {name}": round(value, 4) for name, value in figures.items()}
    return card.model_copy(update={"figures": named, "rates": rates})


def _rate(figure: str, events: NDArray[np.bool_], groups: NDArray[np.str_], data: str) -> Rate:
    count, separate = int(events.sum()), len(set(groups.tolist()))
    note = (
        "fusion and thresholds chosen each time without the clip's own group; an early stop of the training "
        "was chosen on these clips"
    )
    return counted_rate(figure, count, len(events), data=data, unit="clips", groups=separate, note=note)
