"""Numbers, times, dates and file names in words, formatted alike everywhere."""

from __future__ import annotations

import unicodedata
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_skeleton

from detector import timestamps
from detector.schema import formatting
from detector.schema.analysis import Box, Media
from detector.schema.formatting import clock as clock
from detector.schema.formatting import parse_ratio as ratio
from detector.schema.formatting import timecode as timecode
from language.translation import DEFAULT, current, gettext, locale, ngettext

_ROUNDED_RATE = 0.02  # share by which a rate that is stated may differ from a measured one
_NOTICED = 0.1  # seconds between first frame and first sound; encoders make up to a twentieth


def number(value: float) -> str:
    """Format a setting or a measurement with at most four significant digits and no trailing zeros."""
    return localized(str(int(value)) if isinstance(value, int) else f"{value:.4g}")


def signed(value: float) -> str:
    """Format a change of the logit with its sign and two decimals."""
    return shown(value, "+.2f").replace("-", "−")


def localized(text: str) -> str:
    """Replace English separators in a figure with those of the current language."""
    if current() == DEFAULT:
        return text
    symbols = locale().number_symbols["latn"]
    swapped = text.translate({ord("."): symbols["decimal"], ord(","): symbols["group"]})
    return f"{swapped[:-1]}\u00a0%" if swapped.endswith("%") else swapped


def shown(value: object, form: str) -> str:
    """Format a value by Python's format ``form`` with the separators of the current language."""
    return localized(format(value, form))


def grouped(count: int) -> str:
    """Format a count with thousands separators."""
    return shown(count, ",")


def probability(value: float | None, *thresholds: float) -> str:
    """Format a probability with two decimals, three just below a threshold, or as words for None.

    A comparison sign is not separated from it at the end of a line.
    """
    text = localized(formatting.probability(value, *thresholds))
    return text.replace("> ", ">\u00a0").replace("< ", "<\u00a0")


def plural(count: int, singular: str, many: str) -> str:
    """Format a count with its noun: ``1 frame``, ``1,204 frames``; both nouns are messages."""
    return f"{grouped(count)} {ngettext(singular, many, count)}"


def size(count: int) -> str:
    """Format a number of bytes in decimal units, with the exact number."""
    exact = plural(count, "byte", "bytes")
    for unit, step in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= step:
            return f"{shown(count / step, '.1f')} {unit} ({exact})"
    return exact


def frame_rate(fraction: str | None, variable: bool, measured: float | None = None) -> str:
    """Format an average frame rate such as ``30000/1001``, and whether it is constant.

    The ``measured`` rate comes first where it differs: recorders count repetitions as frames.
    """
    if fraction is None:
        return gettext("not stated by the file")
    kind = gettext("variable; the figure is the average") if variable else gettext("constant")
    if (rate := ratio(fraction)) is None:
        return gettext("%(fraction)s frames a second, %(kind)s", fraction=fraction, kind=kind)
    if measured is not None and abs(measured / float(rate) - 1) > _ROUNDED_RATE:
        return ngettext(
            "%(rate)s frame a second, %(kind)s; the file states %(stated)s",
            "%(rate)s frames a second, %(kind)s; the file states %(stated)s",
            _as_shown(measured),
            rate=number(measured),
            kind=kind,
            stated=number(rate),
        )
    exact = "" if rate == int(rate) else f" ({fraction})"
    return ngettext(
        "%(rate)s frame a second%(exact)s, %(kind)s",
        "%(rate)s frames a second%(exact)s, %(kind)s",
        _as_shown(rate),
        rate=number(rate),
        exact=exact,
        kind=kind,
    )


def _as_shown(rate: float) -> int:
    """Return the number by which a noun behind a rate is chosen: 1 only if it is shown as such."""
    return 1 if f"{rate:.4g}" == "1" else 2


def average_rate(fraction: str | None) -> str:
    """Format an average frame rate such as ``30000/1001``."""
    if fraction is None or (rate := ratio(fraction)) is None:
        return gettext("not stated by the file")
    exact = "" if rate == int(rate) else f" ({fraction})"
    return ngettext(
        "%(rate)s frame a second%(exact)s on average",
        "%(rate)s frames a second%(exact)s on average",
        _as_shown(rate),
        rate=number(rate),
        exact=exact,
    )


