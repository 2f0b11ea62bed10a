"""How a report says that its heatmaps were made."""

from __future__ import annotations

from pathlib import Path

import pytest
from analyses import build, model
from told import procedure

from detector.models.loaded import load_model
from detector.networks.base import create
from detector.schema.analysis import USUAL_AREAS, HideAndRescore, MediaKind
from detector.schema.voice import VoiceCheck
from reports.annex import general_glossary, glossary
from reports.persons.segments import segment_view
from reports.wording.heatmaps import (
    FORMER_TRANSFORMERS,
    TRANSFORMERS,
    check_words,
    hiding_view,
    maps_of,
)


def test_methods_of_both_networks_are_named(tmp_path: Path) -> None:
    shipped = load_model().card.fused.as_model()
    for kind in (MediaKind.VIDEO, MediaKind.IMAGE):
        analysis = build(tmp_path, kind=kind, kept=False).model_copy(update={"model": shipped})
        words = procedure(analysis)
        assert "a map of hidden parts" in words and "HiResCAM" not in words
        assert "map of hidden parts" in dict(glossary(analysis, 5))["heatmap"]
        earlier = procedure(analysis.model_copy(update={"schema_version": "1.25"}))
        assert "Grad-CAM for the first network; HiResCAM" in earlier and "geometric mean" in earlier
    assert "map of hidden parts" in dict(general_glossary(shipped))["heatmap"]
    assert maps_of(model()) == "Grad-CAM"


def test_transformers_are_known_by_name() -> None:
    second = load_model().card.second_look
    assert second is not None and second.architecture in TRANSFORMERS
    assert all(create(architecture).gives_tokens for architecture in TRANSFORMERS - FORMER_TRANSFORMERS)


def test_the_check_of_a_sequence_network_concerns_the_face_alone(tmp_path: Path) -> None:
    """Its frame score is of frames around as well, so that both figures of one frame differ."""
    ways, alone = "with the faces before and after it in its track", "the face is scored alone"
    for kind in (MediaKind.VIDEO, MediaKind.IMAGE):
        plain = build(tmp_path, kind=kind, segments=1, kept=False)
        lstm = plain.model.model_copy(update={"architecture": "efficientnet_lstm"})
        for analysis, mention in (
            (plain, False),
            (plain.model_copy(update={"model": lstm}), kind is MediaKind.VIDEO),
        ):
            assert (ways in procedure(analysis)) is mention
            effects = [
                peak.effect
                for segment in analysis.segments
                for peak in segment_view(analysis, segment, tmp_path).peaks
            ]
            assert effects and all((alone in effect) is mention for effect in effects)


@pytest.mark.parametrize(
    ("highlight", "random", "margin", "middle", "confirmed"),
    [
        (0.6, 0.0, 0.5, None, True),
        (0.6, 0.0, 0.8, None, False),
        (0.4, -0.6, 0.5, None, False),
        (1.5, 0.9, 0.5, None, False),
        (0.6, 0.0, 0.5, 0.5, True),
        (0.6, 0.0, 0.5, 0.7, False),
    ],
)
def test_a_map_is_confirmed_if_hiding_it_lowers_the_logit_more_than_anything_else(
    highlight: float, random: float, margin: float, middle: float | None, confirmed: bool
) -> None:
    check = HideAndRescore(
        area=0.15,
        probability=0.9,
        hidden_highlight=0.5,
        hidden_random=0.9,
        drop_highlight=highlight,
        drop_random=random,
        margin=margin,
        drop_middle=middle,
    )
    assert check.confirmed is confirmed


@pytest.mark.parametrize(("areas", "rough"), [(USUAL_AREAS, False), (USUAL_AREAS - 1, True)])
def test_only_a_check_with_fewer_areas_than_usual_is_called_rough(areas: int, rough: bool) -> None:
    check = HideAndRescore(
        area=0.15,
        probability=0.9,
        hidden_highlight=0.5,
        hidden_random=0.9,
        drop_highlight=2.2,
        drop_random=0.0,
        areas=areas,
    )
    assert ("rough" in check_words(check)) is rough


def test_a_fall_of_the_logit_is_seen_where_the_score_hardly_changes() -> None:
    """Bars share a scale on which the fall needed to confirm a map has a place too."""
    face = HideAndRescore(
        area=0.15,
        probability=0.9999,
        hidden_highlight=0.995,
        hidden_random=0.9999,
        drop_highlight=3.9,
        drop_random=-0.1,
        margin=0.5,
        hidden_middle=0.9997,
        drop_middle=1.0,
    )
    bars = hiding_view(face)
    nothing, hottest, random, middle = bars.rows
    assert nothing.length == 0 and hottest.score == middle.score == ">\u00a00.99"
    assert (hottest.start, hottest.length) == pytest.approx((bars.zero, 3.9 / 4), abs=1e-3)
    assert (random.start, random.length) == pytest.approx((0, bars.zero), abs=1e-3), "the logit rose"
    assert middle.length == pytest.approx(1 / 4, abs=1e-3)
    assert bars.least == pytest.approx((0.1 + 0.5) / 4, abs=1e-3)


@pytest.mark.parametrize(("margin", "least"), [(0.6, 0.65), (None, 0.05)])
def test_small_falls_have_short_bars(margin: float | None, least: float) -> None:
    """Also of voices, whose maps in earlier analyses were confirmed by any larger fall."""
    check = VoiceCheck(
        area=0.1,
        probability=0.8,
        hidden_highlight=0.78,
        hidden_random=0.79,
        drop_highlight=0.1,
        drop_random=0.05,
        areas=8,
        margin=margin,
    )
    bars = hiding_view(check)
    assert [row.length for row in bars.rows] == pytest.approx([0, 0.1, 0.05])
    assert (bars.zero, bars.least) == pytest.approx((0, least))
