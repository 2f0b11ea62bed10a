"""What the report says was not examined, and why."""

from __future__ import annotations

from pathlib import Path

import pytest
from analyses import build
from told import procedure

from detector.schema.analysis import (
    MediaKind,
    Span,
)
from detector.schema.metadata import Details, Picture, Timing
from reports.finding.not_examined import not_examined
from reports.render.html import render_html
from reports.report_view import report_view


@pytest.mark.parametrize(
    ("width", "height", "narrowest"), [(1280, 720, ""), (1080, 1920, "72"), (3840, 2160, "144")]
)
def test_a_large_video_states_the_smallest_face_that_is_found(
    tmp_path: Path, width: int, height: int, narrowest: str
) -> None:
    analysis = build(tmp_path, kept=False)
    media = analysis.media.model_copy(update={"width": width, "height": height})
    lines = [
        line for line in not_examined(analysis.model_copy(update={"media": media})) if "Small faces" in line
    ]
    assert len(lines) == bool(narrowest)
    assert all(f"narrower than about {narrowest} pixels" in line for line in lines)


@pytest.mark.parametrize(
    ("version", "intervals", "throughout"),
    [
        ("1.17", (0.04, 6.0), False),
        ("1.17", None, False),
        ("1.17", (0.2, 6.0), True),  # each frame is the first of its interval
        ("1.17", (0.01, 0.1), True),
        ("1.18", (0.04, 6.0), True),
    ],
)
def test_older_analyses_state_that_long_frames_may_be_missed(
    tmp_path: Path, version: str, intervals: tuple[float, float] | None, *, throughout: bool
) -> None:
    analysis = build(tmp_path, segments=0, kept=False)
    timing = intervals and Timing(
        least_interval=intervals[0], greatest_interval=intervals[1], median_interval=0.04
    )
    details = Details(timing=timing) if timing else None
    media = {"variable_frame_rate": True, "frames_undecodable": 0, "details": details}
    changes = {
        "schema_version": version,
        "media": analysis.media.model_copy(update=media),
        "coverage": analysis.coverage.model_copy(update={"not_examined": ()}),
    }
    view = report_view(analysis.model_copy(update=changes), tmp_path)
    lines = " ".join(view.not_examined.lines)
    assert ("All of the running time was examined." in render_html(view, {}, ())) == throughout
    assert ("stay on screen for longer were not examined." in lines) != throughout
    assert ("at most 8 a second" in lines) == (version == "1.17")
    assert ("the first in each 1/8 s and frames shown for longer" in lines) == (version == "1.18")


def test_the_report_mentions_data_before_the_first_frame(tmp_path: Path) -> None:
    analysis = build(tmp_path)
    assert not any("Before the first frame" in line for line in not_examined(analysis))
    later = analysis.media.model_copy(update={"lost_at_start": 3.52})
    lines = not_examined(analysis.model_copy(update={"media": later}))
    assert "Before the first frame: the first 3.5 s of the file cannot be decoded." in lines


def test_the_report_mentions_damaged_frames(tmp_path: Path) -> None:
    analysis = build(tmp_path)
    intact = analysis.media.model_copy(update={"frames_undecodable": 0})
    analysis = analysis.model_copy(update={"media": intact})
    before = not_examined(analysis)
    spoilt = {
        "media": analysis.media.model_copy(update={"frames_from_damaged": 245, "lost_at_end": 2.24}),
        "coverage": analysis.coverage.model_copy(update={"frames_from_damaged": 65}),
    }
    damaged = analysis.model_copy(update=spoilt)
    added = set(not_examined(damaged)) - set(before)
    media, sampled = damaged.media, damaged.coverage.frames_sampled
    assert added == {
        f"Frames between samples: {sampled} of {media.frames:,} frames were sampled.",
        "Frames that depend on damaged or missing frames, up to the next key frame: 245, of which 65 "
        "would have been sampled.",
        "After the last frame: 2.2 s of the file cannot be decoded.",
    }
    whole, spoilt_ones = (
        dict(report_view(variant, tmp_path).answers)["Not examined"] for variant in (analysis, damaged)
    )
    between = media.frames - sampled
    assert f"{between:,} of {media.frames:,} frames, between the examined frames; " in whole
    assert (
        f"{between - 245:,} of {media.frames:,} frames, between the examined frames; 245 frames that "
        "depend on damaged or missing frames; " in spoilt_ones
    )


@pytest.mark.parametrize("kind", (MediaKind.VIDEO, MediaKind.IMAGE))
def test_the_report_mentions_transparent_areas(tmp_path: Path, kind: MediaKind) -> None:
    analysis = build(tmp_path, kind=kind)
    details = Details(picture=Picture(transparent=0.25))
    clear = analysis.media.model_copy(update={"details": details})
    lines = not_examined(analysis.model_copy(update={"media": clear}))
    assert sum(line.startswith("The content under transparent areas (25.0 % of") for line in lines) == 1
    assert not any("transparent" in line for line in not_examined(analysis))
    details = Details(picture=Picture(transparent=3e-6))
    clear = analysis.media.model_copy(update={"details": details})
    lines = not_examined(analysis.model_copy(update={"media": clear}))
    assert (
        sum(line.startswith("The content under transparent areas (less than 0.1 % of") for line in lines) == 1
    )


def test_the_report_mentions_data_after_the_pictures(tmp_path: Path) -> None:
    analysis = build(tmp_path)
    media = analysis.media.model_copy(update={"details": Details(picture=Picture(ends_at=0.491))})
    joined = analysis.model_copy(update={"media": media})
    (line,) = set(not_examined(joined)) - set(not_examined(analysis))
    assert line == "Data after the examined pictures: everything beyond the first 49 % of the file."
    after, before = (
        dict(report_view(variant, tmp_path).answers)["Not examined"] for variant in (joined, analysis)
    )
    assert "data after the examined pictures in the file" in after.lower() and after != before


def test_unexamined_parts_are_listed(tmp_path: Path) -> None:
    view = report_view(build(tmp_path), tmp_path)
    text = " ".join(view.not_examined.lines)
    assert "480 of 1,798 frames" in text
    assert "Sound is present, but was not examined." in text
    assert "3 packets or frames" in text
    assert "41 of 900 faces" in text
    gap = view.not_examined.gaps[0]
    assert (gap.start, gap.reason) == (
        "00:00:42.000",
        "no usable face: blurred",
    )


def test_touching_gaps_join_in_the_figure_but_not_in_the_table(tmp_path: Path) -> None:
    analysis = build(tmp_path, segments=0)
    spans = (Span(start=1, end=2, reason="dark"), Span(start=2, end=3, reason="blurred"))
    coverage = analysis.coverage.model_copy(update={"not_examined": spans})
    view = report_view(analysis.model_copy(update={"coverage": coverage}), tmp_path)
    assert len(view.not_examined.gaps) == 2 and len(view.timeline.not_examined) == 1


def test_frames_judged_around_the_ends_of_segments_are_mentioned(tmp_path: Path) -> None:
    plain = build(tmp_path, segments=1)
    coverage = plain.coverage.model_copy(update={"frames_between": 84})
    analysis = plain.model_copy(update={"coverage": coverage})
    before, after = (not_examined(variant)[0] for variant in (plain, analysis))
    assert "around the ends" not in before and after.endswith(
        "84 of the others were judged around the ends of segments."
    )
    assert "was then judged by the same rules" in procedure(analysis)
    assert "was then judged by the same rules" not in procedure(plain)
    notes = [
        next(fact.note for fact in report_view(variant, tmp_path).recording if fact.name == "Frames decoded")
        for variant in (plain, analysis)
    ]
    assert notes[0] == "" and notes[1].startswith("in the first pass")
    left = plain.media.frames - plain.coverage.frames_sampled
    looked = [" ".join(map(str, report_view(variant, tmp_path).answers)) for variant in (plain, analysis)]
    assert f"{left:,} of" in looked[0] and f"{left - 84:,} of" in looked[1]
