"""Documents: the index is complete, links lead somewhere, and files and modules they name exist."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

import detector
from detector.files import ROOT
from detector.schema.analysis import SCHEMA_VERSION
from detector.schema.model import LEFT_OUT_FOUND
from language.languages import DEFAULT, LANGUAGES

DOCS, TRAINING_DOCS = ROOT / "docs", ROOT / "training" / "docs"
DOCUMENTS = sorted(
    [
        path
        for folder in (ROOT, DOCS, ROOT / "models", ROOT / "training", TRAINING_DOCS)
        for path in folder.glob("*.md")
    ],
    key=lambda path: path.as_posix(),
)


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


_FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]+`")
_LINK = re.compile(r"\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"")
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
_PACKAGES = "cli|detector|language|reports|training|verification|webapp"
_PATH = re.compile(
    rf"(?<![\w./-])((?:{_PACKAGES}|tests|templates|static|docs|models)/[\w./-]*\w/?)(?![\w*<{{])"
)
_NAME_IN_FILE = re.compile(rf"`(\w+)` in `((?:{_PACKAGES})/[\w/]+\.py)`")
_UNNAMED = {
    "webapp/storage/migrations/versions": "numbers in the names are the order; Alembic reads them alone",
}
"""Folders whose modules need no docstring, and why."""
_MODULE = re.compile(rf"(?<![\w./-])((?:{_PACKAGES}|tests)(?:\.[a-z_]\w*)+)\b")
_BARE_FILE = re.compile(r"`(\w+\.(?:py|js|html|css))`")
_FOLDER = re.compile(rf"`((?:{_PACKAGES}|tests|templates|static)/[\w/]+?)/?`")


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def anchors(document: Path) -> set[str]:
    """The addresses of a document's headings, as GitHub makes them."""
    headings = _HEADING.findall(_FENCED.sub("", text(document)))
    words = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in headings)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in words}


def links(document: Path) -> list[str]:
    prose = _CODE.sub("", _FENCED.sub("", text(document)))
    return [first or second for first, second in _LINK.findall(prose)]


@pytest.mark.parametrize(
    ("index", "folder"),
    [(DOCS / "index.md", DOCS), (ROOT / "training" / "README.md", TRAINING_DOCS)],
    ids=name,
)
def test_every_document_is_in_the_index(index: Path, folder: Path):
    listed = re.findall(r"^- \[[^\]]+\]\(([^)#]+)\): \S", text(index), re.MULTILINE)
    assert len(listed) == len(set(listed)), "a document is listed twice"
    there = {path.resolve() for path in folder.rglob("*.md")} - {index}
    assert there - {(index.parent / link).resolve() for link in listed} == set(), "list these in the index"


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_relative_links_resolve(document: Path):
    broken = []
    for link in links(document):
        if re.match(r"[a-z]+:", link):
            continue
        address, _, anchor = link.partition("#")
        target = (document.parent / address).resolve() if address else document
        if not target.exists() or anchor and target.suffix == ".md" and anchor not in anchors(target):
            broken.append(link)
    assert broken == []


def exists(module: str) -> bool:
    """Whether a dotted name is a package, a module, or a name that a module defines."""
    parts = module.split(".")
    if ROOT.joinpath(*parts).is_dir() or module in {path.name for path in DOCUMENTS}:
        return True
    for length in range(len(parts), 0, -1):
        base = ROOT.joinpath(*parts[:length])
        source = base.with_suffix(".py") if base.with_suffix(".py").is_file() else base / "__init__.py"
        if not source.is_file():
            continue
        if length == len(parts):
            return True
        return re.search(rf"\b{re.escape(parts[length])}\b", text(source)) is not None
    return False


