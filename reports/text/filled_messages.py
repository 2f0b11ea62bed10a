"""Messages found again in text that was filled in and stored: the way back from English words to a message.

Results and signed data hold English sentences whose placeholders were filled when they were made. A sentence
is translated by finding the message it was made of, among all of the catalogue, and filling the translation
with what stood for the placeholders.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import NamedTuple

from reports.text.catalogues import catalogue, locale_of, source

_PLACEHOLDER = re.compile(r"%\((\w+)\)s")
_WORD = re.compile(r"[A-Za-z]{2}")
_LONGEST = 4000  # characters; what is longer is no message
_LEAST_SHARE = 0.15  # of a text, that a message beginning with a placeholder must make up
_LEAST_LITERAL = 5  # letters that a message with placeholders needs to be recognised by
_COUNT = re.compile(r"([\d,.]+) (.+)")
_RANGE = re.compile(r"([\d,.]+) to ([\d,.]+)((?: \S+)?)")  # with its unit
# With thousands set apart, a fraction, or per cent: of a bare number nothing changes.
_FIGURE = re.compile(r"[-−+]?(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+\.\d+|\d+(?= ?%))(?: ?%)?")
SENTENCES = re.compile(r"(?<=[.!?]) (?=[A-Z“])")
_CLAUSES = re.compile(r"(?=; )")  # what messages add to a sentence
_ABOUT = re.compile(r"(\S.{,254}?): ([A-Z].*)", re.DOTALL)  # a file, and what is the matter with it
_OF_ONE = re.compile(r"([A-Z]+): (.+)")  # what is said of one of several persons


@lru_cache(4096)
def translate(code: str, text: str) -> str:
    """English text in the language ``code``; as it is where no message fits."""
    if not text:  # gettext keeps the catalogue's header under the empty message
        return text
    if (known := _exact(code, text)) is not None:
        return known
    sentences = SENTENCES.split(text)
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
    shortest = _LEAST_SHARE * (len(text) - _length_of_clauses(code, text))
    for form in _forms(code):
        if form.piece not in text or 0 < form.own < shortest:
            continue
        if (found := form.pattern.fullmatch(text)) is not None:
            if form.own and (behind := _behind_name(code, text)) is not None:
                return behind
            values = {name: _value(code, name, value) for name, value in found.groupdict().items()}
            return form.translation % values
    return _behind_name(code, text)


def _behind_name(code: str, text: str) -> str | None:
    """Sentences behind the name of the file that they are about; None where one is no message."""
    found = _ABOUT.fullmatch(text)
    if found is None or _one(code, found[1]) is not None:
        return None
    told = [_one(code, each) for each in SENTENCES.split(found[2])]
    return f"{found[1]}: {' '.join(map(str, told))}" if all(told) else None


def _clause(code: str, text: str) -> str | None:
    """A clause that begins with a semicolon, or what one says of each of several persons."""
    if (known := _one(code, text)) is not None:
        return known
    each = [_OF_ONE.fullmatch(part) for part in text.removeprefix("; ").split(", ")]
    told = [f"{one[1]}: {known}" for one in each if one and (known := _one(code, one[2])) is not None]
    return "; " + ", ".join(told) if len(told) == len(each) else None


def _clauses(code: str, text: str) -> str | None:
    """Clauses, each of which is a message; None where one is not. Adjoining placeholders share them."""
    found = [_clause(code, each) for each in _CLAUSES.split(text)[1:]] if text.startswith("; ") else []
    return "".join(map(str, found)) if found and all(found) else None


def _length_of_clauses(code: str, text: str) -> int:
    """How many characters of a sentence are clauses that are messages of their own."""
    ends = [] if text.startswith("; ") else _CLAUSES.split(text.rstrip("."))[1:]
    return sum(len(each) for each in ends if _clause(code, each) is not None)


def _value(code: str, name: str, value: str) -> str:
    """What stood for a placeholder: words translated, a figure with the separators of the language."""
    if name == "key":  # of a file that programs read
        return value
    if (clauses := _clauses(code, value)) is not None:
        return clauses
    if "version" not in name and _FIGURE.fullmatch(value):
        symbols = locale_of(code).number_symbols["latn"]
        value = value.translate({ord("."): symbols["decimal"], ord(","): symbols["group"]})
        return value[:-1].rstrip() + "\u00a0%" if value.endswith("%") else value
    told = translate(code, value)
    if told == value and ", " in value:  # a list of words
        return ", ".join(translate(code, each) for each in value.split(", "))
    return told


class _Form(NamedTuple):
    """What recognises one filled message, and its translation.

    ``piece`` is its longest stretch without a placeholder, looked for first since that is quick. ``own`` are
    the characters beside placeholders of a message that begins with one, which must not fit whatever ends
    like it; 0 of others.
    """

    piece: str
    own: int
    pattern: re.Pattern[str]
    translation: str


@cache
def _forms(code: str) -> tuple[_Form, ...]:
    """Those of all messages with placeholders; with most words of their own first."""
    found: list[tuple[int, _Form]] = []
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
        form = _Form(max(pieces, key=len), own, _pattern(english), str(message))
        found.append((len(literal), form))
    return tuple(form for _, form in sorted(found, key=lambda each: -each[0]))


def _pattern(english: str) -> re.Pattern[str]:
    """Fits the message however it is filled, alike wherever a placeholder stands again."""
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


@cache
def _counted(code: str) -> dict[str, str]:
    """Nouns as they stand after a count, by their English."""
    found: dict[str, str] = {}
    for message in source(code):
        forms = message.string
        if message.pluralizable and isinstance(forms, tuple) and all(forms) and "%" not in message.id[0]:
            found.update(zip(message.id, forms, strict=False))
    return found
