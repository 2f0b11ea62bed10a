"""The first page's answers and the sentence each finding gets."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from analyses import build, with_stability

from detector.schema.analysis import MediaKind, Platt, Scores, Verdict
from language.formatting import probability
from reports.finding.summary import MOST_TIMES, figure_words, interval_words, key_answers
from reports.persons.segments import segment_meaning
from reports.report_view import ReportInputs, report_view
from reports.wording.intervals import exhibit_interval, segment_interval
from reports.wording.sections import contents
from reports.wording.verdict_sentence import figure_name


def said(tmp_path: Path, **choices: object) -> dict[str, str]:
    analysis = build(tmp_path, kept=False, **choices)  # type: ignore[arg-type]
    return dict(key_answers(analysis))


def test_flagged_segments_are_exported(tmp_path: Path) -> None:
    answers = said(tmp_path, persons=3, segments=2)
    assert answers["When"] == (
        "00:00:12.000 to 00:00:36.000 (person A); 00:00:12.000 to 00:00:36.000 (person B)"
    )
    assert answers["Which person"].startswith("Persons A and B. 1 other person not flagged.")
    assert answers["How certain"] == "Strong signs of manipulation, the strongest of three degrees."
    figure = figure_words(build(tmp_path, persons=3, segments=2, kept=False))
    assert re.search(r": 0\.97, interval 0\.\d\d to >\s0\.99\. This is not the probability", figure)
    assert "Sound; everything that is not a face; 1,318 of 1,798 frames" in answers["Not examined"]
    assert "second examiner" in answers["What to do next"]


def test_unjudged_persons_are_not_called_unflagged(tmp_path: Path) -> None:
    built = build(tmp_path, persons=4, segments=1, kept=False)
    unjudged = [person.model_copy(update={"probability": None}) for person in built.persons[2:]]
    built = built.model_copy(update={"persons": (*built.persons[:2], *unjudged)})
    whose = dict(key_answers(built))["Which person"]
    assert whose.startswith("Person A. 1 other person not flagged. 2 other persons could not be judged.")


def test_only_confirmed_persons_are_named_as_flagged(tmp_path: Path) -> None:
    """Of A1, B1 and A2 the strongest is A1; of B1, which views do not confirm, nothing is said."""
    built = with_stability(build(tmp_path, persons=2, segments=3, kept=False), A=1.0, B=0.6)
    view = report_view(built, tmp_path)
    assert view.verdict_sentence == (
        "The face of person A shows strong signs of manipulation in 2 segments of this video: "
        "24.0 s of 1 min 0 s."
    )
    answers = dict(view.answers)
    assert answers["When"] == "00:00:06.000 to 00:00:18.000; 00:00:36.000 to 00:00:48.000"
    assert answers["Which person"].startswith("Person A. 1 other person not flagged.")
    assert [(row.strength, row.segments) for row in view.persons] == [
        ("strong signs of manipulation", ("A1", "A2")),
        ("not flagged", ()),
    ]
    assert view.flagged == 2 and "2 flagged segments" in view.timeline.description
    assert view.sections["segments"].title == "Flagged segments"
    nobody = with_stability(built, A=0.6).model_copy(update={"verdict": Verdict.INCONCLUSIVE})
    view = report_view(nobody, tmp_path)
    assert not {"When", "Which person"} & set(dict(view.answers))
    assert {row.strength for row in view.persons} == {"not flagged"}
    assert view.flagged == 0 and "0 flagged segments" in view.timeline.description
    assert view.sections["segments"].title == "Looked at, not flagged"
    assert {row.title for row in view.segments} == {
        f"Looked at, not flagged: {name}" for name in ("A1", "B1", "A2")
    }


def test_an_unconfirmed_segment_states_the_reason(tmp_path: Path) -> None:
    built = with_stability(build(tmp_path, persons=2, segments=2, kept=False), B=0.6)
    confirmed, not_confirmed = report_view(built, tmp_path).segments
    assert confirmed.flagged and confirmed.strength == "strong signs of manipulation"
    assert "person A resembles" in confirmed.meaning
    assert not not_confirmed.flagged and not_confirmed.strength == "not flagged"
    assert not_confirmed.figures[0].value == "not flagged"
    assert not_confirmed.meaning.startswith("Person B: small changes of the same pictures")
    in_german = report_view(built, tmp_path, ReportInputs(language_code="de")).segments[1]
    assert in_german.meaning.startswith("Person B: Kleine Änderungen derselben Bilder")
    assert "small changes" not in in_german.meaning


@pytest.mark.parametrize("kind", (MediaKind.VIDEO, MediaKind.IMAGE))
def test_what_a_lowered_threshold_flags_is_weak(kind: MediaKind, tmp_path: Path) -> None:
    built = build(tmp_path, persons=1, segments=1, kind=kind, kept=False)
    segment, person = built.segments[0], built.persons[0]
    low = built.model_copy(
        update={
            "probability": 0.395,
            "segments": (segment.model_copy(update={"confidence": 0.395}),),
            "persons": (person.model_copy(update={"probability": 0.395}),),
            "parameters": built.parameters.model_copy(update={"enter_threshold": 0.35}),
        }
    )
    words = "weak signs of manipulation"
    view = report_view(low, tmp_path)
    assert dict(view.answers)["How certain"].startswith(f"W{words[1:]}, the weakest")
    assert view.figure.strength is not None and view.figure.strength.phrase == words
    assert view.segments[0].strength == view.persons[0].strength == words
    assert f"trained on: {words} (score 0.395" in view.segments[0].meaning
    in_german = report_view(low, tmp_path, ReportInputs(language_code="de"))
    assert in_german.segments[0].strength == "schwache Anzeichen einer Manipulation"


def test_the_figure_ignores_persons_seen_too_briefly(tmp_path: Path) -> None:
    built = build(tmp_path, segments=0, kept=False)
    calm, passing = built.persons
    passing = passing.model_copy(update={"usable_frames": 3, "probability": 0.99})
    seen = built.model_copy(update={"persons": (calm, passing)})
    assert figure_name(seen).endswith("of the highest-scoring person with at least 8 usable frames")
    earlier = seen.model_copy(update={"probability": 0.99})
    for analysis in (built, earlier):
        assert figure_name(analysis).endswith("all usable frames of the highest-scoring person")


def test_the_interval_is_of_the_figure_beside_it(tmp_path: Path) -> None:
    """Before, the figure could be of a person whom views did not confirm; it stays as it was stored."""
    built = with_stability(build(tmp_path, persons=2, segments=2, kept=False), A=0.6, B=1.0)
    for segment in built.segments:
        stored = built.model_copy(update={"probability": segment.confidence})
        interval = segment_interval(stored, segment)
        assert interval is not None
        surely = figure_words(stored)
        assert f": {segment.confidence:.2f}, {interval_words(interval)}." in surely


def test_too_few_independent_moments_are_said_in_words(tmp_path: Path) -> None:
    """Where the interval would cover nearly all figures; report, table of segments and page agree."""
    built = build(tmp_path, persons=1, segments=1, kept=False)
    (person,) = built.persons
    # Two long halves, high and low: moments worth hardly more than two independent ones.
    split = [
        score.model_copy(update={"logit": 4.0 if index < len(person.scores) / 2 else -3.0})
        for index, score in enumerate(person.scores)
    ]
    whole = built.segments[0].model_copy(update={"start": 0.0, "end": built.media.duration})
    changes = {"persons": (person.model_copy(update={"scores": Scores(split)}),), "segments": (whole,)}
    made = built.model_copy(update=changes)
    view = report_view(made, tmp_path)
    words = "too few independent moments for an interval"
    assert f"0.97, {words}. This is not the probability" in view.figure_words
    (segment,) = view.segments
    assert segment.interval == "not known"
    (doubt,) = (fact for fact in segment.figures if fact.name == "Interval")
    assert doubt.value == "not known" and doubt.note.startswith(words)


@pytest.mark.parametrize("kind", [MediaKind.VIDEO, MediaKind.IMAGE])
def test_an_interval_below_the_threshold_is_explained(tmp_path: Path, kind: MediaKind) -> None:
    built = build(tmp_path, kind=kind, persons=1, segments=1, kept=False)
    interval = segment_interval(built, built.segments[0])
    assert interval is not None and interval.low < built.segments[0].confidence
    for enter, explained in ((interval.low + 0.01, True), (interval.low - 0.01, False)):
        parameters = built.parameters.model_copy(update={"enter_threshold": enter})
        view = report_view(built.model_copy(update={"parameters": parameters}), tmp_path)
        words = f"reaches below {probability(enter)}, the threshold for a finding"
        (shown,) = (fact for fact in view.segments[0].figures if fact.name == "Interval")
        assert (words in shown.note) is explained
        assert (words in view.figure_words) is explained
        assert ("other frames" in shown.note) is (explained and kind is MediaKind.VIDEO)


def test_a_figure_with_a_calibration_of_its_own_has_an_interval_around_it(tmp_path: Path) -> None:
    """Of a segment's frames the exhibit's probability may be lower than the segment's own."""
    built = build(tmp_path, persons=2, segments=1, kept=False)
    figure = 0.71
    model = built.model.model_copy(
        update={"segment": Platt(scale=1.9, offset=0.0), "exhibit": Platt(scale=0.6, offset=0.0)}
    )
    flagged, other = built.persons
    persons = (flagged.model_copy(update={"probability": figure}), other)
    made = built.model_copy(update={"probability": figure, "model": model, "persons": persons})
    interval = exhibit_interval(made, made.segments[0])
    assert interval is not None and interval.low <= figure <= interval.high < made.segments[0].confidence
    surely = figure_words(made)
    assert f"faces, strongest segment: 0.71, {interval_words(interval)}." in surely

    persons = (flagged, other.model_copy(update={"probability": figure}))
    unsegmented = made.model_copy(update={"persons": persons})
    surely = figure_words(unsegmented)
    assert "all usable frames of the highest-scoring person: 0.71. This is not" in surely