def test_labels_of_the_review_desk_are_those_of_the_pages():
    """What the page for people who are no programmers sets in italics stands on the pages, word for word."""
    labels = re.findall(r"(?<!\*)\*([^*\n]+)\*(?!\*)", text(DOCS / "review-desk.md"))
    shown = set()
    for catalogue in sorted((ROOT / "translations" / "de").rglob("*.po")):
        with catalogue.open("rb") as file:
            shown |= {message.id for message in read_po(file) if isinstance(message.id, str)}
    shown |= {words[:1].upper() + words[1:] for words in shown}  # as verdicts are set
    assert len(labels) > 50
    assert set(labels) - shown - {"+", "−", "?"} == set()


def test_no_conflict_of_a_merge_was_left_in():
    marks = re.compile(r"^(<{7}|>{7}) ", re.MULTILINE)
    assert [document.name for document in DOCUMENTS if marks.search(text(document))] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_files_and_modules_it_names_exist(document: Path):
    if document.name in ("CHANGELOG.md", "experiments.md"):
        return  # they speak of earlier versions
    words = re.sub(r"\]\([^)]*\)", "]", text(document))  # links are checked as links
    paths = {path for path in _PATH.findall(words) if "." in path or path.endswith("/")}
    paths -= {"models/NAME.md"}  # stands for any name
    missing = {path for path in paths if not (ROOT / path).exists()}
    missing |= {module for module in _MODULE.findall(words) if not exists(module)}
    assert missing == set()


def test_every_module_says_what_it_is_for():
    """docs/ARCHITECTURE.md leads newcomers to the first lines of modules."""
    silent = [
        name(path)
        for package in ("cli", "detector", "language", "reports", "training", "verification", "webapp")
        for path in (ROOT / package).rglob("*.py")
        if name(path.parent) not in _UNNAMED and path.name != "__init__.py"
        if not ast.get_docstring(ast.parse(text(path)))
    ]
    assert silent == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_what_it_says_is_in_a_file_is_there(document: Path):
    """As in `weakness` in `webapp/accounts/passwords.py`."""
    wrong = [
        match[0]
        for match in _NAME_IN_FILE.finditer(text(document))
        if not re.search(rf"\b{match[1]}\b", text(ROOT / match[2]))
    ]
    assert not wrong, f"{name(document)} names what is not there: {', '.join(wrong)}"


@pytest.mark.parametrize("document", [DOCS / "ARCHITECTURE.md"], ids=name)
def test_a_file_named_without_its_folder_lies_in_one_that_its_section_names(document: Path):
    """As in “beside it”: a module that was renamed must not leave the name of another one there."""
    astray = []
    for section in re.split(r"^## ", text(document), flags=re.MULTILINE):
        folders = {ROOT / path for path in _FOLDER.findall(section)}
        folders |= {(ROOT / path).parent for path in _PATH.findall(section) if "." in path}
        folders |= {ROOT / place for place in ("tests", "docs", "detector")}
        below = {
            folder / part
            for folder in folders
            for part in re.findall(r"`([a-z]\w+)/\w+\.py`", section)
            if (folder / part).is_dir()
        }
        astray += [
            file
            for file in _BARE_FILE.findall(section)
            if file != "__init__.py" and not any((folder / file).exists() for folder in folders | below)
        ]
    assert astray == []


def test_the_front_door_stays_short():
    words = len(text(ROOT / "README.md").split())
    assert words <= 700, f"README.md has {words} words; the rest belongs in docs/"
    words = len(text(DOCS / "ARCHITECTURE.md").split())
    assert words <= 3000, f"docs/ARCHITECTURE.md has {words} words; details belong in other documents"


def test_the_front_door_imports_what_is_there():
    (example,) = re.findall(r"^```python\n(.*?)^```", text(ROOT / "README.md"), re.MULTILINE | re.DOTALL)
    (line,) = re.findall(r"^from detector import (.+)$", example, re.MULTILINE)
    assert set(line.split(", ")) <= set(detector.__all__)
    assert all(callable(getattr(detector, symbol)) for symbol in line.split(", "))


