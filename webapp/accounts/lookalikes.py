"""Names that look alike: skeletons of confusable letters (Unicode TR 39, section 4)."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import cache

from detector.schema.formatting import comparison_key


def looks_taken(display: str, others: Iterable[str]) -> bool:
    """Tell whether a name looks like one of the others, apart from capitals and letters of other scripts."""
    keys = _keys(display)
    return any(keys & _keys(other) for other in others)


def skeleton(text: str) -> str:
    """Return a text in which letters that look alike are the same; for comparisons only."""
    decomposed = unicodedata.normalize("NFD", text)
    return unicodedata.normalize("NFD", "".join(map(_prototype, decomposed)))


def _keys(name: str) -> frozenset[str]:
    # A capital I looks like a small l, and a small i does not: both orders of folding count.
    return frozenset({skeleton(comparison_key(name)), comparison_key(skeleton(name))})


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
