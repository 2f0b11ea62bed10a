"""Text for searches: without case and accents, in Python and in both databases."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from sqlalchemy import String
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

_MARKS = re.compile("[\u0300-\u036f]")  # Combining Diacritical Marks; those of other scripts are letters


def fold(text: str) -> str:
    """Return a text in lower case and without accents, decomposed (NFD)."""
    lower = text.lower()
    return lower if lower.isascii() else _MARKS.sub("", unicodedata.normalize("NFD", lower))


class folded(FunctionElement[str]):  # noqa: N801 -- read as a function of SQL
    """A column like :func:`fold`; SQLite calls that (:mod:`webapp.storage.database`)."""

    type = String()
    inherit_cache = True


@compiles(folded)
def _sqlite(element: folded, compiler: SQLCompiler, **how: Any) -> str:
    return f"folded({compiler.process(element.clauses, **how)})"


@compiles(folded, "postgresql")
def _postgresql(element: folded, compiler: SQLCompiler, **how: Any) -> str:
    text = compiler.process(element.clauses, **how)
    return f"regexp_replace(normalize(lower({text}), NFD), U&'[\\0300-\\036f]', '', 'g')"
