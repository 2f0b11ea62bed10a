"""The verdict and its reason where something is found, or nothing; and the figures beside it."""

from __future__ import annotations

import pytest
from made_persons import DEFAULT, IMAGE, VIDEO, coverage, decide, exhibit, person, segment

from detector.schema.analysis import Answers, MediaKind, Person, Segment, Verdict
from detector.schema.measurements import ManipulationKind, SecondLook, SecondLookContrast
from detector.verdict.judged_persons import kind_from_second_look, manipulation_kind
from detector.verdict.verdict import exhibit_answers, exhibit_probability
from reports.wording.verdict_sentence import second_look


def test_segment_makes_the_verdict_manipulated() -> None:
    verdict, reason = decide(VIDEO, DEFAULT, coverage(), [person()], [segment()])
    assert verdict is Verdict.MANIPULATED
    assert "Person A" in reason and "1 segment " in reason


def test_contrast_is_mentioned() -> None:
    standing_out = SecondLookContrast(track=0, start=1.9, end=4.6, contrast=3.0, raised=1.4)
    look = SecondLook(
        scan=0.3, altered=0.4, synthesised=0.1, stability=1.0, moments=(), contrasts=(standing_out,)
    )
    differs = person().model_copy(update={"second_look": look})
    for start, end, mention in ((2.0, 4.5, True), (6.0, 7.5, False)):
        verdict, reason = decide(VIDEO, DEFAULT, coverage(), [differs], [segment(start=start, end=end)])
        assert verdict is Verdict.MANIPULATED
        assert ("from the same person's face elsewhere" in reason) is mention
    assert "stands out from the rest of its track: 00:00:01.900 to 00:00:04.600" in second_look(differs)


def test_persons_are_named_once_in_order() -> None:
    segments = [segment("B", 0, 1), segment("A", 2, 3), segment("B", 5, 6)]
    verdict, reason = decide(VIDEO, DEFAULT, coverage(), [person("A"), person("B")], segments)
    assert verdict is Verdict.MANIPULATED
    assert "Persons A, B" in reason and "3 segments" in reason


def test_only_stable_persons_count_in_a_finding() -> None:
    """Of B alone it would say that a stretch stands out from the rest of the same track."""
    standing_out = SecondLookContrast(track=0, start=5, end=6, contrast=3.0, raised=1.4)
    look = SecondLook(
        scan=0.3, altered=0.95, synthesised=0.1, stability=0.6, moments=(), contrasts=(standing_out,)
    )
    stable, unstable = person(probability=0.8), person("B", probability=0.95)
    unstable = unstable.model_copy(update={"second_look": look})
    segments = [segment(), segment(start=6, end=7), segment("B", 5, 6)]
    verdict, reason = decide(VIDEO, DEFAULT, coverage(), [stable, unstable], segments)
    assert verdict is Verdict.MANIPULATED
    assert reason == "Person A: 2 segments flagged as manipulated."
    assert exhibit_probability(exhibit(VIDEO, DEFAULT, [stable, unstable], segments), verdict) == 0.8
    assert exhibit_answers(exhibit(VIDEO, DEFAULT, [stable, unstable], segments), verdict) is None
    for open_ in (Verdict.INCONCLUSIVE, Verdict.NOT_FOUND):
        assert exhibit_probability(exhibit(VIDEO, DEFAULT, [stable, unstable], segments[2:]), open_) == 0.95
        answers = exhibit_answers(exhibit(VIDEO, DEFAULT, [stable, unstable], segments[2:]), open_)
        assert answers is not None and answers.altered == 0.95
    calm = person("C", probability=0.9)  # over the whole video, and no stretch of it is flagged
    assert exhibit_probability(exhibit(VIDEO, DEFAULT, [stable, calm], segments[:2]), verdict) == 0.8
    assert exhibit_probability(exhibit(VIDEO, DEFAULT, [person(usable=0)], []), Verdict.INCONCLUSIVE) is None


