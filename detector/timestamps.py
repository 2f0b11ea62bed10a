"""Format and parse points in time as text, always in UTC.

Files and the API use ISO 8601 with ``Z``: the engine writes seconds; annotations, custody log and API write
milliseconds, which JavaScript and Python format alike.
"""

from __future__ import annotations

from datetime import UTC, datetime


def iso_seconds(moment: datetime) -> str:
    """Format as ``2026-11-20T15:04:05Z``, without fractions of a second."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def iso_milliseconds(moment: datetime) -> str:
    """Format as ``2026-11-20T15:04:05.678Z``, like JavaScript's ``toISOString``."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def readable(moment: datetime) -> str:
    """Format as ``2026-11-20 15:04:05 UTC``, for people."""
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(' ', 'seconds')} UTC"


def compact(moment: datetime) -> str:
    """Format as ``20261120150405678901``, which sorts by time and suits names of files and runs."""
    return f"{moment.astimezone(UTC):%Y%m%d%H%M%S%f}"


def parse(text: str) -> datetime:
    """Parse an ISO 8601 time; without a zone it is taken to be in UTC.

    Raises ``ValueError`` for other text and ``OverflowError`` beyond the ends of the calendar.
    """
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def day(moment: datetime) -> str:
    """Format the day in UTC as ``2026-11-20``."""
    return moment.astimezone(UTC).date().isoformat()
