"""Translate stored English sentences: find the message and the values that were filled in."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, lru_cache, reduce
from typing import NamedTuple

from detector.schema.formatting import N_
from language.catalogues import catalogue, locale_of, source

_PLACEHOLDER = re.compile(r"%\((\w+)\)s")
_WORD = re.compile(r"[A-Za-z]{2}")
_LONGEST = 4000  # characters; what is longer is no message
# Of one text; a verdict's reason that names twenty persons takes a hundred, four deep.
_MOST_LOOKUPS, _DEEPEST = 5000, 40
_LEAST_SHARE = 0.15  # of a text, that a message beginning with a placeholder must make up
_LEAST_LITERAL = 5  # letters that a message with placeholders needs to be recognised by
_COUNT = re.compile(r"([\d,.]+) (.+)")
_RANGE = re.compile(r"([\d,.]+) to ([\d,.]+)((?: \S+)?)")  # with its unit
# With thousands set apart, a fraction, or per cent: of a bare number nothing changes.
_FIGURE = re.compile(r"[-−+]?(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+\.\d+|\d+(?= ?%))(?: ?%)?")
SENTENCES = re.compile(r"(?<=[.!?]) (?=[A-Z“0-9])")
_CLAUSES = re.compile(r"(?=; )")  # what messages add to a sentence
_ABOUT = re.compile(r"(\S.{,254}?): ([A-Z].*)", re.DOTALL)  # a file, and what is the matter with it
_OR = re.compile(r"(,? or )")
_OF_BOTH = frozenset({"signs", "quality"})  # of which several are told with “and” between them
_OF_ONE = re.compile(r"([A-Z]+): (.+)")  # what is said of one of several persons
# What is ours in a list of what a file says, which is quoted or a time: where that stands, and how many more
# there are.
_PLACE = r"(?:file|(?:stream|track) \d+|PNG text|(?:JPEG|GIF) comment|EXIF|XMP)(?=, )"
_REST = r"(?<=\)) and \d+ more$"
_LASTING = r"(?:the file|the stream of pictures|sound \(stream \d+\))"
_OF_FILES = {
    "listed": re.compile(rf"(?<=[”“»] \(){_PLACE}|{_REST}"),
    "moments": re.compile(rf"(?<= \(){_PLACE}|{_REST}"),
    "told": re.compile(rf"{_LASTING}(?= \d{{2,}}:\d\d:\d\d\.\d{{3}}(?:$|, ))"),
}
_QUOTED_IN_LIST = re.compile(r"(?:^|(?<=, ))“(.*?)”(?= \()")
_QUOTED_NAME = re.compile(r"^“(.*)”$")
# Which quotation marks in values are ours, by the placeholder they stand for.
_QUOTATIONS = {"listed": _QUOTED_IN_LIST, "what": _QUOTED_NAME}
_AS_IT_IS = frozenset({"key", "data_set"})  # of a file that programs read; the name of somebody's folder
_QUOTATION = N_("“%(text)s”")


class _TooMuch(Exception):
    """A text takes more work than any of ours."""


class _Search(threading.local):
    """How many look-ups are left for the text that is being translated, and how many are under way."""

    left = 0
    deep = 0

    @contextmanager
    def step(self) -> Iterator[None]:
        """One look-up. Raises :class:`_TooMuch` where there were too many."""
        if not self.left or self.deep >= _DEEPEST:
            raise _TooMuch
        self.left -= 1
        self.deep += 1
        try:
            yield
        finally:
            self.deep -= 1


_search = _Search()


@lru_cache(4096)
def translate(code: str, text: str) -> str:
    """English text in the language ``code``; as it is where no message fits.

    So is one that takes very long to look up, which only somebody writes who means to hold up the app.
    """
    _search.left = _MOST_LOOKUPS
    try:
        return _translate(code, text)
    except _TooMuch:
        return text


@lru_cache(4096)
def _translate(code: str, text: str) -> str:
    if not text:  # gettext keeps the catalogue's header under the empty message
        return text
    if (known := _exact(code, text)) is not None:
        return known
    sentences = SENTENCES.split(text)
    if not sentences[1:]:
        goes_on = text.startswith(", ")  # a list within another sentence
        return (_listed(code, text) if goes_on else None) or _one(code, text) or _listed(code, text) or text
    # A message that ends with a placeholder would take all sentences after it for what stands there.
    parts = [_one(code, sentence) for sentence in sentences]
    if all(parts):
        return " ".join(map(str, parts))
    whole = _one(code, text)
    return (
        " ".join(part or sentence for part, sentence in zip(parts, sentences, strict=True))
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
    translations = [_one(code, entry) if entry else entry for entry in entries]
    if len(entries) < 2 or any(translation is None for translation in translations):
        return None
    return ", ".join(map(str, translations))


def _one(code: str, text: str) -> str | None:
    """One message found again in its filled form; None where there is none."""
    if len(text) > _LONGEST or not _WORD.search(text):
        return None
    with _search.step():
        return _look_up(code, text)


def _look_up(code: str, text: str) -> str | None:
    if (known := _exact(code, text)) is not None:
        return known
    if (counted := _COUNT.fullmatch(text)) is not None and counted[2] in _counted(code):
        return f"{counted[1]} {_counted(code)[counted[2]]}"
    if (ends := _RANGE.fullmatch(text)) is not None:
        least, most = (_value(code, "", end) for end in ends.groups()[:2])
        between = catalogue(code).ugettext("%(start)s to %(end)s")
        return between % {"start": least, "end": most + ends[3]}
    shortest = _LEAST_SHARE * (len(text) - _length_of_clauses(code, text))
    for form in _forms(code):
        if form.piece not in text or 0 < form.own < shortest:
            continue
        if (placeholders := _placeholders(form, text)) is not None:
            if form.own and (behind := _behind_name(code, text)) is not None:
                return behind
            values = {name: _value(code, name, value) for name, value in placeholders.items()}
            return form.translation % values
    return _behind_name(code, text)


def _behind_name(code: str, text: str) -> str | None:
    """Sentences behind the name of the file that they are about; None where one is no message."""
    match = _ABOUT.fullmatch(text)
    if match is None or _one(code, match[1]) is not None:
        return None
    sentences = [_one(code, sentence) for sentence in SENTENCES.split(match[2])]
    return f"{match[1]}: {' '.join(map(str, sentences))}" if all(sentences) else None


def _clause(code: str, text: str) -> str | None:
    """A clause that begins with a semicolon, or what one says of each of several persons."""
    if (known := _one(code, text)) is not None:
        return known
    matches = [_OF_ONE.fullmatch(part) for part in text.removeprefix("; ").split(", ")]
    clauses = [
        f"{match[1]}: {known}" for match in matches if match and (known := _one(code, match[2])) is not None
    ]
    return "; " + ", ".join(clauses) if len(clauses) == len(matches) else None


def _clauses(code: str, text: str) -> str | None:
    """Clauses, each of which is a message; None where one is not. Adjoining placeholders share them."""
    clauses = [_clause(code, clause) for clause in _CLAUSES.split(text)[1:]] if text.startswith("; ") else []
    return "".join(map(str, clauses)) if clauses and all(clauses) else None


def _each(code: str, text: str) -> str | None:
    """Several messages with semicolons between them; None where one is none."""
    messages = [_one(code, message) for message in text.split("; ")]
    return "; ".join(map(str, messages)) if messages[1:] and all(messages) else None


def _either(code: str, text: str) -> str:
    """Messages with “or” between them, and one “or” in some themselves; what is no message stays as it is."""
    parts, alternatives = _OR.split(text), []
    while parts:
        longer = _exact(code, "".join(parts[:3]))
        alternatives.append(longer or _exact(code, parts[0]) or parts[0])
        parts = parts[4 if longer else 2 :]
    return catalogue(code).ugettext(", or ").join(alternatives)


def _both(code: str, text: str) -> str:
    """Messages or figures with “and” between them."""
    both = catalogue(code).ugettext("%(first)s and %(second)s")
    parts = (_translate(code, part) for part in text.split(" and "))
    return reduce(lambda first, second: both % {"first": first, "second": second}, parts)


def _length_of_clauses(code: str, text: str) -> int:
    """How many characters of a sentence are clauses that are messages of their own."""
    ends = [] if text.startswith("; ") else _CLAUSES.split(text.rstrip("."))[1:]
    return sum(len(end) for end in ends if _clause(code, end) is not None)


def _value(code: str, name: str, value: str) -> str:
    """What stood for a placeholder: words translated, a figure with the separators of the language."""
    if name in _AS_IT_IS:
        return value
    if name.endswith("flaws") and _OR.search(value):
        return _either(code, value)
    if name in _OF_BOTH and " and " in value:
        return _both(code, value)
    if (quotations := _QUOTATIONS.get(name)) is not None and quotations.search(value):
        marked = catalogue(code).ugettext(_QUOTATION)
        value = quotations.sub(lambda match: marked % {"text": match[1]}, value)
    if (pattern := _OF_FILES.get(name)) is not None and pattern.search(value):
        return pattern.sub(lambda match: _translate(code, match[0]), value)
    if (clauses := _clauses(code, value)) is not None:
        return clauses
    if (messages := _each(code, value)) is not None:
        return messages
    if "version" not in name and _FIGURE.fullmatch(value):
        symbols = locale_of(code).number_symbols["latn"]
        value = value.translate({ord("."): symbols["decimal"], ord(","): symbols["group"]})
        return value[:-1].rstrip() + "\u00a0%" if value.endswith("%") else value
    translation = _translate(code, value)
    if translation == value and ", " in value:  # a list of words
        return ", ".join(_translate(code, part) for part in value.split(", "))
    return translation


class _Form(NamedTuple):
    """What recognises one filled message, and its translation.

    ``pieces`` are its stretches without a placeholder, ``names`` the placeholders between them. ``piece`` is
    the longest stretch, looked for first since that is quick. ``own`` are the characters beside placeholders
    of a message that begins with one, which must not fit whatever ends like it; 0 of others.
    """

    piece: str
    own: int
    pieces: tuple[str, ...]
    names: tuple[str, ...]
    translation: str


@cache
def _forms(code: str) -> tuple[_Form, ...]:
    """Those of all messages with placeholders; with most words of their own first."""
    forms: list[tuple[int, _Form]] = []
    for key, message in catalogue(code)._catalog.items():
        # A plural is kept under its English singular with an index.
        english = key[0] if isinstance(key, tuple) else key
        if not isinstance(english, str) or not message:
            continue
        literal = _PLACEHOLDER.sub("", english)
        if literal == english or sum(char.isalpha() for char in literal) < _LEAST_LITERAL:
            continue
        parts = _PLACEHOLDER.split(english)
        pieces = tuple(piece.replace("%%", "%") for piece in parts[::2])
        own = len(literal) if english.startswith("%(") else 0
        form = _Form(max(pieces, key=len), own, pieces, tuple(parts[1::2]), str(message))
        forms.append((len(literal), form))
    return tuple(form for _, form in sorted(forms, key=lambda entry: -entry[0]))


def _placeholders(form: _Form, text: str) -> dict[str, str] | None:
    """What stands for the placeholders in a text, each as short as can be; None where the text is another.

    A placeholder that stands twice stands for the same. Goes through the text once: an expression of as many
    groups would try all the ways to divide a text that somebody made for it.
    """
    last = form.pieces[-1]
    at, end = len(form.pieces[0]), len(text) - len(last)
    if at > end or not (text.startswith(form.pieces[0]) and text.endswith(last)):
        return None
    values: dict[str, str] = {}
    for name, piece in zip(form.names, (*form.pieces[1:-1], None), strict=True):
        stop = end if piece is None else text.find(piece, at, end)
        if stop < 0 or values.setdefault(name, text[at:stop]) != text[at:stop]:
            return None
        at = stop + len(piece or "")
    return values


@cache
def _counted(code: str) -> dict[str, str]:
    """Nouns as they stand after a count, by their English."""
    nouns: dict[str, str] = {}
    for message in source(code):
        forms = message.string
        if message.pluralizable and isinstance(forms, tuple) and all(forms) and "%" not in message.id[0]:
            nouns.update(zip(message.id, forms, strict=False))
    return nouns
