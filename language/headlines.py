"""Headlines of an analysis: its verdicts on faces and voices in a few words, the more serious one first."""

from __future__ import annotations

from detector.schema.analysis import Verdict
from detector.schema.strength import Strength
from detector.schema.summary import Verdicts
from detector.schema.voice import VoiceVerdict
from language.translation import N_, capitalize_first, gettext

MANIPULATION = {
    Strength.WEAK: N_("weak signs of manipulation"),
    Strength.MODERATE: N_("signs of manipulation"),
    Strength.STRONG: N_("strong signs of manipulation"),
}
"""A finding on faces as part of a sentence, by strength; one of unknown strength is not graded."""
SYNTHETIC_VOICE = {
    Strength.WEAK: N_("weak signs of a synthetic voice"),
    Strength.MODERATE: N_("signs of a synthetic voice"),
    Strength.STRONG: N_("strong signs of a synthetic voice"),
}
"""The same of a finding on voices."""
# Beside a verdict on voices, that on faces names them.
_FACE_MANIPULATION = {
    Strength.WEAK: N_("weak signs of face manipulation"),
    Strength.MODERATE: N_("signs of face manipulation"),
    Strength.STRONG: N_("strong signs of face manipulation"),
}
_FACES_ALONE = {
    Verdict.INCONCLUSIVE: N_("Inconclusive"),
    Verdict.NOT_FOUND: N_("No manipulation found"),
}
_FACES = {
    Verdict.INCONCLUSIVE: N_("Inconclusive on faces"),
    Verdict.NOT_FOUND: N_("No manipulation of faces found"),
}
_VOICES_ALONE = {
    VoiceVerdict.INCONCLUSIVE: N_("Inconclusive"),
    VoiceVerdict.NOT_FOUND: N_("No synthetic voice found"),
    VoiceVerdict.NO_SPEECH: N_("No speech"),
}
_VOICES = _VOICES_ALONE | {VoiceVerdict.INCONCLUSIVE: N_("Inconclusive on voices")}
_NO_FACE = N_("No face found")
# From the most to the least serious; of two equally serious ones, that on faces comes first.
_ORDER = (
    *(words[strength] for strength in reversed(Strength) for words in (_FACE_MANIPULATION, SYNTHETIC_VOICE)),
    _FACES[Verdict.INCONCLUSIVE],
    _VOICES[VoiceVerdict.INCONCLUSIVE],
    _FACES[Verdict.NOT_FOUND],
    _VOICES[VoiceVerdict.NOT_FOUND],
    _NO_FACE,
    _VOICES[VoiceVerdict.NO_SPEECH],
)


def headline(verdicts: Verdicts) -> str:
    """Name both verdicts: "Strong signs of a synthetic voice; no manipulation of faces found".

    Where only one question arises, its verdict stands alone: "Weak signs of manipulation".
    """
    strength_of_faces = verdicts.faces_strength or Strength.MODERATE
    of_voice = SYNTHETIC_VOICE[verdicts.voices_strength or Strength.MODERATE]
    if verdicts.voices is None:
        alone = {Verdict.MANIPULATED: MANIPULATION[strength_of_faces], **_FACES_ALONE}
        return capitalize_first(gettext(alone[verdicts.faces or Verdict.INCONCLUSIVE]))
    if verdicts.faces is None:
        alone_voices = {VoiceVerdict.SYNTHETIC: of_voice, **_VOICES_ALONE}
        return capitalize_first(gettext(alone_voices[verdicts.voices]))
    faces = {Verdict.MANIPULATED: _FACE_MANIPULATION[strength_of_faces], **_FACES}[verdicts.faces]
    voices = {VoiceVerdict.SYNTHETIC: of_voice, **_VOICES}[verdicts.voices]
    phrases = [_NO_FACE if verdicts.no_face else faces, voices]
    first, second = sorted(phrases, key=_ORDER.index)
    then = gettext(second)
    # A finding begins as it does in a sentence: in German with a noun, which keeps its capital.
    if second[0].isupper():
        then = then[:1].lower() + then[1:]
    return f"{capitalize_first(gettext(first))}; {then}"
