"""An analysis in a few fields, and its outcome over both questions: the faces, and the voices."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final, NamedTuple, TypedDict

from detector.schema.analysis import Analysis, Verdict
from detector.schema.causes.reasons import ReasonCode
from detector.schema.metadata import first_statements
from detector.schema.strength import MaterialKind, Strength, strength_of
from detector.schema.voice import VoiceVerdict


class AnalysisOutcome(StrEnum):
    """The more serious of the verdicts on faces and voices. There is deliberately no "cleared"."""

    FINDING = "finding"  # on faces, on voices or on both
    OPEN = "open"  # no finding, and at least one question without an answer
    NOTHING = "nothing found"


class Verdicts(NamedTuple):
    """Both verdicts; None where the question does not arise.

    ``faces`` is None for a recording of sound, and ``voices`` where no sound was examined. ``no_face`` says
    that no face was found in a photo or video; faces that could not be judged leave the verdict inconclusive.
    """

    faces: Verdict | None
    voices: VoiceVerdict | None
    no_face: bool = False
    faces_strength: Strength | None = None
    """Of a finding on faces; None beside other verdicts, and where the score is unknown."""
    voices_strength: Strength | None = None

    @property
    def strength(self) -> Strength | None:
        """The higher one of both findings."""
        strengths = [of for of in (self.faces_strength, self.voices_strength) if of is not None]
        return max(strengths, key=list(Strength).index, default=None)

    @property
    def outcome(self) -> AnalysisOutcome:
        """The more serious of both. Faces or speech that the exhibit lacks leave it to the other question."""
        if self.faces is Verdict.MANIPULATED or self.voices is VoiceVerdict.SYNTHETIC:
            return AnalysisOutcome.FINDING
        nothing = []
        if self.faces is not None and not self.no_face:
            nothing.append(self.faces is Verdict.NOT_FOUND)
        if self.voices not in (None, VoiceVerdict.NO_SPEECH):
            nothing.append(self.voices is VoiceVerdict.NOT_FOUND)
        return AnalysisOutcome.NOTHING if nothing and all(nothing) else AnalysisOutcome.OPEN


def verdicts_of(analysis: Analysis) -> Verdicts:
    """Return both verdicts of an analysis."""
    asked = not _has_no_picture(analysis)
    return Verdicts(
        analysis.verdict if asked else None,
        analysis.voice.verdict if analysis.voice else None,
        no_face=not analysis.media.sound_only
        and analysis.verdict is Verdict.INCONCLUSIVE
        and analysis.coverage.faceless,
        faces_strength=faces_strength(analysis.verdict, analysis.probability, still=analysis.media.still),
        voices_strength=analysis.voice.strength if analysis.voice else None,
    )


def _has_no_picture(analysis: Analysis) -> bool:
    """Whether the exhibit is a recording of sound, not a video whose pictures could not be examined."""
    unread = any(cause.code != ReasonCode.NO_PICTURE.code for cause in analysis.causes)
    return analysis.media.sound_only and not unread


def faces_strength(verdict: Verdict, score: float | None, *, still: bool) -> Strength | None:
    """Return the strength of a finding on faces; None beside another verdict or without a score."""
    if verdict is not Verdict.MANIPULATED or score is None:
        return None
    return strength_of(score, MaterialKind.PHOTOGRAPH if still else MaterialKind.VIDEO)


class Summary(TypedDict):
    """Fields that ``score`` and the API show beside verdict and probability."""

    outcome: str | None  # an AnalysisOutcome
    strength: str | None  # a Strength, of a finding on faces
    no_face: bool | None  # see Verdicts
    sound_only: bool | None
    kind: str | None
    answers: dict[str, float] | None
    declarations: list[str] | None
    marks: list[str] | None  # programs whose marks are hidden in pixels or sound
    voice: dict[str, Any] | None  # the fields of a VoiceSummary


EMPTY_SUMMARY: Final = Summary(
    outcome=None,
    strength=None,
    no_face=None,
    sound_only=None,
    kind=None,
    answers=None,
    declarations=None,
    marks=None,
    voice=None,
)


def summarise(analysis: Analysis) -> Summary:
    """Summarise an analysis; of the declarations, only the first few."""
    verdicts, sound_only = verdicts_of(analysis), _has_no_picture(analysis)
    return Summary(
        outcome=verdicts.outcome.value,
        strength=verdicts.faces_strength and verdicts.faces_strength.value,
        no_face=verdicts.no_face,
        sound_only=sound_only,
        kind=None if analysis.kind is None else analysis.kind.value,
        answers=None if analysis.answers is None else analysis.answers.model_dump(),
        declarations=None
        if analysis.declarations is None
        else [declaration.short for declaration in first_statements(analysis.declarations)],
        marks=None
        if analysis.marks is None
        else [
            declaration.program or str(declaration.kind)
            for declaration in analysis.declarations or ()
            if declaration.hidden
        ],
        voice=None
        if analysis.voice is None
        else analysis.voice.summarise(only=sound_only).model_dump(mode="json"),
    )