def duration(seconds: float) -> str:
    """Format a duration as people say it: ``4.5 s``, ``1 min 5 s``, ``2 h 3 min``."""
    if round(seconds, 1) < 60:
        return gettext("%(seconds)s s", seconds=shown(seconds, ".1f"))
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return gettext("%(minutes)s min %(seconds)s s", minutes=minutes, seconds=rest)
    hours, minutes = divmod(round(seconds / 60), 60)
    return gettext("%(hours)s h %(minutes)s min", hours=hours, minutes=minutes)


def time_span(start: float, end: float) -> str:
    """Format an interval of times in seconds."""
    return from_to(timecode(start), timecode(end))


def from_to(least: str, most: str) -> str:
    """Format an interval of formatted values."""
    return gettext("%(start)s to %(end)s", start=least, end=most)


def box(values: Box) -> str:
    """Format a box in whole pixels of the upright frame."""
    left, top, right, bottom = (round(value) for value in values)
    return gettext(
        "x %(left)s to %(right)s, y %(top)s to %(bottom)s px", left=left, right=right, top=top, bottom=bottom
    )


def file_name(name: str) -> str:
    """Make a file name safe to read."""
    return formatting.printable(name)


def shortened(name: str, room: int = 64) -> str:
    """Cut a name in its middle to ``room`` columns, keeping its extension; wide characters count two."""
    widths = [2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in name]
    if sum(widths) <= room:
        return name
    head = tail = 0
    start, stop = 0, len(name)
    while head + tail < room - 3:
        if head <= 2 * tail:
            head += widths[start]
            start += 1
        else:
            stop -= 1
            tail += widths[stop]
    return f"{name[:start]}…{name[stop:]}"


def player_offset(media: Media) -> float | None:
    """Return the seconds to add for a player's clock, None if the difference is not noticeable."""
    offset = media.start_offset
    return offset if offset is not None and offset >= _NOTICED else None


def moment(value: datetime) -> str:
    """Format a moment in UTC, to the second."""
    return f"{_day_and_time(value.astimezone(UTC))} UTC"


def day(text: str) -> str:
    """Format the date at the start of a stored moment."""
    try:
        return _day(date.fromisoformat(text[:10]))
    except ValueError:
        return text[:10]


def short_day(text: str) -> str:
    """Format month and day of the date at the start of ``text``, for axes."""
    value = date.fromisoformat(text[:10])
    return f"{value:%m-%d}" if current() == DEFAULT else format_skeleton("Md", value, locale=locale())


def _day(value: date) -> str:
    return value.isoformat() if current() == DEFAULT else format_date(value, "medium", locale())


def _day_and_time(value: datetime) -> str:
    between = " " if current() == DEFAULT else ", "
    return f"{_day(value.date())}{between}{value:%H:%M:%S}"


def in_utc(text: str) -> tuple[str, str]:
    """Format a stored moment for reading and for metadata; return other text unchanged."""
    when = _moment(text)
    if when is None:
        return text, ""
    return moment(when), timestamps.iso_seconds(when)


def exact_moment(text: str) -> str:
    """Format a stored moment in UTC to the millisecond, without its zone; return other text unchanged."""
    when = _moment(text)
    return text if when is None else f"{_day_and_time(when)}.{when.microsecond // 1000:03}"


def in_zone(text: str, zone: str) -> str:
    """Format a stored moment in an IANA zone, with its offset; return "" in UTC, without zone or moment."""
    when = _moment(text)
    if when is None or zone in ("", "UTC", "Etc/UTC"):
        return ""
    try:
        local = when.astimezone(ZoneInfo(zone))
    except OverflowError:  # the calendar's first or last day
        return ""
    offset = f"{local:%z}"
    return gettext(
        "%(time)s UTC%(hours)s:%(minutes)s",
        time=_day_and_time(local),
        hours=offset[:3].replace("-", "−"),
        minutes=offset[3:5],
    )


def _moment(text: str) -> datetime | None:
    try:
        return timestamps.parse(text)
    except (ValueError, OverflowError):
        return None
