"""Numbers of rows in addresses and forms, none beyond what a database holds."""

from __future__ import annotations

from werkzeug.routing import IntegerConverter, Map

_LARGEST = 2**31 - 1  # of PostgreSQL's integer; SQLite ends at 2**63 - 1
_MOST_DIGITS = 9  # all numbers of so many are below it


class RowNumber(IntegerConverter):
    """``<int:...>`` in a rule: a larger number is an address there is not, and so a 404."""

    def __init__(
        self,
        map: Map,
        fixed_digits: int = 0,
        min: int | None = None,
        max: int | None = _LARGEST,
        signed: bool = False,
    ) -> None:
        super().__init__(map, fixed_digits, min, max, signed)


def row_number(text: str) -> int | None:
    """The number of a row that a form or a program sent as text; None for what can be none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else None
