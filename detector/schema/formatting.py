"""Format times, probabilities, counts and names for people, and mark sentences for translation."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from fractions import Fraction


class Message(str):
    """A message of the catalogues in English; with ``%`` its placeholders are filled.

    What is filled keeps the message and its values, so that whoever shows it can look up its translation.
    Joining it to other text does not: join messages by a message.
    """

    template: str = ""
    values: Mapping[str, object]

    def __mod__(self, values: Mapping[str, object]) -> Message:
        return _filled(str.__str__(self), values)

    def __str__(self) -> str:
        return self

    def __reduce__(self) -> tuple[Callable[..., Message], tuple[object, ...]]:
        return (_filled, (self.template, self.values)) if self.template else (Message, (str.__str__(self),))


def _filled(template: str, values: Mapping[str, object]) -> Message:
    message = Message(template % values)
    message.template, message.values = template, values
    return message


def N_(message: str) -> str:
    """Mark a message for translation.

    It is in English, and whoever shows it translates it. Placeholders are named, as in ``%(count)s``, and a
    percent sign is written ``%%``.
    """
    return Message(message)


def sentences(*messages: str) -> str:
    """Join messages to a text."""
    values = {f"sentence_{number}": message for number, message in enumerate(messages)}
    return Message(" ".join(f"%({name})s" for name in values)) % values


# As in static/js/formats.js: Arabic, Syriac, N'Ko, the scripts of India from Devanagari to Sinhala; Myanmar;
# Khmer and Mongolian; then their characters of combining class 9 (viramas).
_SCRIPTS = "\u0600-\u0dff\u1000-\u109f\u1780-\u18af"
_VIRAMAS = "\u094d\u09cd\u0a4d\u0acd\u0b4d\u0bcd\u0c4d\u0ccd\u0d3b\u0d3c\u0d4d\u0dca\u1039\u103a\u17d2"
_EMOJI = "\u2190-\u21ff\u2300-\u23ff\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff"
_JOINED = re.compile(
    f"[{_VIRAMAS}][\u200c\u200d]|([{_SCRIPTS}])[\u200c\u200d](?=([{_SCRIPTS}]))"
    f"|[{_EMOJI}]\ufe0f?\u200d(?=[{_EMOJI}])"
)
# As in static/js/formats.js: what nothing is drawn for, although it counts as a letter, mark or symbol.
# Fillers and blanks always; variation selectors and joining marks unless they follow what they act on.
_VARYING = (
    f"{_EMOJI}\u00a9\u00ae\u203c\u2049\u2122\u2139\u1000-\u109f\u2e80-\u9fff\ua840-\ua877\uf900-\ufaff"
    "\U00020000-\U0003ffff"
)
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\U00016fe4\U0001d159]"
    "|(?<![\u1800-\u18af])[\u180b-\u180d\u180f]"
    f"|(?<![{_VARYING}])(?!(?<=[0-9#*])\ufe0f\u20e3)[\ufe00-\ufe0f]"
    "|(?<![\u2e80-\u9fff\uf900-\ufaff\U00020000-\U0003ffff])[\U000e0100-\U000e01ef]"
    "|(?<![\u2d30-\u2d6f])\u2d7f|(?<![\U00011000-\U0001107e])\U0001107f"
)
_ALWAYS_LEFT_OUT = "\u200c\u200d\ufe00-\ufe0f\u180b-\u180f\U000e0100-\U000e01ef\u2d7f\U0001107f"
_NOT_COMPARED = re.compile(f"[{_ALWAYS_LEFT_OUT}]|{_UNSEEN.pattern}")


def joiner_positions(text: str) -> set[int]:
    """Return the positions of legitimate joiners: between letters or emoji that join, and after a virama."""
    return {
        match.end() - 1
        for match in _JOINED.finditer(text)
        if all(unicodedata.category(char)[0] in "LM" for char in match.groups() if char)
    }


def find_invisible(text: str) -> str:
    """Return the first invisible character of a text, such as ``U+200B``, or an empty string.

    Controls, bidirectional overrides, fillers and blanks are invisible; legitimate joiners and variation
    selectors do not count.
    """
    kept, unseen = joiner_positions(text), unseen_positions(text)
    for at, char in enumerate(text):
        if at in unseen or unicodedata.category(char)[0] == "C" and at not in kept:
            return f"U+{ord(char):04X}"
    return ""


def unseen_positions(text: str) -> set[int]:
    """Return the positions of letters, marks and symbols for which nothing is drawn, such as U+2800."""
    return {match.start() for match in _UNSEEN.finditer(text)}


def with_unseen_named(text: str) -> str:
    """Write the Unicode name of what cannot be seen in its place: ``clip[BRAILLE PATTERN BLANK].mp4``."""
    return _UNSEEN.sub(lambda match: f"[{unicodedata.name(match[0], f'U+{ord(match[0]):04X}')}]", text)


def comparison_key(name: str) -> str:
    """Return a key under which names that look the same, apart from capitals, are equal."""
    return _NOT_COMPARED.sub("", name).casefold()


THRESHOLDS = (0.4, 0.65)
"""The shipped thresholds of doubt and of a finding (:class:`~detector.schema.method.Parameters`)."""
_SET: ContextVar[tuple[float, ...]] = ContextVar("thresholds", default=())


def timecode(seconds: float) -> str:
    """Format seconds from the first frame as ``HH:MM:SS.mmm``, rounded to the millisecond."""
    whole, thousandths = divmod(round(seconds * 1000), 1000)
    return f"{clock(whole)}.{thousandths:03d}"


def clock(seconds: int) -> str:
    """Format whole seconds as ``HH:MM:SS``; hours may exceed 99."""
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour:02d}:{minute:02d}:{second:02d}"


def parse_ratio(fraction: str) -> float | None:
    """Return the value of a fraction such as ``30000/1001``; None for other text, which the schema allows."""
    try:
        return float(Fraction(fraction))
    except (ValueError, ZeroDivisionError, OverflowError):
        return None


@contextmanager
def never_rounding_up_to(*thresholds: float) -> Iterator[None]:
    """Within the context, never round a :func:`probability` up to these thresholds of an analysis either."""
    token = _SET.set(thresholds)
    try:
        yield
    finally:
        _SET.reset(token)


def probability(value: float | None, *further: float) -> str:
    """Format a probability with two decimals, never rounded to certainty.

    If rounding would lift it to a threshold that it does not reach (a shipped one, one of ``further`` or of
    :func:`never_rounding_up_to`), it is truncated to three decimals.
    """
    if value is None:
        return "not judged"
    if value > 0.99:
        return "> 0.99"
    if value < 0.01:
        return "< 0.01"
    rounded = round(value, 2)
    if any(value < threshold <= rounded for threshold in (*THRESHOLDS, *_SET.get(), *further)):
        return f"{math.floor(1000 * value) / 1000:.3f}"
    return f"{value:.2f}"


def count_noun(number: int, noun: str) -> str:
    """Format a count for the shell: ``1 file``, ``1,234 files``; the plural of ``noun`` takes an s."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


