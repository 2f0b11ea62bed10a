"""Both verdicts in one headline: for every combination, the outcome, its colour and the words."""

from __future__ import annotations

import pytest

from detector.schema.analysis import Verdict
from detector.schema.summary import AnalysisOutcome, Verdicts
from detector.schema.voice import VoiceVerdict
from language.headlines import headline
from reports.wording.verdict_sentence import MARKS

FOUND, OPEN, NOTHING = AnalysisOutcome.FINDING, AnalysisOutcome.OPEN, AnalysisOutcome.NOTHING
MANIPULATED, UNCLEAR, CLEAN = Verdict.MANIPULATED, Verdict.INCONCLUSIVE, Verdict.NOT_FOUND
SYNTHETIC, UNHEARD = VoiceVerdict.SYNTHETIC, VoiceVerdict.INCONCLUSIVE
HUMAN, SILENT = VoiceVerdict.NOT_FOUND, VoiceVerdict.NO_SPEECH
FACELESS = "no face"
TABLE = {
    (MANIPULATED, None): (FOUND, "Manipulated"),
    (UNCLEAR, None): (OPEN, "Inconclusive"),
    (CLEAN, None): (NOTHING, "No manipulation found"),
    (FACELESS, None): (OPEN, "Inconclusive"),
    (None, SYNTHETIC): (FOUND, "Synthetic speech found"),
    (None, UNHEARD): (OPEN, "Inconclusive"),
    (None, HUMAN): (NOTHING, "No synthetic speech found"),
    (None, SILENT): (OPEN, "No speech"),
    (MANIPULATED, SYNTHETIC): (FOUND, "Manipulation of faces found; synthetic voice found"),
    (MANIPULATED, UNHEARD): (FOUND, "Manipulation of faces found; inconclusive on voices"),
    (MANIPULATED, HUMAN): (FOUND, "Manipulation of faces found; no synthetic voice found"),
    (MANIPULATED, SILENT): (FOUND, "Manipulation of faces found; no speech"),
    (UNCLEAR, SYNTHETIC): (FOUND, "Synthetic voice found; inconclusive on faces"),
    (UNCLEAR, UNHEARD): (OPEN, "Inconclusive on faces; inconclusive on voices"),
    (UNCLEAR, HUMAN): (OPEN, "Inconclusive on faces; no synthetic voice found"),
    (UNCLEAR, SILENT): (OPEN, "Inconclusive on faces; no speech"),
    (CLEAN, SYNTHETIC): (FOUND, "Synthetic voice found; no manipulation of faces found"),
    (CLEAN, UNHEARD): (OPEN, "Inconclusive on voices; no manipulation of faces found"),
    (CLEAN, HUMAN): (NOTHING, "No manipulation of faces found; no synthetic voice found"),
    (CLEAN, SILENT): (NOTHING, "No manipulation of faces found; no speech"),
    (FACELESS, SYNTHETIC): (FOUND, "Synthetic voice found; no face judged"),
    (FACELESS, UNHEARD): (OPEN, "Inconclusive on voices; no face judged"),
    (FACELESS, HUMAN): (NOTHING, "No synthetic voice found; no face judged"),
    (FACELESS, SILENT): (OPEN, "No face judged; no speech"),
}


def both(faces: Verdict | str | None, voices: VoiceVerdict | None) -> Verdicts:
    return Verdicts(UNCLEAR, voices, no_face=True) if faces == FACELESS else Verdicts(faces, voices)


def test_the_table_has_every_combination():
    faces, voices = (*Verdict, FACELESS, None), (*VoiceVerdict, None)
    assert TABLE.keys() == {(face, voice) for face in faces for voice in voices} - {(None, None)}


@pytest.mark.parametrize(("faces", "voices"), TABLE)
def test_outcome_and_words(faces, voices):
    verdicts = both(faces, voices)
    assert (verdicts.outcome, headline(verdicts)) == TABLE[faces, voices]
    assert (
        MARKS[verdicts.outcome]
        == {FOUND: "manipulated", OPEN: "inconclusive", NOTHING: "not-found"}[verdicts.outcome]
    )
