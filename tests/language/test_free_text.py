"""Texts that people wrote, made fit to be kept."""

from __future__ import annotations

import sys
import unicodedata

import pytest

from detector.files import ROOT
from language import names
from language.names import normalized

MARKS = "\u0315\u0300"  # in the other order they are kept in


@pytest.fixture
def lengths(monkeypatch) -> list[int]:
    """How long the texts are that are normalised."""
    seen: list[int] = []
    normalize = unicodedata.normalize
    monkeypatch.setattr(unicodedata, "normalize", lambda form, s: seen.append(len(s)) or normalize(form, s))
    return seen


def test_a_text_is_cut_before_it_is_normalised(lengths):
    assert normalized("a" + MARKS * 50_000, 40, "NFKC").startswith("à\u0300")
    assert normalized("\ufdfa" * 50_000, 40, "NFKC") == (unicodedata.normalize("NFKC", "\ufdfa") * 3)[:41]
    assert max(lengths) <= 4 * 41


def test_a_long_text_is_cut_one_character_after_its_limit():
    assert normalized("  cafe\u0301 ", 4) == "caf\u00e9"
    assert normalized("x" * 40, 40) == "x" * 40
    assert normalized("x" * 400, 40) == "x" * 41
    assert normalized("\u03b1\u0313\u0300\u0345" * 41, 40) == "\u1f82" * 41


@pytest.mark.parametrize("form", ["NFC", "NFKC"])
def test_no_character_is_composed_of_more_than_the_cut_leaves_room_for(form):
    composed = (char for char in map(chr, range(sys.maxunicode + 1)) if unicodedata.is_normalized(form, char))
    assert max(len(unicodedata.normalize("NFD", char)) for char in composed) == names._COMPOSED_OF


def test_nothing_else_normalises_texts():
    """But for what compares texts and keeps none: skeletons of names, and searches."""
    sources = (
        path
        for top in ("cli", "detector", "language", "reports", "verification", "webapp")
        for path in (ROOT / top).rglob("*.py")
    )
    modules = {path.name for path in sources if "unicodedata.normalize" in path.read_text()}
    assert modules == {"names.py", "lookalikes.py", "folded_text.py"}
