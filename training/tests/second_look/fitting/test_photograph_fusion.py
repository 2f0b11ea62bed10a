"""How photographs are judged: two answers, of which the larger counts."""

from __future__ import annotations

import numpy as np
from second_look_cases import idle_card, patch

from detector.faces.crop import HEAD
from detector.faces.patch import decode_jpeg
from detector.schema.analysis import Parameters
from detector.schema.scores import logit_of
from detector.scoring.fusion import Fusion
from training.second_look.examples.patches import COMPOSITE, PICTURE, REAL
from training.second_look.examples.sampling import plain_crop
from training.second_look.fitting.fusion import smooth_threshold_for
from training.second_look.fitting.photographs import (
    TEST,
    PhotographScores,
    as_shared,
    fit_photographs,
    measure_photographs,
)


def picture_inputs(rng: np.random.Generator, count: int, kind: str) -> PhotographScores:
    """Pictures of a kind, which one input of the fusion tells."""
    inputs = rng.normal(0, 1, (count, 5))
    if kind != REAL:
        inputs[:, 4 if kind == PICTURE else 3] += 6.0
    return PhotographScores(inputs, np.full(count, kind != REAL), (kind,) * count)


def mixed(kinds: list[PhotographScores]) -> PhotographScores:
    """Pictures of several kinds."""
    return PhotographScores(
        np.concatenate([some.inputs for some in kinds]),
        np.concatenate([some.fake for some in kinds]),
        tuple(family for some in kinds for family in some.family),
    )


def test_a_photographs_two_answers_are_told_apart() -> None:
    rng = np.random.default_rng(1)
    kinds = [picture_inputs(rng, 80, kind) for kind in (REAL, COMPOSITE, PICTURE)]
    together = mixed(kinds)
    card = idle_card().model_copy(update={"photographs": fit_photographs(together, Parameters())})
    formula = Fusion.of(card, still=True)
    real, composite, generated = (formula.halves(some.inputs) for some in kinds)
    assert (composite[0] > composite[1]).mean() > 0.9 and (generated[1] > generated[0]).mean() > 0.9
    larger = formula.logit(together.inputs)
    assert larger.tolist() == np.maximum(*formula.halves(together.inputs)).tolist()
    flagged = larger >= logit_of(Parameters().enter_threshold)
    assert flagged[:80].mean() <= 0.03 and flagged[80:].mean() > 0.9
    assert Fusion.of(card).altered != formula.altered, "videos are judged by the other fusion"


def test_the_card_says_how_well_pictures_are_told_apart() -> None:
    rng = np.random.default_rng(2)
    kinds = [picture_inputs(rng, 40, kind) for kind in (REAL, COMPOSITE, PICTURE)]
    together = mixed(kinds)
    card = idle_card().model_copy(update={"photographs": fit_photographs(together, Parameters())})
    lines: list[str] = []
    figures = measure_photographs(card, together, TEST, Parameters(), lines.append).figures
    assert figures[f"{TEST}, AUC, generated"] > 0.99 and figures[f"{TEST}, AUC, composites"] > 0.99
    assert figures[f"{TEST}, flagged, photographs"] <= 0.03 < 0.9 < figures[f"{TEST}, flagged, generated"]
    assert 0 <= figures[f"{TEST}, expected calibration error"] < 0.2
    assert figures[f"{TEST}, AUC of the answer about them, generated"] > 0.99


def test_probabilities_are_shares_but_where_unmanipulated_pictures_would_be_flagged() -> None:
    rng = np.random.default_rng(4)
    real, composite = (picture_inputs(rng, 400, kind) for kind in (REAL, COMPOSITE))
    composite.inputs[:, 3] -= 4.5  # hard to tell
    parts = [real, composite, picture_inputs(rng, 400, PICTURE)]
    together = mixed(parts)
    fusion = fit_photographs(together, Parameters())
    published = Fusion.of(idle_card().model_copy(update={"photographs": fusion}), still=True).logit(
        together.inputs
    )
    enter, doubt = (logit_of(p) for p in (Parameters().enter_threshold, Parameters().doubt_threshold))
    assert (published[:400] >= enter).mean() <= 0.03 and (published[:400] >= doubt).mean() <= 0.1
    free = fusion.model_copy(update={"bounds": ()})
    scaled = Fusion.of(idle_card().model_copy(update={"photographs": free}), still=True).logit(
        together.inputs
    )
    assert np.array_equal(np.argsort(scaled), np.argsort(published)), "the order stays"
    beyond = scaled > scaled[published >= enter].min() + 0.1
    assert np.allclose(scaled[beyond], published[beyond], atol=0.3)
    assert (scaled[:400] >= enter).mean() > 0.03, "else the bounds would have nothing to hold back"


def test_a_picture_handed_on_shows_the_same_square_at_half_the_size() -> None:
    original = patch(3, fake=True)
    smaller = as_shared(original)
    assert (smaller.width, smaller.height) == (48, 48) == decode_jpeg(smaller.data).shape[:2]
    assert smaller.box == (15.0, 14.0, 33.0, 37.0)
    before, after = (plain_crop(picture, HEAD, 32).astype(float) for picture in (original, smaller))
    assert np.abs(before.mean(axis=(0, 1)) - after.mean(axis=(0, 1))).max() < 6, (
        "colours have kept their order"
    )
    assert smaller.fake == original.fake and smaller.role == original.role


def test_a_threshold_rests_on_no_single_picture() -> None:
    rng = np.random.default_rng(6)
    scores = rng.normal(0, 1, 4000)
    fake = np.zeros(len(scores), bool)
    threshold = smooth_threshold_for(scores, fake, 0.03)
    assert abs((scores >= threshold).mean() - 0.03) < 0.012
    with_one_far = np.append(scores[:200], 40.0)
    moved = smooth_threshold_for(with_one_far, fake[:201], 0.03) - smooth_threshold_for(
        scores[:200], fake[:200], 0.03
    )
    assert 0 <= moved < 0.4
