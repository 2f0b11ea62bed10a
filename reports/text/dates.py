"""Moments put into words: in UTC, and in the time zone of the case."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from detector import timestamps
from reports.text.language import gettext
from reports.text.numbers import shown


def in_utc(text: str) -> tuple[str, str]:
    """A moment for reading and for metadata; text that is none is shown as it is."""
    moment = _moment(text)
    if moment is None:
        return text, ""
    return timestamps.readable(moment), timestamps.iso_seconds(moment)


def in_zone(text: str, zone: str) -> str:
    """The same moment in the zone of that IANA name, with its offset; empty where that says nothing."""
    moment = _moment(text)
    if moment is None or not zone:
        return ""
    try:
        local = moment.astimezone(ZoneInfo(zone))
    except OverflowError:  # the calendar's first or last day
        return ""
    offset = f"{local:%z}"
    return gettext(
        "%(local)s UTC%(replace)s:%(offset)s",
        local=shown(local, "%Y-%m-%d %H:%M:%S"),
        replace=offset[:3].replace("-", "−"),
        offset=offset[3:5],
    )


def _moment(text: str) -> datetime | None:
    try:
        return timestamps.parse(text)
    except (ValueError, OverflowError):
        return None
