"""Zero-width joiners: allowed where they belong, found where they hide something."""

from __future__ import annotations

import re
import unicodedata

import pytest

from detector.schema.formatting import (
    _SCRIPTS,
    _VIRAMAS,
    comparison_key,
    find_invisible,
    joiner_positions,
    printable,
)

WRITTEN = [
    "می\u200cخواهم",
    "ع\u200cل\u200cی",
    "ශ්\u200dරී",
    "र्\u200dय",
    "രാജന്\u200d",
    "അവന്\u200d നാല്\u200d.mp4",
    "അത്\u200c",
    "ক্\u200d২",
    "👩🏽\u200d🔬",
    "❤️\u200d🔥",
    "🙂\u200d↔️",
]
HIDDEN = [
    "a\u200cb",
    "രാജന\u200d",
    "Анна\u200d",
    "Ан\u200cна",
    "\u200cمی",
    "می\u200c",
    "می\u200c\u200cخ",
    "می\u200c\u200dخ",
    "می\u200c خ",
    "PDF\u200cها",
    "۲\u200c۳",
    "😀\u200c😀",
    "😀\u200d",
    "a\ufe0f\u200d😀",
    "漢\u200d字",
    "\u0600\u200cی",  # another invisible character of the same block
]


@pytest.mark.parametrize("text", WRITTEN)
def test_joiners_are_accepted_in_scripts_and_emoji(text):
    assert len(joiner_positions(text)) == sum(char in "\u200c\u200d" for char in text)
    assert printable(text) == text and find_invisible(text) == ""


@pytest.mark.parametrize("text", HIDDEN)
def test_joiners_elsewhere_are_escaped(text):
    assert joiner_positions(text) == set()
    assert find_invisible(text).startswith("U+")
    assert "\u200c" not in printable(text) and "\u200d" not in printable(text)


def test_second_joiner_after_a_virama_is_escaped():
    assert joiner_positions("രാജന്\u200d\u200d") == {5} and find_invisible("രാജന്\u200d\u200d") == "U+200D"


def test_viramas_are_those_of_the_scripts():
    within = [chr(code) for code in range(0x3000) if re.match(f"[{_SCRIPTS}]", chr(code))]
    assert list(_VIRAMAS) == [char for char in within if unicodedata.combining(char) == 9]


def test_first_invisible_character_is_named():
    assert find_invisible("می\u200cخ a\u200bb\u202e") == "U+200B"
    assert find_invisible("a\tb") == "U+0009" and find_invisible("tag\U000e0041") == "U+E0041"
    assert find_invisible("Zoë 漢字 😀") == ""


def test_comparison_ignores_invisible_characters():
    assert comparison_key("രാജന്\u200d") == comparison_key("രാജന്")
    assert comparison_key("علی\u200cرضا") == comparison_key("علیرضا") != comparison_key("علی رضا")
    assert comparison_key("ADA ❤️") == comparison_key("Ada ❤")
