"""Characters that nobody sees, and where two of them, which join or part letters, belong into a text.

Persian is written with U+200C, Sinhala and Marathi with U+200D, and emoji are put together by it. After a
virama either may end a word: Malayalam wrote its chillus so before Unicode 5.1. Elsewhere they change nothing
that is seen, and make two names look alike (Unicode Annex 31, 2.3; RFC 5892, A.1 and A.2, of which this is a
simpler form: any two letters of scripts whose letters join count as letters that join).
"""

from __future__ import annotations

import re
import unicodedata

# As in static/js/formats.js. Arabic, Syriac, N'Ko, the scripts of India from Devanagari to Sinhala; Myanmar;
# Khmer and Mongolian. Of these the characters of combining class 9.
_SCRIPTS = "\u0600-\u0dff\u1000-\u109f\u1780-\u18af"
_VIRAMAS = "\u094d\u09cd\u0a4d\u0acd\u0b4d\u0bcd\u0c4d\u0ccd\u0d3b\u0d3c\u0d4d\u0dca\u1039\u103a\u17d2"
_EMOJI = "\u2190-\u21ff\u2300-\u23ff\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff"
_JOINED = re.compile(
    f"[{_VIRAMAS}][\u200c\u200d]|([{_SCRIPTS}])[\u200c\u200d](?=([{_SCRIPTS}]))"
    f"|[{_EMOJI}]\ufe0f?\u200d(?=[{_EMOJI}])"
)
_NOT_COMPARED = re.compile("[\u200c\u200d\ufe00-\ufe0f]")  # joiners, and variation selectors beside them


def joiners(text: str) -> set[int]:
    """Where in a text joiners stand that belong there: between letters or emoji that join, after a virama."""
    return {
        found.end() - 1
        for found in _JOINED.finditer(text)
        if all(unicodedata.category(char)[0] in "LM" for char in found.groups() if char)
    }


def invisible(text: str) -> str:
    """The first character of a text that nobody sees, as ``U+200B``; empty where there is none.

    Such are controls and what turns text around; joiners are none where they belong.
    """
    kept = joiners(text)
    for at, char in enumerate(text):
        if unicodedata.category(char)[0] == "C" and at not in kept:
            return f"U+{ord(char):04X}"
    return ""


def compared(name: str) -> str:
    """A name as others are held against it: what hardly shows, and capital letters, tell no two apart."""
    return _NOT_COMPARED.sub("", name).casefold()
