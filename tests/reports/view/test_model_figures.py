"""Which of a card's figures a report prints: those of exhibits like the one it is about."""

from __future__ import annotations

from pathlib import Path

from analyses import build

from detector.models.loaded import load_model
from detector.schema.analysis import Analysis, MediaKind
from reports.view import facts
from reports.view.validation.validity import validation


def told(folder: Path, kind: MediaKind) -> tuple[set[str], set[str]]:
    """Names of the figures, and sets of data of the error rates, of an analysis with the shipped model."""
    card = load_model().card
    analysis: Analysis = build(folder, kind=kind, kept=False)
    analysis = analysis.model_copy(update={"model": card.fused.as_model()})
    figures = facts.model(analysis.model, kind is MediaKind.IMAGE).figures
    return {figure.name for figure in figures}, {table.data for table in validation(analysis).rates}


def test_of_a_video_those_of_clips_and_crops(tmp_path: Path) -> None:
    figures, sets = told(tmp_path, MediaKind.VIDEO)
    assert "126 develop clips, AUC" in figures and any("126 develop clips" in each for each in sets)
    assert not any(name.startswith("stills") for name in figures | sets)


def test_of_a_photo_those_of_photos(tmp_path: Path) -> None:
    figures, sets = told(tmp_path, MediaKind.IMAGE)
    assert figures and all(name.startswith("stills test") for name in figures)
    assert len(sets) == 1 and sets.pop().startswith("stills test")


def test_what_attacks_did_stands_on_the_card_alone(tmp_path: Path) -> None:
    second = load_model().card.second_look
    assert second is not None and any(name.startswith("100 faces") for name in second.figures)
    for kind in MediaKind:
        assert not any(name.startswith("100 faces") for name in told(tmp_path, kind)[0])


def test_of_a_card_that_tells_nothing_of_photos_all(tmp_path: Path) -> None:
    analysis = build(tmp_path, kind=MediaKind.IMAGE, kept=False)
    assert len(facts.model(analysis.model, True).figures) == len(analysis.model.figures) > 0
