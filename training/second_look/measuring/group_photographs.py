"""How often photographs of several people are flagged, by averaged odds and by the highest face."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detector.models.card import SecondLookCard
from detector.models.loaded import LoadedModel
from detector.progress import ReportText
from detector.schema.analysis import Parameters
from detector.schema.scores import sigmoid
from detector.scoring.fusion import Floats, Fusion
from detector.scoring.scorer import Scorer
from detector.verdict.judged_persons import average_of_odds
from training.second_look.examples.patches import PICTURE, load
from training.second_look.fitting.patch_scores import read_network
from training.second_look.fitting.photographs import HANDED_ON, TEST, PhotographScores, as_shared

_SEED = 9
_GROUPS = 4000
_UNMANIPULATED = (5, 13, 30)  # faces of a group without a manipulated one
_WITH_ONE = (3, 5, 13, 30)  # faces of a group with a generated one


def measure_groups(model: LoadedModel, weights: Path, out: Path, report: ReportText) -> dict[str, float]:
    """Return shares of flagged groups, drawn from the stills of role ``test`` below ``out``, for a card.

    Each face is judged by scan and second network once; views and covered faces, which only take findings
    away, are left out. A group has one face of each photograph drawn, at most one of them generated.
    """
    assert model.card.second_look is not None
    network, scorer = read_network(weights, None), Scorer(model.alone, still=True)
    stills = [patch for patch in load(out, "stills") if patch.role == "test"]
    figures: dict[str, float] = {}
    for name, patches in ((TEST, stills), (HANDED_ON, [as_shared(patch) for patch in stills])):
        pictures = PhotographScores.of(patches, scorer, network)
        figures |= group_figures(pictures, model.card.second_look, Parameters(), name)
    for figure, value in figures.items():
        report(f"{figure}: {value:.3f}")
    return figures


def group_figures(
    pictures: PhotographScores, card: SecondLookCard, parameters: Parameters, name: str
) -> dict[str, float]:
    """Return the share of groups of ``pictures``, called ``name``, that ``card`` flags, by size."""
    faces: Floats = sigmoid(Fusion.of(card, still=True).logit(pictures.inputs))
    real, generated = faces[~pictures.fake], faces[pictures.are(PICTURE)]
    enter, figures = parameters.enter_threshold, {}
    kinds = (("unmanipulated", _UNMANIPULATED, real[:0]), ("one generated", _WITH_ONE, generated))
    for words, sizes, fakes in kinds:
        for size in sizes:
            groups = _groups(real, fakes, size)
            averaged = [average_of_odds(group.tolist()) >= enter for group in groups]
            highest = [float(group.max()) >= enter for group in groups]
            figures[f"{name}, {size} faces, {words}, flagged"] = float(np.mean(averaged))
            figures[f"{name}, {size} faces, {words}, flagged by the highest"] = float(np.mean(highest))
    return figures


def _groups(real: Floats, fakes: Floats, size: int) -> list[NDArray[np.float64]]:
    """Draw groups of ``size`` faces of ``real`` without repetition; one is of ``fakes``, if there are any."""
    rng = np.random.default_rng((_SEED, size))
    out = []
    for _ in range(_GROUPS):
        drawn = rng.choice(fakes, 1) if len(fakes) else np.empty(0)
        out.append(np.concatenate([drawn, rng.choice(real, size - len(drawn), replace=False)]))
    return out
