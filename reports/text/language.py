"""The language that reports and pages speak, and their catalogues of translations.

English is the language of the sources: a message is its English sentence with named placeholders, as in
``gettext("%(count)s frames", count=...)``, where a % sign is written ``%%``. Results and signed data stay
English; what they hold in words is translated where it is shown, by :func:`stored`.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import fields, is_dataclass, replace
from functools import cache, lru_cache
from typing import Any

from babel import Locale
from babel.messages import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations
from jinja2 import Environment

from detector.paths import FILES
from detector.schema.translatable import N_ as N_
from reports.text.languages import DEFAULT as DEFAULT
from reports.text.languages import LANGUAGES as LANGUAGES

CATALOGUES = FILES / "translations"
MESSAGES, SCRIPTS = "messages", "scripts"  # of Python and templates; of static/js

_CURRENT: ContextVar[str] = ContextVar("language", default=DEFAULT)
_PLACEHOLDER = re.compile(r"%\((\w+)\)s")
_WORD = re.compile(r"[A-Za-z]{2}")
_LONGEST = 4000  # characters; what is longer is no message
_LEAST_SHARE = 0.15  # of a text, that a message beginning with a placeholder must make up
_LEAST_LITERAL = 5  # letters that a message with placeholders needs to be recognised by
_COUNT = re.compile(r"([\d,.]+) (.+)")
_RANGE = re.compile(r"([\d,.]+) to ([\d,.]+)((?: \S+)?)")  # with its unit
# With thousands set apart, a fraction, or per cent: of a bare number nothing changes.
_FIGURE = re.compile(r"[-−+]?(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+\.\d+|\d+(?= ?%))(?: ?%)?")
_SENTENCES = re.compile(r"(?<=[.!?]) (?=[A-Z“])")


def current() -> str:
    """The code of the language spoken now."""
    return _CURRENT.get()


def choose(code: str | None) -> None:
    """Speak this language in this thread from now on; English where there is no such translation."""
    _CURRENT.set(code if code in LANGUAGES else DEFAULT)


@contextmanager
def speaking(code: str) -> Iterator[None]:
    """Speak this language for a while."""
    token = _CURRENT.set(code if code in LANGUAGES else DEFAULT)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def locale() -> Locale:
    """How the language spoken now writes numbers and dates, and in which direction."""
    return _locale(current())


@cache
def _locale(code: str) -> Locale:
    return Locale.parse(code)


@cache
def catalogue(code: str, domain: str = MESSAGES) -> Translations:
    """The translations into a language, compiled as they are read: about a quarter of a second, once."""
    compiled = io.BytesIO()
    write_mo(compiled, _source(code, domain))
    compiled.seek(0)
    return Translations(compiled, domain)


@cache
def _source(code: str, domain: str) -> Catalog:
    with (CATALOGUES / code / "LC_MESSAGES" / f"{domain}.po").open("rb") as file:
        return read_po(file, locale=code)


@cache
def _counted(code: str) -> dict[str, str]:
    """Nouns as they stand after a count, by their English."""
    found: dict[str, str] = {}
    for message in _source(code, MESSAGES):
        forms = message.string
        if message.pluralizable and isinstance(forms, tuple) and all(forms) and "%" not in message.id[0]:
            found.update(zip(message.id, forms, strict=False))
    return found


def gettext(message: str, /, **values: object) -> str:
    """A message in the language spoken now, its placeholders filled."""
    return _translated(message) % values


def ngettext(singular: str, plural: str, number: int, /, **values: object) -> str:
    """One of two messages by ``number``, which is the placeholder ``num`` unless given as text."""
    code = current()
    if code == DEFAULT:
        text = singular if number == 1 else plural
    else:
        text = catalogue(code).ungettext(singular, plural, number)
    return text % ({"num": number} | values)


def _translated(message: str) -> str:
    code = current()
    return message if code == DEFAULT or not message else catalogue(code).ugettext(message)


def stored(text: str) -> str:
    """English words out of stored data in the language spoken now; as they are where nothing fits.

    The message may have had placeholders, and may be one of several sentences. What stood for a placeholder
    is looked up as well.
    """
    return text if current() == DEFAULT or not text else _stored(current(), text)


def in_parts(text: str) -> str:
    """The same of words with commas between them, each a message: the name of a figure, with its data."""
    return ", ".join(map(stored, text.split(", ")))


@lru_cache(4096)
def _stored(code: str, text: str) -> str:
    if not text:  # gettext keeps the catalogue's header under the empty message
        return text
    if (known := _exact(code, text)) is not None:
        return known
    sentences = _SENTENCES.split(text)
    if not sentences[1:]:
        goes_on = text.startswith(", ")  # a list within another sentence
        return (_listed(code, text) if goes_on else None) or _one(code, text) or _listed(code, text) or text
    # A message that ends with a placeholder would take all sentences after it for what stands there.
    parts = [_one(code, each) for each in sentences]
    if all(parts):
        return " ".join(map(str, parts))
    whole = _one(code, text)
    return (
        " ".join(part or each for part, each in zip(parts, sentences, strict=True))
        if whole is None
        else whole
    )


def _exact(code: str, text: str) -> str | None:
    """A message without placeholders; None where there is none."""
    written = text.replace("%", "%%")
    plain = catalogue(code).ugettext(written)
    return None if plain == written else plain.replace("%%", "%")


def _listed(code: str, text: str) -> str | None:
    """A list, each entry of which is a message; None where one is not."""
    entries = text.split(", ")
    found = [_one(code, each) if each else each for each in entries]
    known = [each for each in found if each is not None]
    return ", ".join(known) if known[1:] and len(known) == len(entries) else None


def _one(code: str, text: str) -> str | None:
    """One message found again in its filled form; None where there is none."""
    if len(text) > _LONGEST or not _WORD.search(text):
        return None
    if (known := _exact(code, text)) is not None:
        return known
    if (counted := _COUNT.fullmatch(text)) is not None and counted[2] in _counted(code):
        return f"{counted[1]} {_counted(code)[counted[2]]}"
    if (ends := _RANGE.fullmatch(text)) is not None:
        least, most = (_value(code, "", each) for each in ends.groups()[:2])
        between = catalogue(code).ugettext("%(start)s to %(end)s")
        return between % {"start": least, "end": most + ends[3]}
    for words, share, pattern, message in _patterns(code):
        if words not in text or share > 0 and share < _LEAST_SHARE * len(text):
            continue
        if (found := pattern.fullmatch(text)) is not None:
            values = {name: _value(code, name, value) for name, value in found.groupdict().items()}
            return message % values
    return None


def _value(code: str, name: str, value: str) -> str:
    """What stood for a placeholder: words translated, a figure with the separators of the language."""
    if "version" not in name and _FIGURE.fullmatch(value):
        symbols = _locale(code).number_symbols["latn"]
        value = value.translate({ord("."): symbols["decimal"], ord(","): symbols["group"]})
        return value[:-1].rstrip() + "\u00a0%" if value.endswith("%") else value
    told = _stored(code, value)
    if told == value and ", " in value:  # a list of words
        return ", ".join(_stored(code, each) for each in value.split(", "))
    return told


@cache
def _patterns(code: str) -> tuple[tuple[str, int, re.Pattern[str], str], ...]:
    """What recognises filled messages, and their translations; those with most words of their own first.

    Before the pattern stand its longest piece, which is looked for first, and how many letters of its own a
    message has that begins with a placeholder: it must not fit whatever ends like it.
    """
    found = []
    for key, message in catalogue(code)._catalog.items():
        # A plural is kept under its English singular with an index.
        english = key[0] if isinstance(key, tuple) else key
        if not isinstance(english, str) or not message:
            continue
        literal = _PLACEHOLDER.sub("", english)
        if literal == english or sum(char.isalpha() for char in literal) < _LEAST_LITERAL:
            continue
        pieces = [piece.replace("%%", "%") for piece in _PLACEHOLDER.split(english)[::2]]
        own = len(literal) if english.startswith("%(") else 0
        found.append((len(literal), (max(pieces, key=len), own, _pattern(english), str(message))))
    return tuple(each for _, each in sorted(found, key=lambda each: -each[0]))


def _pattern(english: str) -> re.Pattern[str]:
    pieces = _PLACEHOLDER.split(english)
    named: set[str] = set()
    expression = ""
    for index, piece in enumerate(pieces):
        if index % 2 == 0:
            expression += re.escape(piece.replace("%%", "%"))
        elif piece in named:
            expression += f"(?P={piece})"
        else:
            named.add(piece)
            expression += f"(?P<{piece}>.*?)"
    return re.compile(expression, re.DOTALL)


def spoken(value: Any, kept: frozenset[str] = frozenset()) -> Any:
    """A view in the language spoken now: every text in it that is a message, also in its filled form.

    ``kept`` are fields, as ``Class.field``, whose texts are not ours: file names, what people wrote.
    """
    if current() == DEFAULT:
        return value
    if type(value) is str:
        return stored(value)
    if isinstance(value, tuple | list):
        parts = [spoken(each, kept) for each in value]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    if isinstance(value, dict):
        return {name: spoken(each, kept) for name, each in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        changed = {
            field.name: spoken(getattr(value, field.name), kept)
            for field in fields(value)
            if field.init and f"{type(value).__name__}.{field.name}" not in kept
        }
        return replace(value, **changed)
    return value


def install(environment: Environment) -> None:
    """Let templates speak: ``_()``, ``{% trans %}``, and names for their ``lang`` and ``dir``."""
    environment.add_extension("jinja2.ext.i18n")
    environment.policies["ext.i18n.trimmed"] = True
    environment.install_gettext_callables(  # type: ignore[attr-defined]
        _translated, _plural, newstyle=True
    )
    environment.globals.update(
        language=current, languages=LANGUAGES, text_direction=lambda: locale().text_direction
    )
    environment.filters.update(stored=stored, capitalize_first=capitalize_first)


def capitalize_first(text: str) -> str:
    """With a capital letter first, the others as they are."""
    return text[:1].upper() + text[1:]


def _plural(singular: str, plural: str, number: int) -> str:
    """As templates ask for it: they fill the placeholders themselves."""
    code = current()
    if code == DEFAULT:
        return singular if number == 1 else plural
    return str(catalogue(code).ungettext(singular, plural, number))


def of_scripts() -> dict[str, str | list[str]]:
    """The scripts' messages in the language spoken now: each text, or its plural forms, by its English."""
    code = current()
    if code == DEFAULT:
        return {}
    found: dict[str, str | list[str]] = {}
    for key, message in sorted(catalogue(code, SCRIPTS)._catalog.items(), key=lambda item: str(item[0])):
        if isinstance(key, tuple):
            forms = found.setdefault(key[0], [])
            assert isinstance(forms, list)
            forms.append(message)
        elif key:
            found[key] = message
    return found
