"""docs/asvs.csv has every requirement of the standard once, and names files that exist."""

from __future__ import annotations

import csv
import re
from collections import Counter

import pytest

from detector.files import ROOT

SUMMARY = (ROOT / "docs" / "asvs.md").read_text(encoding="utf-8")
TABLE = ROOT / "docs" / "asvs.csv"
TEXT = TABLE.read_text(encoding="utf-8")
LIST = ROOT.parent / "shared" / "refs" / "asvs-5.0-levels-1-2.csv"
_FILE = re.compile(
    r"`((?:webapp|reports|verification|language|cli|detector|tests|docs|static|templates)/[\w/]+\.\w+)`"
)


def rows() -> list[tuple[str, str, str]]:
    """Requirement, status and reason; a row about several ("V4.4.1 to V4.4.4") yields each of them."""
    expanded = []
    with TABLE.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            first, _, last = row["point"].partition(" to ")
            section, _, number = first.rpartition(".")
            numbers = range(int(number), int((last or first).rpartition(".")[2]) + 1)
            assert numbers, first
            expanded += [(f"{section}.{point}", row["status"], row["where_or_why"]) for point in numbers]
    return expanded


@pytest.mark.skipif(not LIST.is_file(), reason="the standard's list is not at hand")
def test_every_point_has_a_row():
    with LIST.open(encoding="utf-8", newline="") as file:
        points = {row["req_id"] for row in csv.DictReader(file)}
    assert len(points) > 250
    assert {row[0] for row in rows()} == points


def test_every_row_says_something_once():
    table = rows()
    assert len(table) > 250
    assert [point for point, count in Counter(row[0] for row in table).items() if count > 1] == []
    assert {row[1] for row in table} == {"met", "part", "no", "n/a"}
    assert [row for row in table if len(row[2]) < 3] == []


def test_the_summary_names_what_is_not_met():
    summary = SUMMARY.partition("\n## What is not met, or in part\n")[2]
    named = [(point, "no" if rest else "part") for point, rest in re.findall(r"(V[\d.]+)( \(no\))?", summary)]
    assert sorted(named) == sorted((point, state) for point, state, _ in rows() if state in ("no", "part"))


def test_the_summary_counts_the_rows():
    counts = Counter(status for _, status, _ in rows())
    printed = dict(re.findall(r"^\| (met|part|no|n/a) \| (\d+) \|", SUMMARY, re.MULTILINE))
    assert {status: int(count) for status, count in printed.items()} == counts


def test_what_is_used_is_not_called_inapplicable():
    """Of tokens and of encryption the app has something to say while it decodes and encrypts."""
    modules = (ROOT / "webapp").rglob("*.py")
    code = "\n".join(path.read_text(encoding="utf-8") for path in modules)
    assert "jwt.decode(" in code and "AESGCM(" in code  # otherwise these rows may change
    states = {point: state for point, state, _ in rows() if point.startswith(("V9.", "V11.3."))}
    assert len(states) == 10
    assert {point for point, state in states.items() if state == "n/a"} == {"V9.2.4"}  # issuers alone


def test_files_it_names_exist():
    named = set(_FILE.findall(TEXT))
    assert len(named) > 30
    assert {name for name in named if not (ROOT / name).is_file()} == set()
    linked = re.findall(r"\]\(([\w.]+\.md)\)", TEXT)
    assert {name for name in linked if not (ROOT / "docs" / name).is_file()} <= {"custody.md"}


def test_no_sentence_of_the_standard_is_copied():
    if not LIST.is_file():
        pytest.skip("the standard's list is not at hand")
    with LIST.open(encoding="utf-8", newline="") as file:
        sentences = [row["req_description"] for row in csv.DictReader(file)]
    assert not any(sentence[:60] in TEXT for sentence in sentences)
