"""The view model says in words what an analysis holds, and no more."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from analyses import EXHIBIT_SHA256, build

from detector.schema.analysis import (
    Answers,
    ManipulationKind,
    MediaKind,
    Parameters,
    SecondLook,
    Span,
    Verdict,
)
from detector.schema.metadata import Details, Picture, Timing
from reports.errors import PictureError
from reports.inputs.pictures import embed
from reports.render.html import render_html
from reports.text.meaning import verdict_meaning
from reports.text.not_examined import not_examined
from reports.text.procedure.videos import procedure
from reports.view.report import report_view


def test_finding_names_the_persons_and_the_flagged_time_once(tmp_path: Path) -> None:
    view = report_view(build(tmp_path, persons=2, segments=4), tmp_path)
    assert view.verdict == "manipulated"
    # A1 and B1 cover the same 12 s, as do A2 and B2.
    assert view.verdict_sentence == (
        "The faces of persons A and B were judged to be manipulated in 4 segments of this video, "
        "00:00:24.000 of its 00:01:00.000."
    )


def test_many_persons_are_counted_not_listed(tmp_path: Path) -> None:
    view = report_view(build(tmp_path, persons=20, segments=20, kept=False, peaks=1), tmp_path)
    assert view.verdict_sentence.startswith("The faces of 20 persons were judged")


def test_verdicts_without_segments_claim_nothing_more(tmp_path: Path) -> None:
    clear = report_view(build(tmp_path, segments=0), tmp_path)
    assert (
        clear.verdict_sentence == "No manipulation was found in the faces that were examined in this video."
    )
    assert "It does not show that the file is unaltered." in clear.meaning.verdict_limits[0]
    open_ = report_view(build(tmp_path, segments=0, verdict=Verdict.INCONCLUSIVE), tmp_path)
    assert open_.verdict_sentence.startswith("It cannot be said")
    figure = open_.figure
    assert figure.text == "not judged" and figure.strength is None and not figure.name


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
    assert view.verdict_sentence == "The face of person A was judged to be manipulated in this photograph."
    assert "Duration" not in {fact.name for fact in view.recording}
    assert not any("Sound" in line for line in view.not_examined.lines)
    shown = {row.name for row in view.parameters}
    assert "minimum colour" in shown and not shown & {"sample rate", "median window", "edge window"}
    assert not {"segment", "peak frame", "PTS"} & {term for term, _ in view.glossary}


def test_a_photo_shows_both_answers_its_kind_and_its_boxed_faces(tmp_path: Path) -> None:
    analysis = build(tmp_path, kind=MediaKind.IMAGE, segments=1)
    look = SecondLook(scan=0.4, altered=0.12, synthesised=0.93, stability=None, moments=())
    persons = tuple(each.model_copy(update={"second_look": look}) for each in analysis.persons)
    boxed = analysis.segments[0].peaks[0].overlay
    told = {
        "persons": persons,
        "answers": Answers(altered=0.12, synthesised=0.93),
        "kind": ManipulationKind.GENERATED,
        "boxed": boxed,
    }
    view = report_view(analysis.model_copy(update=told), tmp_path)
    assert view.verdict_sentence.endswith("in this photograph: a generated face.")
    assert view.figure.both == "Face swap or edit 0.12, generated face 0.93"
    assert (view.persons[0].altered, view.persons[0].synthesised) == ("0.12", "0.93")
    assert view.persons[0].kind == "generated face"
    assert view.photo is not None and view.photo in view.pictures and boxed in view.kept
    frame = view.segments[0].peaks[0].frame
    assert frame.part is not None and all(0 <= share <= 1 for share in frame.part)
    pictures = embed(tmp_path, [picture.key for picture in view.pictures])
    whole, part = (cv2.imdecode(np.frombuffer(pictures[p.key], np.uint8), 1) for p in (view.photo, frame))
    assert part.shape[1] < whole.shape[1]


def test_an_inconclusive_photo_says_why(tmp_path: Path) -> None:
    analysis = build(tmp_path, kind=MediaKind.IMAGE, segments=0)
    none = {"faces_found": 0, "faces_unusable": 0, "frames_with_usable_face": 0, "frames_with_face": 0}
    unfit = {"faces_found": 1, "faces_unusable": 1, "frames_with_usable_face": 0}
    for probability, counts, words in (
        (None, none, "No face was found, so"),
        (None, unfit, "No face could be judged: too small"),
        (0.1, {"faces_found": 3, "faces_unusable": 2}, "Most faces could not be judged: too small"),
        (
            0.1,
            {"faces_found": 3, "faces_unusable": 2, "faces_discarded": 1},
            "Most faces could not be judged: too small",
        ),
        (
            0.1,
            {"faces_found": 4, "faces_unusable": 2, "faces_discarded": 5},
            "was taken for no faces and not",
        ),
        (0.5, {}, "too near the thresholds"),
    ):
        coverage = analysis.coverage.model_copy(update=counts)
        told = {"verdict": Verdict.INCONCLUSIVE, "probability": probability, "coverage": coverage}
        view = report_view(analysis.model_copy(update=told), tmp_path)
        assert words in view.meaning.verdict_meaning[0]
        assert ("No face was found." in view.not_examined.lines) == (words == "No face was found, so")
        assert view.measured_errors.sentence.startswith("No face was judged") == (probability is None)


@pytest.mark.parametrize(
    ("width", "height", "narrowest"), [(1280, 720, ""), (1080, 1920, "72"), (3840, 2160, "144")]
)
def test_a_large_video_says_which_faces_may_not_have_been_found(
    tmp_path: Path, width: int, height: int, narrowest: str
) -> None:
    analysis = build(tmp_path, kept=False)
    media = analysis.media.model_copy(update={"width": width, "height": height})
    lines = [
        line for line in not_examined(analysis.model_copy(update={"media": media})) if "Small faces" in line
    ]
    assert len(lines) == bool(narrowest)
    assert all(f"less than about {narrowest} of" in line for line in lines)


def test_an_inconclusive_video_says_whether_too_little_was_judged_or_the_scores_are_near(
    tmp_path: Path,
) -> None:
    calm, flagged = (build(tmp_path / str(count), segments=count) for count in (0, 1))
    near = "The scores lie too near"
    none = {"faces_found": 0, "faces_unusable": 0}
    mostly_unfit = {"faces_unusable": calm.coverage.faces_found * 2 // 3}
    brief = [person.model_copy(update={"usable_frames": 1}) for person in calm.persons]
    for analysis, counts, persons, words in (
        (calm, {}, calm.persons, near),
        (calm, none, (), "No face was found, so"),
        (calm, mostly_unfit, calm.persons, "Most faces could not be judged: too small or"),
        (calm, {}, brief, "Nobody could be judged in enough frames"),
        (flagged, {}, brief, near),  # what was found is not confirmed by other views
    ):
        coverage = analysis.coverage.model_copy(update=counts)
        told = {"verdict": Verdict.INCONCLUSIVE, "coverage": coverage, "persons": persons}
        assert verdict_meaning(analysis.model_copy(update=told))[0].startswith(words)


def test_a_report_says_which_generators_the_model_has_learnt(tmp_path: Path) -> None:
    analysis = build(tmp_path, kind=MediaKind.IMAGE, segments=0)
    model = analysis.model.model_copy(update={"learnt": ("StyleGAN2", "FLUX.1-dev")})
    for given, words in ((analysis.model, "does not list"), (model, "has learnt: StyleGAN2; FLUX.1-dev.")):
        view = report_view(analysis.model_copy(update={"model": given}), tmp_path)
        assert any(words in line for line in view.meaning.verdict_limits)


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
        "00:00:12.000",
    )
    assert (segment.confidence, segment.strength) == ("0.97", "strong indication")
    peak = segment.peaks[1]
    assert peak.time == "00:00:12.000" and not peak.confirmed
    assert peak.check == (
        ("Nothing", "0.94", "–"),
        ("Hottest 15%", "0.91", "−0.44"),
        ("Random 15%", "0.92", "−0.31"),
    )


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
def test_an_analysis_that_may_have_missed_what_was_shown_for_long_says_so(
    tmp_path: Path, version: str, intervals: tuple[float, float] | None, *, throughout: bool
) -> None:
    analysis = build(tmp_path, segments=0, kept=False)
    timing = intervals and Timing(
        least_interval=intervals[0], greatest_interval=intervals[1], median_interval=0.04
    )
    details = Details(timing=timing) if timing else None
    media = {"variable_frame_rate": True, "frames_undecodable": 0, "details": details}
    told = {
        "schema_version": version,
        "media": analysis.media.model_copy(update=media),
        "coverage": analysis.coverage.model_copy(update={"not_examined": ()}),
    }
    view = report_view(analysis.model_copy(update=told), tmp_path)
    lines = " ".join(view.not_examined.lines)
    assert ("Every stretch of time was examined." in render_html(view, {}, ())) == throughout
    assert ("stay on the screen for longer than that were not examined." in lines) != throughout
    assert ("at most 8 a second" in lines) == (version == "1.17")
    assert ("the first of each 1/8 s and those shown for longer" in lines) == (version == "1.18")


def test_the_report_says_what_lies_before_the_first_frame(tmp_path: Path) -> None:
    analysis = build(tmp_path)
    assert not any("Before the first frame" in line for line in not_examined(analysis))
    later = analysis.media.model_copy(update={"lost_at_start": 3.52})
    lines = not_examined(analysis.model_copy(update={"media": later}))
    assert "Before the first frame: the first 3.5 s of the file cannot be decoded." in lines


def test_the_report_says_which_frames_rest_on_damage_and_what_lies_after_the_last(tmp_path: Path) -> None:
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
        "Frames that rest on damaged or missing ones, up to the next key frame: 245, of which 65 would have "
        "been sampled.",
        "After the last frame: 2.2 s of the file cannot be decoded.",
    }
    whole, spoilt_ones = (
        dict(report_view(each, tmp_path).answers)["Not looked at"] for each in (analysis, damaged)
    )
    between = media.frames - sampled
    assert f"{between:,} of {media.frames:,} frames, between those judged; " in whole
    assert (
        f"{between - 245:,} of {media.frames:,} frames, between those judged; 245 frames that rest on "
        "damaged or missing ones; " in spoilt_ones
    )


@pytest.mark.parametrize("kind", list(MediaKind))
def test_the_report_says_what_lies_under_transparency(tmp_path: Path, kind: MediaKind) -> None:
    analysis = build(tmp_path, kind=kind)
    details = Details(picture=Picture(transparent=0.25))
    clear = analysis.media.model_copy(update={"details": details})
    lines = not_examined(analysis.model_copy(update={"media": clear}))
    assert sum(line.startswith("What lies under transparent areas (25.0 % of") for line in lines) == 1
    assert not any("transparent" in line for line in not_examined(analysis))
    details = Details(picture=Picture(transparent=3e-6))
    clear = analysis.media.model_copy(update={"details": details})
    lines = not_examined(analysis.model_copy(update={"media": clear}))
    assert (
        sum(line.startswith("What lies under transparent areas (less than 0.1 % of") for line in lines) == 1
    )


def test_the_report_says_what_lies_behind_the_examined_pictures(tmp_path: Path) -> None:
    analysis = build(tmp_path)
    media = analysis.media.model_copy(update={"details": Details(picture=Picture(ends_at=0.491))})
    joined = analysis.model_copy(update={"media": media})
    (line,) = set(not_examined(joined)) - set(not_examined(analysis))
    assert line == "Behind the examined pictures: what follows them, from 49 % of the file on."
    told, before = (dict(report_view(each, tmp_path).answers)["Not looked at"] for each in (joined, analysis))
    assert "what follows the examined pictures in the file" in told.lower() and told != before


def test_what_was_not_examined(tmp_path: Path) -> None:
    view = report_view(build(tmp_path), tmp_path)
    text = " ".join(view.not_examined.lines)
    assert "480 of 1,798 frames" in text
    assert "Sound: present, not examined." in text
    assert "3 packets or frames" in text
    assert "41 of 900 faces" in text
    gap = view.not_examined.gaps[0]
    assert (gap.start, gap.reason) == (
        "00:00:42.000",
        "no usable face: blurred",
    )


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


def test_missing_and_unkept_pictures_are_said_to_be_missing(tmp_path: Path) -> None:
    analysis = build(tmp_path, segments=1, peaks=1)
    (tmp_path / "overlays" / "A1-1.png").unlink()
    peak = report_view(analysis, tmp_path).segments[0].peaks[0]
    assert peak.frame.path == "overlays/A1-1-frame.png" and not peak.frame.absent
    assert peak.overlay.path is None and "missing" in peak.overlay.absent
    unkept = report_view(build(tmp_path, kept=False), tmp_path)
    assert unkept.pictures == ()
    assert unkept.segments[0].peaks[0].frame.absent == "This picture was not kept."


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


def test_touching_gaps_join_in_the_figure_but_not_in_the_table(tmp_path: Path) -> None:
    analysis = build(tmp_path, segments=0)
    spans = (Span(start=1, end=2, reason="dark"), Span(start=2, end=3, reason="blurred"))
    coverage = analysis.coverage.model_copy(update={"not_examined": spans})
    view = report_view(analysis.model_copy(update={"coverage": coverage}), tmp_path)
    assert len(view.not_examined.gaps) == 2 and len(view.timeline.not_examined) == 1


def test_frames_judged_around_the_ends_of_segments_are_told_of(tmp_path: Path) -> None:
    plain = build(tmp_path, segments=1)
    coverage = plain.coverage.model_copy(update={"frames_between": 84})
    told = plain.model_copy(update={"coverage": coverage})
    before, after = (not_examined(one)[0] for one in (plain, told))
    assert "around the ends" not in before and after.endswith(
        "and 84 of the others judged around the ends of segments."
    )
    assert "every frame was then judged" in procedure(told)
    assert "every frame was then judged" not in procedure(plain)
    notes = [
        next(fact.note for fact in report_view(one, tmp_path).recording if fact.name == "Frames decoded")
        for one in (plain, told)
    ]
    assert notes[0] == "" and notes[1].startswith("in the first pass")
    left = plain.media.frames - plain.coverage.frames_sampled
    looked = [" ".join(map(str, report_view(one, tmp_path).answers)) for one in (plain, told)]
    assert f"{left:,} of" in looked[0] and f"{left - 84:,} of" in looked[1]


def test_both_clocks_where_the_picture_starts_late(tmp_path: Path) -> None:
    given = build(tmp_path, persons=1, segments=1)
    for offset, stated in ((5.0, True), (0.02, False)):
        media = given.media.model_copy(update={"start_offset": offset})
        view = report_view(given.model_copy(update={"media": media}), tmp_path)
        facts = {fact.name: fact.value for fact in view.recording}
        assert (facts.get("First frame on a player's clock") == "00:00:05.000") is stated
        assert any(fact.name == "On a player's clock" for fact in view.segments[0].figures) is stated
