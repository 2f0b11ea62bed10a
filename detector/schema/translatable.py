"""Marks words of results for translation. Results are English; whoever shows them translates them."""

from __future__ import annotations


def N_(message: str) -> str:
    """The message itself: with named placeholders as in ``%(count)s``, and a % sign written ``%%``."""
    return message
