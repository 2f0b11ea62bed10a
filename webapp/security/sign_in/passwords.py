"""Passwords: how they are kept, compared and refused.

Kept as Argon2id (RFC 9106) with 64 MiB, three passes, one lane: above what OWASP's password
storage cheat sheet asks for. What may be a password follows NIST SP 800-63B: length, and not
one that is guessed early; no rules on kinds of characters.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from reports.text.translation.language import N_, gettext

SHORTEST_PASSWORD, LONGEST_PASSWORD = 12, 256  # characters
# zxcvbn's scale of 0 to 4; 3 stands for more than a hundred million guesses.
_STRONG_ENOUGH = 3
# Characters that zxcvbn sees. It tries all ways in which symbols may stand for letters, and takes five
# seconds for 72, its own most.
_LOOKED_AT = 40
# By what zxcvbn calls the longest stretch of a password; of one that it does not recognise nothing is said.
_WHY = {
    "dictionary": N_("Common words, names and passwords, and what resembles them, are tried first."),
    "spatial": N_("Keys that lie side by side are tried first."),
    "repeat": N_("Characters that repeat add next to nothing."),
    "sequence": N_("Letters and figures in their order are tried first."),
    "regex": N_("Years and dates are tried first."),
    "date": N_("Years and dates are tried first."),
}
_AT_ONCE = 2  # hashes computed at a time: 64 MiB each, whoever asks
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing that is mistaken for something else


@dataclass(frozen=True)
class Cost:
    """Argon2id's parameters."""

    memory: int = 64 * 1024  # KiB
    passes: int = 3
    lanes: int = 1


class Passwords:
    """Hashes and compares. One object an app; safe in several threads."""

    def __init__(self, cost: Cost = Cost()) -> None:  # noqa: B008  (frozen)
        self._hasher = PasswordHasher(
            time_cost=cost.passes, memory_cost=cost.memory, parallelism=cost.lanes, type=Type.ID
        )
        self._room = threading.BoundedSemaphore(_AT_ONCE)

    def hash(self, password: str) -> str:
        """What to keep of a password."""
        with self._room:
            return self._hasher.hash(password)

    def verify(self, kept: str | None, password: str) -> bool:
        """Whether it is the password. With nothing kept it takes as long and is not."""
        with self._room:
            dummy = self._dummy  # whoever asks first waits for it, whether there is an account or not
            try:
                self._hasher.verify(kept or dummy, password[: LONGEST_PASSWORD + 1])
            except (VerificationError, InvalidHashError):
                return False
        return kept is not None

    @cached_property
    def _dummy(self) -> str:
        """A hash that no password has, compared with where there is no account; made when first needed."""
        return self._hasher.hash(secrets.token_hex(16))

    def outdated(self, kept: str) -> bool:
        """Whether it was hashed with other parameters than today's."""
        return self._hasher.check_needs_rehash(kept)


def weakness(password: str, about: Iterable[str] = ()) -> str | None:
    """Why this cannot be a password, in the language spoken now; None if it can.

    ``about`` are names of the person: a password made of them is guessed early.
    """
    if len(password) < SHORTEST_PASSWORD:
        return gettext(
            "The password is too short: at least %(least)s characters, such as four unrelated words.",
            least=SHORTEST_PASSWORD,
        )
    if len(password) > LONGEST_PASSWORD:
        return gettext("The password is too long: at most %(most)s characters.", most=LONGEST_PASSWORD)
    from zxcvbn import zxcvbn  # its word lists take a while to load

    known = [word for name in about for word in (name, "".join(name.split()), *name.split())]
    found = zxcvbn(password[:_LOOKED_AT], user_inputs=[*known, "reelproof"])
    if found["score"] < _STRONG_ENOUGH:
        longest = max(found["sequence"], key=lambda part: len(part["token"]))
        if why := _WHY.get(longest["pattern"]):
            return gettext("This password is guessed early: %(why)s Choose another one.", why=gettext(why))
        return gettext("This password is guessed early. Choose another one.")
    return None


def generate() -> str:
    """A password to give out once: 20 characters, 99 bits."""
    groups = ("".join(secrets.choice(_ALPHABET) for _ in range(5)) for _ in range(4))
    return "-".join(groups)
