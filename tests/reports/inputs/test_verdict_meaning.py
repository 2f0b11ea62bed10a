"""The verdict in a sentence, and what it means and does not mean."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from analyses import build

from detector.schema.analysis import (
    Answers,
    ManipulationKind,
    MediaKind,
    SecondLook,
    Verdict,
)
from reports.finding.meaning import verdict_meaning
from reports.inputs.pictures import embed
from reports.report_view import report_view


def test_finding_names_the_persons_and_the_flagged_time_once(tmp_path: Path) -> None:
    view = report_view(build(tmp_path, persons=2, segments=4), tmp_path)
    assert view.verdict == "manipulated"
    # A1 and B1 cover the same 12 s, as do A2 and B2.
    assert view.verdict_sentence == (
        "The faces of persons A and B show strong signs of manipulation in 4 segments of this video: "
        "24.0 s of 1 min 0 s."
    )


def test_many_persons_are_counted_not_listed(tmp_path: Path) -> None:
    view = report_view(build(tmp_path, persons=20, segments=20, kept=False, peaks=1), tmp_path)
    assert view.verdict_sentence.startswith("The faces of 20 persons show strong signs")


def test_verdicts_without_segments_are_described(tmp_path: Path) -> None:
    clear = report_view(build(tmp_path, segments=0), tmp_path)
    assert (
        clear.verdict_sentence == "No manipulation was found in the faces that were examined in this video."
    )
    assert "It does not show that the file is unaltered." in clear.meaning.verdict_limits[0]
    open_ = report_view(build(tmp_path, segments=0, verdict=Verdict.INCONCLUSIVE), tmp_path)
    assert "does not allow a conclusion" in open_.verdict_sentence
    figure = open_.figure
    assert figure.text == "not judged" and figure.strength is None and not figure.name


def test_a_photo_shows_both_answers_its_kind_and_its_boxed_faces(tmp_path: Path) -> None:
    analysis = build(tmp_path, kind=MediaKind.IMAGE, segments=1)
    look = SecondLook(scan=0.4, altered=0.12, synthesised=0.93, stability=None, moments=())
    persons = tuple(person.model_copy(update={"second_look": look}) for person in analysis.persons)
    boxed = analysis.segments[0].peaks[0].overlay
    changes = {
        "persons": persons,
        "answers": Answers(altered=0.12, synthesised=0.93),
        "kind": ManipulationKind.GENERATED,
        "boxed": boxed,
    }
    view = report_view(analysis.model_copy(update=changes), tmp_path)
    assert view.verdict_sentence.endswith("in this photograph: a generated face.")
    assert view.figure.both == "Face swap or edit 0.12, generated face 0.93"
    assert (view.persons[0].altered, view.persons[0].synthesised) == ("0.12", "0.93")
    assert view.persons[0].kind == "generated face"
    assert view.photo is not None and view.photo in view.pictures and boxed in view.kept
    frame = view.segments[0].peaks[0].face[0]
    assert frame.part is not None and all(0 <= share <= 1 for share in frame.part)
    pictures = embed(tmp_path, [picture.key for picture in view.pictures])
    whole, part = (cv2.imdecode(np.frombuffer(pictures[p.key], np.uint8), 1) for p in (view.photo, frame))
    assert part.shape[1] < whole.shape[1]


def test_an_inconclusive_photo_states_the_reason(tmp_path: Path) -> None:
    analysis = build(tmp_path, kind=MediaKind.IMAGE, segments=0)
    none = {"faces_found": 0, "faces_unusable": 0, "frames_with_usable_face": 0, "frames_with_face": 0}
    unfit = {"faces_found": 1, "faces_unusable": 1, "frames_with_usable_face": 0}
    for probability, counts, words in (
        (None, none, "No face was found, so"),
        (None, unfit, "No face could be judged: the faces are too small"),
        (0.1, {"faces_found": 3, "faces_unusable": 2}, "Most faces could not be judged: they are too small"),
        (
            0.1,
            {"faces_found": 3, "faces_unusable": 2, "faces_discarded": 1},
            "Most faces could not be judged: they are too small",
        ),
        (
            0.1,
            {"faces_found": 4, "faces_unusable": 2, "faces_discarded": 5},
            "was not accepted as a face and not",
        ),
        (0.5, {}, "too close to the thresholds"),
    ):
        coverage = analysis.coverage.model_copy(update=counts)
        changes = {"verdict": Verdict.INCONCLUSIVE, "probability": probability, "coverage": coverage}
        view = report_view(analysis.model_copy(update=changes), tmp_path)
        assert words in view.meaning.verdict_meaning[0]
        assert ("No face was found." in view.not_examined.lines) == (words == "No face was found, so")
        assert view.measured_errors.sentence.startswith("No face was judged") == (probability is None)


def test_an_inconclusive_video_states_the_reason(
    tmp_path: Path,
) -> None:
    calm, flagged = (build(tmp_path / str(count), segments=count) for count in (0, 1))
    near = "The scores are too close"
    none = {"faces_found": 0, "faces_unusable": 0}
    mostly_unfit = {"faces_unusable": calm.coverage.faces_found * 2 // 3}
    brief = [person.model_copy(update={"usable_frames": 1}) for person in calm.persons]
    for analysis, counts, persons, words in (
        (calm, {}, calm.persons, near),
        (calm, none, (), "No face was found, so"),
        (calm, mostly_unfit, calm.persons, "Most faces could not be judged: they are too small or"),
        (calm, {}, brief, "No person could be judged in enough frames"),
        (flagged, {}, brief, near),  # what was found is not confirmed by other views
    ):
        coverage = analysis.coverage.model_copy(update=counts)
        changes = {"verdict": Verdict.INCONCLUSIVE, "coverage": coverage, "persons": persons}
        assert verdict_meaning(analysis.model_copy(update=changes))[0].startswith(words)


def test_a_report_names_the_generators_the_model_learnt(tmp_path: Path) -> None:
    analysis = build(tmp_path, kind=MediaKind.IMAGE, segments=0)
    model = analysis.model.model_copy(update={"learnt": ("StyleGAN2", "FLUX.1-dev")})
    for given, words in ((analysis.model, "does not list"), (model, "photographs: StyleGAN2; FLUX.1-dev.")):
        view = report_view(analysis.model_copy(update={"model": given}), tmp_path)
        assert any(words in line for line in view.meaning.verdict_limits)
