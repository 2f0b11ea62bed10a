"""NUL characters in addresses: no text has one, and PostgreSQL keeps and compares none.

What forms bring is looked at where it is read (:mod:`webapp.intake.upload_request`), JSON by its models.
"""

from __future__ import annotations

from flask import Flask, abort, request

from webapp.http.problem_details import is_api

NUL = "\0"


def install(app: Flask) -> None:
    """Answer an address with a NUL in it as one there is not, before its view looks anything up."""
    app.before_request(_refuse)


def _refuse() -> None:
    # Of its queries the API says which field is at fault.
    query = () if is_api() else request.args.items(multi=True)
    if NUL in request.path or any(NUL in text for field in query for text in field):
        abort(404)
