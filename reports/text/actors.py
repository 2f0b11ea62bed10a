"""Who did something, as pages and reports name them.

The custody log and other rows keep names as they were recorded, in English where Reelproof itself gives
them: entries are hashed, and the log is the same in every language.
"""

from __future__ import annotations

from reports.text.free_text import one_line
from reports.text.translation.language import N_, gettext

# No account can have these names: user names have no spaces (:mod:`webapp.security.accounts`).
LOCAL_USER = N_("local user")
NOBODY = N_("somebody not signed in")


def actor_name(name: str) -> str:
    """The name as one line; one that Reelproof itself gives in the language spoken now."""
    return gettext(name) if name in (LOCAL_USER, NOBODY) else one_line(name)
