"""How strong a finding is: three degrees, by how often unmanipulated material left out was flagged so high.

*Left out* is material of pages, generators and speakers that nothing had learned from. The limits of a kind
of exhibit are multiples of 0.05 (0.98 above the last), from the scores of ``training.unseen`` and
``training.voice``: about 2 in 100 unmanipulated clips, photographs or human recordings, or fewer, reach
``moderate``; about 1 in 100 or fewer ``strong``. What is flagged more often is ``weak``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import NamedTuple

from detector.schema.model import PAGES_LEFT_OUT, PHOTOGRAPHS_LEFT_OUT


class Strength(StrEnum):
    """The strength of a finding, from the weakest."""

    WEAK = "weak"
    MODERATE = "moderate"
    STRONG = "strong"


class MaterialKind(StrEnum):
    """What a score is about; each has limits and rates of its own."""

    VIDEO = "faces in videos"
    PHOTOGRAPH = "faces in photographs"
    VOICE = "voices"


class Limits(NamedTuple):
    """The lowest scores of the two higher degrees, as printed with two decimals."""

    moderate: float
    strong: float

    def least(self, strength: Strength) -> float | None:
        """Return the lowest score of ``strength``; None for the weakest, whose limit is the threshold."""
        return {Strength.WEAK: None, Strength.MODERATE: self.moderate, Strength.STRONG: self.strong}[strength]


LIMITS = {
    MaterialKind.VIDEO: Limits(0.80, 0.90),
    MaterialKind.PHOTOGRAPH: Limits(0.95, 0.98),
    MaterialKind.VOICE: Limits(0.85, 0.90),
}
HALF_PRINTED = 0.005
"""A score that is printed as a limit reaches it."""


def strength_of(score: float, kind: MaterialKind) -> Strength:
    """Return the strength of a flagged score."""
    limits, printed = LIMITS[kind], round(score, 2)
    if printed >= limits.strong:
        return Strength.STRONG
    return Strength.MODERATE if printed >= limits.moderate else Strength.WEAK


class StrengthRate(NamedTuple):
    """How many items of material left out were flagged with a strength or a higher one."""

    flagged: int
    unmanipulated: int
    found: int
    manipulated: int


_PREFIXES = {
    MaterialKind.VIDEO: PAGES_LEFT_OUT,
    MaterialKind.PHOTOGRAPH: PHOTOGRAPHS_LEFT_OUT,
    MaterialKind.VOICE: PAGES_LEFT_OUT,
}
_CLASSES = ("unmanipulated", "manipulated")


def figure_names(kind: MaterialKind, strength: Strength | None = None) -> tuple[str, str]:
    """Return the names of a card's counts of unmanipulated and manipulated items.

    Counted are those flagged with ``strength`` or a higher one; all items for None.
    """
    ending = "all" if strength is None else f"flagged, {strength} or more"
    unmanipulated, manipulated = (f"{_PREFIXES[kind]}, {of}, {ending}" for of in _CLASSES)
    return unmanipulated, manipulated


def strength_rate(
    figures: Mapping[str, float], kind: MaterialKind, strength: Strength
) -> StrengthRate | None:
    """Return the counts of a card; None if it does not state them."""
    names = (*figure_names(kind, strength), *figure_names(kind))
    if any(name not in figures for name in names):
        return None
    flagged, found, unmanipulated, manipulated = (round(figures[name]) for name in names)
    return StrengthRate(flagged, unmanipulated, found, manipulated)


def counted_thresholds(kind: MaterialKind, enter: float) -> Iterator[tuple[Strength, float]]:
    """Yield each strength with the lowest score that counts for it; ``enter`` is the default threshold."""
    for strength in Strength:
        least = LIMITS[kind].least(strength)
        yield strength, enter if least is None else least - HALF_PRINTED
