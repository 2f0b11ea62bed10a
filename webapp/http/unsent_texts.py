"""What somebody wrote into a form that is refused, so that the page that says so can give it back."""

from __future__ import annotations

from flask import request
from werkzeug.exceptions import HTTPException

from reports.inputs.case_fields import STATED
from reports.text.translation.language import N_, gettext
from webapp.errors import UserError

# Fields that hold what somebody thought of, and what they are called. No other field is ever shown again: a
# form may bring a password, a code or a token.
FIELDS = {
    "reasons": N_("Reasons"),
    "text": N_("Message"),
    "note": N_("Note"),
    "description": N_("Description"),
    "table": N_("Labels, as a table (CSV)"),
    **STATED,
}
_KIND = "application/x-www-form-urlencoded"
_MOST = 500_000  # bytes of a form, which whoever is signed in may send as well


def written() -> tuple[tuple[str, str], ...]:
    """The texts of the request's form, each with its name; none where it brings files or cannot be read."""
    if request.mimetype != _KIND or (request.content_length or 0) > _MOST:
        return ()
    try:
        form = request.form
    except (UserError, HTTPException):
        return ()
    return tuple(
        (gettext(name), text)
        for field, name in FIELDS.items()
        for text in form.getlist(field)
        if text.strip()
    )
