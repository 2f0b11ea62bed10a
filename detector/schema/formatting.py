"""Times, probabilities, counts and persons' letters as they are printed, everywhere in one way.

Imports nothing heavy: lists of analyses need it too.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from fractions import Fraction

from detector.schema.joiners import joiners

THRESHOLDS = (0.4, 0.65)
"""Of doubt and of a finding, as shipped (:class:`~detector.schema.method.parameters.Parameters`)."""
_SET: ContextVar[tuple[float, ...]] = ContextVar("thresholds", default=())


def timecode(seconds: float) -> str:
    """Seconds from the first frame as ``HH:MM:SS.mmm``, rounded to the millisecond."""
    whole, thousandths = divmod(round(seconds * 1000), 1000)
    return f"{clock(whole)}.{thousandths:03d}"


def clock(seconds: int) -> str:
    """Whole seconds as ``HH:MM:SS``; hours grow past 99 rather than wrap."""
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour:02d}:{minute:02d}:{second:02d}"


def ratio(fraction: str) -> float | None:
    """What a fraction such as ``30000/1001`` amounts to; None for text that is none.

    An analysis.json may come from anywhere, and its schema takes any text for a fraction.
    """
    try:
        return float(Fraction(fraction))
    except (ValueError, ZeroDivisionError, OverflowError):
        return None


@contextmanager
def not_rounded_up_to(*thresholds: float) -> Iterator[None]:
    """For a while, lift no :func:`probability` to these either, with which an analysis was made."""
    token = _SET.set(thresholds)
    try:
        yield
    finally:
        _SET.reset(token)


def probability(value: float | None, *further: float) -> str:
    """A probability with two decimals; never rounded to a certainty it does not claim.

    One that rounding would lift to a threshold it does not reach, a shipped one, one of ``further`` or of
    :func:`not_rounded_up_to`, has a third, and is cut there.
    """
    if value is None:
        return "not judged"
    if value > 0.99:
        return "> 0.99"
    if value < 0.01:
        return "< 0.01"
    near = round(value, 2)
    if any(value < threshold <= near for threshold in (*THRESHOLDS, *_SET.get(), *further)):
        return f"{math.floor(1000 * value) / 1000:.3f}"
    return f"{value:.2f}"


def with_noun(number: int, noun: str) -> str:
    """A number with what it counts, as a shell is told: ``1 file``, ``1,234 files``; ``noun`` takes an s."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def printable(text: str) -> str:
    r"""``text`` safe to read: controls, bidirectional overrides and broken letters as escapes.

    ``clip\u202e4pm.exe`` would otherwise show as ``clipexe.mp4``, and ``\x1b[8m`` hide what follows it on a
    terminal. Joiners stay where letters or emoji are written with them.
    """
    kept = joiners(text)
    return "".join(
        char.encode("unicode_escape").decode("ascii")
        if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and at not in kept
        else char
        for at, char in enumerate(text)
    )


def printable_name(name: str) -> str:
    """``name`` as text that UTF-8 can hold; bytes of a name that are no text become question marks."""
    return name.encode("utf-8", "replace").decode()


def name_of(rank: int) -> str:
    """Person number ``rank`` from 0 as letters: A … Z, AA, AB …"""
    letters = ""
    rank += 1
    while rank:
        rank, rest = divmod(rank - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters
