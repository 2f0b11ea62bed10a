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
from training.evaluation.material import Clip, analyse_clips, listed_clips, truth_of
from training.model_card import write_card

WINDOW = 2.0  # seconds of a person's time that represent a segment
_LEAST_FRAMES = 6


@dataclass(frozen=True)
class Levels:
    """Mean logits (n,), their labels, and their identity pairs."""

    means: list[float]
    labels: list[int]
    groups: list[str]

    def fit(self) -> Platt:
        return fit_platt(self.labels, self.means)

    def left_out(self) -> np.ndarray:
        """Return the probability of each mean by a fit without its group."""
        means, labels, groups = np.array(self.means), np.array(self.labels), np.array(self.groups)
        out = np.empty(len(means))
        for group in np.unique(groups):
            mine = groups == group
            platt = fit_platt(labels[~mine], means[~mine])
            out[mine] = sigmoid(platt.scale * means[mine] + platt.offset)
        return out


def calibrate(model: str | Path | None, data: Path, out: Path) -> dict[str, float]:
    """Fit both levels on the research clips of role ``develop``; improvements go into the model's card.

    Errors of a clip's frames are correlated, so a mean over many frames is less certain than temperature
    scaling of one frame suggests; and temperature was fitted on crops, not on clips. Both levels therefore
    get Platt scaling of a mean logit, checked by leaving one identity pair out. Where that does not beat
    treating the mean as a single frame's logit by Brier score, the card omits it.

    Returns errors by name. Detections are cached in ``faces`` below ``out``, the folder of evaluations.
    """
    card, weights = load_card(model)
    scorer = Scorer(load_model(model))
    listed = [clip for clip in listed_clips(data / "videos") if clip.generator]
    clips = analyse_clips(listed, scorer, out / "faces", lambda text: None)
    update: dict[str, Platt | None] = {}
    figures = {}
    for field, levels in (("segment", window_levels(clips)), ("exhibit", exhibit_levels(clips))):
        labels = np.array(levels.labels)
        errors = []
        for method, probabilities in (
            ("fitted, one pair left out", levels.left_out()),
            ("as single frames", sigmoid(np.array(levels.means) / card.temperature)),
        ):
            errors.append(float(np.mean((probabilities - labels) ** 2)))
            figures[f"{field}, {method}, Brier score"] = errors[-1]
            figures[f"{field}, {method}, ECE"] = expected_calibration_error(labels, probabilities)
        better = errors[0] < errors[1]
        update[field] = levels.fit() if better else None
        figures[f"{field}, fitted calibration kept"] = float(better)
    write_card(Card.model_validate((card.model_copy(update=update)).model_dump()), weights.parent)
    return figures


def exhibit_levels(clips: Sequence[Clip]) -> Levels:
    """Return the :func:`strongest_level` of each whole clip."""
    levels = Levels([], [], [])
    for clip in clips:
        if clip.whole and (level := strongest_level(clip.analysis)) is not None:
            levels.means.append(level)
            levels.labels.append(int(clip.fake))
            levels.groups.append(clip.group or clip.file)
    return levels


def strongest_level(analysis: Analysis) -> float | None:
    """Return the highest mean logit of any segment or, for persons without one, of all usable frames."""
    levels = []
    for person in analysis.persons:
        spans = [(s.start, s.end) for s in analysis.segments if s.person == person.id]
        means = [_mean(person, *span) for span in spans or [(0.0, float("inf"))]]
        levels += [mean for mean in means if mean is not None]
    return max(levels, default=None)


def window_levels(clips: Sequence[Clip]) -> Levels:
    """Return windows of :data:`WINDOW` of each person, except those manipulated in part."""
    levels = Levels([], [], [])
    for clip in clips:
        for person in clip.analysis.persons:
            end = float(person.scores.time.max())
            for start in np.arange(0, max(end - WINDOW / 2, 0.1), WINDOW):
                share = float(clip.fake)
                if clip.truth:  # the manipulated share of the window, to a tenth of its length
                    truth = truth_of(clip, person)
                    moments = float(start) + WINDOW * (np.arange(10) + 0.5) / 10
                    share = float(np.mean([any(a <= t < b for a, b in truth) for t in moments]))
                mean = _mean(person, float(start), float(start) + WINDOW)
                if mean is not None and share in {0.0, 1.0}:
                    levels.means.append(mean)
                    levels.labels.append(int(share))
                    levels.groups.append(clip.group or clip.file)
    return levels


def _mean(person: Person, start: float, end: float) -> float | None:
    times, logits = person.scores.time, person.scores.logit
    logits = logits[~np.isnan(logits) & (start <= times) & (times <= end)]
    return float(np.mean(logits)) if len(logits) >= min(_LEAST_FRAMES, person.usable_frames or 1) else None
