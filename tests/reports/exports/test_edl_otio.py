"""EDL and OTIO, read back with OpenTimelineIO and compared with the analysis."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import opentimelineio as otio
import pytest
from analyses import build, with_stability
from hypothesis import given
from hypothesis import strategies as st

from detector.schema.analysis import Analysis, Media, MediaKind
from reports.errors import ExportError
from reports.exports.editing import TIMECODE_RATES, Grid, own_grid, segments_edl, segments_otio, timecode_grid

NTSC = Fraction(30000, 1001)
RATES = ("24000/1001", "24/1", "25/1", "30000/1001", "30/1", "50/1", "60000/1001", "60/1")


def with_media(analysis: Analysis, **changes: Any) -> Analysis:
    return analysis.model_copy(update={"media": analysis.media.model_copy(update=changes)})


def media_at(rate: str | None, variable: bool = False, **changes: Any) -> Media:
    base = build(Path("nowhere"), segments=0, kept=False).media
    return base.model_copy(update={"frame_rate": rate, "variable_frame_rate": variable, **changes})


def edl(analysis: Analysis) -> list[Any]:
    """The clips of an EDL as OpenTimelineIO's own reader finds them."""
    grid = timecode_grid(analysis.media)
    timeline = otio.adapters.read_from_string(
        segments_edl(analysis).decode(), "cmx_3600", rate=float(grid.rate)
    )
    (track,) = timeline.tracks
    assert all(isinstance(child, otio.schema.Clip) for child in track)  # no gap
    return list(track)


def comments(clip: Any) -> str:
    return " ".join(clip.metadata["cmx_3600"]["comments"])


def assert_times(found: Any, start: float, end: float, rate: Fraction) -> None:
    """A range that holds the frames from ``start`` to ``end``, to within half a frame."""
    half = 0.5 / float(rate) + 1e-6
    assert abs(found.start_time.to_seconds() - start) <= half
    assert abs(found.end_time_inclusive().to_seconds() - end) <= half


@pytest.mark.parametrize("rate", [*RATES, "15/1", "25/2", "120/1", "240000/1001", "18/1"])
@pytest.mark.parametrize("variable", [False, True])
def test_an_edl_is_read_back_unchanged(tmp_path: Path, rate: str, variable: bool) -> None:
    analysis = with_media(
        build(tmp_path, persons=2, segments=9, duration=9000.0, kept=False, count=1),
        frame_rate=rate,
        variable_frame_rate=variable,
    )
    clips = edl(analysis)
    segments = sorted(analysis.segments, key=lambda entry: (entry.start, entry.person))
    assert len(clips) == len(segments) == 9
    grid = timecode_grid(analysis.media)
    for clip, segment in zip(clips, segments, strict=True):
        assert_times(clip.source_range, segment.start, segment.end, grid.rate)
        assert clip.name == analysis.media.file
        assert f"Segment {segment.id}, person {segment.person}," in comments(clip)
        assert f"score {segment.confidence:.2f}" in comments(clip)
    assert analysis.media.sha256 in comments(clips[0])
    assert ("variable" in comments(clips[0])) == variable


@pytest.mark.parametrize(("frames", "words"), [(1, ", 1 frame scored"), (23, ", 23 frames scored")])
def test_one_scored_frame_is_counted_in_the_singular(tmp_path: Path, frames: int, words: str) -> None:
    analysis = build(tmp_path, segments=1, kept=False)
    only = analysis.segments[0].model_copy(update={"frames": frames})
    (clip,) = edl(analysis.model_copy(update={"segments": (only,)}))
    assert words in comments(clip)


@pytest.mark.parametrize("rate", [*RATES, "15/1", "25/2", "120/1", "240000/1001", "18/1", "17/1"])
@pytest.mark.parametrize("variable", [False, True])
def test_an_otio_is_read_back_unchanged(tmp_path: Path, rate: str, variable: bool) -> None:
    analysis = with_media(
        build(tmp_path, persons=2, segments=9, duration=9000.0, kept=False, count=1),
        frame_rate=rate,
        variable_frame_rate=variable,
    )
    timeline = otio.adapters.read_from_string(segments_otio(analysis).decode(), "otio_json")
    video, sound = timeline.tracks
    assert (video.kind, sound.kind) == ("Video", "Audio")
    (clip,), (heard,) = video, sound
    grid = own_grid(analysis.media)
    assert clip.source_range.start_time.to_seconds() == 0
    assert clip.source_range.duration.to_seconds() == pytest.approx(9000, abs=1 / float(grid.rate))
    assert not heard.markers and heard.source_range == clip.source_range
    assert clip.media_reference.target_url == "interview_cut3.mp4"
    if not variable:
        assert grid.rate == Fraction(rate)  # the exhibit's own frames
    segments = sorted(analysis.segments, key=lambda entry: (entry.start, entry.person))
    for marker, segment in zip(clip.markers, segments, strict=True):
        assert_times(marker.marked_range, segment.start, segment.end, grid.rate)
        assert marker.name == f"{segment.id} person {segment.person} {segment.confidence:.2f}"
        assert segment.id in marker.comment
        exact = marker.metadata["reelproof"]
        assert (exact["start_s"], exact["end_s"]) == (segment.start, segment.end)
        assert exact["confidence"] == segment.confidence
    facts = timeline.metadata["reelproof"]
    assert facts["exhibit_sha256"] == analysis.media.sha256
    assert ("variable" in facts["frame_rate_note"]) == variable


