"""Figures of the whole program on the card of a second look."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from detector.models.card import SecondLookCard
from detector.models.model_files import MODELS_FOLDER
from detector.schema.analysis import Verdict
from training.second_look.measuring.verdicts import (
    ClipVerdict,
    composed_figures,
    update_card,
    verdict_figures,
    with_rates,
)


def test_verdicts_are_shares_of_each_truth() -> None:
    answers = [
        ClipVerdict("a", False, Verdict.NOT_FOUND, 0.1),
        ClipVerdict("b", False, Verdict.INCONCLUSIVE, 0.5),
        ClipVerdict("c", True, Verdict.MANIPULATED, 0.9),
        ClipVerdict("d", True, Verdict.NOT_FOUND, 0.3),
    ]
    assert verdict_figures(answers) == {
        "whole program, 4 develop clips, AUC": 0.75,
        "whole program, 4 develop clips, expected calibration error": pytest.approx(0.35),
        "whole program, 4 develop clips, manipulated ones flagged": 0.5,
        "whole program, 4 develop clips, manipulated ones inconclusive": 0.0,
        "whole program, 4 develop clips, unmanipulated ones flagged": 0.0,
        "whole program, 4 develop clips, unmanipulated ones inconclusive": 0.5,
    }


def test_rates_of_the_program_stand_after_those_of_the_step_on_the_same_clips() -> None:
    card = SecondLookCard.model_validate_json((MODELS_FOLDER / "second-look" / "reelproof.json").read_bytes())
    verdicts = [Verdict.NOT_FOUND] * 119 + [Verdict.MANIPULATED] * 92 + [Verdict.INCONCLUSIVE] * 30
    answers = [ClipVerdict(str(n), n >= 120, verdict, 0.5) for n, verdict in enumerate(verdicts)]
    rates = with_rates(card, answers).rates
    assert len(rates) == len(card.rates), "those it had are put anew"
    program = [rate for rate in rates if rate.data == "whole program, 241 develop clips"]
    assert rates[2:4] == tuple(program) and [rate.data for rate in rates[:2]] == ["241 develop clips"] * 2
    assert [(rate.figure, rate.events, rate.items) for rate in program] == [
        ("false positive rate", 1, 120),
        ("false negative rate", 30, 121),
    ]
    assert [rate.groups for rate in program] == [rate.groups for rate in rates[:2]]
    bare = card.model_copy(update={"rates": ()})
    assert [rate.groups for rate in with_rates(bare, answers).rates] == [None, None]


def test_the_card_states_what_was_measured(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    weights = shutil.ignore_patterns("*.safetensors")
    shutil.copytree(MODELS_FOLDER, folder, ignore=weights)
    for name in ("reelproof", "second-look/reelproof"):
        shutil.copy(MODELS_FOLDER / f"{name}.safetensors", folder / f"{name}.safetensors")
    measured = {
        "AP at tIoU 0.5": 0.123456,
        "AP at tIoU 0.75": 0.1,
        "splices": 21.0,
        "duos": 15.0,
        "right person only": 6.0,
        "wrong person": 3.0,
        "alternations": 8.0,
        "alternations flagged": 2.0,
    }
    path = update_card(str(folder / "reelproof.json"), composed_figures(measured))
    before = SecondLookCard.model_validate_json(
        (MODELS_FOLDER / "second-look" / "reelproof.json").read_bytes()
    )
    after = SecondLookCard.model_validate_json(path.with_suffix(".json").read_bytes())
    assert before.figures.keys() <= after.figures.keys() and after.deciding == before.deciding
    assert after.figures["whole program, 21 partly manipulated clips, AP at tIoU 0.5"] == 0.1235
    assert after.figures["whole program, 15 clips of two people, a wrong one flagged"] == pytest.approx(0.2)
    text = path.with_suffix(".md").read_text()
    assert "15 clips of two people, the right person alone flagged 0.4" in text
