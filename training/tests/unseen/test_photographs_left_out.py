"""Photographs of generators and sources that nothing had learned from."""

from __future__ import annotations

import numpy as np
import pytest

from detector.models.loaded import load_model
from detector.schema.analysis import Parameters
from detector.schema.scores import logit_of
from detector.scoring.fusion import Fusion
from training.unseen.families import PORTRAIT, REAL
from training.unseen.features import FeatureSet
from training.unseen.photographs import GENERATORS, Pictures, left_out, synthesised_limit
from training.unseen.samples import Sample


def _photographs() -> FeatureSet:
    """Twenty sources of eight photographs, and eight pictures of each generator."""
    rng = np.random.default_rng(2)
    names = [(REAL, f"place {n}") for n in range(20)] + [(name, "") for row in GENERATORS for name in row]
    samples = [
        Sample(f"{family}{origin}-{n}", 0, family, REAL if origin else PORTRAIT, "", "train", "photos2",
               origin or family, "plain")
        for family, origin in names
        for n in range(8)
    ]  # fmt: skip
    features = rng.normal(size=(len(samples), 6)).astype(np.float32)
    features[[sample.fake for sample in samples], 0] += 4
    return FeatureSet(samples, features)


def test_generators_are_told_from_photographs_of_sources_left_out() -> None:
    photographs = _photographs()
    footage = FeatureSet(
        [Sample("a", 0, "x", "x", "", "train", "native", "page", "plain"),
         Sample("b", 0, REAL, REAL, "", "train", "native", "page", "plain")],
        np.array([[4.0, 0, 0, 0, 0, 0], [0.0, 0, 0, 0, 0, 0]], np.float32),
    )  # fmt: skip
    rows = list(left_out([Pictures(photographs, footage)], limits=[2.0, 1e6]))
    assert [row.names for row in rows] == [", ".join(names) for names in GENERATORS]
    assert [row.pictures for row in rows] == [8 * len(names) for names in GENERATORS]
    for row in rows:
        assert row.auc > 0.95 and row.found_at_five > 0.8
        assert row.flagged < 0.15 < row.found
        assert row.judged[1] == 5 * row.pictures and not row.reached[1].any()
        assert row.reached[0].tolist() == pytest.approx(
            [row.flagged * row.judged[0], row.found * row.judged[1]]
        )
    nobody = list(left_out([Pictures(photographs, footage)], limits=[1e6]))
    assert [(row.flagged, row.found) for row in nobody] == [(0.0, 0.0)] * len(rows)


def test_the_limit_is_where_the_shipped_fusion_flags() -> None:
    card = load_model().card.second_look
    assert card is not None
    formula, enter = Fusion.of(card, still=True), logit_of(Parameters().enter_threshold)
    inputs = np.tile(formula.neutral, (2, 1))
    inputs[:, formula.synthesised.columns] = synthesised_limit(formula, enter) + np.array([[-0.01], [0.01]])
    below, above = formula.halves(inputs)[1]
    assert below < enter <= above
