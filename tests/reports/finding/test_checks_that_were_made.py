"""Procedure, meaning and limits tell of those checks that an analysis was made with, and of no others."""

from __future__ import annotations

from pathlib import Path

import pytest
from analyses import build
from told import procedure

from detector.models.loaded import load_model
from detector.networks.base import architectures, is_sequence
from detector.schema.analysis import Analysis, ManipulationKind, MediaKind, SecondLook, Verdict
from detector.schema.causes.cards import CardCode
from detector.schema.model import SecondLookModel
from reports.annex import glossary
from reports.finding.meaning import on_desk, verdict_limits, verdict_meaning
from reports.finding.not_examined import not_examined
from reports.render.html import render_html
from reports.report_view import report_view
from reports.wording.heatmaps import SEQUENCES
from reports.wording.photographs import made_since

LOOKED = SecondLookModel(name="vit-small-14", architecture="vit_small_14", sha256="d" * 64)


def of(analysis: Analysis, *, looked: bool, **changes: object) -> Analysis:
    model = analysis.model.model_copy(update={"second_look": LOOKED if looked else None})
    return analysis.model_copy(update={"model": model, **changes})


def with_parameters(analysis: Analysis, **values: float) -> Analysis:
    parameters = analysis.parameters.model_copy(update=values)
    return analysis.model_copy(update={"parameters": parameters})


@pytest.fixture
def photo(tmp_path: Path) -> Analysis:
    return build(tmp_path, kind=MediaKind.IMAGE, segments=1, kept=False)


def test_architectures_that_judge_sequences_are_named() -> None:
    assert {name for name in architectures() if is_sequence(name)} == SEQUENCES


def test_versions_are_compared_as_numbers(photo: Analysis) -> None:
    made = photo.model_copy(update={"schema_version": "1.9"})
    assert made_since(made, "1.9") and made_since(made, "1.6") and not made_since(made, "1.10")


def test_older_analyses_do_not_mention_newer_rules(tmp_path: Path) -> None:
    video = build(tmp_path, kept=False)
    present = procedure(video)
    assert "joined end to end" in present and "The same applies to a person who reaches" in present
    before = procedure(video.model_copy(update={"schema_version": "1.18"}))
    assert "joined end to end" in before and "did not check whether a person reaches the starting" in before
    assert "joined end to end" not in procedure(video.model_copy(update={"schema_version": "1.6"}))


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("1.22", "determined the kind of manipulation from all of a person's frames"),
        ("1.23", "was determined from the flagged frames of the person only"),
    ],
)
def test_the_basis_of_the_kind_of_manipulation_depends_on_the_version(
    tmp_path: Path, version: str, words: str
) -> None:
    video = build(tmp_path, kept=False).model_copy(update={"schema_version": version})
    assert "kind of manipulation" not in procedure(video)
    assert words in procedure(video.model_copy(update={"kind": ManipulationKind.EDITED}))


@pytest.mark.parametrize(
    ("codec", "raised", "taken_off"),
    [("h264", True, None), ("vp9", False, "in VP9 raises the logit"), ("hevc", False, "in HEVC raises")],
)
def test_subtraction_for_a_codec_is_stated(
    tmp_path: Path, codec: str, raised: bool, taken_off: str | None
) -> None:
    video = of(build(tmp_path, kept=False), looked=True)
    look = LOOKED.model_copy(update={"codecs": {"hevc": 1.0, "vp9": 0.6}})
    video = video.model_copy(
        update={
            "media": video.media.model_copy(update={"codec": codec}),
            "model": video.model.model_copy(update={"second_look": look}),
        }
    )
    text = procedure(video)
    assert ("was raised further" in text) is raised
    assert "up to 8 moments more were scored" in text
    assert taken_off in text if taken_off else "this amount was subtracted" not in text


def test_the_shipped_card_s_codecs_are_in_the_analysis() -> None:
    look = load_model("reelproof").card.as_model().second_look
    assert look is not None and look.codecs == {"hevc": 1.0, "av1": 0.8, "vp9": 0.6}


@pytest.mark.parametrize("kind", (MediaKind.VIDEO, MediaKind.IMAGE))
def test_covered_faces_are_checked_since_1_21(tmp_path: Path, kind: MediaKind) -> None:
    made = build(tmp_path, kind=kind, kept=False)
    before = made.model_copy(update={"schema_version": "1.20"})
    asked = "a small network is certain that"
    assert asked in procedure(made) and asked not in procedure(before)
    for analysis, words, unsaid in (
        (made, "not smaller covers", "did not check whether faces are covered"),
        (before, "did not check whether faces are covered", "not smaller covers"),
    ):
        limits = " ".join(verdict_limits(analysis))
        assert "the visible part is judged" in limits and words in limits and unsaid not in limits


