"""The annex for the reader: whose error rates it shows."""

from __future__ import annotations

import json
from pathlib import Path

from analyses import build

from detector.models.loaded import load_model
from detector.schema.analysis import Analysis, MediaKind, Parameters
from detector.schema.model import LEARNT, Model, Rate
from detector.validation.validated_model import unmeasured_parameters
from reports.annex import reader_view_of_model
from reports.render.html import render_html
from reports.report_view import ReportInputs, report_view


def test_photographs_and_videos_have_their_own_texts() -> None:
    shipped: Model = load_model().card.fused.as_model()
    videos, photos = (reader_view_of_model(shipped, still) for still in (False, True))
    assert all(" clips" in error.words for error in videos.errors)
    assert all(" photographs" in error.words for error in photos.errors)
    assert [error.filled for error in videos.errors] != [error.filled for error in photos.errors]


def test_the_higher_rate_of_networks_and_program_is_shown() -> None:
    model = load_model().card.fused.as_model()
    false_alarms, misses = reader_view_of_model(model, still=False).errors
    by = {(rate.data, rate.figure): rate for rate in model.rates if rate.unit == "clips"}
    step, program = "241 develop clips", "whole program, 241 develop clips"
    alarms, missed = (
        {data: by[data, figure].events for data in (step, program)}
        for figure in ("false positive rate", "false negative rate")
    )
    assert alarms[step] >= alarms[program] and missed[program] > missed[step]
    assert f"{alarms[step]} of 120 clips, about 5 %" in false_alarms.words
    assert f"{missed[program]} of 121 clips, about 53 %" in misses.words and misses.filled == 53


def test_the_annex_says_how_much_is_found_of_unknown_generators_in_videos() -> None:
    model = load_model().card.fused.as_model()
    kinds = ("talking heads and avatars", "swaps and reenactment", "text-to-video", "lip-sync")
    suffix = "found where 5 in 100 unmanipulated clips are flagged"
    figures = {f"pages left out, {kind}, {suffix}": 0.1 * n for n, kind in enumerate(kinds, start=4)}
    measured = model.model_copy(update={"figures": figures})
    words = reader_view_of_model(measured, still=False).unknown
    assert "40 of talking heads and avatars, 50 of face swaps and reenactment, 60 of videos made" in words
    assert not reader_view_of_model(measured, still=True).unknown
    figures.popitem()
    partly = model.model_copy(update={"figures": figures})
    assert not reader_view_of_model(partly, still=False).unknown


def test_figures_not_measured_on_photographs_come_from_videos() -> None:
    measured = Rate(
        figure="false positive rate", data="clips", value=0.02, interval="none", items=64, unit="clips"
    )
    model = load_model().card.fused.as_model().model_copy(update={"rates": (measured,)})
    for still in (False, True):
        false_alarms, misses = reader_view_of_model(model, still).errors
        assert false_alarms.filled == 2 and "not measured" in misses.words


def test_rates_do_not_apply_to_other_parameters(tmp_path: Path) -> None:
    made = build(tmp_path, kept=False)
    model = load_model().card.fused.as_model()
    shipped = made.model_copy(update={"model": model, "parameters": Parameters()})
    for idle in ({}, {"seed": 3}, {"average_odds": False}):
        as_measured = with_parameters(shipped, **idle)
        view = report_view(as_measured, tmp_path)
        assert (
            not (view.measured_errors.apart or view.reader.apart) and "of 100" in view.reader.errors[0].words
        )
    other = with_parameters(shipped, enter_threshold=0.1, sample_rate=4)
    view = report_view(other, tmp_path)
    assert (
        "used others (sample_rate, enter_threshold), so the rates do not show" in view.measured_errors.apart
    )
    assert "used others (sample_rate, enter_threshold)." in view.reader.apart and not view.reader.errors
    annex = render_html(view, {}).split('id="reader"')[-1]
    assert view.reader.apart in annex and "Each square" not in annex and "of 100, measured" not in annex


def test_rates_of_one_person_are_marked_if_several_faces_were_judged(
    tmp_path: Path,
) -> None:
    model = load_model().card.fused.as_model()
    for kind, persons, mention in (
        (MediaKind.IMAGE, 3, True),
        (MediaKind.IMAGE, 1, False),
        (MediaKind.VIDEO, 3, False),
    ):
        made = build(tmp_path / f"{kind}{persons}", kind=kind, persons=persons, kept=False)
        many = made.model_copy(update={"model": model, "parameters": Parameters()})
        view = report_view(many, tmp_path)
        for sentence in (view.measured_errors.apart, view.reader.one_person):
            assert (
                sentence.startswith(
                    "These rates were measured on photographs of one person. Here, 3 faces were"
                )
                == mention
            )
            assert ("in 12, 2 and 0 of 100 groups" in sentence) == mention
        assert (view.reader.one_person in render_html(view, {}).split('id="reader"')[-1]) or not mention
    older = model.model_copy(update={"limits": ()})
    made = build(tmp_path, kind=MediaKind.IMAGE, persons=2, kept=False)
    made = made.model_copy(update={"model": older, "parameters": Parameters()})
    several = report_view(made, tmp_path, ReportInputs(language_code="de"))
    assert "2 Gesichter" in several.reader.one_person and "of 100" not in several.reader.one_person


def test_unused_and_newer_parameters_count_as_measured(tmp_path: Path) -> None:
    made = build(tmp_path, kept=False)
    alone = made.model_copy(update={"model": load_model().card.alone.as_model(), "parameters": Parameters()})
    assert unmeasured_parameters(with_parameters(alone, second_look=0)) == []
    fused = alone.model_copy(update={"model": load_model().card.fused.as_model()})
    assert unmeasured_parameters(with_parameters(fused, second_look=0)) == ["second_look"]
    document = json.loads(fused.to_json()) | {"schema_version": "1.13"}
    for name in ("interpolate_below", "alternate_heads", "average_odds", "sound", "edge_level"):
        del document["parameters"][name]
    old = Analysis.from_json(json.dumps(document))
    assert old.parameters.interpolate_below == 0 and unmeasured_parameters(old) == []


def with_parameters(analysis: Analysis, **changed: object) -> Analysis:
    parameters = analysis.parameters.model_copy(update=changed)
    return analysis.model_copy(update={"parameters": parameters})


def test_rates_on_training_data_are_not_shown() -> None:
    learnt = Rate(
        figure="false positive rate",
        data="crops",
        value=0.15,
        interval="none",
        items=60,
        unit="crops",
        note=LEARNT,
    )
    model = load_model().card.as_model().model_copy(update={"rates": (learnt,)})
    for still in (False, True):
        assert all("not measured" in error.words for error in reader_view_of_model(model, still).errors)