def test_the_front_door_says_what_the_card_says():
    card = json.loads(text(ROOT / "models" / "second-look" / "reelproof.json"))
    program = "whole program, 241 develop clips, "
    of = {name.removeprefix(program): figure for name, figure in card["figures"].items()}
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \|[^|]*\|$", text(ROOT / "README.md"), re.MULTILINE)
    table = dict(rows)
    left_out = {name.removeprefix("pages left out, "): figure for name, figure in card["figures"].items()}
    cell = table["the same: AUC; inside a page"]
    assert cell == f"{left_out['AUC']:.2f}; {left_out['AUC inside pages']:.2f}"
    cell = table["the same: found where 5 % of unmanipulated clips are flagged"]
    assert cell == f"{100 * left_out[LEFT_OUT_FOUND]:.0f} %"
    cell = table["830 clips of pages left out of training, manipulated: flagged"]
    assert cell == f"{100 * left_out['manipulated ones flagged']:.0f} %"
    kinds_flagged = ("unmanipulated ones flagged", "films and stock footage, unmanipulated ones flagged")
    cell = table["the same, unmanipulated: flagged; of film, television, stock"]
    assert cell == "; ".join(f"{100 * left_out[name]:.0f} %" for name in kinds_flagged)
    flagged, inconclusive = of["manipulated ones flagged"], of["manipulated ones inconclusive"]
    cell = table["241 develop clips, manipulated: flagged; inconclusive"]
    assert cell == f"{121 * flagged:.0f} of 121; {121 * inconclusive:.0f}"
    flagged, inconclusive = of["unmanipulated ones flagged"], of["unmanipulated ones inconclusive"]
    cell = table["the same, unmanipulated: flagged; inconclusive"]
    assert cell == f"{120 * flagged:.0f} of 120; {120 * inconclusive:.0f}"
    precisions = (
        card["figures"][f"whole program, 21 partly manipulated clips, AP at tIoU {least}"]
        for least in (0.5, 0.75)
    )
    assert table["21 partly manipulated clips: AP at tIoU 0.5; 0.75"] == "; ".join(
        f"{precision:.2f}" for precision in precisions
    )
    kinds = {"generated": 59, "composites": 20, "photographs": 80}
    flagged = [
        f"{count * card['figures'][f'stills test, flagged, {kind}']:.0f} of {count}"
        for kind, count in kinds.items()
    ]
    cell = table["159 photographs: generated ones flagged; retouched ones; unmanipulated ones"]
    assert cell == "; ".join(flagged)


def test_pictures_are_small_and_used():
    used = {(document.parent / link).resolve() for document in DOCUMENTS for link in links(document)}
    pictures = sorted((DOCS / "images").iterdir())
    assert pictures
    assert [name(path) for path in pictures if path.stat().st_size > 400_000] == []
    assert [name(path) for path in pictures if path.resolve() not in used] == []


def test_every_script_that_a_page_names_is_in_the_table_of_scripts():
    pages = "".join(text(path) for path in (ROOT / "templates").rglob("*.html"))
    named = {f"static/{path}" for path in re.findall(r"asset\('(js/[\w/]+\.js)'\)", pages)}
    listed = re.findall(r"^\|[^|]*\| `(static/js/[\w/]+\.js)`", text(DOCS / "webapp.md"), re.MULTILINE)
    assert named and set(listed) - {"static/js/review/offline.js"} == named, "see docs/webapp.md#scripts"


def test_the_page_about_the_result_names_the_version_of_its_schema():
    """New fields are described there: whoever raises the version reads it again."""
    assert re.findall(r"\(schema (\d+\.\d+),", text(DOCS / "exhibit.md")) == [SCHEMA_VERSION]


def test_who_names_one_language_by_its_code_names_all():
    codes = LANGUAGES.keys() - {DEFAULT}
    code = re.compile(rf"(?:`|language[= ])({'|'.join(codes)})\b")
    named = {
        f"{name(document)}:{number}": set(code.findall(line))
        for document in DOCS.glob("*.md")
        for number, line in enumerate(text(document).splitlines(), 1)
        if code.search(line) and not line.startswith("    ")
    }
    assert len(named) > 2
    assert {place: codes - there for place, there in named.items() if there != codes} == {}
