"""Free text and names that people wrote, made safe to store and to show."""

from __future__ import annotations

import unicodedata
from typing import Literal

from detector.schema.formatting import escape_directions
from language.translation import N_, gettext

# The normal forms make one character of at most so many.
_COMPOSED_OF = 4
_RIGHT_TO_LEFT = {"R", "AL"}


def normalized(text: str, longest: int, form: Literal["NFC", "NFKC"] = "NFC") -> str:
    """Return the start of a text in a Unicode normal form, without surrounding space.

    It has up to ``longest`` characters, and one more if the text is longer. The text is cut first because
    normalising long runs of combining marks takes quadratic time and blocks all threads.
    """
    start = text.strip()[: _COMPOSED_OF * (longest + 1)]
    return unicodedata.normalize(form, start).strip()[: longest + 1]


def one_line(text: str) -> str:
    """Return a name as one line."""
    return " ".join(readable(text).split())


def readable(text: str) -> str:
    """Remove characters that control terminals or reverse the reading direction; keep line breaks."""
    lines = escape_directions(text).replace("\r\n", "\n").replace("\r", "\n")
    return "".join("\ufffd" if _steers(char) else char for char in lines)


def _steers(char: str) -> bool:
    return unicodedata.category(char) == "Cc" and char not in "\n\t"


def direction(text: str) -> str:
    """Return ``rtl`` or ``ltr`` by the first letter that has a direction (Unicode Annex 9, P2 and P3)."""
    for char in text:
        kind = unicodedata.bidirectional(char)
        if kind == "L" or kind in _RIGHT_TO_LEFT:
            return "rtl" if kind in _RIGHT_TO_LEFT else "ltr"
    return "ltr"


# No account can have these names: user names have no spaces (:mod:`webapp.accounts.users`).
LOCAL_USER = N_("local user")
NOBODY = N_("somebody not signed in")


def actor_name(name: str) -> str:
    """Return the name as one line; translate names that Reelproof assigns."""
    return gettext(name) if name in (LOCAL_USER, NOBODY) else one_line(name)


_SHIPPED = (
    N_("Reelproof, fourth generation"),
    N_("Reelproof, third generation"),
    N_("Reelproof, second generation"),
    N_("Reelproof Lite0, first generation"),
)


def model_title(title: str) -> str:
    """Translate the title of a shipped model; return other titles unchanged."""
    return gettext(title) if title in _SHIPPED else title
