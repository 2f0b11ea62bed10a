"""Groups drawn from photographs of one person: the more faces, the more often the highest is flagged."""

from __future__ import annotations

import dataclasses

import numpy as np

from detector.models.card import SecondLookCard
from detector.models.model_files import MODELS_FOLDER
from detector.schema.analysis import Parameters
from training.second_look.examples.patches import PICTURE, REAL
from training.second_look.fitting.photographs import PhotographScores
from training.second_look.measuring.group_photographs import group_figures


def test_more_faces_are_flagged_more_often_by_the_highest_than_by_averaged_odds() -> None:
    card = SecondLookCard.model_validate_json((MODELS_FOLDER / "second-look" / "reelproof.json").read_bytes())
    inputs = np.full((60, 5), -3.0)
    inputs[0] = inputs[40:] = 6.0  # a single unmanipulated face, and all generated ones
    family = (REAL,) * 40 + (PICTURE,) * 20
    pictures = PhotographScores(inputs, np.arange(60) >= 40, family)
    figures = group_figures(pictures, card, Parameters(), "made")
    few, many = (figures[f"made, {n} faces, unmanipulated, flagged by the highest"] for n in (5, 30))
    assert abs(few - 5 / 40) < 0.03 and abs(many - 30 / 40) < 0.03
    assert figures["made, 3 faces, one generated, flagged by the highest"] == 1.0
    calm = dataclasses.replace(pictures, inputs=np.full((60, 5), -3.0))
    assert not any(group_figures(calm, card, Parameters(), "made").values())
