"""Routes about the API itself: health, the authenticated identity, the OpenAPI document and its page."""

from __future__ import annotations

import json
from typing import Literal

from flask import Blueprint, Response, render_template
from pydantic import Field

from detector.schema.analysis import Value
from detector.version import __version__
from webapp import context
from webapp.accounts.permissions import Permission, current
from webapp.rest import openapi
from webapp.rest.operation import Answer, operation

blueprint = Blueprint("api_about", __name__)

# Words for the limits of a schema on the page of the API.
_LIMITS = {
    "minimum": "at least",
    "exclusiveMinimum": "above",
    "maximum": "at most",
    "exclusiveMaximum": "below",
    "minLength": "characters, at least",
    "maxLength": "characters, at most",
    "default": "default",
}


class Health(Value):
    """The API answers."""

    status: Literal["ok"]
    version: str


class Me(Value):
    """The authenticated identity."""

    name: str
    scopes: tuple[str, ...] = Field(description="what you may do")


@operation(blueprint, "GET", "/health", permission=None, answers={200: Answer("It answers.", Health)})
def health() -> Health:
    """Report that the API answers; /readyz reports whether it can work."""
    return Health(status="ok", version=__version__)


@operation(
    blueprint,
    "GET",
    "/me",
    permission=Permission.READ,
    answers={200: Answer("You.", Me, headers=("ETag",))},
)
def me() -> Me:
    """Return the authenticated identity and its permissions."""
    principal = current()
    scopes = tuple(str(permission) for permission in Permission if principal.may(permission))
    return Me(name=principal.name, scopes=scopes)


@operation(
    blueprint,
    "GET",
    "/openapi.json",
    permission=None,
    answers={200: Answer("The document.", media=("application/json",), headers=("ETag",))},
)
def document() -> Response:
    """Return this API as OpenAPI 3.1."""
    text = json.dumps(openapi.document(login=context.settings().login), ensure_ascii=False)
    return Response(text + "\n", content_type="application/json")


@operation(
    blueprint,
    "GET",
    "/docs",
    permission=None,
    answers={200: Answer("The page.", media=("text/html",))},
)
def docs() -> str:
    """Show the OpenAPI document as a page."""
    page = openapi.document(login=context.settings().login)
    return render_template("rest/api.html", page=page, limit_words=_LIMITS)