def test_older_versions_judged_frames_after_damage(tmp_path: Path) -> None:
    video = build(tmp_path, kept=False)
    damaged = video.media.model_copy(update={"frames_undecodable": 3})
    words = "the version that made this analysis judged them"
    for version, undecodable, mention in (
        ("1.18", True, True),
        ("1.18", False, False),
        ("1.19", True, False),
    ):
        media = damaged if undecodable else video.media.model_copy(update={"frames_undecodable": 0})
        made = video.model_copy(update={"schema_version": version, "media": media})
        assert (words in " ".join(not_examined(made))) is mention
        answers = dict(report_view(made, tmp_path).answers)
        assert ("the state of frames after such parts" in answers["Not examined"]) is mention


def test_excluded_kinds_of_photographs_are_named(photo: Analysis) -> None:
    every = "too small, unclear, without colour, enlarged from a tiny picture or drawn in flat colours"
    assert f"Faces that are {every} were not judged." in procedure(photo)
    assert "black-and-white and toned pictures, tiny pictures enlarged, drawings in flat" in str(
        verdict_limits(photo)
    )
    some = with_parameters(photo, minimum_colour=0)
    assert "unclear, enlarged from a tiny picture or drawn" in procedure(some)
    assert "without colour" not in procedure(some) and "black-and-white" not in str(verdict_limits(some))
    none = with_parameters(photo, minimum_colour=0, minimum_detail=0, maximum_flatness=0)
    assert "Faces that are too small or unclear were not judged." in procedure(none)
    assert "black-and-white pictures and enlarged tiny pictures are judged like any" in str(
        verdict_limits(none)
    )
    coverage = photo.coverage.model_copy(update={"faces_unusable": photo.coverage.faces_found})
    unjudged = {"verdict": Verdict.INCONCLUSIVE, "probability": None, "segments": (), "coverage": coverage}
    assert "of a kind the networks" in verdict_meaning(photo.model_copy(update=unjudged))[0]
    assert "too small or too unclear." in verdict_meaning(none.model_copy(update=unjudged))[0]


def test_reading_declarations_is_mentioned(photo: Analysis) -> None:
    for declarations, read in ((None, False), ((), True)):
        made = photo.model_copy(update={"declarations": declarations})
        assert procedure(made).startswith("First, what the file declares") is read
        assert ("declaration" in dict(glossary(made, 5))) is read


def test_texts_depend_on_the_second_look(photo: Analysis, tmp_path: Path) -> None:
    look = SecondLook(scan=0.5, altered=0.9, synthesised=0.2, stability=None, moments=())
    for looked in (True, False):
        persons = tuple(
            person.model_copy(update={"second_look": look if looked else None}) for person in photo.persons
        )
        made = of(photo, looked=looked, persons=persons)
        calm = made.model_copy(update={"verdict": Verdict.NOT_FOUND, "segments": ()})
        assert ("scored two kinds of manipulation" in procedure(made)) is looked
        assert ("that of the other kind" in verdict_meaning(made)[0]) is looked
        assert ("for either kind of manipulation" in verdict_meaning(calm)[0]) is looked
        assert ("for either kind of manipulation" in on_desk(calm)) is looked
        assert ("face swap or edit, generated face" in dict(glossary(made, 5))) is looked
        page = render_html(report_view(made, tmp_path), {})
        assert ("that of the more likely kind of manipulation" in page) is looked
        assert ('<th scope="col" class="number">Generated face</th>' in page) is looked


def test_sequence_networks_score_no_mirror_image(photo: Analysis) -> None:
    assert "its mirror image" in procedure(photo)
    model = photo.model.model_copy(update={"architecture": "efficientnet_lstm"})
    assert "mirror" not in procedure(photo.model_copy(update={"model": model}))


def test_without_a_list_no_limits_are_mentioned(photo: Analysis) -> None:
    words = "states how many generated photographs were found"
    measured = CardCode.PHOTOGRAPHS_MEASURED
    of_photographs = measured.cause(**dict.fromkeys(measured.parameters, 33))
    for limits, mention in (((), False), ((of_photographs,), True)):
        model = photo.model.model_copy(update={"learnt": (), "limit_causes": limits})
        assert (words in str(verdict_limits(photo.model_copy(update={"model": model})))) is mention


@pytest.mark.parametrize(
    ("version", "raised", "apart", "above"),
    [("1.6", False, False, False), ("1.7", True, False, False), ("1.9", True, True, False)]
    + [("1.14", True, True, False), ("1.15", True, True, True), ("1.17", True, True, True)],
)
def test_rules_of_the_second_look_are_those_of_the_version(
    tmp_path: Path, version: str, raised: bool, apart: bool, above: bool
) -> None:
    video = of(build(tmp_path, kept=False), looked=True, schema_version=version)
    text = procedure(video)
    assert ("or at a few moments above it" in text) is above
    assert ("disagreed more than on anyone" in text) is apart
    assert ("was raised further" in text) is raised
    assert ("moments more were scored" in text) is raised
    assert "makes the verdict inconclusive. " in text and ".." not in text
    still = of(build(tmp_path, kind=MediaKind.IMAGE, kept=False), looked=True, schema_version=version)
    assert ("disagreed more than on any face" in procedure(still)) is apart
