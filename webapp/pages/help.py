"""How to read a result, on a page of its own."""

from __future__ import annotations

from flask import Blueprint, render_template

from reports.text.certainty.verbal_scale import STRENGTHS, strengths
from reports.text.glossary import general_glossary
from reports.text.translation.language import translated_view
from reports.view.reader import reader_view_of_model
from webapp.security.access.permissions import signed_in
from webapp.services import models

blueprint = Blueprint("help", __name__)


@blueprint.get("/help")
@signed_in()
def guide() -> str:
    """What Reelproof can and cannot tell."""
    told = next((each.told for each in models.listed() if each.default), None)
    return render_template(
        "pages/help.html",
        glossary=translated_view(general_glossary(told)),
        strengths=translated_view(
            [strengths(told, still=still) if told is not None else STRENGTHS for still in (False, True)]
        ),
        readers=[reader_view_of_model(told, still) for still in (False, True)] if told is not None else (),
    )
