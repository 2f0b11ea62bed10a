"""Names that people are shown, of cases, accounts and tokens: what each of them must keep to."""

from __future__ import annotations

from detector.schema.joiners import invisible
from reports.text.translation.language import gettext


def fault(name: str, longest: int) -> str:
    """What is wrong with a name and how to put it right, in a sentence; empty where nothing is."""
    if len(name) > longest:
        return gettext("It has more than %(longest)s characters.", longest=longest)
    if code := invisible(name):
        return gettext(
            "It holds a character that nobody sees (%(code)s). Delete that, or type the name anew.", code=code
        )
    return ""