@pytest.mark.parametrize("rate", TIMECODE_RATES)
@given(st.integers(0, 24 * 3600 * 60 - 1))
def test_timecode_is_what_opentimelineio_counts(rate: Fraction, frame: int) -> None:
    grid = Grid(rate)
    frame %= int(rate * 86_000)
    time = otio.opentime.RationalTime(frame, float(rate))
    timecode = otio.opentime.to_timecode(time, float(rate), grid.drop_frame)
    assert grid.timecode(frame) == timecode


def test_drop_frame_by_the_book() -> None:
    """The minutes of SMPTE ST 12-1: numbers 0 and 1 are left out of all but every tenth."""
    grid = Grid(NTSC)
    assert grid.timecode(1799) == "00:00:59;29"
    assert grid.timecode(1800) == "00:01:00;02"
    assert grid.timecode(17_981) == "00:09:59;29"
    assert grid.timecode(17_982) == "00:10:00;00"
    assert grid.timecode(107_892) == "01:00:00;00"
    assert Grid(2 * NTSC).timecode(3600) == "00:01:00;04"
    assert Grid(Fraction(24000, 1001)).timecode(1440) == "00:01:00:00"  # never drops


@pytest.mark.parametrize(("rate", "mode"), [("30000/1001", "DROP FRAME"), ("24000/1001", "NON-DROP FRAME")])
def test_the_edl_says_how_it_counts(tmp_path: Path, rate: str, mode: str) -> None:
    text = segments_edl(with_media(build(tmp_path, kept=False), frame_rate=rate)).decode()
    title, fcm, *_ = text.split("\r\n")
    assert title == "TITLE: REELPROOF interview_cut3.mp4"
    assert fcm == f"FCM: {mode}"
    assert (";" in text.split("\r\n")[3]) == (mode == "DROP FRAME")


def test_the_record_side_runs_on_from_one_hour(tmp_path: Path) -> None:
    analysis = with_media(build(tmp_path, persons=2, segments=5, kept=False), frame_rate="30000/1001")
    lines = [line.split() for line in segments_edl(analysis).decode().split("\r\n") if line[:1].isdigit()]
    assert [line[0] for line in lines] == ["001", "002", "003", "004", "005"]
    assert lines[0][6] == "01:00:00;00"
    assert [line[6] for line in lines[1:]] == [line[7] for line in lines[:-1]]


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ("2997/100", NTSC),  # as Matroska rounds it
        ("29971/1000", NTSC),
        ("30/1", Fraction(30)),
        ("29999/1000", Fraction(30)),
        ("23976/1000", Fraction(24000, 1001)),
        ("5994/100", 2 * NTSC),
        ("15/1", Fraction(30)),
        ("25/2", Fraction(25)),
        ("10/1", Fraction(30)),
        ("15000/1001", NTSC),
        ("120/1", Fraction(60)),
        ("100/1", Fraction(50)),
        ("120000/1001", 2 * NTSC),
        ("18/1", Fraction(24)),
        ("90/1", Fraction(30)),
        ("0/1", None),
        ("1/0", None),
        ("fast", None),
    ],
)
def test_timecode_rates_for_constant_rates(stated: str, expected: Fraction | None) -> None:
    media = media_at(stated, frames_decoded=1500, duration=60.0)
    grid = timecode_grid(media)
    assert grid.rate == (expected or 25)  # 1500 frames in a minute
    if expected and abs(Fraction(stated) / grid.rate - 1) > Fraction(1, 1000):
        assert "No timecode counts" in grid.note


@pytest.mark.parametrize(
    ("average", "expected"), [("2983/100", 30), ("30/1", 30), ("3002/100", 30), ("248/10", 25), ("7/1", 24),
                              ("5993/100", 60), ("140/1", 60)]
)  # fmt: skip
def test_variable_rates_use_a_constant_clock(average: str, expected: int) -> None:
    grid = timecode_grid(media_at(average, variable=True))
    assert grid.rate == expected and not grid.drop_frame
    assert "variable" in grid.note and f"{expected} frames a second" in grid.note


