"""About the API itself: whether it answers, whom it takes you for, its description, its page."""

from __future__ import annotations

import json

from flask import Blueprint, Response, render_template

from detector.version import __version__
from webapp import this_app
from webapp.api.contract import openapi
from webapp.api.contract.docs_page import docs_page
from webapp.api.contract.operation import Answer, operation
from webapp.api.contract.schemas.about import Health, Me
from webapp.security.access.permissions import Permission, current

blueprint = Blueprint("api_about", __name__)


@operation(blueprint, "GET", "/health", permission=None, answers={200: Answer("It answers.", Health)})
def health() -> Health:
    """Whether the API answers; whether it can work is told by /readyz."""
    return Health(status="ok", version=__version__)


@operation(
    blueprint,
    "GET",
    "/me",
    permission=Permission.READ,
    answers={200: Answer("You.", Me, headers=("ETag",))},
)
def me() -> Me:
    """Whom the API takes you for, and what you may do."""
    who = current()
    return Me(name=who.name, scopes=tuple(str(each) for each in Permission if who.may(each)))


@operation(
    blueprint,
    "GET",
    "/openapi.json",
    permission=None,
    answers={200: Answer("The document.", media=("application/json",), headers=("ETag",))},
)
def document() -> Response:
    """This API, as OpenAPI 3.1."""
    login = this_app.settings().login
    text = json.dumps(openapi.document(login=login), ensure_ascii=False)
    return Response(text + "\n", content_type="application/json")


@operation(
    blueprint,
    "GET",
    "/docs",
    permission=None,
    answers={200: Answer("The page.", media=("text/html",))},
)
def docs() -> str:
    """The same for people to read."""
    page = docs_page(openapi.document(login=this_app.settings().login))
    return render_template("pages/api.html", page=page)
