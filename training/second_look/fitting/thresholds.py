"""Fit thresholds of the second look on develop clips, and measure them for its card.

Fused logits are scaled such that :data:`FLAGGED` and :data:`DOUBTED` of the unmanipulated clips reach the
thresholds that all models share.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

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
from training.second_look.fitting.patch_scores import clip_aucs

DATA = "211 develop clips"
FLAGGED, DOUBTED = 0.022, 0.10  # of the unmanipulated clips: flagged, and flagged or in doubt


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


def left_out_peaks_and_levels(records: Sequence[ClipRecord], parameters: Parameters) -> tuple[Floats, Floats]:
    """Return peak and level of every clip, by fusions without its group."""
    clips = clip_inputs(records)
    groups = np.array(clips.group)
    out = {}
    for group in sorted({r.group for r in records}):
        others = groups != group
        formula = fusion.fit(clips.scores[others], clips.fake[others], clips.talking[others])
        for r in records:
            if r.group == group:
                out[r.file] = peak(r, formula, parameters), level(r, formula)
    both = np.array([out[r.file] for r in records])
    return both[:, 0], both[:, 1]


def probability_for(flagged: float, doubted: float, parameters: Parameters) -> Platt:
    """Return the scaling that maps the thresholds ``flagged`` and ``doubted`` to those of ``parameters``."""
    enter, doubt = (logit_of(p) for p in (parameters.enter_threshold, parameters.doubt_threshold))
    scale = float(np.clip((enter - doubt) / max(flagged - doubted, 1e-3), 0.4, 2.0))
    return Platt(scale=scale, offset=enter - scale * flagged)


def thresholds(peaks: Floats, levels: Floats, fake: NDArray[np.bool_]) -> tuple[float, float]:
    """Return the fused logits at which a segment opens, and from which a person's mean leaves doubt.

    ``peaks`` (n,) are the highest smoothed logits of the clips, ``levels`` (n,) their highest means.
    """
    return fusion.threshold_for(peaks, fake, FLAGGED), fusion.threshold_for(levels, fake, DOUBTED)


def fit_card(records: Sequence[ClipRecord], card: SecondLookCard, parameters: Parameters) -> SecondLookCard:
    """Fit fusion and thresholds of ``card`` on all ``records``; thresholds on left-out scores.

    Below the threshold of a finding the probability falls as slowly as the threshold of doubt requires; above
    it, it rises as a logistic regression of the label does.
    """
    clips = clip_inputs(records)
    formula = fusion.fit(clips.scores, clips.fake, clips.talking)
    peaks, levels = left_out_peaks_and_levels(records, parameters)
    fake = np.array([r.fake for r in records])
    platt = probability_for(*thresholds(peaks, levels, fake), parameters)
    slope = fusion.platt(levels, fake).scale
    changed: dict[str, Any] = {
        "altered": fusion.half_of_card(formula.altered),
        "synthesised": fusion.half_of_card(formula.synthesised),
        "reserve": fusion.RESERVE,
        "contrast": fusion.CONTRAST,
        "within": fusion.WITHIN,
        "agreement": fusion.agreement(formula, everyone_inputs(records)),
        "probability": platt,
        "knee": logit_of(parameters.enter_threshold),
        "beyond": slope if slope > platt.scale else None,
    }
    return card.model_copy(update=changed)


def _left_out_verdicts(
    records: Sequence[ClipRecord], parameters: Parameters
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Flag clips (n,), and other clips in doubt, each judged without its group."""
    peaks, levels = left_out_peaks_and_levels(records, parameters)
    fake, groups = np.array([r.fake for r in records]), np.array([r.group for r in records])
    flagged, doubted = np.zeros(len(fake), bool), np.zeros(len(fake), bool)
    for group in set(groups.tolist()):
        mine = groups == group
        enter, doubt = thresholds(peaks[~mine], levels[~mine], fake[~mine])
        flagged[mine] = peaks[mine] >= enter
        doubted[mine] = ~flagged[mine] & (levels[mine] >= min(doubt, enter))
    return flagged, doubted


def measure_card(
    records: Sequence[ClipRecord], card: SecondLookCard, parameters: Parameters, report: ReportText
) -> SecondLookCard:
    """Add figures over the develop clips to ``card``, and report them.

    Every clip is judged by a fusion and thresholds without its group.
    """
    clips = clip_inputs(records)
    for number, name in enumerate(FUSION_INPUTS):
        report(f"{name:20} {clip_aucs(clips, clips.scores[:, number])}")
    scores = fusion.left_out_logits(clips.scores, clips.fake, clips.talking, clips.group)
    report(f"{'fused, left out':20} {clip_aucs(clips, scores)}")
    fake, groups = np.array([r.fake for r in records]), np.array([r.group for r in records])
    flagged, doubted = _left_out_verdicts(records, parameters)
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
    rates = (
        _rate("false positive rate", flagged[~fake], groups[~fake]),
        _rate("false negative rate", ~flagged[fake], groups[fake]),
    )
    named = {f"{DATA}, {name}": round(value, 4) for name, value in figures.items()}
    return card.model_copy(update={"figures": named, "rates": rates})


def _rate(figure: str, events: NDArray[np.bool_], groups: NDArray[np.str_]) -> Rate:
    count, separate = int(events.sum()), len(set(groups.tolist()))
    note = (
        "fusion and thresholds chosen each time without the clip's own group; an early stop of the training "
        "was chosen on these clips"
    )
    return counted_rate(figure, count, len(events), data=DATA, unit="clips", groups=separate, note=note)
