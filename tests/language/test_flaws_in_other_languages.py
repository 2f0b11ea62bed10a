"""Why faces are not judged, stored in English, in the reader's language: every flaw, and every pair."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from analyses import build, media

from detector.faces import flaws
from detector.faces.crop import Face
from detector.faces.detections import DetectionBuffer
from detector.faces.quality import Assessment
from detector.schema.analysis import Coverage, MediaKind, Parameters, Verdict
from detector.schema.causes.cause import Cause
from detector.schema.causes.reasons import ReasonCode
from detector.schema.causes.spans import SpanCode
from detector.scoring.first_pass import FirstPassResult
from detector.verdict import reasons
from detector.verdict.coverage import measure_coverage
from language import translation
from reports.report_view import ReportInputs, report_view

LANGUAGES = [code for code in translation.LANGUAGES if code != translation.DEFAULT]
EVERY = flaws.CROP_FLAWS + flaws.PHOTO_FLAWS
LISTS = [*((flaw,) for flaw in EVERY), *combinations(EVERY, 2)]
WORD = re.compile(r"[^\W\d_]+")
ALIKE = {"de": {"in", "was"}, "es": {"detector", "no"}}  # words that the language has too


def english_in(translated: str, english: str, code: str) -> set[str]:
    """The words of ``english`` that its translation has kept."""
    before, after = (set(WORD.findall(text.lower())) for text in (english, translated))
    return before & after - ALIKE.get(code, set())


def coverage(found: tuple[str, ...], faces: int) -> Coverage:
    times = np.arange(2.0)
    buffer = DetectionBuffer()
    face = Face((0, 0, 50, 60), 0.9, np.zeros((5, 2), np.float32))
    for number in range(faces):
        buffer.add(0, 0.0, 0, number, face, Assessment(found[number % len(found)]))
    first_pass = FirstPassResult(buffer.take(), [], times, [], 0)
    return measure_coverage(first_pass, media(MediaKind.VIDEO, 2.0), 0.0, 1.0)


def told(image: bool, seen: Coverage) -> Iterator[Cause]:
    """Every reason of a verdict that says why faces are not judged."""
    yield reasons.none_usable(image, Parameters(), seen)
    yield reasons.mostly_not_judged(image, seen)
    yield reasons.mostly_not_judged(image, seen.model_copy(update={"faces_discarded": 9}))


@pytest.mark.parametrize("code", LANGUAGES)
@pytest.mark.parametrize("flaws", LISTS, ids=", ".join)
def test_reasons_for_unjudged_faces_are_translated(flaws: tuple[str, ...], code: str) -> None:
    for faces in {len(flaws), 2}:
        seen = coverage(flaws, faces)
        gap = seen.not_examined[0].cause
        assert gap is not None
        assert set(seen.flaws) == set(flaws) and all(flaw in gap.text for flaw in flaws)
        for cause in (*told(True, seen), *told(False, seen), gap):
            english = cause.text
            with translation.speaking(code):
                translated = translation.cause_text(cause)
                words = [translation.translated(flaw) for flaw in flaws if flaw in english]
            assert english_in(translated, english, code) == set(), translated
            general = "too unclear" in english  # as videos tell it of most faces
            assert general or all(flaw in translated for flaw in words), translated


@pytest.mark.parametrize("code", LANGUAGES)
@pytest.mark.parametrize("kind", (MediaKind.VIDEO, MediaKind.IMAGE))
@pytest.mark.parametrize("flaws", LISTS[:: len(LISTS) // 9], ids=", ".join)
def test_no_report_leaves_a_flaw_in_english(
    flaws: tuple[str, ...], kind: MediaKind, code: str, tmp_path: Path
) -> None:
    analysis = build(tmp_path, kind=kind, persons=1, segments=0, verdict=Verdict.INCONCLUSIVE, kept=False)
    seen = coverage(flaws, len(flaws))
    cause = reasons.none_usable(kind is MediaKind.IMAGE, Parameters(), seen)
    analysis = analysis.model_copy(update={"reason": cause.text, "causes": (cause,), "coverage": seen})
    view = report_view(analysis, tmp_path, ReportInputs(language_code=code))
    with translation.speaking(code):
        words = [translation.translated(flaw) for flaw in flaws]
    places: dict[str, Any] = {
        "reason": view.reason,
        "coverage": "; ".join(fact.note for fact in view.coverage),
        "answers": "; ".join(answer for _, answer in view.answers),
        "gaps": "; ".join(gap.reason for gap in view.not_examined.gaps),
        "not examined": "; ".join(view.not_examined.lines),
    }
    for place, text in places.items():
        assert not any(flaw in text for flaw in flaws), place
    still = kind is MediaKind.IMAGE
    for place in ("reason", "coverage", "answers", "not examined") if still else ("answers", "gaps"):
        assert all(word in places[place] for word in words), place


@pytest.mark.parametrize(
    ("cause", "german"),
    [
        (
            ReasonCode.PHOTO_FLAWS.cause(faces=1, flaws=("too small",), minimum_face=48.0),
            "Das gefundene Gesicht ist zu klein für ein Urteil; nötig ist eine Breite von mindestens 48 "
            "Pixeln.",
        ),
        (
            ReasonCode.PHOTO_FLAWS.cause(faces=2, flaws=("too dark or too flat", "too noisy")),
            "Die gefundenen Gesichter sind zu dunkel oder zu flau oder zu verrauscht für ein Urteil.",
        ),
        (
            ReasonCode.OTHER_PICTURES.cause(
                faces=2, flaws=("drawn in areas of one colour",), other_flaws=("too noisy", "too small")
            ),
            "Die gefundenen Gesichter sind in Farbflächen gezeichnet, andere zu verrauscht oder zu klein für "
            "ein Urteil. Die Netze wurden weder für solche Bilder entwickelt noch an ihnen gemessen; es wird "
            "daher keine Zahl angegeben.",
        ),
        (
            ReasonCode.MOSTLY_OTHER_PICTURES.cause(
                not_judged=3, faces=4, flaws=("drawn in areas of one colour", "too small")
            ),
            "Kein Gesicht wurde markiert, aber die meisten gesehenen Gesichter (3 von 4) liegen außerhalb "
            "dessen, was beurteilt werden kann: in Farbflächen gezeichnet oder zu klein.",
        ),
        (
            SpanCode.UNUSABLE_FACES.cause(flaws=("overexposed", "too small")),  # the first of a later version
            "Gesichter overexposed oder zu klein für ein Urteil",
        ),
    ],
)
def test_flaws_are_whole_sentences(cause: Cause, german: str) -> None:
    with translation.speaking("de"):
        assert translation.cause_text(cause) == german
