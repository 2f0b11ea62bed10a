"""Current language, and translation of messages and of view models."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import fields, is_dataclass, replace
from functools import wraps
from types import MappingProxyType
from typing import Any, TypeVar, cast

from babel import Locale
from jinja2 import Environment, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from detector.schema.analysis import Analysis, Joint, Span, Voice
from detector.schema.causes.cause import CODES, Cause, Words, render
from detector.schema.causes.failures import remedy_of
from detector.schema.formatting import N_ as N_
from detector.schema.formatting import Message, escape_directions
from language.catalogues import SCRIPTS, catalogue, locale_of
from language.languages import DEFAULT as DEFAULT
from language.languages import LANGUAGES as LANGUAGES

# Metadata of a dataclass's field whose text is not ours: a name, a key, a path, what people wrote.
UNTRANSLATED = MappingProxyType({"untranslated": True})

_Shown = TypeVar("_Shown")
# With thousands set apart, a fraction, or per cent: of a bare number nothing changes.
_FIGURE = re.compile(r"[-−+]?(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+\.\d+|\d+(?= ?%))(?: ?%)?")


class Quoted(str):
    """Text that somebody else wrote, which :func:`translated` never changes."""

    __slots__ = ()


_CURRENT: ContextVar[str] = ContextVar("language", default=DEFAULT)


def current() -> str:
    """Return the code of the current language."""
    return _CURRENT.get()


def choose(code: str | None) -> None:
    """Set the language of this thread; English if there is no such translation."""
    _CURRENT.set(code if code in LANGUAGES else DEFAULT)


@contextmanager
def speaking(code: str) -> Iterator[None]:
    """Set the language within a ``with`` block."""
    token = _CURRENT.set(code if code in LANGUAGES else DEFAULT)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def locale() -> Locale:
    """Return the formats and the writing direction of the current language."""
    return locale_of(current())


def gettext(message: str, /, **values: object) -> str:
    """Translate a message and fill its placeholders."""
    return _from_catalogue(message) % values


def ngettext(singular: str, plural: str, number: int, /, **values: object) -> str:
    """Translate a message by ``number``, which fills the placeholder ``num`` unless given as text."""
    code = current()
    if code == DEFAULT:
        text = singular if number == 1 else plural
    else:
        text = catalogue(code).ungettext(singular, plural, number)
    return text % ({"num": number} | values)


def _from_catalogue(message: str) -> str:
    code = current()
    return message if code == DEFAULT or not message else catalogue(code).ugettext(message)


def translated(text: str) -> str:
    """Translate a message, whose placeholders may be filled; return other text unchanged."""
    if current() == DEFAULT or not text or isinstance(text, Quoted):
        return text
    if isinstance(text, Message) and text.template:
        values = {name: _value(value) for name, value in text.values.items()}
        return _from_catalogue(text.template) % values
    written = text.replace("%", "%%")
    translation = _from_catalogue(written)
    return text if translation == written else translation.replace("%%", "%")


def _value(value: object) -> object:
    if isinstance(value, Message):
        return translated(value)
    if isinstance(value, str) and not isinstance(value, Quoted) and _FIGURE.fullmatch(value):
        return WORDS.number(value)
    return value


class _TranslatedWords(Words):
    """Renders sentences of reasons in the current language."""

    def message(self, text: str) -> str:
        return _from_catalogue(text)

    def count(self, number: int, noun: str) -> str:
        return f"{number} {_plural(noun, f'{noun}s', number)}"

    def number(self, text: str) -> str:
        symbols = locale().number_symbols["latn"]
        text = text.translate({ord("."): symbols["decimal"], ord(","): symbols["group"]})
        return f"{text[:-1].rstrip()}\u00a0%" if text.endswith("%") else text


WORDS = _TranslatedWords()


def reason_text(result: Analysis | Voice | Joint | Span) -> str:
    """Return the reason of a verdict or a span in the current language.

    Analyses before 0.2 have sentences alone, which stay in English.
    """
    causes = filter(None, (result.cause,)) if isinstance(result, Span) else result.causes
    return Quoted(" ".join(map(cause_text, causes)) or result.reason)


def cause_text(cause: Cause) -> str:
    """Return the sentence of a cause in the current language; that of an unknown code in English."""
    if current() != DEFAULT:
        with suppress(KeyError, TypeError, ValueError):
            return Quoted(render(cause, WORDS))
    return Quoted(cause.text)


def code_text(code: str) -> str:
    """Return the words of a code without parameters in the current language; an unknown one as it is."""
    known = CODES.get(code)
    return gettext(known.message) if known and isinstance(known.message, str) else code


def text_of(cause: Cause | None, otherwise: str) -> str:
    """Return the sentence of a cause in the current language; without one, that of an earlier version."""
    return Quoted(otherwise) if cause is None else cause_text(cause)


def texts_of(causes: tuple[Cause, ...], otherwise: tuple[str, ...]) -> tuple[str, ...]:
    """Return the sentences of causes in the current language; without any, those of an earlier version."""
    return tuple(map(cause_text, causes)) or tuple(map(Quoted, otherwise))


def english_note() -> str:
    """Say, in other languages, that sentences of an earlier version are in English."""
    if current() == DEFAULT:
        return ""
    return gettext(
        "An earlier version of Reelproof made this. Statements that it wrote as sentences stay in English."
    )


def failure_texts(failure: object, error: str | None, remedy: str | None) -> tuple[str, str]:
    """Return why a job failed, and what to do, in the current language.

    ``failure`` is a cause as JSON or as values of JSON; jobs that failed before 0.3 have none, and their
    ``error`` and ``remedy`` stay in English.
    """
    with suppress(ValueError):  # such as of a later version
        read = Cause.model_validate_json if isinstance(failure, str) else Cause.model_validate
        cause = read(failure)  # type: ignore[arg-type]
        if cause.code in CODES:
            return cause_text(cause), Quoted(remedy_of(cause, WORDS))
    return Quoted(error or ""), Quoted(remedy or "")


def in_parts(text: str) -> str:
    """Translate comma-separated words one by one: the name of a figure with its data."""
    return ", ".join(map(translated, text.split(", ")))


def translated_view(value: _Shown) -> _Shown:
    """Translate every text in a view that is a message.

    Keys of dictionaries, :class:`Quoted` text, and fields with the metadata :data:`UNTRANSLATED` stay.
    """
    return value if current() == DEFAULT else cast(_Shown, _translated_value(value))


def _translated_value(value: Any) -> Any:
    if type(value) in (str, Message):
        return translated(value)
    if isinstance(value, tuple | list):
        parts = [_translated_value(element) for element in value]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    if isinstance(value, dict):
        return {name: _translated_value(element) for name, element in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        changed = {
            field.name: _translated_value(getattr(value, field.name))
            for field in fields(value)
            if field.init and "untranslated" not in field.metadata
        }
        return replace(value, **changed)
    return value


def install(environment: Environment) -> None:
    """Give templates ``_()``, ``{% trans %}``, and the functions for ``lang`` and ``dir``.

    No text that they show changes the reading direction of what follows it.
    """
    environment.add_extension("jinja2.ext.i18n")
    environment.policies["ext.i18n.trimmed"] = True
    environment.install_gettext_callables(  # type: ignore[attr-defined]
        _from_catalogue, _plural, newstyle=True
    )
    environment.globals.update(
        language=current,
        languages=LANGUAGES,
        text_direction=lambda: locale().text_direction,
        failure_texts=failure_texts,
        text_of=text_of,
    )
    environment.finalize = _without_directions
    environment.filters.update(translated=at_each_rendering(translated), capitalize_first=capitalize_first)


def _without_directions(value: Any) -> Any:
    if isinstance(value, Markup):
        return Markup(escape_directions(value))
    return escape_directions(value) if isinstance(value, str) else value


def at_each_rendering(words: Callable[..., Any]) -> Callable[..., Any]:
    """Make ``words`` a filter that Jinja evaluates at each rendering, even for constants.

    Otherwise a constant would keep the language in which it was first rendered.
    """

    @pass_context
    @wraps(words)
    def filtered(_context: Context, *values: Any, **named: Any) -> Any:
        return words(*values, **named)

    return filtered


def capitalize_first(text: str) -> str:
    """Capitalise the first letter only."""
    return text[:1].upper() + text[1:]


def _plural(singular: str, plural: str, number: int) -> str:
    """Translate a plural for templates, which fill the placeholders themselves."""
    code = current()
    if code == DEFAULT:
        return singular if number == 1 else plural
    return str(catalogue(code).ungettext(singular, plural, number))


def of_scripts() -> dict[str, str | list[str]]:
    """Return the messages of the scripts in the current language, by their English text."""
    code = current()
    if code == DEFAULT:
        return {}
    messages: dict[str, str | list[str]] = {}
    for key, message in sorted(catalogue(code, SCRIPTS)._catalog.items(), key=lambda item: str(item[0])):
        if isinstance(key, tuple):
            forms = messages.setdefault(key[0], [])
            assert isinstance(forms, list)
            forms.append(message)
        elif key:
            messages[key] = message
    return messages