# Embeddings, overrides and isolates (Unicode Annex 9, section 2): they make "exe.4pm" of "mp4.exe".
_DIRECTIONS = re.compile("[\u202a-\u202e\u2066-\u2069]")


def escape_directions(text: str) -> str:
    r"""Escape the characters that change the reading direction of what follows; keep everything else.

    Every output passes through this: pages and reports, JSON, exports, logs. Scripts that are written from
    right to left need none of them. Inside JSON the escape stands for the same character.
    """
    if text.isascii():
        return text
    return _DIRECTIONS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def printable(text: str) -> str:
    r"""Escape controls, bidirectional overrides and invalid characters, except legitimate joiners.

    ``clip\u202e4pm.exe`` would otherwise show as ``clipexe.mp4``, and ``\x1b[8m`` hide text on a terminal.
    Other characters that cannot be seen are named.
    """
    text = with_unseen_named(text)
    kept = joiner_positions(text)
    return "".join(
        char.encode("unicode_escape").decode("ascii")
        if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and at not in kept
        else char
        for at, char in enumerate(text)
    )


def printable_name(name: str) -> str:
    """Return ``name`` as valid UTF-8 text; bytes of a file name that are no text become question marks."""
    return name.encode("utf-8", "replace").decode()


def person_letters(rank: int) -> str:
    """Return the letters of a person by rank, counted from 0: A … Z, AA, AB …"""
    letters = ""
    rank += 1
    while rank:
        rank, rest = divmod(rank - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters
