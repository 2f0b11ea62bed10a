"""Measure on pages left out: the network has seen nothing of the page of any recording."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score, roc_curve

from detector.schema.model import Platt
from detector.schema.scores import sigmoid
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
FALSE_FLAGS = 0.03
"""Share of human recordings that the threshold lets be flagged."""
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


def score(recordings: Sequence[Recording], head: Head, cells: Mapping[str, Cells]) -> Scores:
    """Score each recording that has ``cells``."""
    present = [recording for recording in recordings if recording.name in cells]
    return Scores(present, head(np.stack([cells[recording.name].window() for recording in present])))


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


def highest_smoothed(
    recordings: Sequence[Recording], head: Head, cells: Mapping[str, Cells], calibration: Platt
) -> Floats:
    """Return the highest smoothed probability of the windows of each recording, 0 without any."""

    def raw_score(values: np.ndarray, weights: np.ndarray) -> float:
        return float(head(Cells(values, weights).window()[None])[0])

    highest = []
    for recording in recordings:
        pool, own = WindowPool(raw_score), cells[recording.name]
        windows = [*pool.add(own.values, own.cleaned()), *pool.end()]
        times = np.array([window.middle for window in windows])
        chances = sigmoid(np.array([calibration.scale * w.raw + calibration.offset for w in windows]))
        highest.append(float(sliding_median(times, chances, _MEDIAN).max()) if windows else 0.0)
    return np.array(highest)


def threshold(human: Floats, share: float = FALSE_FLAGS) -> float:
    """Return the least threshold, in hundredths, that at most ``share`` of human recordings reach."""
    for hundredth in range(50, 100):
        if np.mean(human >= hundredth / 100) <= share:
            return hundredth / 100
    return 0.99
