"""How fusion and thresholds are fitted, on made inputs of as many clips."""

from __future__ import annotations

import numpy as np
import pytest

from detector.models.card import FUSION_INPUTS, FusionHalf
from detector.scoring.fusion import SCAN, Fusion, Half
from training.second_look.fitting import fusion
from training.second_look.fitting.photographs import ALTERED

MISLEADING = FUSION_INPUTS.index("head altered")


def clip_inputs(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str]]:
    rng = np.random.default_rng(seed)
    fake = np.arange(60) % 2 == 1
    talking = np.arange(60) % 4 == 1
    inputs = rng.normal(0, 1, (60, len(FUSION_INPUTS)))
    inputs[:, SCAN] += 2 * (fake & ~talking)
    inputs[:, FUSION_INPUTS.index("head synthesised")] += 3 * talking
    inputs[:, MISLEADING] -= 2 * fake  # without the bound its weight would be negative
    return inputs, fake, talking, [f"group {i // 6}" for i in range(60)]


def test_weights_are_not_negative_whatever_an_input_says() -> None:
    inputs, fake, *_ = clip_inputs()
    fitted = fusion.fit_half(ALTERED, inputs, fake)  # as of photographs
    of = dict(zip(ALTERED, fitted.weight, strict=True))
    assert of[SCAN] > 0.3 and of[MISLEADING] == 0
    half = fusion.fit_half(
        ALTERED, inputs * np.where(np.arange(len(FUSION_INPUTS)) == MISLEADING, -1, 1), fake
    )
    assert dict(zip(ALTERED, half.weight, strict=True))[MISLEADING] > 0.3, "where it says the truth it counts"


def test_the_inner_face_counts_more_than_the_scan_however_well_the_scan_tells_the_clips() -> None:
    inputs, fake, talking, _ = clip_inputs()
    fitted = fusion.fit(inputs, fake, talking)
    assert fitted.altered.weight[0] > 0
    np.testing.assert_allclose(fitted.altered.weight[1], 1.5 * fitted.altered.weight[0])
    assert (fitted.synthesised.weight >= 0).all()


def test_the_fusion_survives_the_card() -> None:
    inputs, fake, talking, _ = clip_inputs()
    fitted = fusion.fit(inputs, fake, talking)
    again = [
        Half.of(FusionHalf.model_validate_json(fusion.half_of_card(half).model_dump_json()))
        for half in (fitted.altered, fitted.synthesised)
    ]
    whole = Fusion(*again, reserve=fitted.reserve)
    np.testing.assert_allclose(whole.logit(inputs), fitted.logit(inputs))


def test_halves_have_thresholds_of_their_own_and_one_unit() -> None:
    inputs, fake, talking, _ = clip_inputs()
    before = fusion.fit(inputs, fake, talking)
    levels = fusion.SynthesisLevels(limit=18.0, median=6.0)
    fitted = fusion.aligned(before, limit=1.5, median=-2.5, levels=levels)
    assert fitted.altered.logit(inputs) == pytest.approx(before.altered.logit(inputs) - 1.5)
    synthesised = np.zeros((2, len(FUSION_INPUTS)))
    synthesised[:, FUSION_INPUTS.index("head synthesised")] = 18.0, 6.0
    assert fitted.synthesised.logit(synthesised) == pytest.approx([0.0, -4.0]), (
        "as far below as the other median"
    )


@pytest.mark.parametrize("share", [0.0, 0.03, 0.1, 0.5])
def test_the_threshold_flags_no_more_than_its_share(share: float) -> None:
    rng = np.random.default_rng(4)
    scores, fake = rng.normal(size=100), np.arange(100) % 2 == 1
    threshold = fusion.threshold_for(scores, fake, share)
    real = scores[~fake]
    assert (real >= threshold).mean() <= share
    assert threshold < np.sort(real)[::-1][int(share * 50)] + 2.01
