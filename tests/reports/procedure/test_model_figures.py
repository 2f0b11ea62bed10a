"""Which of a card's figures a report prints: those of exhibits like the one it is about."""

from __future__ import annotations

from pathlib import Path

from analyses import build

from detector.models.loaded import load_model
from detector.schema.analysis import Analysis, MediaKind
from reports.procedure.method import model_view
from reports.validation.error_rates import measured_errors


def told(folder: Path, kind: MediaKind) -> tuple[set[str], set[str]]:
    """Names of the figures, and sets of data of the error rates, of an analysis with the shipped model."""
    card = load_model().card
    analysis: Analysis = build(folder, kind=kind, kept=False)
    analysis = analysis.model_copy(update={"model": card.fused.as_model()})
    figures = model_view(analysis.model, kind is MediaKind.IMAGE).figures
    return {figure.name for figure in figures}, {table.data for table in measured_errors(analysis).rates}


def test_a_video_has_the_figures_of_clips_and_crops(tmp_path: Path) -> None:
    figures, sets = told(tmp_path, MediaKind.VIDEO)
    assert "241 develop clips, AUC" in figures and any("241 develop clips" in entry for entry in sets)
    assert not any(name.startswith("stills") for name in figures | sets)


def test_a_photo_has_the_figures_of_photos(tmp_path: Path) -> None:
    figures, sets = told(tmp_path, MediaKind.IMAGE)
    assert figures and all(
        name.startswith(("stills test", "generators and sources of photographs")) for name in figures
    )
    assert len(sets) == 1 and sets.pop().startswith("stills test")


def test_a_photo_is_not_compared_with_ranges_of_clips(tmp_path: Path) -> None:
    card = load_model().card
    for source, rates in ((card, True), (card.alone, False)):
        video, photo = (
            measured_errors(
                build(tmp_path, kind=kind, kept=False).model_copy(update={"model": source.as_model()})
            )
            for kind in (MediaKind.VIDEO, MediaKind.IMAGE)
        )
        assert video.domain and "lies within" in video.sentence
        assert not photo.domain and photo.sentence.startswith("This cannot be determined for a photograph")
        assert ("the error rates stated for photographs" in photo.sentence) is rates


def test_each_rate_has_its_own_number_of_sources(tmp_path: Path) -> None:
    model = load_model().card.fused.as_model()
    tables = measured_errors(build(tmp_path, kept=False).model_copy(update={"model": model})).rates
    clips = next(table for table in tables if table.data == "241 develop clips")
    assert "independent source" not in clips.about
    of_clips = [rate for rate in model.rates if rate.data == clips.data]
    assert len({rate.groups for rate in of_clips}) == 2
    for row, rate in zip(clips.rows, of_clips, strict=True):
        assert row.counted.endswith(f" clips, from {rate.groups} independent sources")
    crops = next(table for table in tables if table.data == "dfdc-test crops")
    assert "from 1,230 independent sources" in crops.about
    assert not any("source" in row.counted for row in crops.rows)


def test_figures_for_attacks_are_on_the_card_only(tmp_path: Path) -> None:
    second = load_model().card.second_look
    assert second is not None and any(name.startswith("100 faces") for name in second.figures)
    for kind in (MediaKind.VIDEO, MediaKind.IMAGE):
        assert not any(name.startswith("100 faces") for name in told(tmp_path, kind)[0])


def test_all_figures_apply_if_the_card_has_none_for_photos(tmp_path: Path) -> None:
    analysis = build(tmp_path, kind=MediaKind.IMAGE, kept=False)
    assert len(model_view(analysis.model, True).figures) == len(analysis.model.figures) > 0