def test_many_segments_are_counted_not_listed(tmp_path: Path) -> None:
    answers = said(tmp_path, persons=2, segments=MOST_TIMES + 6)
    assert answers["When"].startswith("In 10 segments between ") and "table of segments" in answers["When"]
    assert len(answers["When"]) < 200


@pytest.mark.parametrize("verdict", [Verdict.NOT_FOUND, Verdict.INCONCLUSIVE])
def test_nothing_flagged(tmp_path: Path, verdict: Verdict) -> None:
    answers = said(tmp_path, segments=0, verdict=verdict)
    assert not {"When", "Which person"} & set(answers)
    assert "signs" not in " ".join(answers.values())
    assert ("proof" in answers["What to do next"]) == (verdict is Verdict.NOT_FOUND)


def test_a_photo_has_no_times(tmp_path: Path) -> None:
    answers = said(tmp_path, kind=MediaKind.IMAGE, segments=1)
    assert "When" not in answers and "frames" not in answers["Not examined"]
    assert "00:00" not in " ".join(answers.values())


def test_a_group_photograph_names_the_certainty_of_its_strongest_face(tmp_path: Path) -> None:
    """For all faces together the word is a weaker one."""
    alone = said(tmp_path, kind=MediaKind.IMAGE, persons=1, segments=1)["How certain"]
    assert alone == "Signs of manipulation, the second of three degrees."
    together = said(tmp_path, kind=MediaKind.IMAGE, persons=8, segments=1)["How certain"]
    assert together.startswith(
        "Weak signs of manipulation, the weakest of three degrees. This is the strength"
    )
    assert together.endswith("Face A1 alone shows signs of manipulation.")


