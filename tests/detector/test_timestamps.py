"""One form of a UTC moment for files, one for scripts, one for people."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from detector import timestamps

ELSEWHERE = datetime(2026, 11, 20, 20, 34, 5, 678_901, timezone(timedelta(hours=5, minutes=30)))


def test_every_form_is_in_utc() -> None:
    assert timestamps.iso_seconds(ELSEWHERE) == "2026-11-20T15:04:05Z"
    assert timestamps.iso_milliseconds(ELSEWHERE) == "2026-11-20T15:04:05.678Z"
    assert timestamps.readable(ELSEWHERE) == "2026-11-20 15:04:05 UTC"
    assert timestamps.compact(ELSEWHERE) == "20261120150405678901"
    assert timestamps.day(datetime(2026, 11, 20, 1, tzinfo=timezone(timedelta(hours=2)))) == "2026-11-19"


@pytest.mark.parametrize(
    "text",
    ["2026-11-20T15:04:05Z", "2026-11-20T15:04:05+00:00", "2026-11-20T15:04:05", "2026-11-20T16:04:05+01:00"],
)
def test_older_forms_are_parsed(text: str) -> None:
    assert timestamps.parse(text) == datetime(2026, 11, 20, 15, 4, 5, tzinfo=UTC)
    assert timestamps.parse(text).tzinfo is UTC


def test_other_text_is_refused() -> None:
    with pytest.raises(ValueError):
        timestamps.parse("yesterday")
    with pytest.raises(OverflowError):
        timestamps.parse("0001-01-01T00:00:00+14:00")
