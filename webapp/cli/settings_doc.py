"""``python -m webapp settings-doc``: docs/settings.md, made from the table in :mod:`webapp.settings`."""

from __future__ import annotations

from typing import Any

from webapp.settings import SETTINGS

_HEAD = """\
<!-- Made by `make settings` from webapp/settings.py; a test compares the two. -->
# Settings

Environment variables that the web app reads at start (`make run`); one that is empty counts as not set, and \
a `REELPROOF_` name that is none of these is reported at start and has no effect. \
The shell commands read `REELPROOF_BACKEND` and the limits of one analysis.

| name | default | meaning |
|---|---|---|
"""


def add_to(commands: Any) -> None:
    """Add the command to a parser's; it needs no database: ``by_itself``."""
    words = "print docs/settings.md: every setting with default and meaning"
    commands.add_parser("settings-doc", help=words, description=words).set_defaults(by_itself=_print)


def document() -> str:
    """The text of docs/settings.md."""
    rows = (
        (f"`{name}`", f"`{default}`" if default else "none", meaning) for name, default, meaning in SETTINGS
    )
    return _HEAD + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _print(_asked: object) -> int:
    print(document(), end="")
    return 0
