"""Fit and measure the fusion for ready-made crops: of the fast network and the second one's inner face.

It is fitted on the validation crops of DFDC and FaceForensics++ and measured once on their test crops.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from detector.faces.patch import decode
from detector.models.card import SecondLookCard
from detector.models.loaded import LoadedModel
from detector.schema.analysis import Parameters
from detector.scoring.fusion import Floats, Half
from detector.scoring.scorer import logit_of
from detector.scoring.single_crops import CropScorer
from detector.training.evaluation.metrics import Scored, calibration_errors
from detector.training.publish.error_rates import counted_rate
from detector.training.second_look import fusion
from detector.training.second_look.patches import Patch, load

_NAMES = {"dfdc": "dfdc-test crops", "ffpp": "ffpp-crops test"}
_COLUMNS = (0, 1)  # of INPUTS
_BATCH = 100
_NOTE = "fusion fitted on validation crops of the same sets"
_RATIOS = np.arange(0.0, 2.01, 0.05).round(2).tolist()  # of the inner face's logit to the fast network's


def crops_card(
    model: LoadedModel,
    card: SecondLookCard,
    out: Path,
    parameters: Parameters,
    report: Callable[[str], None],
) -> SecondLookCard:
    """``card`` with the fusion for crops of ``model`` and its figures; patches lie below ``out``."""
    scorer = CropScorer(model)
    of = {source: load(out, source) for source in _NAMES}
    chosen = {source: [p for p in patches if p.role == "val"] for source, patches in of.items()}
    half = fit_crops({source: (_inputs(scorer, some), _fakes(some)) for source, some in chosen.items()})
    report(f"crops: weights {half.weight.round(3).tolist()}, bias {half.bias:.3f}")
    figures, rates = dict(card.figures), list(card.rates)
    for source, name in _NAMES.items():
        tested = [patch for patch in of[source] if patch.role == "test"]
        inputs, fake = _inputs(scorer, tested), _fakes(tested)
        logits = half.logit(inputs)
        scored = Scored.of(fake.astype(int).tolist(), logits, [patch.group for patch in tested], 1.0)
        error = float(calibration_errors(scored, np.ones((1, len(fake))))[0])
        figures[f"{name}, AUC"] = round(float(roc_auc_score(fake, logits)), 4)
        figures[f"{name}, expected calibration error"] = round(error, 4)
        alone = [round(float(roc_auc_score(fake, inputs[:, column])), 4) for column in (0, 1, 2)]
        report(f"{name}: {figures[f'{name}, AUC']} (fast, inner altered, inner synthesised: {alone})")
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
    return card.model_copy(
        update={"crops": fusion.half_of_card(half), "figures": figures, "rates": tuple(rates)}
    )


def fit_crops(sets: dict[str, tuple[Floats, NDArray[np.bool_]]]) -> Half:
    """The fusion for inputs (n, 7) and labels (n,) of each set: calibrated with all sets and classes alike.

    The inner face has the largest share with which no set is told apart less well than by the fast network
    alone.
    """
    inputs = np.concatenate([some[:, _COLUMNS] for some, _ in sets.values()])
    fake = np.concatenate([labels for _, labels in sets.values()])
    shares = [np.where(labels, 0.5 / labels.mean(), 0.5 / (~labels).mean()) for _, labels in sets.values()]
    weights = np.concatenate([share / len(share) for share in shares]) * len(fake) / len(sets)
    ratio = max(ratio for ratio in _RATIOS if not any(_loses(*some, ratio) for some in sets.values()))
    model = LogisticRegression(C=10.0)
    model.fit(inputs @ np.array([[1.0], [ratio]]), fake, sample_weight=weights)
    (slope,) = model.coef_[0]
    spread = inputs.std(axis=0) + 1e-6
    weight = slope * np.array([1.0, ratio]) * spread
    centre = inputs[~fake].mean(axis=0)
    bias = float(model.intercept_[0] + slope * (centre @ np.array([1.0, ratio])))
    return Half(_COLUMNS, centre, spread, weight, bias)


def _loses(inputs: Floats, fake: NDArray[np.bool_], ratio: float) -> bool:
    fast, inner = inputs[:, 0], inputs[:, 1]
    return bool(roc_auc_score(fake, fast + ratio * inner) < roc_auc_score(fake, fast))


def _inputs(scorer: CropScorer, patches: Sequence[Patch]) -> Floats:
    pieces = [patches[i : i + _BATCH] for i in range(0, len(patches), _BATCH)]
    return np.concatenate([scorer.inputs([decode(p.data) for p in some]) for some in pieces])


def _fakes(patches: Sequence[Patch]) -> NDArray[np.bool_]:
    return np.array([patch.fake for patch in patches])
