"""What a finding rests on, held against the same analysis made again: forged grounds are named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from analyses import build
from changed_parts import person, segment

from detector.schema.analysis import (
    Analysis,
    Answers,
    CalmFrame,
    FaceQuality,
    ManipulationKind,
    MapMethod,
    MapNetwork,
    PeakMap,
    Question,
    Rate,
    Score,
    Scores,
    SecondLook,
    SecondLookContrast,
    Spread,
    StripFace,
)
from detector.schema.measurements import Span
from detector.schema.metadata import Anomaly
from verification.agreement import Agreement, compare_analyses

FUTURE = Anomaly(kind="time in the future", observation="x", concern="x", innocent="x")
CHANGED = Anomaly(kind="changed after it was made", observation="x", concern="x", innocent="x")


@pytest.fixture
def recorded(tmp_path: Path) -> Analysis:
    return build(tmp_path, persons=1, segments=1)


def changed(analysis: Analysis, part: str, **values: Any) -> Analysis:
    return analysis.model_copy(update={part: getattr(analysis, part).model_copy(update=values)})


def peak(analysis: Analysis, **values: Any) -> Analysis:
    (stretch,) = analysis.segments
    first, *others = stretch.peaks
    return segment(analysis, peaks=(first.model_copy(update=values), *others))


def scores(analysis: Analysis, change: Callable[[Score], dict[str, Any]]) -> Analysis:
    (subject,) = analysis.persons
    changed = (s.model_copy(update=change(s)) if s.usable else s for s in subject.scores)
    return person(analysis, scores=Scores(changed))


def look(altered: float, synthesised: float) -> SecondLook:
    """The same said of all moments and of those in segments."""
    return SecondLook(
        scan=0.9,
        altered=altered,
        synthesised=synthesised,
        in_segments=Answers(altered=altered, synthesised=synthesised),
        stability=None,
        contradiction=False,
        moments=(),
    )


def rate(value: float) -> Rate:
    return Rate(figure="false positive rate", data="x", value=value, interval="x", items=9, unit="clips")


FORGED: dict[str, tuple[str, Callable[[Analysis], Analysis]]] = {
    "reason": ("the reason is", lambda a: a.model_copy(update={"reason": "A specialist did it."})),
    "probability of a person": ("person A: probability", lambda a: person(a, probability=0.5)),
    "usable frames": ("person A: usable frames", lambda a: person(a, usable_frames=9000)),
    "time on screen": ("person A: screen time", lambda a: person(a, screen_time=5.0)),
    "coverage": ("coverage faces unusable", lambda a: changed(a, "coverage", faces_unusable=0)),
    "found": ("coverage faces found", lambda a: changed(a, "coverage", faces_found=9000)),
    "cuts": ("cuts were found", lambda a: changed(a, "coverage", cuts=(1.0, 2.0, 3.0))),
    "examined": (
        "was not examined (it was dark) is not found",
        lambda a: changed(a, "coverage", not_examined=(Span(start=1.0, end=9.0, reason="it was dark"),)),
    ),
    "check": ("check drop highlight is 3.11, where 9", lambda a: peak(a, check=forged_check(a))),
    "check left out": ("check stands in only one", lambda a: peak(a, check=None)),
    "maps": ("maps has", lambda a: peak(a, maps=(further_map(),))),
    "heat": ("heat is", lambda a: peak(a, heat=0.123)),
    "time of a peak": ("none is found at", lambda a: peak(a, time=2.0, pts=25600)),
    "no frame": ("none is found at", lambda a: peak(a, pts=a.segments[0].peaks[0].pts + 1)),
    "another time": ("peak 1 of segment A1: time is", lambda a: peak(a, time=3.0)),
    "frame of a peak": ("peak 1 of segment A1: frame index", lambda a: peak(a, frame_index=610)),
    "place of a peak": (
        "peak 1 of segment A1: box lies elsewhere",
        lambda a: peak(a, box=(900.0, 100.0, 1100.0, 300.0)),
    ),
    "frames of a segment": ("segment A1: start frame is", lambda a: segment(a, start_frame=5075)),
    "place": ("person A: median box lies elsewhere", lambda a: person(a, median_box=(0.0, 0.0, 90.0, 90.0))),
    "quality of a person": (
        "person A: quality stands in only one of the two",
        lambda a: person(a, quality=faces_of(300.0)),
    ),
    "logits": ("a logit at", lambda a: scores(a, lambda each: {"logit": each.logit + 3})),
    "places": ("faces lie elsewhere", lambda a: scores(a, lambda _: {"box": (420, 140, 610, 370)})),
    "peaks": ("segment A1: peaks: ", lambda a: fewer_peaks(a)),
    "figures": ("card of the model: figures", lambda a: changed(a, "model", figures={"AUC": 0.999})),
    "limits": ("card of the model: limits", lambda a: changed(a, "model", limits=("None known.",))),
    "domain": ("card of the model: domain", lambda a: changed(a, "model", domain="Every video.")),
    "rates": ("card of the model: rates", lambda a: changed(a, "model", rates=(rate(0.001),))),
    "temperature": ("card of the model: temperature", lambda a: changed(a, "model", temperature=9.0)),
}
OF_FILE: dict[str, tuple[str, Callable[[Analysis], Analysis]]] = {
    "variable": ("of the file, variable frame rate", lambda a: changed(a, "media", variable_frame_rate=True)),
    "sound": ("of the file, has sound", lambda a: changed(a, "media", has_sound=not a.media.has_sound)),
    "anomalies": ("other anomalies", lambda a: changed(a, "media", anomalies=(CHANGED,))),
}


def faces_of(width: float) -> FaceQuality:
    of_width, other = (Spread(tenth=value, median=value, ninetieth=value) for value in (width, 1.0))
    return FaceQuality(width=of_width, contrast=other, sharpness=other, tilt=other, grey=0.0)


def further_map() -> PeakMap:
    return PeakMap(method=MapMethod.GRAD_CAM, networks=(MapNetwork.SCAN,), overlay=None, map=None, heat=1.0)


def forged_check(analysis: Analysis) -> object:
    check = analysis.segments[0].peaks[0].check
    return check.model_copy(update={"drop_highlight": 9.0, "hidden_highlight": 0.01})


def explained(analysis: Analysis) -> Analysis:
    """The analysis with a further heatmap, a calm frame and a film strip, as the engine makes them."""
    (stretch,), (who,) = analysis.segments, analysis.persons
    first, *others = stretch.peaks
    check = first.check.model_copy(update={"margin": 1.2, "hidden_middle": 0.7, "drop_middle": 1.5})
    shown = PeakMap(
        method=MapMethod.HIDDEN_PARTS,
        networks=(MapNetwork.SCAN,),
        question=Question.ALTERED,
        framing="inner face",
        share=0.8,
        overlay=first.overlay,
        map=first.map,
        heat=first.heat,
        check=check,
    )
    maps = (shown, further_map().model_copy(update={"check": check}))
    face = next(score for score in who.scores if score.usable)
    calm = CalmFrame(time=face.time, pts=face.pts, probability=face.probability, box=face.box, frame=None)
    picture = "overlays/A1-strip-1.png"
    strip = (StripFace(time=face.time, pts=face.pts, probability=face.probability, picture=picture),)
    peaks = (first.model_copy(update={"check": check, "maps": maps}), *others)
    return segment(analysis, peaks=peaks, calm=calm, strip=strip)


def forged_map(analysis: Analysis, number: int, **values: Any) -> Analysis:
    maps = list(analysis.segments[0].peaks[0].maps)
    maps[number] = maps[number].model_copy(update=values)
    return peak(analysis, maps=tuple(maps))


def forged_part(analysis: Analysis, part: str, **values: Any) -> Analysis:
    """Change the check of the first peak, the calm frame, or the first face of the film strip."""
    stretch = analysis.segments[0]
    if part == "check":
        return peak(analysis, check=stretch.peaks[0].check.model_copy(update=values))
    if part == "strip":
        return segment(analysis, strip=(stretch.strip[0].model_copy(update=values),))
    return segment(analysis, calm=stretch.calm.model_copy(update=values))


EXPLANATIONS: dict[str, tuple[str, Callable[[Analysis], Analysis]]] = {
    "margin": ("check margin is", lambda a: forged_part(a, "check", margin=0.5)),
    "middle": ("check drop middle is", lambda a: forged_part(a, "check", drop_middle=0.1)),
    "middle's score": (
        "check hidden middle",
        lambda a: forged_part(a, "check", hidden_middle=0.2),
    ),
    "middle left out": (
        "check drop middle stands in only one",
        lambda a: forged_part(a, "check", drop_middle=None),
    ),
    "further check": (
        "maps 2 check drop highlight",
        lambda a: forged_map(a, 1, check=forged_check(a)),
    ),
    "no further check": ("maps 2 check stands in only one", lambda a: forged_map(a, 1, check=None)),
    "check of the first map": (
        "maps 1 check drop highlight",
        lambda a: forged_map(a, 0, check=forged_check(a)),
    ),
    "question": (
        "maps 1 question is altered, where synth",
        lambda a: forged_map(a, 0, question=Question.SYNTHESISED),
    ),
    "framing": ("maps 1 framing stands in only one", lambda a: forged_map(a, 0, framing=None)),
    "networks": (
        "maps 1 networks are scan, where second look",
        lambda a: forged_map(a, 0, networks=(MapNetwork.SECOND_LOOK,)),
    ),
    "share": ("maps 1 share is 0.8, where 0.4", lambda a: forged_map(a, 0, share=0.4)),
    "heat of a further map": ("maps 2 heat is", lambda a: forged_map(a, 1, heat=0.5)),
    "no calm frame": ("calm frame of segment A1 stands in only one", lambda a: segment(a, calm=None)),
    "calm frame": ("the calm frame of segment A1: prob", lambda a: forged_part(a, "calm", probability=0.001)),
    "another calm frame": ("A1: none is found at", lambda a: forged_part(a, "calm", pts=1)),
    "time of the calm frame": (
        "calm frame of segment A1: time is",
        lambda a: forged_part(a, "calm", time=2.0),
    ),
    "place of the calm frame": (
        "segment A1: box lies elsewhere",
        lambda a: forged_part(a, "calm", box=(0.0, 0.0, 9.0, 9.0)),
    ),
    "film strip": (
        "film strip of segment A1: face 1: prob",
        lambda a: forged_part(a, "strip", probability=0.99),
    ),
    "another face": ("film strip of segment A1: no face 1", lambda a: forged_part(a, "strip", pts=1)),
}


def fewer_peaks(analysis: Analysis) -> Analysis:
    (segment,) = analysis.segments
    return analysis.model_copy(
        update={"segments": (segment.model_copy(update={"peaks": segment.peaks[:1]}),)}
    )


@pytest.mark.parametrize("name", FORGED)
def test_forged_grounds_are_reported(recorded: Analysis, name: str) -> None:
    words, forge = FORGED[name]
    agreement = compare_analyses(forge(recorded), recorded)
    assert not agreement.agree and any(words in problem for problem in agreement.problems), agreement.problems


@pytest.mark.parametrize("name", EXPLANATIONS)
def test_forged_explanations_are_reported(recorded: Analysis, name: str) -> None:
    words, forge = EXPLANATIONS[name]
    there = explained(recorded)
    assert compare_analyses(there, there).agree
    agreement = compare_analyses(forge(there), there)
    assert any(words in problem for problem in agreement.problems), agreement.problems


def test_checks_and_strengths_may_differ_in_another_number_format_of_heatmaps(recorded: Analysis) -> None:
    there = changed(explained(recorded), "software", heatmap_precision="bfloat16")
    here = changed(explained(recorded), "software", heatmap_precision="float32")
    for name in ("further check", "heat of a further map"):
        assert EXPLANATIONS[name][1](there) != there
        assert compare_analyses(EXPLANATIONS[name][1](there), here).agree
    for name in ("no further check", "calm frame"):
        assert not compare_analyses(EXPLANATIONS[name][1](there), here).agree


def test_another_frame_as_calm_is_accepted(recorded: Analysis) -> None:
    """Where the repeated analysis gives it the recorded probability, and as low a smoothed one."""
    there = explained(recorded)
    chosen = there.segments[0].calm
    (who,) = there.persons
    assert chosen is not None
    low = next(score for score in who.scores if score.pts == chosen.pts).smoothed
    assert low is not None
    others = [
        score
        for score in who.scores
        if score.usable and score.pts != chosen.pts and score.smoothed is not None
    ]
    alike, higher = (
        next(score for score in others if (score.smoothed <= low + 0.01) is as_low)
        for as_low in (True, False)
    )
    for score, agree in ((alike, True), (higher, False)):
        place = {"time": score.time, "pts": score.pts, "box": score.box, "probability": score.probability}
        assert compare_analyses(forged_part(there, "calm", **place), there).agree is agree
    place = {"time": alike.time, "pts": alike.pts, "box": alike.box, "probability": 0.001}
    assert not compare_analyses(forged_part(there, "calm", **place), there).agree


def test_film_strips_exist_with_pictures_only_and_follow_the_ends_of_segments(recorded: Analysis) -> None:
    there = explained(recorded)
    without = segment(there, strip=())
    assert compare_analyses(there, without).agree and compare_analyses(without, there).agree
    start = there.segments[0].start
    assert compare_analyses(forged_part(segment(there, start=start + 0.125), "strip", pts=1), there).agree


@pytest.mark.parametrize("name", OF_FILE)
def test_forged_file_facts_are_reported_separately(recorded: Analysis, name: str) -> None:
    words, forge = OF_FILE[name]
    agreement = compare_analyses(forge(recorded), recorded)
    assert (
        not agreement.agree
        and not agreement.problems
        and any(words in problem for problem in agreement.of_file)
    )


@pytest.mark.parametrize("name", [*FORGED, *OF_FILE])
def test_other_engine_versions_may_differ(recorded: Analysis, name: str) -> None:
    _, forge = (FORGED | OF_FILE)[name]
    assert compare_analyses(changed(forge(recorded), "software", source_sha256="b" * 64), recorded).agree


def test_differences_between_machines_are_tolerated(recorded: Analysis) -> None:
    (subject,), coverage = recorded.persons, recorded.coverage
    assert subject.probability is not None
    here = person(recorded, probability=subject.probability - 0.009, usable_frames=subject.usable_frames - 1)
    here = changed(here, "coverage", faces_found=coverage.faces_found + 1)
    check = recorded.segments[0].peaks[0].check
    near = check.model_copy(update={"drop_highlight": check.drop_highlight + 0.05})
    here = peak(here, check=near, heat=recorded.segments[0].peaks[0].heat - 0.01)
    assert compare_analyses(recorded, here).agree and compare_analyses(here, recorded).agree


def test_face_quality_is_compared_for_equal_or_many_faces(
    recorded: Analysis,
) -> None:
    small, large = (person(recorded, quality=faces_of(width)) for width in (40.0, 300.0))
    agreement = compare_analyses(large, small)
    assert [problem.partition(" is")[0] for problem in agreement.problems] == [
        f"person A: quality width {part}" for part in ("tenth", "median", "ninetieth")
    ]
    assert compare_analyses(small, person(recorded, quality=faces_of(41.0))).agree
    few = person(large, usable_frames=4)
    assert not compare_analyses(few, person(few, quality=faces_of(40.0))).agree
    assert compare_analyses(few, person(small, usable_frames=3)).agree


def test_equal_scores_may_have_another_peak(recorded: Analysis) -> None:
    """As high as those found, and as its own score has it; which is told."""
    (there,), (who,) = recorded.segments, recorded.persons
    first = there.peaks[0]
    beside = next(s for s in who.scores if s.usable and s.pts > first.pts)
    changes = {"smoothed": 0.96, "probability": 0.96}
    high = (score.model_copy(update=changes) if score.pts == beside.pts else score for score in who.scores)
    here = person(recorded, scores=Scores(high))
    moved = peak(here, pts=beside.pts, time=beside.time, box=beside.box)
    agreement = compare_analyses(moved, here)
    assert agreement.agree and agreement.replaced == ("peak 1 of segment A1",)
    assert compare_analyses(here, here).replaced == ()
    for changed in (
        {"time": beside.time + 0.01},
        {"box": (900.0, 100.0, 1100.0, 300.0)},
        {"probability": 0.9},
    ):
        assert not compare_analyses(peak(moved, **changed), here).agree
    low = person(recorded, scores=who.scores)
    assert not compare_analyses(moved, low).agree


def test_moved_boundary_changes_frame_numbers(recorded: Analysis) -> None:
    here = segment(recorded, start_frame=360, end_frame=1079)
    (there,) = here.segments
    assert compare_analyses(here, here).agree
    assert compare_analyses(segment(here, start=there.start + 0.125, start_frame=364), here).agree
    assert not compare_analyses(segment(here, start=there.start + 0.125, start_frame=390), here).agree
    assert not compare_analyses(segment(here, start_frame=361), here).agree
    assert not compare_analyses(segment(here, end_frame=None), here).agree


def contrasts(analysis: Analysis, *told: tuple[float, float]) -> Analysis:
    """``told``: start and by how much it is raised."""
    stretches = tuple(
        SecondLookContrast(track=0, start=start, end=start + 2, contrast=raised + 3, raised=raised)
        for start, raised in told
    )
    return person(analysis, second_look=look(0.9, 0.3).model_copy(update={"contrasts": stretches}))


def test_contrasts_are_compared(recorded: Analysis) -> None:
    here = contrasts(recorded, (3.0, 2.0))
    assert compare_analyses(here, here).agree
    assert compare_analyses(contrasts(recorded, (3.1, 2.05)), here).agree
    assert compare_analyses(contrasts(recorded, (3.0, 2.0), (9.0, 0.05)), here).agree  # hardly raised
    for forged in (((0.5, 2.0),), ((3.0, 9.0),), (), ((3.0, 2.0), (9.0, 4.0))):
        problems = compare_analyses(contrasts(recorded, *forged), here).problems
        assert problems and all("stands out by" in problem for problem in problems)


def test_answers_in_segments_are_compared(recorded: Analysis) -> None:
    here = person(recorded, second_look=look(0.9, 0.3))
    (subject,) = here.persons
    assert subject.second_look is not None
    forged = subject.second_look.model_copy(update={"in_segments": Answers(altered=0.3, synthesised=0.9)})
    agreement = compare_analyses(person(here, second_look=forged), here)
    assert any("person A: second look in segments altered" in problem for problem in agreement.problems)


def with_answers(analysis: Analysis, altered: float, kind: ManipulationKind | None) -> Analysis:
    answers = Answers(altered=altered, synthesised=0.3)
    variant = analysis.model_copy(update={"answers": answers, "kind": kind})
    return person(variant, second_look=look(altered, 0.3))


def kinds(recorded: Analysis, altered: float) -> Agreement:
    """The kind left out of one of both."""
    there = with_answers(recorded, altered, ManipulationKind.EDITED)
    return compare_analyses(there, with_answers(recorded, altered, None))


def test_borderline_kind_may_differ(recorded: Analysis) -> None:
    there = with_answers(recorded, 0.9, ManipulationKind.EDITED)
    assert compare_analyses(there, there).agree
    assert not compare_analyses(with_answers(recorded, 0.8, ManipulationKind.EDITED), there).agree
    assert not compare_analyses(recorded, there).agree
    assert not compare_analyses(there, with_answers(recorded, 0.9, ManipulationKind.GENERATED)).agree
    assert not kinds(recorded, 0.9).agree
    assert kinds(recorded, 0.5).agree and not kinds(recorded, 0.51).agree


def test_kind_by_an_earlier_rule_is_tolerated(recorded: Analysis) -> None:
    """Before schema 1.23 it was told by all moments of a video."""
    there = person(with_answers(recorded, 0.4, ManipulationKind.GENERATED), second_look=before(0.4, 0.6))
    there = changed(there, "software", source_sha256="b" * 64)
    assert compare_analyses(there, with_answers(recorded, 0.9, ManipulationKind.EDITED)).agree


def before(altered: float, synthesised: float) -> SecondLook:
    return look(altered, synthesised).model_copy(update={"in_segments": None})


def test_future_time_may_have_passed(recorded: Analysis) -> None:
    assert compare_analyses(changed(recorded, "media", anomalies=(FUTURE,)), recorded).agree
    both = changed(recorded, "media", anomalies=(FUTURE, CHANGED))
    assert compare_analyses(recorded, both).agree