def test_a_finding_as_a_sentence(tmp_path: Path) -> None:
    analysis = build(tmp_path, segments=1, kept=False)
    sentence = segment_meaning(analysis, analysis.segments[0])
    assert sentence.startswith("From 00:00:12.000 to 00:00:36.000, the face of person A resembles")
    assert "strong signs of manipulation (score 0.97, from 24 frames)" in sentence
    assert "does not by itself prove" in sentence


def test_bounds_in_time_frames_and_ticks(tmp_path: Path) -> None:
    analysis = build(tmp_path, segments=1, kept=False)
    (segment,) = analysis.segments
    exact = segment.model_copy(update={"start_frame": 359, "end_frame": 1078})
    view = report_view(analysis.model_copy(update={"segments": (exact,)}), tmp_path).segments[0]
    assert [(bound.name, bound.time, bound.frame_index, bound.pts) for bound in view.bounds] == [
        ("Start", "00:00:12.000", "359", "153600"),
        ("End", "00:00:36.000", "1,078", "460800"),
    ]
    older = report_view(analysis, tmp_path).segments[0]
    assert [bound.frame_index for bound in older.bounds] == ["–", "–"]


def test_references_lead_to_the_sections_they_name(tmp_path: Path) -> None:
    sections = contents(False)
    assert [section.number for section in sections.values()] == list(range(1, 15))
    assert sections["limits"].number == 4 and sections["segments"].number == 2
