"""How to read a result, on a page of its own."""

from __future__ import annotations

from flask import Blueprint, render_template

from reports.text.numbers import STRENGTHS
from reports.text.prose import GLOSSARY
from webapp.security.permissions import signed_in

blueprint = Blueprint("help", __name__)


@blueprint.get("/help")
@signed_in()
def guide() -> str:
    """What Reelproof can and cannot tell."""
    return render_template("pages/help.html", glossary=GLOSSARY, strengths=STRENGTHS)
