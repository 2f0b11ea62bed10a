"""Calibrate and measure the scan on ready-made crops.

It is calibrated on the validation crops of DFDC and FaceForensics++ and measured once on their test crops.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from detector.faces.patch import decode
from detector.models.card import SecondLookCard
from detector.models.loaded import LoadedModel
from detector.progress import ReportText
from detector.schema.analysis import Parameters
from detector.schema.logistic import logit_of, sigmoid
from detector.schema.model import Platt
from detector.scoring.fusion import Floats
from detector.scoring.single_crops import CropScorer
from detector.training.publish.calibration import expected_calibration_error
from detector.training.publish.error_rates import counted_rate
from detector.training.second_look.examples.patches import Patch, load

_NAMES = {"dfdc": "dfdc-test crops", "ffpp": "ffpp-crops test"}
_BATCH = 100
_NOTE = "calibrated on validation crops of the same sets"

LabelledLogits = tuple[Floats, NDArray[np.bool_]]
"""Logits (n,) and labels (n,)."""


def crops_card(
    model: LoadedModel,
    card: SecondLookCard,
    out: Path,
    parameters: Parameters,
    report: ReportText,
) -> SecondLookCard:
    """``card`` with the calibration of ``model`` for crops and its figures; patches lie below ``out``."""
    scorer = CropScorer(model)
    of = {source: load(out, source) for source in _NAMES}
    chosen = {source: [p for p in patches if p.role == "val"] for source, patches in of.items()}
    platt = calibrated([_scores(scorer, some) for some in chosen.values()])
    report(f"crops: {platt}")
    figures, rates = dict(card.figures), list(card.rates)
    for source, name in _NAMES.items():
        tested = [patch for patch in of[source] if patch.role == "test"]
        given, fake = _scores(scorer, tested)
        logits = platt.scale * given + platt.offset
        error = expected_calibration_error(fake, sigmoid(logits))
        figures[f"{name}, AUC"] = round(float(roc_auc_score(fake, logits)), 4)
        figures[f"{name}, expected calibration error"] = round(error, 4)
        report(f"{name}: {figures[f'{name}, AUC']}")
        groups = len({patch.group for patch in tested})
        flagged = logits >= logit_of(parameters.enter_threshold)
        for figure, events in (
            ("false positive rate", flagged[~fake]),
            ("false negative rate", ~flagged[fake]),
        ):
            count = int(events.sum())
            rate = counted_rate(
                figure, count, len(events), data=name, unit="crops", groups=groups, note=_NOTE
            )
            rates.append(rate)
    return card.model_copy(update={"crops": platt, "figures": figures, "rates": tuple(rates)})


def calibrated(sets: Sequence[LabelledLogits]) -> Platt:
    """A Platt scaling in which all ``sets``, and both classes of each, count alike."""
    weights = [np.where(fake, 0.5 / fake.mean(), 0.5 / (~fake).mean()) / len(fake) for _, fake in sets]
    logits, labels = (np.concatenate(part) for part in zip(*sets, strict=True))
    sample_weight = np.concatenate(weights) * len(labels) / len(sets)
    model = LogisticRegression(C=10.0).fit(logits[:, None], labels, sample_weight=sample_weight)
    return Platt(scale=float(model.coef_[0, 0]), offset=float(model.intercept_[0]))


def _scores(scorer: CropScorer, patches: Sequence[Patch]) -> LabelledLogits:
    pieces = [patches[i : i + _BATCH] for i in range(0, len(patches), _BATCH)]
    logits = np.concatenate([scorer.logits([decode(p.data) for p in some]) for some in pieces])
    return logits, np.array([patch.fake for patch in patches])
