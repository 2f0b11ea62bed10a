"""What somebody wrote into a form that is refused, so that the page that says so can give it back."""

from __future__ import annotations

from flask import request

from reports.text.translation.language import N_, gettext

# Fields that hold prose, and what they are called. No other field is ever shown again: a form may bring a
# password, a code or a token.
FIELDS = {
    "reasons": N_("Reasons"),
    "text": N_("Message"),
    "note": N_("Note"),
    "description": N_("Description"),
    "table": N_("Labels, as a table (CSV)"),
}
_KIND = "application/x-www-form-urlencoded"
_MOST = 500_000  # bytes of a form, which whoever is signed in may send as well


def written() -> tuple[tuple[str, str], ...]:
    """The long texts of the request's form, each with its name; none of a form that brings files."""
    if request.mimetype != _KIND or (request.content_length or 0) > _MOST:
        return ()
    return tuple(
        (gettext(name), text)
        for field, name in FIELDS.items()
        for text in request.form.getlist(field)
        if text.strip()
    )
