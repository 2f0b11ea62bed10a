"""The language of pages: that of the account or, without one, the best match of the browser's."""

from __future__ import annotations

import json

from flask import Flask, request
from flask_babel import Babel
from markupsafe import Markup

from reports.language import translation
from webapp.http import error_responses
from webapp.storage.tables import User


def install(app: Flask) -> None:
    """Speak the browser's language, or else English, and let templates speak."""
    # Numbers and dates of pages; messages have catalogues that are compiled as they are read.
    Babel(app, locale_selector=translation.current, configure_jinja=False)
    translation.install(app.jinja_env)
    app.jinja_env.globals.update(script_messages=_script_messages)
    app.before_request(_browsers)
    app.teardown_request(lambda _problem: translation.choose(None))


def download_language() -> str:
    """The language a page's download is asked for in: English unless ``language`` names another there is."""
    asked = request.args.get("language", translation.DEFAULT)
    return asked if asked in translation.LANGUAGES else translation.DEFAULT


def _browsers() -> None:
    """The first language of the request that there is, whatever its region."""
    asked = [] if error_responses.is_api() else [code for code, _ in request.accept_languages]
    primary = (code.replace("_", "-").partition("-")[0].lower() for code in asked)
    translation.choose(next((code for code in primary if code in translation.LANGUAGES), None))


def choose_language(user: User) -> None:
    """Speak the language of the account that asks, as soon as it is known: also in what refuses it."""
    if user.language and not error_responses.is_api():
        translation.choose(user.language)


def _script_messages() -> Markup:
    """The scripts' messages as JSON that cannot end the element it stands in; empty in English."""
    messages = translation.of_scripts()
    if not messages:
        return Markup("")
    text = json.dumps({"language": translation.current(), "messages": messages}, ensure_ascii=False)
    return Markup(text.replace("<", "\\u003c"))
