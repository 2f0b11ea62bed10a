"""Every route of an app, what it does and what it needs, as docs/routes.md prints it."""

from __future__ import annotations

import inspect

from flask import Flask

from webapp.accounts.permissions import Requirement, requirement_of


def table(app: Flask) -> list[tuple[str, str, str, Requirement | None]]:
    """Return method, address, endpoint and need of every route, sorted by address."""
    rows = [
        (method, rule.rule, rule.endpoint, requirement_of(app, rule.endpoint))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    ]
    return sorted(rows, key=lambda row: (row[1], row[0]))


def words(need: Requirement) -> str:
    """Name a need as the table does."""
    return f"{need.permission or need.audience}{', password again' if need.confirmed else ''}"


def purpose(app: Flask, endpoint: str) -> str:
    """Return the first paragraph of a view's docstring on one line."""
    docstring = inspect.getdoc(inspect.unwrap(app.view_functions[endpoint])) or ""
    return " ".join(docstring.partition("\n\n")[0].split()).replace("``", "`").replace("|", "\\|")
