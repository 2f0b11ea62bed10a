"""No sentence of a report contradicts its result: of every combination, in full and as a summary."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest
from combinations import (
    DURATION,
    FINDINGS,
    NOTHING,
    SOUND,
    TABLE,
    UNHEARD,
    UNREAD,
    VIDEO,
    Combination,
    analysis_of,
)
from contradictions import denials

from detector.schema.analysis import Analysis
from detector.schema.strength import MaterialKind, Strength, strength_rate
from detector.verdict.finding import finding_of
from language.formatting import grouped, probability, timecode
from reports.finding.reliability import face_reliability
from reports.render.html import render_html
from reports.report_view import ReportInputs, ReportView, report_view
from reports.sound.network_rates import voice_reliability
from reports.wording.lengths import FULL, SUMMARY, Length
from reports.wording.verbal_scale import kind_of

_JUDGED = (*FINDINGS, NOTHING)  # findings with a verdict that can be wrong


def text_of(view: ReportView) -> str:
    """The sentences of a report, without what it quotes from the cards of models, and its scale of words."""
    html = render_html(view, {picture.key: b"" for picture in view.pictures}, ())
    html = re.sub(r"<(style|pre|code|svg)\b.*?</\1>", "", html, flags=re.DOTALL)
    html = re.sub(r'<table class="grid whole strengths">.*?</table>', "", html, flags=re.DOTALL)
    html = re.sub(r"<h1.*?</h1>|<title>.*?</title>", "", html, flags=re.DOTALL)
    text = unescape(re.sub(r"<[^>]*>", "\n", html))
    quoted = [*view.model.limits, view.model.domain]
    quoted += [*view.sound.model_limits, view.sound.domain] if view.sound else []
    for quotation in filter(None, quoted):
        text = text.replace(str(quotation), "")
    return "\n".join(" ".join(line.split()) for line in text.split("\n") if line.strip())


def contradictions(name: Combination, analysis: Analysis, view: ReportView) -> list[str]:
    """What a report says that its result denies, and what it leaves out."""
    text = text_of(view).replace(name.file, "")
    wrong = [*denials(name, text)]
    answers = dict(view.answers)
    wrong += [f"not answered: {question}" for question in _questions(name) if question not in answers]
    wrong += [f"not said: {words}" for words in _due(name, analysis, view) if words not in text]
    if view.length == SUMMARY:
        wrong += _foreign_figures(analysis, text)
    return wrong


def _questions(name: Combination) -> list[str]:
    """The questions that the first page answers."""
    questions = ["What to do next"]
    if name.kind == SOUND:
        questions += ["Faces"] * (name.faces == UNREAD)
        questions += ["How much was judged"] * (name.voices != UNHEARD)
    else:
        questions += ["Grounds", "How certain", "Not examined"]
        questions += ["Which person"] * (name.faces in FINDINGS)
        questions += ["Voice"] * (name.kind == VIDEO)
    if name.faces in _JUDGED or name.voices in _JUDGED:
        questions.append("How often wrong")
    return questions


def _due(name: Combination, analysis: Analysis, view: ReportView) -> list[str]:
    """What a report has to say, with the figures of the result."""
    due, voice, coverage = [TABLE[name].headline], analysis.voice, analysis.coverage
    if name.faces in _JUDGED:
        due.append(face_reliability(analysis))
        if name.faces in FINDINGS:
            due.append(_rate(analysis.model.figures, kind_of(analysis), name.faces))
        else:
            frames = coverage.frames_with_usable_face
            due.append("1 usable face" if view.still else f"2 persons judged in {frames} sampled frames")
    if name.faces in FINDINGS and not view.still:
        flagged = sum(segment.end - segment.start for segment in analysis.segments)
        due.append(f"{flagged:.1f} s of {DURATION:.1f} s")
    if voice and name.voices in _JUDGED:
        due.append(voice_reliability(voice))
        due.append(f"{voice.speech:.1f} s of speech")
    if voice and name.voices in FINDINGS:
        due.append(_rate(voice.model.figures, MaterialKind.VOICE, name.voices))
        due += [timecode(time) for segment in voice.segments for time in (segment.start, segment.end)]
        flagged = sum(segment.end - segment.start for segment in voice.segments)
        due.append(f"{flagged:.1f} s of the recording")
    return due


def _rate(figures: dict[str, float], kind: MaterialKind, strength: str) -> str:
    rate = strength_rate(figures, kind, Strength(strength))
    assert rate is not None, "the card of the shipped model has no rates"
    return f"{grouped(rate.flagged)} of {grouped(rate.unmanipulated)}"


def _foreign_figures(analysis: Analysis, text: str) -> list[str]:
    """Scores and times of a summary that the result does not have."""
    scores = [analysis.probability, *(person.probability for person in analysis.persons)]
    scores += [segment.confidence for segment in analysis.segments]
    times = [0.0, DURATION, *(time for each in analysis.segments for time in (each.start, each.end))]
    times += [span.end - span.start for span in analysis.coverage.not_examined]
    if voice := analysis.voice:
        scores += [voice.probability, *(segment.confidence for segment in voice.segments)]
        times += [time for segment in voice.segments for time in (segment.start, segment.end)]
        times += voice.not_judged.values()
    thresholds = {"0.65"}
    known = {probability(score) for score in scores if score is not None} | thresholds
    strange = set(re.findall(r"(?<![\d.,:])\d\.\d\d(?![\d.])", text)) - known
    strange |= set(re.findall(r"\d\d:\d\d:\d\d\.\d{3}", text)) - set(map(timecode, times))
    return [f"not in the result: {figure}" for figure in sorted(strange)]


@pytest.mark.parametrize("length", (SUMMARY, FULL))
def test_no_sentence_contradicts_the_result(tmp_path: Path, length: Length) -> None:
    wrong = {}
    for name in TABLE:
        analysis = analysis_of(name, tmp_path)
        view = report_view(analysis, tmp_path, ReportInputs(length=length))
        if problems := contradictions(name, analysis, view):
            wrong[str(name)] = problems
    assert not wrong, "\n".join(f"{name}: {'; '.join(problems)}" for name, problems in wrong.items())


def test_scores_of_tables_are_those_of_the_result(tmp_path: Path) -> None:
    for name in TABLE:
        analysis = analysis_of(name, tmp_path)
        view, voice = report_view(analysis, tmp_path), analysis.voice
        persons = [probability(person.probability) for person in analysis.persons]
        assert [person.figure for person in view.persons] == persons, name
        if (score := analysis.probability) is not None:
            assert view.figure.text == probability(score), name
        if score is not None and name.faces in FINDINGS:
            (step,) = [step for step in view.meaning.strengths if step == view.figure.strength]
            limits = [float(limit) for limit in re.findall(r"\d\.\d+", step.figures)]
            least, most = {"below": [0.0, *limits], "and": [*limits, 1.0]}.get(
                step.figures.split()[-2], limits
            )
            assert least <= score <= most, name
        flagged = finding_of(analysis).flagged_ids
        assert [segment.flagged for segment in view.segments] == [
            segment.id in flagged for segment in analysis.segments
        ]
        if voice is not None:
            assert view.sound is not None
            assert view.sound.figure == probability(voice.probability), name
            assert [segment.confidence for segment in view.sound.segments] == [
                probability(segment.confidence) for segment in voice.segments
            ]


def test_rates_are_not_stated_for_parameters_with_which_they_were_not_measured(tmp_path: Path) -> None:
    for faces in (*FINDINGS, NOTHING):
        analysis = analysis_of(Combination(VIDEO, faces, UNHEARD), tmp_path)
        changed = analysis.parameters.model_copy(update={"minimum_duration": 0.7})
        view = report_view(analysis.model_copy(update={"parameters": changed}), tmp_path)
        answer = dict(view.answers)["How often wrong"]
        assert answer.startswith("It is not known how often such a decision is wrong"), faces
        assert not view.reader.errors
        assert {step.definition for step in view.meaning.strengths} == {
            "How often this strength is wrong was not measured."
        }
