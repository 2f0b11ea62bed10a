"""Style sheets follow the direction of writing: sides are start and end, never left and right."""

from __future__ import annotations

import re
from pathlib import Path

from detector.files import ROOT

_PHYSICAL = re.compile(
    r"(?:margin|padding|border)-(?:left|right)\b"
    r"|border-(?:top|bottom)-(?:left|right)-radius"
    r"|(?<![\w-])(?:left|right)\s*:"
    r"|(?:text-align|float|clear)\s*:\s*(?:left|right)\b"
)
# Time runs from left to right in every language; what is centred has no side.
EXCEPTIONS = {
    "static/css/desk.css": {
        ".playhead": "placed at its time",
        ".playhead::before": "the head of the line above",
        ".lanes-tip": "placed beside the pointer on the timeline",
        ".toast": "centred",
    },
}


def _rules(text: str) -> list[tuple[str, str]]:
    """Selector and declarations of each rule, those inside at-rules too."""
    bare = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    return [(match[1].strip(), match[2]) for match in re.finditer(r"([^{};]+)\{([^{}]*)\}", bare)]


def _physical(path: Path) -> set[str]:
    return {
        selector
        for selector, declarations in _rules(path.read_text("utf-8"))
        if _PHYSICAL.search(declarations)
    }


def test_no_sheet_names_left_and_right_but_where_every_language_does() -> None:
    sheets = [*(ROOT / "static").rglob("*.css"), *(ROOT / "templates").rglob("*.css")]
    assert len(sheets) > 20
    violations = {path.relative_to(ROOT).as_posix(): _physical(path) for path in sheets}
    named = {name: set(rules) for name, rules in EXCEPTIONS.items()}
    assert {name: rules for name, rules in violations.items() if rules} == named


def test_the_check_finds_physical_sides(tmp_path: Path) -> None:
    sheet = tmp_path / "a.css"
    sheet.write_text(
        "a { margin-left: 1em } @media print { b { text-align: right } }\n"
        "c { left: 0 } d { margin-inline-start: 0; text-align: start; border-top-left-radius: 1px }\n"
        "e { inset-inline-start: 0; justify-content: left } /* f { right: 0 } */"
    )
    assert _physical(sheet) == {"a", "b", "c", "d"}
