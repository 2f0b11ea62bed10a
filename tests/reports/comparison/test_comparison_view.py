"""A comparison in words and in the drawing of its time map."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_comparison_results import comparison_of

from detector.comparison.statements import hidden_faces_remark, small_faces_remark
from detector.schema.comparison import Comparison, Region
from language import translation
from reports.comparison.comparison_section import ComparisonView, comparison_view


def view_of(folder: Path, **crop: object) -> ComparisonView:
    made: Comparison = comparison_of(folder, ("a.mp4", "b.mp4"), ("1" * 64, "2" * 64))
    assert made.transform is not None
    transform = made.transform.model_copy(update=crop)
    return comparison_view(made.model_copy(update={"transform": transform}), folder)


REGION = Region(
    id="R1", box=(0, 0, 80, 20), start=1, end=2, difference=4, frames=9, peaks=(), statement="Part of it."
)


@pytest.mark.parametrize(
    ("without", "regions", "title", "outcome"),
    [
        (("segments", "gaps"), (), "No difference beyond the effects of re-encoding", "no difference"),
        (("segments", "gaps"), (REGION,), "Parts of the picture differ, but no face does", "parts differ"),
        (("segments", "gaps", "persons"), (), "No face could be compared", "no face compared"),
        (
            ("segments", "gaps", "persons"),
            (REGION,),
            "Parts of the picture differ; no face could be compared",
            "no face compared",
        ),
        (
            ("segments",),
            (),
            "Part of the exhibit was not found in the reference. "
            "The rest shows no difference beyond the effects of re-encoding",
            "shows more",
        ),
        (
            ("segments", "persons"),
            (),
            "Part of the exhibit was not found in the reference. No face could be compared",
            "shows more",
        ),
        ((), (REGION,), "One face differs from the reference", "faces differ"),
    ],
)
def test_only_compared_pictures_count_as_identical(
    tmp_path: Path, without: tuple[str, ...], regions: tuple[Region, ...], title: str, outcome: str
) -> None:
    made = comparison_of(tmp_path, ("a.mp4", "b.mp4"), ("1" * 64, "2" * 64), without=without)
    view = comparison_view(made.model_copy(update={"regions": regions}), tmp_path)
    assert (view.title, view.outcome) == (title, outcome)
    assert view.faces_compared == ("persons" not in without)


def test_omitted_parts_of_the_reference_are_no_difference(tmp_path: Path) -> None:
    made = comparison_of(tmp_path, ("a.mp4", "b.mp4"), ("1" * 64, "2" * 64), without=("segments",))
    left_out = made.gaps[0].model_copy(update={"file": "reference"})
    assert made.model_copy(update={"gaps": (left_out,)}).outcome == "no difference"


def test_faces_that_were_not_compared_are_counted_by_frames_in_every_language(tmp_path: Path) -> None:
    made = comparison_of(tmp_path, ("a.mp4", "b.mp4"), ("1" * 64, "2" * 64))
    small = (small_faces_remark(1, 24.0), small_faces_remark(1200, 24.0))
    left_out = (*small, hidden_faces_remark(1), hidden_faces_remark(7))
    assert [remark.text for remark in small] == [
        "In one compared frame one face is less than 24 pixels wide in one of the files.",
        "1,200 faces, counted frame by frame, are less than 24 pixels wide in one of the files.",
    ]
    made = made.model_copy(update={"not_compared_causes": left_out})
    with translation.speaking("de"):
        sentences = comparison_view(made, tmp_path).not_compared
    assert not any("face" in sentence for sentence in sentences) and "1.200 Gesichter" in sentences[1]


def test_a_frame_is_drawn_until_the_next_one(tmp_path: Path) -> None:
    """Of 6 s of the exhibit, 25 frames a second, those from 0 to 5 s are shown; of 8 s those from 1 to 6."""
    drawing = view_of(tmp_path).drawing
    assert drawing is not None
    (piece,) = drawing.pieces
    assert (piece.exhibit.start, piece.exhibit.end) == pytest.approx((0, 100 * 5.04 / 6), abs=0.001)
    assert (piece.reference.start, piece.reference.end) == pytest.approx((100 / 8, 100 * 6.04 / 8), abs=0.001)


@pytest.mark.parametrize(
    ("crop", "uncertainty", "words"),
    [
        ((0.0, 0.0, 320.0, 180.0), 0.1, "the whole picture"),
        ((0.0, 0.6, 319.2, 180.0), 0.1, "the whole picture"),
        ((2.0, 0.0, 320.0, 180.0), 2.5, "the whole picture"),
        ((2.0, 0.0, 320.0, 180.0), 0.1, "99% of its picture"),
        ((1.58, 0.0, 320.0, 180.0), 0.1, "99.5% of its picture"),
    ],
)
def test_truncated_files_are_reported(
    tmp_path: Path, crop: tuple[float, ...], uncertainty: float, words: str
) -> None:
    facts = {fact.name: fact for fact in view_of(tmp_path, crop=crop, uncertainty=uncertainty).transform}
    assert facts["Part of the reference shown"].value == words
