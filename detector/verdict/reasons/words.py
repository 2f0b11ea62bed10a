"""Words that the reasons have in common."""

from __future__ import annotations

from collections.abc import Sequence

from detector.schema.translatable import N_


def who(names: Sequence[str]) -> str:
    listed = ", ".join(names)
    return (N_("Person %(names)s") if len(names) == 1 else N_("Persons %(names)s")) % {"names": listed}


def counted(number: int, noun: str) -> str:
    """A number with what it counts, a noun that takes an s.

    Without separators of thousands: kept results have these words.
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
