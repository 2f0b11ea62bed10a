"""Numbers of rows that come as text."""

from __future__ import annotations

import pytest

from webapp.http.request_values import row_number


@pytest.mark.parametrize(
    ("text", "number"),
    [("7", 7), ("007", 7), ("999999999", 999_999_999), ("", None), ("-1", None), ("1.0", None), ("²", None),
     ("٣", None), ("1000000000", None)],
)  # fmt: skip
def test_row_numbers_are_plain_digits_within_the_range_of_ids(text: str, number: int | None) -> None:
    assert row_number(text) == number
