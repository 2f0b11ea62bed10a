"""The verdict of a photograph, whose faces count together."""

from __future__ import annotations

import pytest
from made_persons import DEFAULT, IMAGE, VIDEO, coverage, decide, exhibit, person, segment

from detector.schema.analysis import Parameters, Person, Score, Scores, Verdict
from detector.schema.measurements import SecondLook
from detector.verdict.judged_persons import persons_reaching_threshold
from detector.verdict.verdict import exhibit_answers, exhibit_probability, is_outweighed


def test_a_flagged_photo() -> None:
    verdict, reason = decide(
        IMAGE, DEFAULT, coverage(frames_sampled=1, faces_found=1), [person(usable=1)], [segment(end=2.0)]
    )
    assert verdict is Verdict.MANIPULATED
    assert "Person A" in reason and "second" not in reason


def reaching(name: str, probability: float, stability: float | None = None) -> Person:
    look = SecondLook(scan=0.5, altered=probability, synthesised=0.1, stability=stability, moments=())
    score = Score(time=0.0, pts=0, track=0, box=(0, 0, 90, 90), usable=True, logit=0.0, smoothed=probability)
    face = person(name, usable=1, probability=probability)
    return face.model_copy(update={"second_look": look, "scores": Scores([score])})


def outweighed(*faces: Person, average_odds: bool = True) -> bool:
    parameters = Parameters(average_odds=average_odds)
    over = persons_reaching_threshold(faces, parameters)
    return is_outweighed(exhibit(IMAGE, parameters, faces, ()), over, parameters.enter_threshold)


def test_one_of_many_faces_alone_is_no_finding() -> None:
    calm = [reaching(name, 0.2) for name in "BCDEFGHI"]
    assert outweighed(reaching("A", 0.9), *calm)
    assert not outweighed(reaching("A", 0.99), *calm)
    assert not outweighed(reaching("A", 0.9))
    assert not outweighed(reaching("A", 0.9), *calm, average_odds=False)
    assert not outweighed(reaching("A", 0.6), *calm), "nobody is over the threshold"
    assert not is_outweighed(exhibit(VIDEO, DEFAULT, [reaching("A", 0.9), *calm], ()), {"A"}, 0.65)


def test_unstable_face_neither_makes_nor_outweighs_a_finding() -> None:
    calm = [reaching(name, 0.2) for name in "CDEFGHIJ"]
    unstable = reaching("B", 0.99, stability=0.4)
    assert not outweighed(reaching("A", 0.7), unstable), "A alone counts"
    assert outweighed(reaching("A", 0.7), unstable, *calm)
    assert not outweighed(unstable, *calm), "no finding in any case"
    counts = coverage(faces_found=10, frames_sampled=1)
    verdict, reason = decide(IMAGE, DEFAULT, counts, [reaching("A", 0.7), unstable, *calm], [])
    assert verdict is Verdict.INCONCLUSIVE
    assert (
        reason.startswith("Person A: on its own above the threshold")
        and "among 9 faces on which views agree" in reason
    )
    assert "Person B: " in reason and "at a time" not in reason
    unjudged = person("K", usable=0)
    reason = decide(IMAGE, DEFAULT, counts, [reaching("A", 0.7), *calm, unjudged], [])[1]
    assert "among 9 judged faces, one" in reason and reason.endswith("do not reach it.")


def test_answers_are_averaged_over_examined_faces() -> None:
    unseen = person("B", usable=1, probability=0.9)
    answers = exhibit_answers(exhibit(IMAGE, DEFAULT, [reaching("A", 0.9), unseen], []), Verdict.MANIPULATED)
    assert answers is not None and answers.altered == pytest.approx(0.9)
    nobody = person("C", usable=0)
    beside = exhibit(IMAGE, DEFAULT, [reaching("A", 0.3), nobody], [])
    assert exhibit_probability(beside, Verdict.NOT_FOUND) == 0.3


def test_photo_of_another_kind_is_described() -> None:
    drawn = coverage(faces_found=1, faces_unusable=1, flaws={"drawn in areas of one colour": 1})
    verdict, reason = decide(IMAGE, DEFAULT, drawn, [person(usable=0)], [])
    assert verdict is Verdict.INCONCLUSIVE and "drawn" in reason and "no figure is given" in reason


def test_flaws_of_an_unclear_photo_are_described() -> None:
    """Of a video it stays general: its spans say more."""
    counts = coverage(faces_found=2, faces_unusable=2, flaws={"too blurred": 1, "too small": 1})
    _, reason = decide(IMAGE, DEFAULT, counts, [person(usable=0)], [])
    assert reason == (
        "The faces found are too blurred, or too small to judge; at least 48 pixels of width are needed."
    )
    assert "none is large" in decide(VIDEO, DEFAULT, counts, [person(usable=0)], [])[1]


def test_photo_without_finding() -> None:
    seen = coverage(frames_sampled=1, frames_with_face=1, frames_with_usable_face=1, faces_found=2)
    assert decide(IMAGE, DEFAULT, seen, [person(usable=1), person("B", 1)], [])[0] is Verdict.NOT_FOUND


def test_photo_needs_one_frame_only() -> None:
    seen = coverage(frames_sampled=1, frames_with_face=1, frames_with_usable_face=1, faces_found=1)
    assert decide(IMAGE, DEFAULT, seen, [person(usable=1)], [])[0] is Verdict.NOT_FOUND
