"""Which of a card's figures speak for an exhibit."""

from __future__ import annotations

from analyses import model as made_up

from detector.models.loaded import load_model
from detector.schema.model import Model
from reports.wording.verbal_scale import calibration_error


def with_figures(model: Model, figures: dict[str, float]) -> Model:
    return model.model_copy(update={"figures": figures})


def test_one_network_has_its_largest_error() -> None:
    figures = {"a crops, expected calibration error": 0.05, "calibration_error": 0.02, "b, AUC": 0.99}
    for still in (False, True):
        assert calibration_error(with_figures(made_up(), figures), still) == 0.05
        assert calibration_error(with_figures(made_up(), {"AUC": 0.9}), still) is None


def test_with_a_second_look_the_error_is_that_of_the_same_kind() -> None:
    base = load_model().card.fused.as_model()
    stills, clips = "stills test, expected calibration error", "241 develop clips, expected calibration error"
    crops, others = (f"{data}, expected calibration error" for data in ("dfdc-test crops", "ffpp-crops test"))
    model = with_figures(base, {stills: 0.08, clips: 0.15, crops: 0.3, others: 0.2})
    assert calibration_error(model, still=True) == 0.08
    assert calibration_error(model, still=False) == 0.15
    assert calibration_error(with_figures(base, {stills: 0.08, crops: 0.3, others: 0.2}), still=False) is None


def test_the_shipped_card_states_it_for_both() -> None:
    model = load_model().card.fused.as_model()
    assert (
        calibration_error(model, still=True)
        == model.figures["stills test at half size, JPEG 60, expected calibration error"]
    )
    assert (
        calibration_error(model, still=False)
        == model.figures["whole program, 241 develop clips, expected calibration error"]
    )
