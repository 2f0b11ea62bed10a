"""Calibrate segment and exhibit probabilities on clips the weights never learned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from detector.models.card import Card
from detector.models.loaded import load_model
from detector.models.model_files import load_card
from detector.schema.analysis import Analysis, Person, Platt
from detector.schema.scores import sigmoid
from detector.scoring.scorer import Scorer
from detector.statistics.metrics import expected_calibration_error, fit_platt
from training.evaluation import material as clips_
from training.evaluation.material import Clip
from training.model_card import write_card

WINDOW = 2.0  # seconds of a person's time that stand for a segment
_LEAST_FRAMES = 6


@dataclass(frozen=True)
class Levels:
    """Mean logits (n,), their labels, and the identity pairs they belong to."""

    means: list[float]
    labels: list[int]
    groups: list[str]

    def fit(self) -> Platt:
        return fit_platt(self.labels, self.means)

    def left_out(self) -> np.ndarray:
        """For each mean, the probability by a fit that has seen nothing of its group."""
        means, labels, groups = np.array(self.means), np.array(self.labels), np.array(self.groups)
        out = np.empty(len(means))
        for group in np.unique(groups):
            held = groups == group
            platt = fit_platt(labels[~held], means[~held])
            out[held] = sigmoid(platt.scale * means[held] + platt.offset)
        return out


def calibrate(model: str | Path | None, data: Path, out: Path) -> dict[str, float]:
    """Fit both levels on the research clips of role ``develop``; what helps goes into the model's card.

    Returns errors by name. ``out`` is where evaluations lie; faces found are kept in
    ``faces`` beside it.
    """
    card, weights = load_card(model)
    scorer = Scorer(load_model(model))
    listed = [clip for clip in clips_.listed_clips(data / "videos") if clip.generator]
    analysed = clips_.analyse_clips(listed, scorer, out / "faces", lambda text: None)
    chosen: dict[str, Platt | None] = {}
    figures = {}
    for field, levels in (("segment", window_levels(analysed)), ("exhibit", exhibit_levels(analysed))):
        labels = np.array(levels.labels)
        errors = {}
        for how, probabilities in (
            ("fitted, one pair left out", levels.left_out()),
            ("as single frames", sigmoid(np.array(levels.means) / card.temperature)),
        ):
            errors[how] = float(np.mean((probabilities - labels) ** 2))
            figures[f"{field}, {how}, Brier score"] = errors[how]
            figures[f"{field}, {how}, ECE"] = expected_calibration_error(labels, probabilities)
        better = errors["fitted, one pair left out"] < errors["as single frames"]
        chosen[field] = levels.fit() if better else None
        figures[f"{field}, fitted calibration kept"] = float(better)
    write_card(Card.model_validate((card.model_copy(update=chosen)).model_dump()), weights.parent)
    return figures


def exhibit_levels(clips: Sequence[Clip]) -> Levels:
    """Of each whole clip, what its probability is made of: see :func:`strongest`."""
    judged = [
        (clip, level)
        for clip in clips
        if clip.whole and (level := strongest_level(clip.analysis)) is not None
    ]
    return Levels(
        [level for _, level in judged],
        [int(clip.fake) for clip, _ in judged],
        [clip.group or clip.file for clip, _ in judged],
    )


def strongest_level(analysis: Analysis) -> float | None:
    """The highest mean logit of any segment or, of persons without one, of all their usable frames."""
    levels = []
    for person in analysis.persons:
        spans = [(s.start, s.end) for s in analysis.segments if s.person == person.id]
        means = [_mean(person, *span) for span in spans or [(0.0, float("inf"))]]
        levels += [mean for mean in means if mean is not None]
    return max(levels, default=None)


def window_levels(clips: Sequence[Clip]) -> Levels:
    """Windows of :data:`WINDOW` of each person; those that are manipulated in part are left out."""
    levels = Levels([], [], [])
    for clip in clips:
        for person in clip.analysis.persons:
            end = float(person.scores.time.max())
            for start in np.arange(0, max(end - WINDOW / 2, 0.1), WINDOW):
                share = _manipulated(clip, person, float(start))
                mean = _mean(person, float(start), float(start) + WINDOW)
                if mean is not None and share in {0.0, 1.0}:
                    levels.means.append(mean)
                    levels.labels.append(int(share))
                    levels.groups.append(clip.group or clip.file)
    return levels


def _manipulated(clip: Clip, person: Person, start: float) -> float:
    """The share of the window that is manipulated, to a tenth of its length."""
    if not clip.truth:
        return float(clip.fake)
    truth = clips_.truth_of(clip, person)
    moments = start + WINDOW * (np.arange(10) + 0.5) / 10
    return float(np.mean([any(a <= t < b for a, b in truth) for t in moments]))


def _mean(person: Person, start: float, end: float) -> float | None:
    times, logits = person.scores.time, person.scores.logit
    logits = logits[~np.isnan(logits) & (start <= times) & (times <= end)]
    return float(np.mean(logits)) if len(logits) >= min(_LEAST_FRAMES, person.usable_frames or 1) else None