def test_brief_appearances_do_not_count() -> None:
    """Neither beside a finding nor where none is; where there is nobody else, or in a photo, they do."""
    few = DEFAULT.minimum_usable_frames - 1
    flagged, calm = looked("A", 0.72, 0.1, probability=0.72), looked("C", 0.09, 0.05, probability=0.09)
    passing = looked("B", 0.99, 0.93, probability=0.99, usable=few)

    def figures(
        kind: MediaKind, verdict: Verdict, persons: list[Person], found: list[Segment]
    ) -> list[float]:
        answers = exhibit_answers(exhibit(kind, DEFAULT, persons, found), verdict)
        figure = exhibit_probability(exhibit(kind, DEFAULT, persons, found), verdict)
        assert answers is not None and figure is not None
        return [figure, answers.altered, answers.synthesised]

    assert figures(VIDEO, Verdict.MANIPULATED, [flagged, passing], [segment()]) == [0.72, 0.72, 0.1]
    assert figures(VIDEO, Verdict.NOT_FOUND, [calm, passing], []) == [0.09, 0.09, 0.05]
    assert figures(VIDEO, Verdict.INCONCLUSIVE, [passing], []) == [0.99, 0.99, 0.93]
    assert figures(VIDEO, Verdict.INCONCLUSIVE, [calm, passing], [segment("B")]) == [0.99, 0.99, 0.93]
    assert figures(IMAGE, Verdict.INCONCLUSIVE, [calm, passing], [])[0] > 0.9


def looked(
    name: str, altered: float, synthesised: float, probability: float = 0.1, usable: int = 80
) -> Person:
    look = SecondLook(scan=0.5, altered=altered, synthesised=synthesised, stability=None, moments=())
    return person(name, usable, probability).model_copy(update={"second_look": look})


def test_kind_requires_one_clear_answer_for_all_flagged() -> None:
    edited, made, both = looked("A", 0.9, 0.2), looked("B", 0.1, 0.95), looked("C", 0.9, 0.85)
    counts = coverage(faces_found=3, frames_sampled=1)

    def told(*persons: Person) -> tuple[ManipulationKind | None, str]:
        segments = [segment(subject.id, 0, 0) for subject in persons]
        verdict, reason = decide(IMAGE, DEFAULT, counts, persons, segments)
        return manipulation_kind(verdict, persons, segments), reason

    assert told(edited) == (ManipulationKind.EDITED, told(edited)[1])
    assert "replaced or altered" in told(edited)[1]
    assert told(made)[0] is ManipulationKind.GENERATED and "as a whole" in told(made)[1]
    assert told(both)[0] is None and "do not show" in told(both)[1]
    assert told(edited, made)[0] is None
    assert "A: face swap or edit, B: generated face" in told(edited, made)[1]
    assert manipulation_kind(Verdict.NOT_FOUND, [edited], []) is None
    beside = looked("B", 0.1, 0.2)
    assert manipulation_kind(Verdict.MANIPULATED, [edited, beside], [segment()]) is ManipulationKind.EDITED


@pytest.mark.parametrize(
    ("where_flagged", "kind"),
    [
        (None, ManipulationKind.GENERATED),  # before 0.2
        ((1.0, 0.93), ManipulationKind.EDITED),
        ((0.93, 1.0), ManipulationKind.GENERATED),
        ((0.65, 0.5), ManipulationKind.EDITED),
        ((0.65, 0.51), None),
        ((0.49, 0.2), None),  # no yes to either
        ((1.0, 1.0), None),
    ],
)
def test_kind_uses_answers_within_segments(
    where_flagged: tuple[float, float] | None, kind: ManipulationKind | None
) -> None:
    """Most of the video is as it was, and says of a person that they look a little generated."""
    flagged = looked("A", 0.34, 0.51)
    assert flagged.second_look is not None
    if where_flagged is not None:
        inside = Answers(altered=where_flagged[0], synthesised=where_flagged[1])
        look = flagged.second_look.model_copy(update={"in_segments": inside})
        flagged = flagged.model_copy(update={"second_look": look})
    assert kind_from_second_look(flagged.second_look) is kind
    assert manipulation_kind(Verdict.MANIPULATED, [flagged], [segment()]) is kind


def test_enough_faces_without_finding() -> None:
    verdict, reason = decide(VIDEO, DEFAULT, coverage(), [person()], [])
    assert verdict is Verdict.NOT_FOUND
    assert "1 person" in reason and "80 sampled frames" in reason


def test_finding_stands_among_unusable_faces() -> None:
    verdict, _ = decide(VIDEO, DEFAULT, coverage(faces_unusable=70), [person(usable=5)], [segment()])
    assert verdict is Verdict.MANIPULATED


def test_no_verdict_says_real() -> None:
    assert {str(v) for v in Verdict} == {"manipulated", "no manipulation found", "inconclusive"}
