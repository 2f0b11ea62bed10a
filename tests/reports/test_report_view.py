"""The view model says in words what an analysis holds, and no more."""

from __future__ import annotations

from pathlib import Path

import pytest
from analyses import EXHIBIT_SHA256, build

from detector.schema.analysis import (
    MediaKind,
    Parameters,
)
from reports.errors import PictureError
from reports.report_view import report_view


def test_exhibit_facts_are_in_words(tmp_path: Path) -> None:
    view = report_view(build(tmp_path), tmp_path)
    facts = {fact.name: fact.value for fact in (*view.exhibit, *view.recording)}
    assert facts["SHA-256"] == EXHIBIT_SHA256
    assert facts["Size"] == "12.4 MB (12,412,345 bytes)"
    assert facts["Duration"] == "00:01:00.000"
    assert facts["Resolution"] == "1920 × 1080 px"
    assert facts["Frame rate"] == "29.97 frames a second (30000/1001), constant"
    assert (facts["Frames decoded"], facts["Frames undecodable"]) == ("1,798", "3")
    assert "File name, escaped" not in facts


def test_still_image_has_faces_instead_of_intervals(tmp_path: Path) -> None:
    view = report_view(build(tmp_path, kind=MediaKind.IMAGE, segments=1), tmp_path)
    assert view.still and view.timeline.still
    assert view.segments[0].title == "Flagged face A1"
    assert (
        view.verdict_sentence == "The face of person A shows weak signs of manipulation in this photograph."
    )
    assert "Duration" not in {fact.name for fact in view.recording}
    assert not any("Sound" in line for line in view.not_examined.lines)
    shown = {row.name for row in view.parameters}
    assert "minimum colour" in shown and not shown & {"sample rate", "median window", "edge window"}
    assert not {"segment", "peak frame", "PTS"} & {term for term, _ in view.glossary}


def test_every_parameter_is_shown_with_its_meaning_and_marked_when_changed(tmp_path: Path) -> None:
    view = report_view(build(tmp_path), tmp_path)
    of_photos = {"minimum_colour", "minimum_detail", "maximum_flatness", "average_odds"}
    names = [name.replace("_", " ") for name in Parameters.model_fields if name not in of_photos]
    assert [row.name for row in view.parameters] == names
    enter = next(row for row in view.parameters if row.name == "enter threshold")
    assert (enter.value, enter.default, enter.changed) == ("0.75", "0.65", True)
    assert enter.meaning == Parameters.model_fields["enter_threshold"].description
    assert sum(row.changed for row in view.parameters) == 1


def test_segment_and_peak_figures(tmp_path: Path) -> None:
    segment = report_view(build(tmp_path), tmp_path).segments[0]
    assert (segment.id, segment.start, segment.end, segment.duration) == (
        "A1",
        "00:00:06.000",
        "00:00:18.000",
        "12.0 s",
    )
    assert (segment.confidence, segment.strength) == ("0.97", "strong signs of manipulation")
    peak = segment.peaks[1]
    assert peak.time == "00:00:12.000" and not peak.confirmed
    assert peak.check is not None
    assert [(row.what, row.score, row.change) for row in peak.check.rows] == [
        ("Nothing", "0.94", "–"),
        ("Hottest 15%", "0.91", "−0.44"),
        ("Random 15%", "0.92", "−0.31"),
    ]


@pytest.mark.parametrize(
    "path",
    [
        "../secret.png",
        "frames/../../secret.png",
        "/etc/passwd",
        "..\\secret.png",
        "C:/secret.png",
        "file:///etc/passwd",
        "a\0b.png",
        "",
        "link/secret.png",
    ],
)
@pytest.mark.parametrize("field", ["frame", "overlay"])
def test_pictures_outside_the_folder_are_refused(tmp_path: Path, path: str, field: str) -> None:
    folder = tmp_path / "case"
    folder.mkdir()
    outside = tmp_path / "outside"
    outside.mkdir()
    for place in (outside, tmp_path):
        (place / "secret.png").write_bytes(b"secret")
    (folder / "link").symlink_to(outside)
    analysis = build(folder, segments=1, peaks=1)
    segment = analysis.segments[0]
    peak = segment.peaks[0].model_copy(update={field: path})
    hostile = analysis.model_copy(update={"segments": (segment.model_copy(update={"peaks": (peak,)}),)})
    with pytest.raises(PictureError, match="outside its folder"):
        report_view(hostile, folder)


def test_missing_pictures_are_reported(tmp_path: Path) -> None:
    analysis = build(tmp_path, segments=1, peaks=1)
    (tmp_path / "overlays" / "A1-1.png").unlink()
    peak = report_view(analysis, tmp_path).segments[0].peaks[0]
    assert peak.frame.path == "overlays/A1-1-frame.png" and not peak.frame.absent
    assert peak.overlay.path is None and "missing" in peak.overlay.absent
    unkept = report_view(build(tmp_path, kept=False), tmp_path)
    assert unkept.pictures == ()
    assert unkept.segments[0].peaks[0].frame.absent == "This picture was not stored."


def test_a_date_that_cannot_be_read_is_shown_and_left_out_of_metadata(tmp_path: Path) -> None:
    analysis = build(tmp_path, segments=0)
    odd = analysis.model_copy(
        update={"software": analysis.software.model_copy(update={"created": "yesterday"})}
    )
    view = report_view(odd, tmp_path)
    assert (view.head.created, view.head.created_iso) == ("yesterday", "")
    other_zone = analysis.software.model_copy(update={"created": "2025-11-20T10:41:02+02:00"})
    view = report_view(analysis.model_copy(update={"software": other_zone}), tmp_path)
    assert view.head.created_iso == "2025-11-20T08:41:02Z"


def test_both_clocks_where_the_picture_starts_late(tmp_path: Path) -> None:
    given = build(tmp_path, persons=1, segments=1)
    for offset, stated in ((5.0, True), (0.02, False)):
        media = given.media.model_copy(update={"start_offset": offset})
        view = report_view(given.model_copy(update={"media": media}), tmp_path)
        facts = {fact.name: fact.value for fact in view.recording}
        assert (facts.get("First frame on a player's clock") == "00:00:05.000") is stated
        assert any(fact.name == "On a player's clock" for fact in view.segments[0].figures) is stated
