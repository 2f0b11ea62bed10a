"""What stands of what reviewers said, who is who after it, and what speaks of nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from analyses import build
from hypothesis import given
from hypothesis import strategies as st
from made_annotations import START, say
from pydantic import ValidationError
from reviewed_persons import ReviewedPerson, reviewed_persons
from voices import voice

from detector.schema.analysis import Analysis
from reports.review import annotations
from reports.review.annotations import (
    ANNOTATION,
    Annotation,
    ExhibitAnnotation,
    PersonMerge,
    PersonRename,
    PersonSplit,
    References,
    SegmentAnnotation,
    Withdrawal,
    current,
    rejection_reason,
    sort_key,
)


@pytest.fixture(scope="module")
def analysis(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    """Persons A, B and C of tracks 0 and 1, 2 and 3, 4 and 5; segments A1, B1, C1, A2."""
    return build(tmp_path_factory.mktemp("a"), persons=3, segments=4, kept=False)


def ids(annotations: tuple[Annotation, ...]) -> list[int]:
    return [int(annotation.id, 16) for annotation in annotations]


def test_the_newest_annotation_per_author_and_subject_is_current() -> None:
    acts = [
        say(1, "segment", segment="A1", verdict="agree"),
        say(2, "segment", segment="A1", verdict="disagree", author="Ben"),
        say(3, "segment", segment="A2", verdict="unsure"),
        say(4, "segment", segment="A1", verdict="disagree"),
        say(5, "exhibit", verdict="agree"),
        say(6, "exhibit", verdict="unsure", author="Ben"),
    ]
    assert ids(current(acts)) == [2, 3, 4, 5, 6]
    assert ids(current(reversed(acts))) == [2, 3, 4, 5, 6]


def test_spans_do_not_replace_each_other() -> None:
    acts = [say(n, "span", start=1, end=2, verdict="manipulated") for n in (1, 2)]
    assert ids(current(acts)) == [1, 2]


def test_a_persons_name_is_one_subject_for_all_authors() -> None:
    acts = [say(1, "rename", person="A", name="Eve"), say(2, "rename", "Ben", person="A", name="Eva")]
    assert ids(current(acts)) == [2]


def test_a_withdrawal_restores_the_authors_previous_annotation() -> None:
    acts = [
        say(1, "exhibit", verdict="agree"),
        say(2, "exhibit", verdict="disagree"),
        say(3, "withdrawal", about=f"{2:032x}"),
    ]
    assert ids(current(acts)) == [1]
    assert ids(current([*acts[:2], say(3, "withdrawal", "Ben", about=f"{2:032x}")])) == [2]


def test_equal_moments_are_ordered_by_id() -> None:
    first, other = say(1, "exhibit", verdict="agree"), say(2, "exhibit", verdict="unsure")
    other = other.model_copy(update={"made": first.made})
    assert current([other, first]) == (other,)


def test_the_name_of_a_face_split_off_never_passes_to_another(analysis: Analysis) -> None:
    acts = [
        say(1, "split", person="A", tracks=[1]),
        say(2, "rename", person="D", name="Eve"),
        say(3, "withdrawal", about=f"{1:032x}"),
        say(4, "split", person="B", tracks=[3]),
    ]
    assert {face.id: face.name for face in reviewed_persons(analysis, acts)} == {
        "A": "Person A",
        "B": "Person B",
        "C": "Person C",
        "E": "Person E",
    }


def test_persons_are_renamed_merged_and_split(analysis: Analysis) -> None:
    assert reviewed_persons(analysis, []) == (
        ReviewedPerson("A", "Person A", (0, 1)),
        ReviewedPerson("B", "Person B", (2, 3)),
        ReviewedPerson("C", "Person C", (4, 5)),
    )
    acts = [
        say(1, "merge", person="B", into="A"),
        say(2, "split", person="A", tracks=[1, 2]),
        say(3, "rename", person="D", name="Eve"),
        say(4, "rename", person="B", name="nobody any more"),
    ]
    assert reviewed_persons(analysis, acts) == (
        ReviewedPerson("A", "Person A", (0, 3)),
        ReviewedPerson("C", "Person C", (4, 5)),
        ReviewedPerson("D", "Eve", (1, 2)),
    )


def test_impossible_merges_and_splits_are_ignored(analysis: Analysis) -> None:
    acts = [
        say(1, "merge", person="A", into="B"),
        say(2, "merge", person="B", into="A"),  # there is no A any more
        say(3, "split", person="B", tracks=[0, 1, 2, 3]),  # nothing would stay
        say(4, "split", person="C", tracks=[0]),  # not hers
    ]
    assert [face.tracks for face in reviewed_persons(analysis, acts)] == [(0, 1, 2, 3), (4, 5)]


@pytest.mark.parametrize(
    ("kind", "more", "reason"),
    [
        ("segment", {"segment": "A1", "verdict": "agree"}, None),
        ("segment", {"segment": "A9", "verdict": "agree"}, "no segment A9"),
        ("exhibit", {"verdict": "unsure"}, None),
        ("span", {"start": 10, "end": 61, "verdict": "manipulated"}, None),  # containers round
        ("span", {"start": 10, "end": 62, "verdict": "manipulated"}, "after the end of the exhibit"),
        ("span", {"start": 1, "end": 2, "person": "D", "verdict": "manipulated"}, "no person D"),
        ("rename", {"person": "C", "name": "Eve"}, None),
        ("rename", {"person": "D", "name": "Eve"}, "no person D"),
        ("merge", {"person": "A", "into": "C"}, None),
        ("merge", {"person": "A", "into": "D"}, "both person A and person D"),
        ("split", {"person": "A", "tracks": [0]}, None),
        ("split", {"person": "A", "tracks": [0, 1]}, "would have no tracks left"),
        ("split", {"person": "A", "tracks": [2]}, "no such tracks"),
        ("withdrawal", {"about": "9" * 32}, "does not exist"),
    ],
)
def test_annotations_without_a_subject_are_rejected(
    analysis: Analysis, kind: str, more: dict[str, Any], reason: str | None
) -> None:
    rejection = rejection_reason(analysis, say(9, kind, **more))
    assert rejection is None if reason is None else reason in (rejection or "")


def test_a_stretch_may_lie_where_the_sound_outlasts_the_picture(analysis: Analysis) -> None:
    heard = voice(duration=analysis.media.duration + 30)
    late = analysis.media.duration + 20
    stretch = say(9, "span", start=late, end=late + 5, verdict="manipulated")
    assert "after the end" in (rejection_reason(analysis, stretch) or "")
    assert rejection_reason(analysis.model_copy(update={"voice": heard}), stretch) is None


def test_validity_depends_on_earlier_annotations(analysis: Analysis) -> None:
    split, own = say(1, "split", person="A", tracks=[1]), say(2, "exhibit", verdict="agree")
    assert rejection_reason(analysis, say(3, "rename", person="D", name="Eve"), [split]) is None
    assert rejection_reason(analysis, say(3, "withdrawal", about=own.id), [own]) is None
    assert "own author" in (
        rejection_reason(analysis, say(3, "withdrawal", "Ben", about=own.id), [own]) or ""
    )


@pytest.mark.parametrize(
    "values",
    [
        {"kind": "segment", "segment": "A1"},
        {"kind": "segment", "segment": "a1", "verdict": "agree"},
        {"kind": "segment", "segment": "A1", "verdict": "manipulated"},
        {"kind": "segment", "segment": "A1", "verdict": "agree", "note": "x" * 4001},
        {"kind": "exhibit", "verdict": "agree", "author": "  "},
        {"kind": "exhibit", "verdict": "agree", "author": "x" * 81},
        {"kind": "exhibit", "verdict": "agree", "made": "2026-11-20T09:00:00"},
        {"kind": "exhibit", "verdict": "agree", "id": "../x"},
        {"kind": "exhibit", "verdict": "agree", "score": 1},
        {"kind": "span", "start": 2, "end": 1, "verdict": "manipulated"},
        {"kind": "span", "start": -1, "end": 1, "verdict": "manipulated"},
        {"kind": "span", "start": 0, "end": float("inf"), "verdict": "manipulated"},
        {"kind": "merge", "person": "A", "into": "A"},
        {"kind": "split", "person": "A", "tracks": []},
        {"kind": "praise", "verdict": "agree"},
    ],
)
def test_invalid_annotations_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ANNOTATION.validate_python({"id": "0" * 32, "author": "Ann", "made": START, **values})


PERSON = st.sampled_from("ABCDEFG")
WHO = st.sampled_from(["Ann", "Ben"])


@st.composite
def histories(draw: st.DrawFn) -> list[Annotation]:
    """Any order of acts, sensible or not, with withdrawals of any of them."""
    acts: list[Annotation] = []
    for number in range(draw(st.integers(0, 14))):
        kind = draw(st.sampled_from(["segment", "exhibit", "span", "rename", "merge", "split", "withdrawal"]))
        more: dict[str, Any] = {}
        match kind:
            case "segment":
                more = {"segment": draw(st.sampled_from(["A1", "B1", "Z9"])), "verdict": "agree"}
            case "exhibit":
                more = {"verdict": draw(st.sampled_from(["agree", "disagree", "unsure"]))}
            case "span":
                more = {"start": 1, "end": 2, "verdict": "unsure", "person": draw(PERSON)}
            case "rename":
                more = {"person": draw(PERSON), "name": draw(st.sampled_from(["Eve", "Bob"]))}
            case "merge":
                first, other = draw(st.lists(PERSON, min_size=2, max_size=2, unique=True))
                more = {"person": first, "into": other}
            case "split":
                more = {"person": draw(PERSON), "tracks": draw(st.sets(st.integers(0, 6), min_size=1))}
            case "withdrawal":
                about = draw(st.integers(0, max(0, number - 1)))
                more = {"about": f"{about:032x}"}
        acts.append(say(number, kind, draw(WHO), **more))
    return acts


@given(histories(), st.randoms())
def test_current_annotations_do_not_depend_on_input_order(said: Any, chance: Any) -> None:
    stands = current(said)
    mixed = list(said)
    chance.shuffle(mixed)
    assert current(mixed) == stands
    assert list(stands) == sorted(stands, key=sort_key)
    assert set(ids(stands)) <= {int(act.id, 16) for act in said}
    assert not any(isinstance(act, Withdrawal) for act in stands)
    once = [
        (type(act), getattr(act, "segment", None), act.author)
        for act in stands
        if isinstance(act, SegmentAnnotation | ExhibitAnnotation)
    ]
    assert len(once) == len(set(once))
    assert current(stands) == stands


@given(histories())
def test_merges_and_splits_neither_lose_nor_share_tracks(said: Any) -> None:
    analysis = _ANALYSIS
    persons = reviewed_persons(analysis, said)
    tracks = [track for face in persons for track in face.tracks]
    assert sorted(tracks) == sorted(track for person in analysis.persons for track in person.tracks)
    assert len({face.id for face in persons}) == len(persons) and all(face.tracks for face in persons)


@given(histories())
def test_accepted_annotations_change_persons(said: Any) -> None:
    """An act that is not refused is never passed over."""
    known: list[Annotation] = []
    for act in said:
        if rejection_reason(_ANALYSIS, act, known) is None:
            before = reviewed_persons(_ANALYSIS, known)
            known.append(act)
            after = reviewed_persons(_ANALYSIS, known)
            match act:
                case PersonRename():
                    assert next(face.name for face in after if face.id == act.person) == act.name
                case PersonMerge():
                    assert len(after) == len(before) - 1
                case PersonSplit():
                    assert len(after) == len(before) + 1
                case Withdrawal():
                    assert act.about not in {stands.id for stands in current(known)}
                case _:
                    assert after == before and act in current(known)


@given(histories())
def test_incremental_persons_equal_recomputed_ones(said: Any) -> None:
    known = References(_ANALYSIS)
    for number, act in enumerate(said):
        before = said[:number]
        assert known.rejection_reason(act) == rejection_reason(_ANALYSIS, act, before)
        expected = {face.id: face.tracks for face in reviewed_persons(_ANALYSIS, before)}
        assert {who: tuple(sorted(own)) for who, own in known._persons().items()} == expected
        known.add(act)


def test_persons_are_not_recomputed_for_each_annotation(
    analysis: Analysis, monkeypatch: pytest.MonkeyPatch
) -> None:
    anew: list[object] = []
    tracks = annotations._tracks
    monkeypatch.setattr(annotations, "_tracks", lambda *given: anew.append(given) or tracks(*given))
    known = References(analysis)
    acts = [say(n, "rename", person="A", name=f"Eve {n}") for n in range(100)]
    acts += [say(100, "split", person="A", tracks=(0,)), say(101, "merge", person="D", into="A")]
    acts += [say(n, "withdrawal", about=f"{n - 200:032x}") for n in range(200, 300)]
    for act in acts:
        assert known.rejection_reason(act) is None
        known.add(act)
    assert len(anew) == 1
    known.add(say(400, "withdrawal", about=f"{101:032x}"))
    assert known.rejection_reason(say(401, "rename", person="D", name="Bob")) is None
    assert len(anew) == 2


_ANALYSIS = build(Path(), persons=3, segments=4, kept=False)
