"""Format and parse points in time as text, always in UTC."""

from __future__ import annotations

from datetime import UTC, datetime


def iso_seconds(moment: datetime) -> str:
    """``2026-11-20T15:04:05Z``; fractions of a second are cut off."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def iso_milliseconds(moment: datetime) -> str:
    """``2026-11-20T15:04:05.678Z``, as JavaScript's ``toISOString`` writes it; the rest is cut off."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def readable(moment: datetime) -> str:
    """``2026-11-20 15:04:05 UTC``, for people."""
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(' ', 'seconds')} UTC"


def compact(moment: datetime) -> str:
    """``20261120150405678901``: sorts by time and is unique enough for the name of a file or a run."""
    return f"{moment.astimezone(UTC):%Y%m%d%H%M%S%f}"


def parse(text: str) -> datetime:
    """An ISO 8601 moment in UTC; one without a zone is taken to be in UTC already.

    Raises ``ValueError`` for text that is none, ``OverflowError`` beyond the calendar's ends.
    """
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def day(moment: datetime) -> str:
    """``2026-11-20``, the day in UTC."""
    return moment.astimezone(UTC).date().isoformat()
