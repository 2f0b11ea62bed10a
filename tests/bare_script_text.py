"""Finds words in the scripts of pages that stand outside ``_()`` and ``ngettext()``.

A constant is looked at where people read it (``textContent``, labels, children of an element) and, anywhere
else, where it looks like a sentence. Template literals are looked at without what is put into them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from babel.messages.jslexer import Token, tokenize, unquote_string

# What looks like a sentence and is none.
ALLOWED = frozenset(
    {
        "button, a:not([hidden])",
        "input:not([type=range]):not([type=checkbox]), textarea, select, [contenteditable]",
        "button, a, summary, input, label",
        "#case-details input, #case-details select",
        ".library-file a",
        ".library-pick input",
        "select, input",
        "(prefers-reduced-motion: reduce)",
        "(prefers-color-scheme: dark)",
        "600 12px system-ui, sans-serif",
        "11px system-ui, sans-serif",
        # Names and units, the same in every language.
        "Reelproof",
        "Content-Type",
        "Accept",
        "Retry-After",
        "Content-Disposition",
        "Files",
        "GB",
        "MB",
        "kB",
    }
)
_SPEAKING = ("_", "ngettext")
# What holds for machines, though it may be several words.
_NOT_READ = frozenset({"class", "className", "headers", "d", "viewBox", "aria-keyshortcuts"})
_READ = frozenset(
    {"textContent", "innerText", "title", "alt", "placeholder", "label", "aria-label", "aria-valuetext"}
)
_TAKES_CODE = frozenset(
    {
        "querySelector",
        "querySelectorAll",
        "closest",
        "matches",
        "setRequestHeader",
        "getContext",
        "import",
        "from",
    }
)
_KEY = re.compile(r"Arrow|Escape|^Shift\+|^[A-Z]$")
_WORD = re.compile(r"[^\W\d_]{2}")
_SENTENCE = re.compile(r"[^\W\d_]{2,}[,.:;]? +[^\W\d_]|[^\W\d_]{2,} $|^ [^\W\d_]{2,}|^[A-ZÄÖÜ][a-zäöü]{2,}")
# Names of characters by Unicode, which has them in English alone
_CHARACTER_NAME = re.compile(r"[A-Z]{4,}( [A-Z]+)+(-\$\{.*\})?")
_CSS = re.compile(r"^(?:translate\w?\(|\0px)")
_PUT_IN = re.compile(r"\$\{(?:[^{}`]|\{[^{}]*\}|`[^`]*`)*\}")


def bare_script_text(folder: Path) -> list[tuple[str, int, str]]:
    """Module, line and words of each."""
    return [
        (path.relative_to(folder).as_posix(), line, text)
        for path in sorted(folder.rglob("*.js"))
        for line, text in _texts(path.read_text("utf-8"))
    ]


def _texts(source: str) -> Iterator[tuple[int, str]]:
    tokens = [part for part in tokenize(source) if part.type not in ("linecomment", "multilinecomment")]
    for at, token in enumerate(tokens):
        if token.type not in ("string", "template_string"):
            continue
        text = unquote_string(token.value) if token.type == "string" else token.value[1:-1]
        if _CHARACTER_NAME.fullmatch(text):
            continue
        if token.type == "template_string":
            if any(f"{name}(" in put for put in _PUT_IN.findall(text) for name in _SPEAKING):
                yield token.lineno, f"pybabel does not look into template literals: {text}"
            text = _PUT_IN.sub("\0", text)
        if text.strip("\0 ") in ALLOWED or _CSS.match(text) or not _WORD.search(text):
            continue
        if _is_bare(tokens, at, text):
            yield token.lineno, text.replace("\0", "…")


def _is_bare(tokens: list[Token], at: int, text: str) -> bool:
    before = [_last(token.value) for token in tokens[max(0, at - 3) : at]]
    after = tokens[at + 1].value if at + 1 < len(tokens) else ""
    called = before[-2] if before[-1:] == ["("] and len(before) > 1 else ""
    if _is_message(tokens, at) or called in _TAKES_CODE or before[-1:] == ["from"]:
        return False
    if after == ":" and before[-1:] in (["{"], [","]):  # the name of a field
        return False
    if before[-2:] in (["==", "="], ["!=", "="]):
        return False
    named = before[-2].strip("\"'") if len(before) > 1 and before[-1] in (":", "=", ",") else ""
    if named in _NOT_READ:
        return False
    if named in _READ or called in ("replaceChildren", "say", "complain") or _is_set(tokens, at):
        return True
    if called == "append":  # of an element; a form's takes a name and a value
        return after == ")"
    is_child = before[-2:] == ["}", ","] and after in (")", ",")  # el("p", {}, "words")
    return is_child or bool(_SENTENCE.search(text.replace("\0", " ")) and not _KEY.search(text))


def _last(name: str) -> str:
    """The lexer takes ``place.textContent`` for one name, and leaves question marks out."""
    return name if name[:1] in "\"'`" else name.rpartition(".")[2] or name


def _is_set(tokens: list[Token], at: int) -> bool:
    """Whether the statement sets what people read, as one of several alternatives."""
    for place in range(at - 1, 0, -1):
        if tokens[place].value in (";", "{", "}", "("):
            return False
        if tokens[place].value == "=" and _last(tokens[place - 1].value) in _READ:
            return True
    return False


def _is_message(tokens: list[Token], at: int) -> bool:
    """Whether it is an argument of ``_()`` or one of the first two of ``ngettext()``."""
    for place in range(at - 1, max(-1, at - 4), -1):
        if tokens[place].value == "(":
            return tokens[place - 1].value in _SPEAKING
        if tokens[place].type not in ("string",) and tokens[place].value != ",":
            return False
    return False
