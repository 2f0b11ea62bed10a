"""Lengths of a report. Must import nothing heavy because command-line parsers use it."""

from __future__ import annotations

from typing import Final, Literal, get_args

Length = Literal["full", "summary"]
"""The whole report, or two pages for anybody."""
FULL: Final = "full"
SUMMARY: Final = "summary"
LENGTHS: tuple[Length, ...] = get_args(Length)

MOST_PAGES = 2
"""Pages of a summary."""
DETAILS = (2, 1, 0)
"""How much a summary shows, in the order of trial until it has at most :data:`MOST_PAGES` pages."""
