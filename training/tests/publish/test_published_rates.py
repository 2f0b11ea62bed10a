"""Error rates and ranges that are written to cards, and those of the shipped cards."""

from __future__ import annotations

from pathlib import Path

import pytest

from detector.models.model_files import DEFAULT_MODEL, MODELS_FOLDER, SHIPPED_MODELS, load_card
from detector.schema.model import LEARNT
from detector.statistics.error_rates import BOOTSTRAP, BOOTSTRAP_OF_ERROR, EXACT
from training.model_card import write_card
from training.published_rates import VALIDATED, measured_rates, with_own_loss
from training.second_look.scan import VALIDATED_WITH_SECOND_LOOK


def level(tp: int, fp: int, fn: int, tn: int) -> dict:
    def figure(value: float, low: float | None, high: float | None) -> dict:
        return {"value": value, "from": low, "to": high}

    return {
        "items": tp + fp + fn + tn,
        "groups": 14,
        "threshold": 0.65,
        "confusion": {"tp": tp, "fp": fp, "fn": fn, "tn": tn},
        "figures": {
            "recall": figure(tp / (tp + fn), 0.6, 0.9),
            "false positive rate": figure(fp / (fp + tn), 0.01, 0.08),
            "AUC": figure(0.94, 0.85, 1.0),
            "expected calibration error": figure(0.03, None, None),
        },
    }


def test_clips_are_counted_exactly_and_crops_by_source() -> None:
    rates = measured_rates({"develop clips": level(8, 0, 3, 13), "dfdc-test crops": level(75, 5, 25, 95)})
    by = {(rate.data, rate.figure): rate for rate in rates}
    clips = by["develop clips", "false positive rate"]
    assert (clips.value, clips.low, clips.events, clips.items, clips.interval) == (0.0, 0.0, 0, 13, EXACT)
    assert clips.high == pytest.approx(0.2471, abs=1e-4)
    assert clips.note is not None and "flatter" in clips.note
    missed = by["dfdc-test crops", "false negative rate"]
    assert (missed.value, missed.low, missed.high, missed.interval) == (0.25, 0.1, 0.4, BOOTSTRAP)
    assert (missed.events, missed.items, missed.unit, missed.threshold) == (25, 100, "crops", 0.65)
    assert by["dfdc-test crops", "expected calibration error"].low is None
    assert len(rates) == 8


def test_photographs_are_counted_by_verdict_and_exactly_where_none_repeats() -> None:
    of_few = measured_rates({"photographs": level(5, 1, 1, 5)})[0]
    assert (of_few.unit, of_few.threshold, of_few.interval) == ("photographs", None, BOOTSTRAP)
    rate = measured_rates({"photographs": level(5, 1, 1, 5) | {"groups": 12}})[0]
    assert rate.interval == EXACT and rate.events == 1 and rate.items == 6


def test_training_data_is_noted_on_every_rate() -> None:
    assert {rate.note for rate in measured_rates({"crops": level(75, 5, 25, 95)}, learnt=True)} == {LEARNT}
    assert {rate.note for rate in measured_rates({"crops": level(75, 5, 25, 95)})} == {None}


def test_zero_of_many_has_an_interval() -> None:
    rate = measured_rates({"dfdc-val crops": level(75, 0, 25, 100)})[0]
    assert (rate.interval, rate.low) == (EXACT, 0.0) and 0.03 < rate.high < 0.04


def test_unmeasured_levels_are_omitted() -> None:
    assert measured_rates({"clips": {"items": 3, "figures": {}}}) == ()


@pytest.mark.parametrize("name", sorted(path.stem for path in MODELS_FOLDER.glob("*.json")))
def test_shipped_cards_have_rates_that_agree_with_their_figures(name: str) -> None:
    card, _ = load_card(name)
    by = {(rate.data, rate.figure): rate for rate in card.rates}
    assert by["develop clips", "false positive rate"].value == pytest.approx(
        card.figures["develop clips, unmanipulated ones flagged"], abs=1e-4
    )
    for data in ("dfdc-val crops", "dfdc-test crops"):
        assert by[data, "AUC"].value == card.figures[f"{data}, AUC"]
    for rate in card.rates:
        assert rate.low is not None and rate.high is not None and rate.value <= rate.high
        assert rate.low <= rate.value or rate.interval == BOOTSTRAP_OF_ERROR
    ranges = VALIDATED_WITH_SECOND_LOOK if name == DEFAULT_MODEL else VALIDATED
    assert card.validated == with_own_loss(ranges, card.figures)


@pytest.mark.parametrize("name", sorted(SHIPPED_MODELS))
def test_loss_on_small_faces_follows_the_card(name: str) -> None:
    card, _ = load_card(name)
    lost = card.figures["dfdc-val crops, AUC"] - card.figures["dfdc-val crops reduced to 48 px, AUC"]
    (width,) = (candidate for candidate in card.validated if candidate.name == "face width")
    assert f"lose {lost:.2f} of AUC" in width.basis


def test_loss_on_small_faces_is_written_to_the_card() -> None:
    figures = {"dfdc-val crops, AUC": 0.9, "dfdc-val crops reduced to 48 px, AUC": 0.77}
    ranges = with_own_loss(VALIDATED, figures)
    assert ranges[0].basis.startswith("crops reduced to 48 px lose 0.13 of AUC; ")
    assert ranges[1:] == VALIDATED[1:] and with_own_loss(VALIDATED, {}) == VALIDATED


def test_the_default_cards_markdown_matches_the_card(tmp_path: Path) -> None:
    card, _ = load_card()
    write_card(card, tmp_path)
    for suffix in (".md", ".json"):
        written = (tmp_path / f"{DEFAULT_MODEL}{suffix}").read_text()
        assert written == (MODELS_FOLDER / f"{DEFAULT_MODEL}{suffix}").read_text()
