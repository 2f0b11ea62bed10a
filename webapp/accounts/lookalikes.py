"""Names that look alike: skeletons of confusable letters (Unicode TR 39, section 4)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache

from detector.schema.formatting import comparison_key


def looks_taken(display: str, others: Iterable[str]) -> bool:
    """Tell whether a name looks like one of the others.

    Capitals, accents, punctuation, styles of letters and scripts make no difference.
    """
    key = skeleton(display)
    return any(key == skeleton(other) for other in others)


# Diacritics, whichever script they are put on; the marks of other blocks are letters of their scripts.
_DIACRITICS = re.compile("[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]")
# TR 39 leaves apart what differs in case; with case folded, these are taken for each other as well.
_ALIKE = (("i", "l"), ("vv", "w"))


def skeleton(text: str) -> str:
    """Return a text in which letters that look alike are the same; for comparisons only."""
    plain = comparison_key(unicodedata.normalize("NFKC", text))
    bare = _DIACRITICS.sub("", unicodedata.normalize("NFKD", plain))
    letters = _DIACRITICS.sub("", unicodedata.normalize("NFKD", "".join(map(_letters, bare)))).casefold()
    for one, other in _ALIKE:
        letters = letters.replace(one, other)
    words = "".join(char for char in letters if not _is_punctuation(char)).split()
    return " ".join(words) or letters


def _is_punctuation(char: str) -> bool:
    category = unicodedata.category(char)
    return category[0] == "P" or category == "Sk"


def _letters(letter: str) -> str:
    """Return the prototype of a letter, without what its name says was added to a basic letter."""
    return "".join(map(_basic, _prototype(_basic(letter))))


# Unicode decomposes neither small capitals nor letters in boxes, and TR 39 lists few of them.
_VARIANT = re.compile(
    r"(?:LATIN|SYMBOL|TAG)(?: CAPITAL| SMALL)? LETTER"
    r"(?: SMALL CAPITAL| SCRIPT| DOTLESS| BLACKLETTER| INSULAR)* ([A-Z])(?: WITH .+)?$"
)
_WITH_ADDITION = re.compile(r"((?:CYRILLIC|GREEK) .+?) WITH .+")


@cache
def _basic(letter: str) -> str:
    """Return ``a`` for ᴀ and 🅐, ``l`` for ł, к for қ; other letters as they are."""
    name = unicodedata.name(letter, "")
    if variant := _VARIANT.search(name):
        return variant[1].lower()
    added = _WITH_ADDITION.fullmatch(name)
    try:
        return unicodedata.lookup(added[1]).casefold() if added else letter
    except KeyError:
        return letter


@cache
def _prototype(letter: str) -> str:
    """Return the letter, or letters, that stand for all that look like this one.

    The table names for each letter those that it may be taken for: for most only their prototype, for a
    prototype all of its class.
    """
    from confusable_homoglyphs.confusables import confusables_data  # reads a file of 700 kB

    others = [entry["c"] for entry in confusables_data.get(letter, ())]
    if len(others) != 1:
        return letter
    (other,) = others
    is_pair = confusables_data.get(other, [{}])[0].get("c") == letter and len(confusables_data[other]) == 1
    return min(letter, other) if is_pair else str(other)
