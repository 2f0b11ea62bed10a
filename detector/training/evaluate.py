"""Measure a published model as it ships: crops, whole clips, and when within a clip.

Everything goes through the engine's own public entry points, half-precision weights and
all. Thresholds are the shipped defaults, chosen on ``dfdc-val`` and on the clips whose
role is ``develop``; ``dfdc-test`` chose nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from detector.analysis import Analysis, Parameters, Verdict
from detector.batch import framed_crop
from detector.engine import analyze
from detector.models import LoadedModel, load_model
from detector.scoring import Scorer
from detector.training.calibration import equal_error_rate, expected_calibration_error, sigmoid
from detector.training.harvest import decode, dfdc_samples, read_csv
from detector.training.publish import write_card

_WIDTHS = (16, 24, 32, 40, 48, 64, 96)  # px at which the smallest face worth judging is looked for

Span = tuple[float, float]


@dataclass(frozen=True)
class Clip:
    """One analysed clip and what is known of it."""

    file: str
    fake: bool
    generator: str
    truth: tuple[Span, ...]
    analysis: Analysis


def evaluate(model: str | Path | None, data: Path, out: Path, update_card: bool) -> dict[str, float]:
    """Print every figure, write ``metrics.json`` and the analyses below ``out``; returns the figures."""
    loaded = load_model(model)
    scorer = Scorer(loaded)
    figures = {
        **_crops(scorer, data / "dfdc-val.zip", "dfdc-val"),
        **_crops(scorer, data / "dfdc-test.zip", "dfdc-test"),
    }
    figures |= _small_faces(scorer, data / "dfdc-val.zip")
    clips = analysed_clips(loaded, data / "videos", out)
    figures |= clip_figures(clips)
    figures = {name: round(value, 4) for name, value in figures.items()}
    out.mkdir(parents=True, exist_ok=True)
    (out / "metrics.json").write_text(json.dumps(figures, indent=2) + "\n")
    for name, value in figures.items():
        print(f"{name:55} {value:.4f}")
    for clip in clips:
        if clip.truth:
            flagged = [(s.person, round(s.start, 2), round(s.end, 2)) for s in clip.analysis.segments]
            share = overlap(clip.truth, found(clip.analysis))
            print(f"{clip.file:45} tIoU {share:.2f}  truth {list(clip.truth)}  found {flagged}")
    if update_card:
        write_card(loaded.card.model_copy(update={"figures": figures}))
    return figures


def clip_figures(clips: Sequence[Clip]) -> dict[str, float]:
    """Figures over whole clips and over the segments within them."""
    whole = [c for c in clips if c.generator and not c.truth]
    c40 = [c for c in whole if c.file.startswith("ffpp-c40")]
    spliced = [c for c in clips if c.truth]
    controls = [c for c in clips if not c.generator]
    fakes, reals = [c for c in whole if c.fake], [c for c in whole if not c.fake]
    return {
        "develop clips, AUC": _clip_auc(whole),
        "develop clips of FaceForensics++ c40, AUC": _clip_auc(c40),
        "develop clips, manipulated ones flagged": _flagged(fakes),
        "develop clips, unmanipulated ones flagged": _flagged(reals),
        "develop clips, inconclusive": float(
            np.mean([c.analysis.verdict is Verdict.INCONCLUSIVE for c in whole])
        ),
        "partly manipulated clips, mean temporal IoU": float(
            np.mean([overlap(c.truth, found(c.analysis)) for c in spliced])
        ),
        "partly manipulated clips, flagged": _flagged(spliced),
        "control clips (a cut or a stretch compressed again), flagged": _flagged(controls),
    }


def found(analysis: Analysis) -> list[Span]:
    return [(s.start, s.end) for s in analysis.segments]


def overlap(truth: Sequence[Span], found: Sequence[Span]) -> float:
    """Intersection over union of two sets of intervals on one time line; 0 when both are empty."""
    marks = sorted({t for span in (*truth, *found) for t in span})
    both = either = 0.0
    for start, end in zip(marks, marks[1:], strict=False):
        middle = (start + end) / 2
        inside = [any(a <= middle < b for a, b in spans) for spans in (truth, found)]
        both += (end - start) * all(inside)
        either += (end - start) * any(inside)
    return both / either if either else 0.0


def analysed_clips(loaded: LoadedModel, folder: Path, out: Path) -> list[Clip]:
    """Every clip of ``folder`` that is not for training, analysed with the defaults.

    Analyses are kept below ``out`` by weights and parameters, so that a second look is quick.
    """
    listed: list[tuple[str, bool, str, tuple[Span, ...]]] = [
        (row["file"], row["label"] == "fake", row["generator"], ())
        for row in read_csv(folder / "labels.csv")
        if row["role"] == "develop"
    ]
    for name in ("splices", "two-people", "controls"):
        for entry in json.loads((folder / f"{name}.json").read_text()):
            truth = tuple((s["start"], s["end"]) for s in entry["segments"])
            listed.append((entry["file"], bool(truth), entry.get("generator", ""), truth))
    clips = []
    for file, fake, generator, truth in listed:
        kept = out / loaded.card.sha256[:12] / f"{file}.json"
        analysis = Analysis.from_json(kept.read_bytes()) if kept.exists() else None
        if analysis is None or analysis.parameters != Parameters():
            analysis = analyze(folder / file, model=loaded)
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(analysis.to_json())
        clips.append(Clip(file, fake, generator, truth, analysis))
    return clips


def _crops(scorer: Scorer, archive: Path, name: str) -> dict[str, float]:
    labels, logits = _scores(scorer, archive)
    probabilities = sigmoid(logits / scorer.card.temperature)
    return {
        f"{name} crops, AUC": float(roc_auc_score(labels, logits)),
        f"{name} crops, equal error rate": equal_error_rate(labels, logits),
        f"{name} crops, accuracy at 0.5": float(np.mean((probabilities >= 0.5) == labels)),
        f"{name} crops, expected calibration error": expected_calibration_error(labels, probabilities),
        f"{name} crops, Brier score": float(np.mean((probabilities - labels) ** 2)),
    }


def _small_faces(scorer: Scorer, archive: Path) -> dict[str, float]:
    """AUC when faces are first reduced to so many pixels, which says from where on they can be judged."""
    out = {}
    for width in _WIDTHS:
        labels, logits = _scores(scorer, archive, width)
        out[f"dfdc-val crops reduced to {width} px, AUC"] = float(roc_auc_score(labels, logits))
    return out


def _scores(
    scorer: Scorer, archive: Path, width: int | None = None
) -> tuple[NDArray[np.int_], NDArray[np.float64]]:
    samples = dfdc_samples(archive)
    logits: list[float] = []
    for start in range(0, len(samples), 50):
        images = [decode(sample.data) for sample in samples[start : start + 50]]
        if width is not None:
            images = [cv2.resize(i, (width, width), interpolation=cv2.INTER_AREA) for i in images]
        logits += scorer.logits([framed_crop(image, scorer.card.input.size) for image in images]).tolist()
    return np.array([sample.label for sample in samples]), np.array(logits)


def _clip_auc(clips: Sequence[Clip]) -> float:
    """Over clips that were given a probability."""
    judged = [c for c in clips if c.analysis.probability is not None]
    return float(roc_auc_score([c.fake for c in judged], [c.analysis.probability for c in judged]))


def _flagged(clips: Sequence[Clip]) -> float:
    return float(np.mean([c.analysis.verdict is Verdict.MANIPULATED for c in clips]))
