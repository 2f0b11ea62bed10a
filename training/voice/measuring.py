"""Measure on pages left out: the network has seen nothing of the page of any recording."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score, roc_curve

from detector.schema.model import Platt
from detector.schema.scores import sigmoid
from detector.schema.strength import MaterialKind, counted_thresholds, figure_names
from detector.segments.rules import sliding_median
from detector.voice.windows import WindowPool
from training.voice.cells import Cells
from training.voice.heads import Head
from training.voice.recordings import Recording

Floats = NDArray[np.float64]
KINDS = {
    "text to speech": ("text to speech",),
    "voice conversion": ("voice conversion",),
    "vocoder or codec only": ("vocoder", "codec"),
}
NEWER = frozenset(
    (
        "Bark",
        "DDDM-VC",
        "Diff-HierVC",
        "Guided-TTS 2",
        "HierSpeech++",
        "HierVST",
        "MaskGCT",
        "Matcha-TTS",
        "Mega-TTS",
        "NANSY-TTS",
        "NANSY-TTS zero-shot",
        "NaturalSpeech",
        "NaturalSpeech 2",
        "PromptTTS++",
        "Spirit LM",
        "StyleTTS 2",
        "Tortoise",
        "UnitSpeech",
        "VALL-E",
        "VoiceCraft",
        "Voicebox",
        "XTTS",
    )
)
"""Systems of 2022 and later."""
HeadOf = Callable[[Recording], Head]
"""Gives the head that has seen nothing of the page and the speaker of a recording."""
FALSE_FLAGS = 0.03
"""Share of human recordings that the threshold lets be flagged."""
IN_DOUBT = 0.2
"""Share of recordings that may be left inconclusive."""
_FEWEST = 3  # recordings of each class on a page that is measured inside
_MEDIAN = 1.2  # seconds, as in detector.voice.findings


@dataclass(frozen=True)
class Scores:
    """Raw scores of whole recordings."""

    recordings: Sequence[Recording]
    raw: Floats

    @property
    def synthetic(self) -> NDArray[np.bool_]:
        return np.array([recording.synthetic for recording in self.recordings])


def score(recordings: Sequence[Recording], head_of: HeadOf, cells: Mapping[str, Cells]) -> Scores:
    """Score each recording that has ``cells``."""
    present = [recording for recording in recordings if recording.name in cells]
    raw = [head_of(recording)(cells[recording.name].window()[None])[0] for recording in present]
    return Scores(present, np.array(raw))


def separation(scores: Scores) -> dict[str, float]:
    """Return AUC inside pages, pooled and by kind, and the equal error rate."""
    synthetic, raw = scores.synthetic, scores.raw
    kinds = np.array([recording.kind for recording in scores.recordings])
    false, true, _ = roc_curve(synthetic, raw)
    crossing = np.argmin(np.abs(false - (1 - true)))
    figures = {
        "mean AUC inside a page": float(np.mean(list(_inside_pages(scores)))),
        "AUC, all pages together": float(roc_auc_score(synthetic, raw)),
        "equal error rate": float((false[crossing] + 1 - true[crossing]) / 2),
    }
    for kind, names in KINDS.items():
        if np.isin(kinds, names).any():
            of_kind = ~synthetic | np.isin(kinds, names)
            figures[f"AUC, {kind}"] = float(roc_auc_score(synthetic[of_kind], raw[of_kind]))
    newer = np.array([recording.system in NEWER for recording in scores.recordings])
    if newer.any():
        figures["AUC, systems of 2022 and later"] = float(
            roc_auc_score(synthetic[newer | ~synthetic], raw[newer | ~synthetic])
        )
    return figures


def _inside_pages(scores: Scores) -> Iterator[float]:
    pages = np.array([recording.page for recording in scores.recordings])
    for page in sorted(set(pages)):
        synthetic, raw = scores.synthetic[pages == page], scores.raw[pages == page]
        if min(synthetic.sum(), (~synthetic).sum()) >= _FEWEST:
            yield float(roc_auc_score(synthetic, raw))


def calibrate(scores: Scores) -> Platt:
    """Fit Platt scaling with both classes weighted alike."""
    model = LogisticRegression(C=1e3, class_weight="balanced")
    model.fit(scores.raw[:, None], scores.synthetic)
    return Platt(scale=float(model.coef_[0, 0]), offset=float(model.intercept_[0]))


@dataclass(frozen=True)
class Thresholds:
    """What turns scores into verdicts."""

    calibration: Platt
    enter: float
    doubt: float


@dataclass(frozen=True)
class Reached:
    """Probabilities of whole recordings, 0 without a window."""

    highest: Floats
    """Of the smoothed windows: a segment opens where it reaches the threshold."""
    overall: Floats
    """Of the mean logit."""


def reached(
    recordings: Sequence[Recording], head_of: HeadOf, cells: Mapping[str, Cells], calibration: Platt
) -> Reached:
    """Score the windows of each recording as the engine does."""
    highest, overall = [], []
    for recording in recordings:
        head, own = head_of(recording), cells[recording.name]

        def raw_score(values: np.ndarray, weights: np.ndarray, head: Head = head) -> float:
            return float(head(Cells(values, weights).window()[None])[0])

        pool = WindowPool(raw_score)
        windows = [*pool.add(own.values, own.cleaned()), *pool.end()]
        times = np.array([window.middle for window in windows])
        logits = np.array([calibration.scale * w.raw + calibration.offset for w in windows])
        highest.append(float(sliding_median(times, sigmoid(logits), _MEDIAN).max()) if windows else 0.0)
        overall.append(float(sigmoid(logits.mean())) if windows else 0.0)
    return Reached(np.array(highest), np.array(overall))


def counts_at_strengths(of: Reached, synthetic: NDArray[np.bool_], enter: float) -> dict[str, float]:
    """Count recordings of both classes, and those flagged with each strength or a higher one."""
    counts = {}
    for strength, least in ((None, 0.0), *counted_thresholds(MaterialKind.VOICE, enter)):
        for name, of_class in zip(
            figure_names(MaterialKind.VOICE, strength), (~synthetic, synthetic), strict=True
        ):
            counts[name] = float((of.highest[of_class] >= least).sum())
    return counts


def threshold(human: Sequence[Floats], share: float = FALSE_FLAGS) -> float:
    """Return the least threshold, in hundredths, that at most ``share`` of each array reaches."""
    for hundredth in range(50, 100):
        if all(np.mean(highest >= hundredth / 100) <= share for highest in human):
            return hundredth / 100
    return 0.99


def doubt_below(of_all: Reached, enter: float, share: float = IN_DOUBT) -> float:
    """Return the least threshold of doubt, in hundredths, that leaves at most ``share`` inconclusive."""
    for hundredth in range(30, round(100 * enter)):
        open_ones = (of_all.highest < enter) & (of_all.overall >= hundredth / 100)
        if np.mean(open_ones) <= share:
            return hundredth / 100
    return enter
