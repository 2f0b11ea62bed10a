"""The REST API, below ``/api/v1``: one small file an area, each a blueprint."""

from flask import Flask, g, request

from webapp import tokens
from webapp.errors import PageError


def recognise(app: Flask) -> None:
    """Look at the token of each request that brings one, before anything asks who that is."""

    @app.before_request
    def bearer() -> None:
        header = request.headers.get("Authorization")
        if header is None:
            return
        kind, _, token = header.partition(" ")
        with app.extensions["database"].begin() as session:
            login = app.extensions["settings"].login
            found = (
                tokens.recognise(session, token.strip(), login=login) if kind.lower() == "bearer" else None
            )
        if found is None:
            raise PageError(
                401,
                "This token does not work: it was never made here, has expired or was revoked.",
                "Make another one on the account page, or with python -m webapp add-token.",
            )
        g.bearer = found


def install(app: Flask) -> None:
    """Register the areas. Imported here: they need the app's other parts, which need :func:`recognise`."""
    from webapp.api import (
        about,
        analyses,
        annotations,
        exhibits,
        files,
        findings,
        models,
        operations,
        uploads,
        webhooks,
    )

    for area in (analyses, uploads, findings, annotations, files, exhibits, models, webhooks, about):
        app.register_blueprint(area.blueprint, url_prefix=operations.PREFIX)
