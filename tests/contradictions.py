"""Sentences that deny what a result says, looked for in the text of its reports and pages."""

from __future__ import annotations

import re
from collections.abc import Iterator

from combinations import (
    FACELESS,
    FINDINGS,
    NO_PICTURE,
    NOTHING,
    OPEN,
    SILENT,
    UNHEARD,
    UNJUDGED,
    UNREAD,
    Combination,
)

from detector.schema.strength import Strength

# Words in sentences, and beside which findings on faces they are true.
OF_FACES = {
    r"no manipulation (of faces )?(was )?found": {NOTHING},
    r"no face reached the threshold": {NOTHING},
    r"none reached the threshold for a finding|it did not reach the threshold": {NOTHING},
    r"no face that could be judged": {NOTHING},
    r"no face was flagged": {OPEN, UNJUDGED, NOTHING, FACELESS},
    r"inconclusive on faces": {OPEN, UNJUDGED, UNREAD},
    r"allow a conclusion on whether its faces": {OPEN, UNJUDGED},
    r"score over all frames is too high|too high to rule out manipulation": {OPEN},
    r"the examination allows no conclusion": {OPEN},
    r"no face (was )?found|none of 0": {FACELESS},
    r"(no|none) .{0,40}\bto judge|no face could be judged": {UNJUDGED},
    r"no face was judged|no degree is stated": {OPEN, UNJUDGED, FACELESS},
    r"no face was examined": {UNREAD},
    r"the exhibit has no picture|sound recording": {NO_PICTURE},
    r"the flagged faces?|faces? .{0,40}carr(y|ies) traces|flagged as manipulated": set(FINDINGS),
    r"does not prove manipulation": set(FINDINGS),
}
# The same of findings on voices.
OF_VOICES = {
    r"no synthetic (voice|speech) (was )?found": {NOTHING},
    r"[Nn]owhere does the sound resemble": {NOTHING},
    r"no speech that could be judged": {NOTHING},
    r"inconclusive on voices": {OPEN},
    r"allow a conclusion on whether a voice": {OPEN},
    r"indicates neither synthetic": {OPEN},
    r"no speech (was )?(judged|found in the sound)|no speech in the sound|no voice was judged": {SILENT},
    r"nothing in the sound was judged": {SILENT},
    r"sound is present\. it was left out": {UNHEARD},
    r"(?<!no )synthetic speech found\.|flagged segments? (resemble|of the voice)": set(FINDINGS),
    r"listen to (the|every) flagged": set(FINDINGS),
}
# What no report says: it denies what was found or judged of the other question, or promises too much.
NEVER = (
    r"\bcleared\b|\bauthentic\b|\bgenuine\b|is real\b",
    r"nothing (was|could be) (flagged|found|judged)\b",
    r"rates do not (apply|show)",
)
_STRENGTHS = re.compile(r"(strong |weak |)signs of (?:(?:face )?manipulation|(a synthetic voice))", re.I)


def denials(name: Combination, text: str) -> Iterator[str]:
    """Yield the lines of ``text`` that contradict the findings of a combination."""
    for found, allowed in ((name.faces, OF_FACES), (name.voices, OF_VOICES)):
        for words, kinds in allowed.items():
            if found not in kinds:
                yield from (_line(text, match) for match in re.finditer(words, text, re.I))
    for words in NEVER:
        yield from (_line(text, match) for match in re.finditer(words, text, re.I))
    for match in _STRENGTHS.finditer(text):
        degree = match[1].strip().lower() or Strength.MODERATE
        if degree != (name.voices if match[2] else name.faces):
            yield _line(text, match)


def _line(text: str, match: re.Match[str]) -> str:
    return text[text.rfind("\n", 0, match.start()) + 1 :].partition("\n")[0]
