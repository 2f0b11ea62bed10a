"""The language of pages: that of the account or, without one, the best match of the browser's.

What programs read stays English: the entries of the custody log, and the API unless the header
:data:`HEADER` names another language, as the scripts of pages do.
"""

from __future__ import annotations

import json

from flask import Flask, request
from flask_babel import Babel
from markupsafe import Markup

from language import translation
from webapp.http.error_responses import is_api
from webapp.storage.tables import User

HEADER = "Reelproof-Language"


def install(app: Flask) -> None:
    """Choose the language of each request, and install translations in the templates."""
    # Babel formats numbers and dates of pages; messages have catalogues that are compiled as they are read.
    Babel(app, locale_selector=translation.current, configure_jinja=False)
    translation.install(app.jinja_env)
    app.jinja_env.globals.update(script_messages=_script_messages)
    app.before_request(_choose_browser_language)
    app.teardown_request(lambda _error: translation.choose(None))


def download_language() -> str:
    """Return the language requested for a download; English if there is no such translation."""
    code = request.args.get("language", translation.DEFAULT)
    return code if code in translation.LANGUAGES else translation.DEFAULT


def _choose_browser_language() -> None:
    codes = [code for code, _ in request.accept_languages]
    if is_api():
        codes = [request.headers.get(HEADER, "")]
    primary = (code.replace("_", "-").partition("-")[0].lower() for code in codes)
    translation.choose(next((code for code in primary if code in translation.LANGUAGES), None))


def choose_language(user: User) -> None:
    """Choose the caller's language as soon as the caller is known, so that refusals use it too."""
    if user.language and not is_api():
        translation.choose(user.language)


def _script_messages() -> Markup:
    """Return the scripts' messages as JSON that cannot end the element around it; empty for English."""
    messages = translation.of_scripts()
    if not messages:
        return Markup("")
    text = json.dumps({"language": translation.current(), "messages": messages}, ensure_ascii=False)
    return Markup(text.replace("<", "\\u003c"))
