"""Which language pages speak: the account's, or else the best that the browser asks for.

What programs read, the API and the custody log's records, stays English.
"""

from __future__ import annotations

import json

from flask import Flask, request
from flask_babel import Babel
from markupsafe import Markup

from reports.text.translation import language
from webapp.http import problem_details
from webapp.storage.tables import User


def install(app: Flask) -> None:
    """Speak the browser's language, or else English, and let templates speak."""
    # Numbers and dates of pages; messages have catalogues that are compiled as they are read.
    Babel(app, locale_selector=language.current, configure_jinja=False)
    language.install(app.jinja_env)
    app.jinja_env.globals.update(script_messages=_script_messages)
    app.before_request(_browsers)
    app.teardown_request(lambda _problem: language.choose(None))


def of_download() -> str:
    """The language a page's download is asked for in: English unless ``language`` names another there is."""
    asked = request.args.get("language", language.DEFAULT)
    return asked if asked in language.LANGUAGES else language.DEFAULT


def _browsers() -> None:
    """The first language of the request that there is, whatever its region."""
    asked = [] if problem_details.is_api() else [code for code, _ in request.accept_languages]
    primary = (code.replace("_", "-").partition("-")[0].lower() for code in asked)
    language.choose(next((code for code in primary if code in language.LANGUAGES), None))


def choose_of(user: User) -> None:
    """Speak the language of the account that asks, as soon as it is known: also in what refuses it."""
    if user.language and not problem_details.is_api():
        language.choose(user.language)


def _script_messages() -> Markup:
    """The scripts' messages as JSON that cannot end the element it stands in; empty in English."""
    messages = language.of_scripts()
    if not messages:
        return Markup("")
    text = json.dumps({"language": language.current(), "messages": messages}, ensure_ascii=False)
    return Markup(text.replace("<", "\\u003c"))
