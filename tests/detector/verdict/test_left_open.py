"""What leaves a verdict open, and the reason in words."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from made_persons import DEFAULT, IMAGE, VIDEO, coverage, decide, person, segment

from detector.faces.flaws import TOO_SMALL
from detector.schema.analysis import Coverage, MediaKind, Parameters, Person, Score, Scores, Segment, Verdict
from detector.schema.measurements import SecondLook, SecondLookContrast
from detector.verdict.judged_persons import JudgedExhibit
from detector.verdict.left_open import LeftOpen, left_open


@pytest.mark.parametrize(
    ("probability", "standing_out", "contradiction", "words"),
    [
        (0.6, False, False, "move the score across the threshold"),
        (0.88, False, False, "move the score across the threshold"),  # which is nowhere near
        (0.6, True, False, "a stretch stands out"),
        # A stretch stood out until other views were looked at, or a few moments reach the threshold.
        (0.2, False, False, "decide whether a stretch stands out from the rest or reaches the threshold"),
        (0.37, False, False, "move the score across the threshold"),  # near it, though below that of doubt
        (0.6, True, True, "contradict each other"),
    ],
)
def test_reason_says_what_views_disagree_about(
    probability: float, standing_out: bool, contradiction: bool, words: str
) -> None:
    contrast = SecondLookContrast(track=0, start=1.9, end=4.6, contrast=3.0, raised=1.4)
    look = SecondLook(
        scan=0.3,
        altered=0.4,
        synthesised=0.1,
        stability=0.6,
        moments=(),
        contrasts=(contrast,) * standing_out,
        contradiction=contradiction,
    )
    unstable = person(probability=probability).model_copy(update={"second_look": look})
    verdict, reason = decide(VIDEO, DEFAULT, coverage(), [unstable], [])
    assert verdict is Verdict.INCONCLUSIVE and reason.startswith("Person A: ") and words in reason


def disagreed_on(probability: float = 0.1) -> Person:
    look = SecondLook(scan=0.3, altered=0.4, synthesised=0.1, stability=0.6, moments=())
    return person(probability=probability).model_copy(update={"second_look": look})


def grey(name: str = "A") -> Person:
    return person(name, probability=0.1).model_copy(update={"grey": 0.8})


def still(probability: float = 0.1, name: str = "A", usable: int = 80) -> Person:
    return person(name, usable, probability).model_copy(update={"motionless": True})


@pytest.mark.parametrize(
    ("seen", "persons", "segments", "cause"),
    [
        (coverage(faces_found=0), [], [], LeftOpen.NO_FACE),
        (coverage(faces_unusable=80), [person(usable=0)], [], LeftOpen.NONE_USABLE),
        (coverage(), [disagreed_on(0.9)], [segment()], LeftOpen.UNCONFIRMED),
        (coverage(), [disagreed_on(0.9), person("B", probability=0.9)], [segment(), segment("B")], None),
        (coverage(), [person(usable=2)], [], LeftOpen.TOO_FEW_FRAMES),
        (coverage(frames_from_damaged=81), [person()], [], LeftOpen.MOSTLY_DAMAGED),
        (coverage(frames_from_damaged=81), [person()], [segment()], None),
        (coverage(frames_from_damaged=80), [person()], [], None),
        (coverage(faces_unusable=60), [person(probability=0.6)], [], LeftOpen.MOSTLY_NOT_JUDGED),
        (coverage(), [disagreed_on(0.6)], [], LeftOpen.UNSTABLE),
        (coverage(), [person(probability=0.6)], [], LeftOpen.DOUBTFUL),
        (coverage(), [person(), person("B", usable=2, probability=0.6)], [], None),
        (coverage(), [grey()], [segment()], LeftOpen.COLOURLESS),
        (coverage(), [grey(), person("B")], [segment(), segment("B")], None),
        (coverage(), [grey(), person("B")], [segment()], LeftOpen.COLOURLESS),
        (coverage(), [grey("B"), disagreed_on(0.9)], [segment("B"), segment()], LeftOpen.UNCONFIRMED),
        (coverage(), [grey()], [], None),
        (coverage(), [still()], [], LeftOpen.MOTIONLESS),
        (coverage(), [still(), person("B", usable=2)], [], LeftOpen.MOTIONLESS),
        (coverage(), [still(), person("B")], [], None),  # a picture beside somebody
        (coverage(), [person(), still(name="B", usable=2)], [], None),
        (coverage(), [still(0.6)], [], LeftOpen.DOUBTFUL),
        (coverage(), [still(0.9)], [segment()], None),
    ],
)
def test_first_applicable_cause_counts(
    seen: Coverage, persons: Sequence[Person], segments: Sequence[Segment], cause: LeftOpen | None
) -> None:
    assert left_open(JudgedExhibit(VIDEO, DEFAULT, seen, persons, segments)) is cause
    verdict, _ = decide(VIDEO, DEFAULT, seen, persons, segments)
    assert (verdict is Verdict.INCONCLUSIVE) is (cause is not None)


def test_no_face_is_inconclusive() -> None:
    nothing = coverage(frames_with_face=0, frames_with_usable_face=0, faces_found=0)
    for kind, where in ((VIDEO, "80 sampled frames"), (IMAGE, "in the picture")):
        verdict, reason = decide(kind, DEFAULT, nothing, [], [])
        assert verdict is Verdict.INCONCLUSIVE
        assert "No face" in reason and where in reason


def test_faces_too_small_are_inconclusive() -> None:
    seen = coverage(frames_with_usable_face=0, faces_unusable=80)
    for kind in (VIDEO, IMAGE):
        verdict, reason = decide(kind, DEFAULT, seen, [person(usable=0)], [])
        assert verdict is Verdict.INCONCLUSIVE
        assert "48 pixels" in reason


def test_too_few_usable_frames_are_inconclusive() -> None:
    """The limit itself is enough; it counts for one person, not for several together."""
    seen = coverage(frames_with_usable_face=14, faces_found=14)
    few = [person("A", 7), person("B", 7)]
    verdict, reason = decide(VIDEO, DEFAULT, seen, few, [])
    assert verdict is Verdict.INCONCLUSIVE
    assert "7 sampled frames" in reason and "8" in reason
    assert decide(VIDEO, DEFAULT, seen, [person("A", 8)], [])[0] is Verdict.NOT_FOUND


def test_mostly_unusable_faces_are_inconclusive() -> None:
    for unusable, verdict in ((41, Verdict.INCONCLUSIVE), (40, Verdict.NOT_FOUND)):
        assert decide(VIDEO, DEFAULT, coverage(faces_unusable=unusable), [person()], [])[0] is verdict


def test_doubt_is_inconclusive() -> None:
    least = DEFAULT.doubt_threshold
    high, low = person("B", probability=least), person("A", probability=least - 0.01)
    verdict, reason = decide(VIDEO, DEFAULT, coverage(), [low, high], [])
    assert verdict is Verdict.INCONCLUSIVE
    assert reason.startswith("Person B: ") and "threshold" in reason
    assert decide(VIDEO, DEFAULT, coverage(), [low], [])[0] is Verdict.NOT_FOUND
    counts = coverage(frames_sampled=1, frames_with_face=1, frames_with_usable_face=1, faces_found=1)
    assert (
        decide(IMAGE, DEFAULT, counts, [person(usable=1, probability=least)], [])[0] is Verdict.INCONCLUSIVE
    )


def test_brief_passer_by_raises_no_doubt() -> None:
    brief = person("B", usable=DEFAULT.minimum_usable_frames - 1, probability=0.6)
    assert decide(VIDEO, DEFAULT, coverage(), [person(), brief], [])[0] is Verdict.NOT_FOUND


def test_disagreement_depends_on_the_threshold() -> None:
    """Views are asked near the threshold for a finding; of a photo nothing can stand out from the rest."""
    look = SecondLook(scan=0.3, altered=0.3, synthesised=0.2, stability=0.6, moments=())
    near = person(probability=0.34).model_copy(update={"second_look": look})
    lowered = Parameters(enter_threshold=0.3, exit_threshold=0.3)
    for segments in ([], [segment()]):
        assert "across the threshold" in decide(VIDEO, lowered, coverage(), [near], segments)[1]
    low = person(usable=1, probability=0.2).model_copy(update={"second_look": look})
    assert "across the threshold" in decide(IMAGE, DEFAULT, coverage(), [low], [])[1]


def brief(*smoothed: float, probability: float = 0.3, name: str = "A", usable: int = 80) -> Person:
    """A person whose smoothed scores are those."""
    scores = tuple(
        Score(
            time=i / 8, pts=i, track=0, box=(0, 0, 90, 90), usable=True, logit=0, probability=0.5, smoothed=s
        )
        for i, s in enumerate(smoothed)
    )
    return person(name, usable, probability).model_copy(update={"scores": Scores(scores)})


def test_brief_threshold_crossing_is_mentioned() -> None:
    for probability, expected in ((0.3, Verdict.NOT_FOUND), (0.6, Verdict.INCONCLUSIVE)):
        verdict, reason = decide(VIDEO, DEFAULT, coverage(), [brief(0.1, 0.9, probability=probability)], [])
        assert verdict is expected
        assert "less than 0.5 s at a time" in reason and "none reached" not in reason


def test_high_score_in_a_too_short_clip() -> None:
    """One frame that scores 0.98 is no finding, and no silence either."""
    verdict, reason = decide(VIDEO, DEFAULT, coverage(), [person(usable=1, probability=0.98)], [])
    assert verdict is Verdict.INCONCLUSIVE
    assert "scored high" in reason and "too few to judge" in reason


BRIEFLY = (
    "Person B reached the threshold for a finding, but for less than 0.5 s at a time, too short for one."
)


@pytest.mark.parametrize("kind", (MediaKind.VIDEO, MediaKind.IMAGE))
def test_discarded_detections_are_not_called_small_faces(kind: MediaKind) -> None:
    seen = coverage(faces_found=4, faces_unusable=0, faces_discarded=5)
    verdict, reason = decide(kind, DEFAULT, seen, [person(usable=90)], [])
    never_sure = "5 were not accepted as faces, since the face detector was never sure of them"
    assert verdict is Verdict.INCONCLUSIVE
    assert reason == f"No face was flagged, but most detections (5 of 9) were not judged: {never_sure}."
    both = seen.model_copy(update={"faces_unusable": 1, "flaws": {TOO_SMALL: 1}})
    _, reason = decide(kind, DEFAULT, both, [person(usable=90)], [])
    flaws = TOO_SMALL if kind is MediaKind.IMAGE else "too small, too unclear or too unsure"
    assert f"most detections (6 of 9) were not judged: {never_sure}; 1 of 4 faces found" in reason
    assert reason.endswith(f"could not be judged ({flaws}).")


def test_brief_threshold_crossing_is_named_beside_another_reason() -> None:
    """In a figure beside the reason this face scores highest."""
    passing = brief(0.9, 0.9, probability=0.99, name="B", usable=2)
    doubted = person(probability=0.41)
    verdict, reason = decide(VIDEO, DEFAULT, coverage(), [doubted, passing], [])
    assert verdict is Verdict.INCONCLUSIVE
    assert reason.startswith("Person A: no stretch reaches") and reason.endswith(f"rule one out. {BRIEFLY}")
    look = SecondLook(scan=0.5, altered=0.5, synthesised=0.1, stability=0.6, moments=())
    unstable = doubted.model_copy(update={"second_look": look})
    for segments in ([], [segment()]):
        reason = decide(VIDEO, DEFAULT, coverage(), [unstable, passing], segments)[1]
        assert reason.startswith("Person A: small changes") and reason.endswith(BRIEFLY)
    reason = decide(VIDEO, DEFAULT, coverage(faces_unusable=60), [person(), passing], [])[1]
    assert "most faces seen" in reason and reason.endswith(BRIEFLY)
    few = [person("A", 7), brief(0.1, 0.9, probability=0.3, name="B", usable=2)]
    reason = decide(VIDEO, DEFAULT, coverage(), few, [])[1]
    assert "in more than 7 sampled frames" in reason and reason.endswith(BRIEFLY)


def rarely_judged(stability: float = 1.0, grey: float = 0.0, covered: float = 0.0) -> Person:
    """Somebody who is on screen for long, is judged in three frames, and reaches the threshold in them."""
    look = SecondLook(scan=0.9, altered=0.9, synthesised=0.1, stability=stability, moments=())
    changes = {"screen_time": 3.0, "second_look": look, "grey": grey, "covered": covered}
    return brief(0.9, 0.9, 0.9, probability=0.99, name="B", usable=3).model_copy(update=changes)


def hidden(who: str) -> Segment:
    return segment(who).model_copy(update={"covered": 0.8})


@pytest.mark.parametrize(
    ("other", "subject", "segments", "words"),
    [
        (person(), rarely_judged(), [], "scored high"),
        (person(usable=2), rarely_judged(), [], "scored high"),
        (person(), rarely_judged(stability=0.6), [], "small changes"),
        (person(), rarely_judged(stability=0.6), [segment("B")], "small changes"),
        (person(), rarely_judged(grey=0.8), [segment("B")], "without colour"),
        (person(), rarely_judged(stability=0.6, grey=0.8), [segment("B")], "without colour"),
        (person(), rarely_judged(stability=0.6), [hidden("B")], "seem covered"),
        (person(), rarely_judged(grey=0.8), [hidden("B")], "without colour"),
        (person(), brief(0.1, 0.9, probability=0.6, name="B"), [], "less than 0.5 s at a time"),
    ],
)
def test_each_person_is_mentioned_with_the_first_cause(
    other: Person, subject: Person, segments: Sequence[Segment], words: str
) -> None:
    """All but the last scored high in few frames as well, and all reached the threshold for too short."""
    verdict, reason = decide(VIDEO, DEFAULT, coverage(), [other, subject], segments)
    assert verdict is Verdict.INCONCLUSIVE
    assert reason.startswith("Person B") and reason.count("Person B") == 1 and words in reason


def test_persons_on_whom_views_disagree_are_named_in_order() -> None:
    both = [disagreed_on().model_copy(update={"id": name}) for name in "BA"]
    assert decide(VIDEO, DEFAULT, coverage(), both, [])[1].startswith("Persons A, B: ")


def test_doubtful_persons_are_grouped_by_reaching_the_threshold() -> None:
    doubted = [person("A", probability=0.5), brief(0.1, 0.9, probability=0.6, name="B")]
    reason = decide(VIDEO, DEFAULT, coverage(), doubted, [])[1]
    assert reason.startswith("Person A: no stretch reaches") and "Person B: the threshold" in reason


@pytest.mark.parametrize(
    ("usable", "screen_time", "probability", "open_"),
    [
        (3, 3.0, 0.99, True),
        (3, 0.9, 0.99, False),
        (1, 3.0, 0.99, False),
        (3, 3.0, 0.5, False),
        (0, 3.0, 0, False),
    ],
)
def test_rarely_judged_person_is_not_cleared_by_others(
    usable: int, screen_time: float, probability: float, open_: bool
) -> None:
    other = person("B", usable, probability, screen_time)
    verdict, reason = decide(VIDEO, DEFAULT, coverage(), [person(), other], [])
    assert (verdict is Verdict.INCONCLUSIVE) is open_
    if open_:
        assert reason.startswith(
            f"Person B scored high, but could be judged in no more than {usable} sampled"
        )
    else:
        seen, *unsaid = reason.split(". ")
        assert seen.rstrip(".") == (
            "1 person judged in 80 sampled frames; none reached the threshold for a finding"
        )
        assert unsaid == ["No statement is made about Person B, judged in fewer than 8 sampled frames."] * (
            screen_time >= 1
        )


def test_background_crowd_is_counted() -> None:
    crowd = [person(name, 2, 0.2, 9.0) for name in "BCDEFG"]
    assert decide(VIDEO, DEFAULT, coverage(), [person(), *crowd], [])[1].endswith(
        "No statement is made about 6 others, judged in fewer than 8 sampled frames."
    )


def test_high_score_in_few_long_frames_is_inconclusive() -> None:
    """A slide show or a time lapse: one sampled frame that stands for two seconds."""
    shown = brief(0.99, probability=0.99, name="B", usable=1)
    verdict, reason = decide(VIDEO, DEFAULT, coverage(), [person(), shown], [], {"B": 1})
    assert verdict is Verdict.INCONCLUSIVE
    assert reason == (
        "Person B reached the threshold for a finding for at least 0.5 s, but in no more than 1 sampled "
        "frame at a time, too few for one and too long to rule one out."
    )
    passing = brief(0.9, 0.9, probability=0.99, name="B", usable=2)
    shown = brief(0.99, probability=0.6, name="A")
    verdict, reason = decide(VIDEO, DEFAULT, coverage(), [shown, passing], [], {"A": 1})
    assert verdict is Verdict.INCONCLUSIVE
    assert (
        "A: the threshold for a finding is reached, but in no more than 1 sampled frame at a time" in reason
    )
    assert reason.endswith(BRIEFLY)
    assert decide(VIDEO, DEFAULT, coverage(), [person(), passing], [])[0] is Verdict.NOT_FOUND


def test_mostly_damaged_frames_are_inconclusive() -> None:
    verdict, reason = decide(VIDEO, DEFAULT, coverage(frames_from_damaged=120), [person()], [])
    assert verdict is Verdict.INCONCLUSIVE
    assert reason == (
        "No face was flagged, but most frames that would have been sampled (120 of 200) depend on damaged or "
        "missing ones and were not examined."
    )


@pytest.mark.parametrize(
    ("stability", "views_agree", "with_segment", "without"),
    [
        (0.6, None, LeftOpen.UNCONFIRMED, LeftOpen.UNSTABLE),  # before 0.3
        (0.6, True, None, LeftOpen.UNSTABLE),
        (0.5, False, LeftOpen.UNCONFIRMED, LeftOpen.UNSTABLE),
        (0.8, True, None, None),
        (None, None, None, None),
    ],
)
def test_a_finding_needs_fewer_agreeing_views_than_clearing(
    stability: float | None,
    views_agree: bool | None,
    with_segment: LeftOpen | None,
    without: LeftOpen | None,
) -> None:
    look = SecondLook(
        scan=0.5, altered=0.7, synthesised=0.1, stability=stability, views_agree=views_agree, moments=()
    )
    seen = person(probability=0.2).model_copy(update={"second_look": look})
    for segments, cause in (([segment()], with_segment), ([], without)):
        exhibit = JudgedExhibit(MediaKind.VIDEO, DEFAULT, coverage(), [seen], segments)
        assert left_open(exhibit) is cause
