"""Fusion and thresholds fitted to records of clips."""

from __future__ import annotations

import numpy as np
import pytest
from second_look_cases import clip_record, idle_card

from detector.schema.analysis import Parameters
from detector.schema.scores import logit_of
from detector.scoring.fusion import Fusion
from training.second_look.fitting.fusion import SynthesisLevels
from training.second_look.fitting.thresholds import fit_card, measure_card, peak, probability_for


def test_probabilities_have_the_thresholds_where_the_parameters_have_theirs() -> None:
    platt = probability_for(2.4, 1.2, Parameters())
    for logit, probability in ((2.4, 0.65), (1.2, 0.4)):
        assert 1 / (1 + np.exp(-(platt.scale * logit + platt.offset))) == pytest.approx(probability)


def test_thresholds_flag_few_unmanipulated_clips() -> None:
    records = [clip_record(n, n % 2 == 1) for n in range(80)]
    model_card = idle_card()
    levels = SynthesisLevels(limit=3.0, median=0.0)
    card = fit_card(records, model_card, Parameters(), levels)
    formula = Fusion.of(card)
    enter = logit_of(Parameters().enter_threshold)
    flagged = np.array([peak(r, formula, Parameters()) >= enter for r in records])
    fake = np.array([r.fake for r in records])
    assert flagged[~fake].sum() <= 2 and flagged[fake].sum() > 20
    lines: list[str] = []
    measured = measure_card(records, card, Parameters(), levels, lines.append)
    assert any(line.startswith("unmanipulated: of 40 flagged") for line in lines)
    false_positives, misses = measured.rates
    assert (false_positives.items, misses.items) == (40, 40)
    assert false_positives.events is not None and false_positives.events <= 4
