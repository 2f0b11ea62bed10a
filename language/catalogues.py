"""Message catalogues in ``translations/LANGUAGE/LC_MESSAGES``, each read and compiled once."""

from __future__ import annotations

import io
from functools import cache

from babel import Locale
from babel.messages import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations

from detector.files import FILES

CATALOGUES = FILES / "translations"
MESSAGES, SCRIPTS = "messages", "scripts"  # of Python and templates; of static/js


@cache
def catalogue(code: str, domain: str = MESSAGES) -> Translations:
    """Return the compiled translations into a language; the first call takes a quarter of a second."""
    compiled = io.BytesIO()
    write_mo(compiled, source(code, domain))
    compiled.seek(0)
    return Translations(compiled, domain)


@cache
def source(code: str, domain: str = MESSAGES) -> Catalog:
    """Return the catalogue with its plural forms."""
    with (CATALOGUES / code / "LC_MESSAGES" / f"{domain}.po").open("rb") as file:
        return read_po(file, locale=code)


@cache
def locale_of(code: str) -> Locale:
    """Return the formats of numbers and dates, and the writing direction, of a language."""
    return Locale.parse(code)
