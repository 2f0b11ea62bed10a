"""Headlines of an analysis: its verdicts on faces and voices in a few words, the more serious one first."""

from __future__ import annotations

from detector.schema.analysis import Verdict
from detector.schema.summary import Verdicts
from detector.schema.voice import VoiceVerdict
from language.translation import N_, capitalize_first, gettext, translated

_FACES = {
    Verdict.MANIPULATED: N_("Manipulation of faces found"),
    Verdict.INCONCLUSIVE: N_("Inconclusive on faces"),
    Verdict.NOT_FOUND: N_("No manipulation of faces found"),
}
_VOICES = {
    VoiceVerdict.SYNTHETIC: N_("Synthetic voice found"),
    VoiceVerdict.INCONCLUSIVE: N_("Inconclusive on voices"),
    VoiceVerdict.NOT_FOUND: N_("No synthetic voice found"),
    VoiceVerdict.NO_SPEECH: N_("No speech"),
}
_NO_FACE = N_("No face judged")
# From the most to the least serious; of two equally serious ones, that on faces comes first.
_ORDER = (
    _FACES[Verdict.MANIPULATED],
    _VOICES[VoiceVerdict.SYNTHETIC],
    _FACES[Verdict.INCONCLUSIVE],
    _VOICES[VoiceVerdict.INCONCLUSIVE],
    _FACES[Verdict.NOT_FOUND],
    _VOICES[VoiceVerdict.NOT_FOUND],
    _NO_FACE,
    _VOICES[VoiceVerdict.NO_SPEECH],
)


def headline(verdicts: Verdicts) -> str:
    """Name both verdicts: "Synthetic voice found; no manipulation of faces found".

    Where only one question arises, its verdict stands alone: "Manipulated".
    """
    if verdicts.faces is None or verdicts.voices is None:
        return capitalize_first(translated((verdicts.faces or verdicts.voices or Verdict.INCONCLUSIVE).value))
    phrases = [_NO_FACE if verdicts.no_face else _FACES[verdicts.faces], _VOICES[verdicts.voices]]
    first, then = (gettext(phrase) for phrase in sorted(phrases, key=_ORDER.index))
    return f"{first}; {then[:1].lower()}{then[1:]}"
