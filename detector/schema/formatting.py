"""Format times, probabilities, counts and names for people, and mark sentences for translation."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from fractions import Fraction


def N_(message: str) -> str:
    """The message itself: with named placeholders as in ``%(count)s``, and a % sign written ``%%``."""
    return message


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


def joiner_positions(text: str) -> set[int]:
    """Where in a text joiners stand that belong there: between letters or emoji that join, after a virama."""
    return {
        found.end() - 1
        for found in _JOINED.finditer(text)
        if all(unicodedata.category(char)[0] in "LM" for char in found.groups() if char)
    }


def find_invisible(text: str) -> str:
    """The first character of a text that nobody sees, as ``U+200B``; empty where there is none.

    Such are controls and what turns text around; joiners are none where they belong.
    """
    kept = joiner_positions(text)
    for at, char in enumerate(text):
        if unicodedata.category(char)[0] == "C" and at not in kept:
            return f"U+{ord(char):04X}"
    return ""


def comparison_key(name: str) -> str:
    """A name as others are held against it: what hardly shows, and capital letters, tell no two apart."""
    return _NOT_COMPARED.sub("", name).casefold()


THRESHOLDS = (0.4, 0.65)
"""Of doubt and of a finding, as shipped (:class:`~detector.schema.method.Parameters`)."""
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


def parse_ratio(fraction: str) -> float | None:
    """What a fraction such as ``30000/1001`` amounts to; None for text that is none.

    An analysis.json may come from anywhere, and its schema takes any text for a fraction.
    """
    try:
        return float(Fraction(fraction))
    except (ValueError, ZeroDivisionError, OverflowError):
        return None


@contextmanager
def never_rounding_up_to(*thresholds: float) -> Iterator[None]:
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


def count_noun(number: int, noun: str) -> str:
    """A number with what it counts, as a shell is told: ``1 file``, ``1,234 files``; ``noun`` takes an s."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def printable(text: str) -> str:
    r"""``text`` safe to read: controls, bidirectional overrides and broken letters as escapes.

    ``clip\u202e4pm.exe`` would otherwise show as ``clipexe.mp4``, and ``\x1b[8m`` hide what follows it on a
    terminal. Joiners stay where letters or emoji are written with them.
    """
    kept = joiner_positions(text)
    return "".join(
        char.encode("unicode_escape").decode("ascii")
        if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and at not in kept
        else char
        for at, char in enumerate(text)
    )


def printable_name(name: str) -> str:
    """``name`` as text that UTF-8 can hold; bytes of a name that are no text become question marks."""
    return name.encode("utf-8", "replace").decode()


def person_letters(rank: int) -> str:
    """Person number ``rank`` from 0 as letters: A … Z, AA, AB …"""
    letters = ""
    rank += 1
    while rank:
        rank, rest = divmod(rank - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


_NAMES = {
    "h264": "H.264",
    "hevc": "HEVC",
    "av1": "AV1",
    "libdav1d": "AV1",  # its decoder, by which older analyses call it
    "vp8": "VP8",
    "vp9": "VP9",
    "mpeg2video": "MPEG-2",
    "mpeg4": "MPEG-4 part 2",
    "prores": "ProRes",
    "mjpeg": "motion JPEG",
    "mpeg1video": "MPEG-1",
    "h263": "H.263",
    "flv1": "Sorenson H.263",
    "msmpeg4v3": "Microsoft MPEG-4 version 3",
    "wmv1": "Windows Media Video 7",
    "wmv2": "Windows Media Video 8",
    "wmv3": "Windows Media Video 9",
    "vc1": "VC-1",
    "dvvideo": "DV",
    "gif": "GIF",
    "webp": "WebP",
}


def codec_name(codec: str) -> str:
    """The codec as standards and makers write it; FFmpeg's name of one that is not known here."""
    return _NAMES.get(codec, codec)