def test_a_file_without_frames_has_the_usual_rate() -> None:
    grid = timecode_grid(media_at(None, duration=0.0))
    assert grid.rate == 25 and "states no frame rate" in grid.note


@given(st.floats(0, 80_000, allow_nan=False), st.floats(0, 5_000), st.sampled_from(TIMECODE_RATES))
def test_any_segment_comes_back_from_an_edl(start: float, length: float, rate: Fraction) -> None:
    analysis = with_media(
        build(Path("nowhere"), persons=1, segments=1, peaks=1, kept=False, count=1),
        frame_rate=f"{rate.numerator}/{rate.denominator}",
    )
    segment = analysis.segments[0].model_copy(update={"start": start, "end": start + length})
    (clip,) = edl(analysis.model_copy(update={"segments": (segment,)}))
    assert_times(clip.source_range, start, start + length, rate)


def test_a_segment_of_one_frame_is_one_frame_long(tmp_path: Path) -> None:
    analysis = build(tmp_path, persons=1, segments=1, kept=False)
    segment = analysis.segments[0].model_copy(update={"end": analysis.segments[0].start})
    (clip,) = edl(analysis.model_copy(update={"segments": (segment,)}))
    assert clip.source_range.duration.value == 1


def test_nothing_flagged(tmp_path: Path) -> None:
    analysis = build(tmp_path, segments=0)
    timeline = otio.adapters.read_from_string(segments_edl(analysis).decode(), "cmx_3600", rate=30)
    assert not list(timeline.find_clips())
    timeline = otio.adapters.read_from_string(segments_otio(analysis).decode(), "otio_json")
    assert [len(clip.markers) for clip in timeline.find_clips()] == [0, 0]


def test_no_name_adds_an_event(tmp_path: Path) -> None:
    name = "a.mp4\r\n002  AX V C 00:00:00:00 00:00:01:00 00:00:00:00 00:00:01:00/../b #?.mp4"
    analysis = with_media(build(tmp_path, persons=1, segments=1, kept=False), file=name)
    segment = analysis.segments[0].model_copy(update={"id": "A1\n003  AX", "person": "A\n"})
    analysis = analysis.model_copy(update={"segments": (segment,)})
    (clip,) = edl(analysis)
    assert clip.name.startswith("a.mp4\\r\\n002")
    timeline = otio.adapters.read_from_string(segments_otio(analysis).decode(), "otio_json")
    (clip, _) = timeline.find_clips()
    assert not set("/ ?#\r\n") & set(clip.media_reference.target_url)  # it stays one relative name


def test_segments_that_do_not_fit_an_edl_are_refused(tmp_path: Path) -> None:
    analysis = build(tmp_path, persons=1, segments=1, peaks=1, kept=False)
    (segment,) = analysis.segments
    late = segment.model_copy(update={"start": 86_390.0, "end": 86_401.0})
    with pytest.raises(ExportError, match="24 hours"):
        segments_edl(analysis.model_copy(update={"segments": (late,)}))
    many = tuple(segment.model_copy(update={"id": f"A{index}"}) for index in range(1000))
    with pytest.raises(ExportError, match="999"):
        segments_edl(analysis.model_copy(update={"segments": many}))
    assert len(edl(analysis.model_copy(update={"segments": many[:999]}))) == 999
    timeline = otio.adapters.read_from_string(
        segments_otio(analysis.model_copy(update={"segments": many})).decode(), "otio_json"
    )
    assert len(next(iter(timeline.find_clips())).markers) == 1000


@pytest.mark.parametrize("make", [segments_edl, segments_otio])
def test_a_photo_has_no_times(tmp_path: Path, make: Any) -> None:
    with pytest.raises(ExportError, match="photo"):
        make(build(tmp_path, kind=MediaKind.IMAGE, segments=1))


def test_a_segment_that_other_views_do_not_confirm_is_not_called_flagged(tmp_path: Path) -> None:
    analysis = build(tmp_path, persons=2, segments=2, kept=False)
    assert "Flagged by Reelproof" in comments(edl(analysis)[0])
    analysis = with_stability(analysis, A=1.0, B=0.6)
    first, second = edl(analysis)
    assert "1 of 2 flagged, the others looked at, by Reelproof" in comments(first)
    assert "(strong signs of manipulation)" in comments(first) and "(looked at, not flagged)" in comments(
        second
    )
    timeline = otio.adapters.read_from_string(segments_otio(analysis).decode(), "otio_json")
    (clip,) = timeline.video_tracks()[0]
    assert [(marker.color, "looked at, not flagged" in marker.comment) for marker in clip.markers] == [
        ("RED", False),
        ("WHITE", True),
    ]
