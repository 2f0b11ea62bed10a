"""What a logit of the scan and four of the second look amount to together."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError
from second_looks import HALVES, card

from detector.faces.crop import HEAD, INNER
from detector.models.card import Bound, Contrast, FusionHalf, PhotographFusion, SecondLookCard
from detector.models.model_files import MODELS_FOLDER
from detector.schema.model import Platt
from detector.scoring.fusion import Fusion, fusion_inputs, inputs_of


def test_fused_logit_is_that_of_the_larger_half() -> None:
    fusion = Fusion.of(card())
    quiet = np.array([[-1.0, -2.0, -1.5, 0.5, -2.5]])  # the centres
    assert fusion.logit(quiet)[0] == -1.0
    for column in range(5):
        louder = quiet.copy()
        louder[0, column] += 4
        assert fusion.logit(louder)[0] >= fusion.logit(quiet)[0]
    altered, synthesised = fusion.halves(quiet)
    assert (altered[0], synthesised[0]) == (fusion.logit(quiet)[0], -2.0)
    assert fusion.neutral.tolist() == quiet[0].tolist()


def test_reserve_lowers_the_synthesised_half() -> None:
    """It alone must be so much surer; the larger answer is the published one."""
    fusion = Fusion.of(card().model_copy(update={"reserve": 2.0}))
    inputs = np.array([[-1.0, -2.0, -1.5, 0.5, 5.0]])
    plain = Fusion.of(card())
    assert fusion.logit(inputs)[0] == pytest.approx(plain.logit(inputs)[0] - 2, abs=0.01)
    altered, synthesised = fusion.halves(inputs)
    assert altered[0] < synthesised[0] == fusion.logit(inputs)[0]


def test_distant_networks_contradict_each_other() -> None:
    """In standard deviations of each; the centres of both are alike, whatever their logits."""
    fusion = Fusion.of(card().model_copy(update={"agreement": 2.0}))
    inputs = np.tile(fusion.neutral, (4, 1))
    inputs[:, 0] += [0.0, 1.9, 2.1, -2.1]
    assert fusion.apart(inputs) == pytest.approx([0.0, 1.9, 2.1, -2.1])
    assert fusion.contradicts(inputs).tolist() == [False, False, True, True]
    assert not Fusion.of(card()).contradicts(inputs).any(), "without a limit they may"


def test_codec_offset_is_subtracted_from_the_altered_half() -> None:
    model_card = card().model_copy(
        update={"codecs": {"hevc": 0.8}, "contrast": Contrast(least=1.0, gain=1.0)}
    )
    usual, other = (Fusion.of(model_card, codec=codec) for codec in ("h264", "hevc"))
    inputs = np.array([[3.0, 2.0, -1.5, 0.5, -2.5]])
    before, after = usual.altered.logit(inputs), other.altered.logit(inputs)
    assert before - after == pytest.approx(0.8)
    assert usual.synthesised.logit(inputs) == other.synthesised.logit(inputs)
    assert usual.contrast is not None and other.contrast is None, "it varies from picture to picture"
    assert card().deciding == card().model_copy(update={"codecs": {}}).deciding, "cards without stay the same"


def test_published_logit_can_be_inverted() -> None:
    bent = Fusion.of(card(Platt(scale=0.5, offset=-1.0)).model_copy(update={"knee": 0.6, "beyond": 1.5}))
    for logit in (-4.0, 1.0, 3.1, 3.3, 9.0):
        assert bent.unpublished(float(bent._published(np.array([logit]))[0])) == pytest.approx(logit)


def test_published_logits_are_scaled() -> None:
    inputs = np.zeros((2, 5))
    plain, scaled = Fusion.of(card()), Fusion.of(card(Platt(scale=2.0, offset=-1.0)))
    assert scaled.logit(inputs) == pytest.approx(2 * plain.logit(inputs) - 1)


def test_beyond_the_knee_published_logits_rise_faster() -> None:
    plain = Fusion.of(card(Platt(scale=0.5, offset=-1.0)))
    bent = Fusion.of(card(Platt(scale=0.5, offset=-1.0)).model_copy(update={"knee": 0.6, "beyond": 1.5}))
    inputs = np.zeros((40, 5))
    inputs[:, 0] = np.linspace(-5, 10, 40)
    before, after = plain.logit(inputs), bent.logit(inputs)
    below = before <= 0.6
    assert below.any() and not below.all()
    assert after[below] == pytest.approx(before[below])
    assert after[~below] - 0.6 == pytest.approx(3 * (before[~below] - 0.6))


def test_inputs_are_limited_in_standard_deviations() -> None:
    fusion = Fusion.of(card())
    inputs = np.tile(fusion.neutral, (6, 1))
    inputs[:, 1] += [-1000.0, -12.0, -11.0, 15.0, 16.0, 1000.0]  # its spread is 2
    low, least, above, below, most, high = fusion.altered.logit(inputs)
    assert low == least < above < below < most == high


def test_raise_is_added_to_the_altered_half() -> None:
    fusion = Fusion.of(card())
    altered, synthesised = fusion.altered, fusion.synthesised
    inputs = np.tile(fusion.neutral, (2, 1))
    raised = np.array([0.0, 3.0])
    due = np.maximum(altered.logit(inputs) + raised, synthesised.logit(inputs))
    assert fusion.logit(inputs, raised) == pytest.approx(due)


def test_lead_refers_to_the_inputs_of_the_maximum() -> None:
    reserved = Fusion.of(card().model_copy(update={"reserve": 2.0}))
    inputs = np.array([[-1.0, -2.0, -1.5, 0.5, 5.0]])
    assert reserved.lead(inputs) == pytest.approx(Fusion.of(card()).lead(inputs) + 2.0)


def test_card_may_extend_the_altered_half() -> None:
    contrast = Contrast(least=1.5, gain=0.5)
    fusion = Fusion.of(card().model_copy(update={"contrast": contrast, "within": 0.25}))
    assert (fusion.contrast, fusion.within) == (contrast, 0.25)


def test_card_with_an_unknown_input_is_rejected() -> None:
    with pytest.raises(
        ValidationError, match="no input of the fusion: 'outer altered'. Those are fast, inner"
    ):
        FusionHalf(inputs=("fast", "outer altered"), centre=(0, 0), spread=(1, 1), weight=(1, 1), bias=0)


def test_inputs_combine_both_networks() -> None:
    inputs = fusion_inputs(np.array([1.0, 2.0]), np.array([3.0, 4.0, 5.0, 6.0]))
    assert inputs.tolist() == [[1.0, 3.0, 4.0, 5.0, 6.0], [2.0, 3.0, 4.0, 5.0, 6.0]]
    assert inputs[0, list(inputs_of(HEAD))].tolist() == [5.0, 6.0]


def without_head() -> FusionHalf:
    return FusionHalf(
        inputs=("fast", "inner altered"), centre=(0.0, 0.0), spread=(1.0, 1.0), weight=(1.0, 1.0), bias=0.0
    )


def test_framings_of_the_altered_half() -> None:
    assert Fusion.of(card()).altered_framings == (INNER, HEAD)
    inner = card().model_copy(update={"altered": without_head()})
    assert Fusion.of(inner).altered_framings == (INNER,)


def test_different_questions_are_no_contradiction() -> None:
    of_scan = FusionHalf(inputs=("fast",), centre=(0.0,), spread=(1.0,), weight=(1.0,), bias=0.0)
    fusion = Fusion.of(card().model_copy(update={"altered": of_scan, "agreement": 0.1}))
    assert fusion.contradicts(np.array([[9.0, -9.0, 0.0, 0.0, 0.0]])).tolist() == [False]


def photographs(**changed: object) -> PhotographFusion:
    own = {"altered": without_head(), "synthesised": HALVES["synthesised"]}
    return PhotographFusion(**own, probability=Platt(scale=2.0, offset=0.5), **changed)


def test_photographs_use_their_own_constants() -> None:
    constants = photographs(agreement=3.0, bounds=(Bound(at=1.0, published=4.0),))
    both = card().model_copy(update={"photographs": constants, "reserve": 2.0, "agreement": 5.0})
    still, video = Fusion.of(both, still=True), Fusion.of(both)
    assert (still.scale, still.offset, still.reserve, still.agreement, still.bounds) == (
        *(2.0, 0.5, 0.0, 3.0),
        constants.bounds,
    )
    assert (video.scale, video.reserve, video.agreement, video.bounds) == (1.0, 2.0, 5.0, ())
    plain = card()
    assert Fusion.of(plain, still=True).altered.columns == Fusion.of(plain).altered.columns


def test_bounds_preserve_the_order_of_logits() -> None:
    for at, published in ((1.0, 4.0), (1.0, 1.0)):  # above and below what the scaling gives, 2.5
        own = photographs(bounds=(Bound(at=at, published=published),))
        fusion = Fusion.of(card().model_copy(update={"photographs": own}), still=True)
        inputs = np.tile(np.array([[0.0, 0.0, -9.0, 0.0, -9.0]]), (5, 1))
        inputs[:, 0] = [-3.0, 0.9, 1.0, 1.1, 5.0]
        out = fusion.logit(inputs)
        assert (np.diff(out) > 0).all() and out[2] == pytest.approx(max(2.5, published))
        assert (out[:2] < published).all() and (out[2:] >= published).all()
        assert out[[0, 4]] == pytest.approx([-5.5, 10.5])


@pytest.mark.parametrize("still", (False, True))
def test_a_person_without_a_look_is_not_synthesised(still: bool) -> None:
    """The centre of the shipped half for videos is its threshold: such persons came out exactly at it."""
    shipped = SecondLookCard.model_validate_json(
        (MODELS_FOLDER / "second-look" / "reelproof.json").read_bytes()
    )
    fusion = Fusion.of(shipped, still)
    altered, synthesised = fusion.halves(fusion.without_second_look[None])
    assert synthesised <= altered + 1e-9 < 0
