"""What models are called, as pages and reports name them: shipped ones in the reader's language."""

from __future__ import annotations

from reports.text.translation.language import N_, gettext

_SHIPPED = (
    N_("Reelproof, fourth generation"),
    N_("Reelproof, third generation"),
    N_("Reelproof, second generation"),
    N_("Reelproof Lite0, first generation"),
)


def model_title(title: str) -> str:
    """The title of a card; another author's stays as it was written."""
    return gettext(title) if title in _SHIPPED else title
