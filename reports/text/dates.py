"""Moments put into words: in UTC, and in the time zone of the case.

English has them as ISO 8601 does, since its readers write dates in several ways; other languages have their
own dates. The time of day always has 24 hours and its offset from UTC.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_skeleton

from detector import timestamps
from reports.text.translation.language import DEFAULT, current, gettext, locale


def moment(value: datetime) -> str:
    """A moment in UTC, to the second."""
    return f"{_day_and_time(value.astimezone(UTC))} UTC"


def day(text: str) -> str:
    """A date that begins ``text``, which is a moment as it is stored."""
    try:
        return _day(date.fromisoformat(text[:10]))
    except ValueError:
        return text[:10]


def short_day(text: str) -> str:
    """Month and day of a date that begins ``text``, for axes."""
    value = date.fromisoformat(text[:10])
    return f"{value:%m-%d}" if current() == DEFAULT else format_skeleton("Md", value, locale=locale())


def _day(value: date) -> str:
    return value.isoformat() if current() == DEFAULT else format_date(value, "medium", locale())


def _day_and_time(value: datetime) -> str:
    between = " " if current() == DEFAULT else ", "
    return f"{_day(value.date())}{between}{value:%H:%M:%S}"


def in_utc(text: str) -> tuple[str, str]:
    """A moment for reading and for metadata; text that is none is shown as it is."""
    when = _moment(text)
    if when is None:
        return text, ""
    return moment(when), timestamps.iso_seconds(when)


def exact_moment(text: str) -> str:
    """A moment in UTC, to the millisecond and without its zone; text that is none is shown as it is."""
    when = _moment(text)
    return text if when is None else f"{_day_and_time(when)}.{when.microsecond // 1000:03}"


def in_zone(text: str, zone: str) -> str:
    """The same moment in the zone of that IANA name, with its offset; empty where that says nothing."""
    when = _moment(text)
    if when is None or not zone:
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
