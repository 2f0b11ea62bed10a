"""Finds words in Jinja templates that stand outside ``_()`` and ``{% trans %}``.

Text comes from the template's syntax tree; what stands in ``{% trans %}`` is no text there. Words are looked
for in elements and in the attributes that people read, and among the constants that expressions may print.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from jinja2 import Environment, nodes

# Names, formats and what is the same in every language.
ALLOWED = frozenset(
    {
        "Reelproof", "SHA-256", "PDF", "HTML", "JSON", "CSV", "EDL", "OTIO", "API", "px", "py", "logit",
        "PTS", "IPTC", "C2PA", "EXIF", "AUC", "Hz", "kB", "MB", "GB", "UTC", "HH:MM:SS.mmm", "analysis.json",
        "manifest.json", "JPEG", "MP4", "WebVTT", "Parquet", "safetensors", "ms", "fps", "Cllr",
        "true", "false", "still", "check-confirmed", "check-unconfirmed",  # in attributes
    }
)  # fmt: skip
# For who trains models and who writes programs: English
LEFT_OUT = ("evaluation/", "rest/api.html")
_WORD = re.compile(r"[A-Za-z]{2}")
_READ = re.compile(r'\b(?:aria-label|title|placeholder|alt)="([^"]*)"')
_NOT_READ = re.compile(
    r"<(style|script|code|kbd)\b.*?</\1>|<!--.*?-->|<[^<>]*>|&\w+;|\b[a-z]+(?:[-_.]\w+)+\b", re.S
)


def bare_text(folder: Path) -> list[tuple[str, int, str]]:
    """Template, line and words of each."""
    environment = Environment(extensions=["jinja2.ext.i18n"], trim_blocks=True, lstrip_blocks=True)
    rows = []
    for path in sorted(folder.rglob("*.html")):
        name = path.relative_to(folder)
        if name.as_posix().startswith(LEFT_OUT):
            continue
        for line, text in _texts(environment.parse(path.read_text("utf-8"))):
            rows.append((str(name), line, text))
    return rows


def _texts(tree: nodes.Template) -> Iterator[tuple[int, str]]:
    """The words of the markup as it reads from top to bottom, whatever decides what is shown."""
    markup = ""
    constants: list[tuple[int, str]] = []
    lines = [(0, 1)]  # where in the markup a line of the template begins
    for node in _in_order(tree):
        if isinstance(node, nodes.TemplateData):
            lines.append((len(markup), node.lineno))
            markup += node.data
        else:
            markup += "\0"
            constants += [(node.lineno, text) for text in _printed(node)]

    def line(at: int) -> int:
        place, number = next(entry for entry in reversed(lines) if entry[0] <= at)
        return number + markup.count("\n", place, at)

    for match in _READ.finditer(markup):
        yield from _words(line(match.start()), match[1].replace("\0", " "))
    blank = _NOT_READ.sub(lambda match: "\v" * len(match[0]), markup)
    for piece in re.finditer(r"[^\v\n]+", blank):
        yield from _words(line(piece.start()), piece[0].replace("\0", " "))
    for number, text in constants:
        yield from _words(number, text)


def _in_order(node: nodes.Node) -> Iterator[nodes.Expr]:
    """Text and printed expressions, in the order of the source."""
    if isinstance(node, nodes.Block) and node.name == "layout":  # names of classes
        return
    if isinstance(node, nodes.Output):
        yield from node.nodes
        return
    for child in node.iter_child_nodes():
        if isinstance(child, nodes.Stmt):
            yield from _in_order(child)


def _words(line: int, text: str) -> Iterator[tuple[int, str]]:
    left = " ".join(word for word in text.split() if word.strip("(),.:;…·") not in ALLOWED)
    if _WORD.search(left):
        yield line, left


def _printed(node: nodes.Expr) -> Iterator[str]:
    """Constants that an expression may print: alternatives, joined texts, defaults."""
    match node:
        case nodes.Const(value=str() as text):
            yield text
        case nodes.CondExpr():
            yield from _printed(node.expr1)
            if node.expr2 is not None:
                yield from _printed(node.expr2)
        case nodes.Concat():
            for operand in node.nodes:
                yield from _printed(operand)
        case nodes.Or() | nodes.And() | nodes.Add():
            yield from _printed(node.left)
            yield from _printed(node.right)
        case nodes.Filter(node=nodes.Expr() as inner):
            yield from _printed(inner)
