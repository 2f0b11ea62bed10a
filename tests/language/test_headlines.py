"""Both verdicts in one headline: for every combination, the outcome, its colour and the words."""

from __future__ import annotations

import pytest

from detector.schema.analysis import Verdict
from detector.schema.strength import LIMITS, MaterialKind, Strength, strength_of
from detector.schema.summary import AnalysisOutcome, Verdicts
from detector.schema.voice import VoiceVerdict
from language.headlines import headline
from language.translation import speaking
from reports.wording.verdict_sentence import mark_of

FOUND, OPEN, NOTHING = AnalysisOutcome.FINDING, AnalysisOutcome.OPEN, AnalysisOutcome.NOTHING
WEAK, MODERATE, STRONG = Strength
UNCLEAR, CLEAN = Verdict.INCONCLUSIVE, Verdict.NOT_FOUND
UNHEARD, HUMAN, SILENT = VoiceVerdict.INCONCLUSIVE, VoiceVerdict.NOT_FOUND, VoiceVerdict.NO_SPEECH
FACELESS = "no face"
# By verdict, or the strength of a finding: on faces, on voices; None: the question does not arise.
TABLE = {
    (WEAK, None): (FOUND, "weak", "Weak signs of manipulation"),
    (MODERATE, None): (FOUND, "moderate", "Signs of manipulation"),
    (STRONG, None): (FOUND, "manipulated", "Strong signs of manipulation"),
    (UNCLEAR, None): (OPEN, "inconclusive", "Inconclusive"),
    (CLEAN, None): (NOTHING, "not-found", "No manipulation found"),
    (FACELESS, None): (OPEN, "inconclusive", "Inconclusive"),
    (None, WEAK): (FOUND, "weak", "Weak signs of a synthetic voice"),
    (None, MODERATE): (FOUND, "moderate", "Signs of a synthetic voice"),
    (None, STRONG): (FOUND, "manipulated", "Strong signs of a synthetic voice"),
    (None, UNHEARD): (OPEN, "inconclusive", "Inconclusive"),
    (None, HUMAN): (NOTHING, "not-found", "No synthetic voice found"),
    (None, SILENT): (OPEN, "inconclusive", "No speech"),
}
# Of two questions: words at the beginning and after a semicolon, by rank.
FACES = {
    STRONG: (0, "Strong signs of face manipulation"),
    MODERATE: (2, "Signs of face manipulation"),
    WEAK: (4, "Weak signs of face manipulation"),
    UNCLEAR: (6, "Inconclusive on faces"),
    CLEAN: (8, "No manipulation of faces found"),
    FACELESS: (10, "No face judged"),
}
VOICES = {
    STRONG: (1, "Strong signs of a synthetic voice"),
    MODERATE: (3, "Signs of a synthetic voice"),
    WEAK: (5, "Weak signs of a synthetic voice"),
    UNHEARD: (7, "Inconclusive on voices"),
    HUMAN: (9, "No synthetic voice found"),
    SILENT: (11, "No speech"),
}
# Where neither question has a finding.
OUTCOMES = {
    (UNCLEAR, UNHEARD): OPEN,
    (UNCLEAR, HUMAN): OPEN,
    (UNCLEAR, SILENT): OPEN,
    (CLEAN, UNHEARD): OPEN,
    (CLEAN, HUMAN): NOTHING,
    (CLEAN, SILENT): NOTHING,
    (FACELESS, UNHEARD): OPEN,
    (FACELESS, HUMAN): NOTHING,
    (FACELESS, SILENT): OPEN,
}
_MARKS = {
    STRONG: "manipulated",
    MODERATE: "moderate",
    WEAK: "weak",
    OPEN: "inconclusive",
    NOTHING: "not-found",
}


def both(faces, voices) -> Verdicts:
    return Verdicts(
        UNCLEAR if faces == FACELESS else Verdict.MANIPULATED if isinstance(faces, Strength) else faces,
        VoiceVerdict.SYNTHETIC if isinstance(voices, Strength) else voices,
        no_face=faces == FACELESS,
        faces_strength=faces if isinstance(faces, Strength) else None,
        voices_strength=voices if isinstance(voices, Strength) else None,
    )


@pytest.mark.parametrize(("faces", "voices"), TABLE)
def test_one_question(faces, voices):
    verdicts = both(faces, voices)
    assert (verdicts.outcome, mark_of(verdicts), headline(verdicts)) == TABLE[faces, voices]


@pytest.mark.parametrize("voices", VOICES)
@pytest.mark.parametrize("faces", FACES)
def test_two_questions(faces, voices):
    """The worse one comes first and gives the colour."""
    verdicts = both(faces, voices)
    (_, first), (_, then) = sorted((FACES[faces], VOICES[voices]))
    assert headline(verdicts) == f"{first}; {then[0].lower()}{then[1:]}"
    found = [strength for strength in reversed(Strength) if strength in (faces, voices)]
    assert verdicts.outcome == (FOUND if found else OUTCOMES[faces, voices])
    assert mark_of(verdicts) == _MARKS[found[0] if found else verdicts.outcome]


def test_a_finding_of_unknown_strength_is_not_graded():
    verdicts = Verdicts(Verdict.MANIPULATED, VoiceVerdict.SYNTHETIC)
    assert headline(verdicts) == "Signs of face manipulation; signs of a synthetic voice"
    assert mark_of(verdicts) == "moderate"


@pytest.mark.parametrize("kind", MaterialKind)
def test_a_strength_begins_at_its_limit_as_printed(kind):
    moderate, strong = LIMITS[kind]
    assert strength_of(strong - 0.004, kind) is STRONG and strength_of(strong - 0.006, kind) is MODERATE
    assert strength_of(moderate - 0.004, kind) is MODERATE and strength_of(moderate - 0.006, kind) is WEAK
    assert strength_of(0.0, kind) is WEAK and strength_of(1.0, kind) is STRONG


def test_german_keeps_the_capital_of_a_noun_in_the_second_place():
    with speaking("de"):
        words = headline(Verdicts(Verdict.MANIPULATED, VoiceVerdict.SYNTHETIC))
        assert words.endswith("; Anzeichen einer synthetischen Stimme")
        words = headline(Verdicts(Verdict.INCONCLUSIVE, VoiceVerdict.NOT_FOUND))
        assert "; keine " in words
