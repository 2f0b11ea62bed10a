"""Every route of an app and what it needs, as docs/access.md prints it."""

from __future__ import annotations

from flask import Flask

from webapp.accounts.permissions import Need, requirement_of


def table(app: Flask) -> list[tuple[str, str, str, Need | None]]:
    """Every route: method, address, endpoint, and what it needs; in order of addresses."""
    rows = [
        (method, rule.rule, rule.endpoint, requirement_of(app, rule.endpoint))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    ]
    return sorted(rows, key=lambda row: (row[1], row[0]))


def words(need: Need) -> str:
    """What it needs, in the table's words."""
    return f"{need.permission or need.asker}{', password again' if need.confirmed else ''}"
