"""Crops of one face each: the DFDC archives, or any pictures, scored and thumbnailed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from detector.faces.patch import decode
from detector.scoring.scorer import Scorer
from detector.scoring.single_crops import crop_for
from detector.training.data.face_samples import dfdc_samples, read_csv
from detector.training.evaluation.figures.metrics import Scored

WIDTHS = (16, 24, 32, 40, 48, 64, 96)  # px at which the smallest face worth judging is looked for
_BATCH = 50


@dataclass(frozen=True)
class EncodedCrop:
    """One encoded crop, what it is, and where it came from."""

    path: str
    data: bytes
    label: int
    group: str


def archived(archive: Path) -> list[EncodedCrop]:
    """The crops of a DFDC zip, in the order of its CSV."""
    names = [row["file"] for row in read_csv(archive.with_suffix(".csv"))]
    samples = dfdc_samples(archive)
    return [
        EncodedCrop(f"{archive.name}/{name}", s.data, s.label, s.group)
        for name, s in zip(names, samples, strict=True)
    ]


def scores(scorer: Scorer, crops: Sequence[EncodedCrop], width: int | None = None) -> NDArray[np.float64]:
    """One logit a crop; ``width`` first reduces each to so many pixels."""
    logits: list[float] = []
    for start in range(0, len(crops), _BATCH):
        images = [decode(crop.data) for crop in crops[start : start + _BATCH]]
        if width is not None:
            images = [cv2.resize(i, (width, width), interpolation=cv2.INTER_AREA) for i in images]
        logits += scorer.logits([crop_for(image, scorer.card) for image in images]).tolist()
    return np.array(logits)


def scored_crops(crops: Sequence[EncodedCrop], logits: NDArray[np.float64], temperature: float) -> Scored:
    """Crops and their ``logits`` (n,) as items to measure; resampling keeps a source video together."""
    return Scored.of([c.label for c in crops], logits, [c.group for c in crops], temperature)


def small_faces(scorer: Scorer, crops: Sequence[EncodedCrop]) -> dict[str, float]:
    """AUC when faces are first reduced to so many pixels, which says from where on they can be judged."""
    labels = [crop.label for crop in crops]
    return {
        f"dfdc-val crops reduced to {width} px, AUC": float(
            roc_auc_score(labels, scores(scorer, crops, width))
        )
        for width in WIDTHS
    }
