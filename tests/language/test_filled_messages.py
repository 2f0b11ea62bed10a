"""Filled messages are found again, in time that grows no faster than the text, whatever somebody wrote."""

from __future__ import annotations

import re
from itertools import cycle, islice

import pytest

from language import filled_messages, translation
from language.filled_messages import _Form, _forms, _placeholders

LANGUAGES = [code for code in translation.LANGUAGES if code != translation.DEFAULT]
FILLED = (("12.5",), ("Person A", "3"), ("", "x"), ("a, b; c: d", "(y) to 5", "no. Such"), ("line\nbreak",))


def by_expression(form: _Form, text: str) -> dict[str, str] | None:
    """What stands for the placeholders, by a regular expression that tries all ways."""
    expression = re.escape(form.pieces[0])
    named: set[str] = set()
    for name, piece in zip(form.names, form.pieces[1:], strict=True):
        expression += f"(?P={name})" if name in named else f"(?P<{name}>.*?)"
        expression += re.escape(piece)
        named.add(name)
    match = re.fullmatch(expression, text, re.DOTALL)
    return None if match is None else match.groupdict()


def filled(form: _Form, values: tuple[str, ...]) -> str:
    names = list(dict.fromkeys(form.names))
    fillings = dict(zip(names, islice(cycle(values), len(names)), strict=True))
    return form.pieces[0] + "".join(
        fillings[name] + piece for name, piece in zip(form.names, form.pieces[1:], strict=True)
    )


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_message_is_taken_apart_as_an_expression_takes_it(code: str) -> None:
    matches = 0
    for form in _forms(code):
        for values in FILLED:
            text = filled(form, values)
            # One with a placeholder that stands twice is not tried again further on.
            twice = f"{text} {text}" if len(set(form.names)) == len(form.names) else text
            for candidate in (text, twice, text[1:], text[:-1], "".join(form.pieces)):
                expected = by_expression(form, candidate)
                assert _placeholders(form, candidate) == expected, candidate
                matches += expected is not None
    assert matches > 5 * len(_forms(code))


def test_a_repeated_placeholder_has_one_value() -> None:
    form = next(form for form in _forms("de") if len(set(form.names)) < len(form.names))
    values = {name: f"value {number}" for number, name in enumerate(dict.fromkeys(form.names), 1)}
    text = filled(form, tuple(values.values()))
    assert _placeholders(form, text) == values
    repeated = next(name for name in form.names if form.names.count(name) > 1)
    assert _placeholders(form, text.replace(values[repeated], "other", 1)) is None


class Counted(str):
    """A text that counts how often it is searched."""

    searches = 0

    def find(self, *given: object) -> int:  # type: ignore[override]
        self.searches += 1
        return super().find(*given)  # type: ignore[arg-type]


def test_a_text_is_searched_once_for_each_placeholder() -> None:
    form = max(_forms("de"), key=lambda candidate: len(candidate.names))
    text = Counted(form.pieces[0] + "".join(piece * 50 for piece in form.pieces[1:-1]) + "?")
    assert _placeholders(form, Counted(text + form.pieces[-1])) is not None
    assert _placeholders(form, text) is None and text.searches < len(form.names)


@pytest.fixture
def lookups(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that are looked up."""
    seen: list[str] = []
    look_up = filled_messages._look_up
    monkeypatch.setattr(
        filled_messages, "_look_up", lambda code, text: seen.append(text) or look_up(code, text)
    )
    return seen


@pytest.mark.parametrize(
    "text",
    [
        ", ".join(f"word{number}" for number in range(20_000)),
        " ".join(f"There is no person X{number} in this analysis." for number in range(20_000)),
        "There is no person ; A: " * 60 + "y" + " in this analysis." * 60,
        "a: " + "Bc: " * 900 + "The note is missing.",
    ],
    ids=["list", "sentences", "clauses", "names"],
)
def test_text_that_needs_too_many_lookups_stays_unchanged(text: str, lookups: list[str]) -> None:
    with translation.speaking("de"):
        assert translation.translated(text) == text
        assert len(lookups) <= filled_messages._MOST_LOOKUPS
        assert translation.translated("There is no person X in this analysis.") != text
    assert filled_messages._search.deep == 0


def test_a_finding_of_many_persons_is_translated(lookups: list[str]) -> None:
    names = [f"A{chr(65 + number)}" for number in range(26)]
    text = (
        f"Persons {', '.join(names)}: the face carries traces of manipulation; "
        f"{', '.join(f'{name}: generated face' for name in names)}."
    )
    with translation.speaking("de"):
        assert "generiertes Gesicht" in translation.translated(text)
    assert 0 < len(lookups) < filled_messages._MOST_LOOKUPS // 10


BEGIN_WITH_A_FIGURE = (
    "1 part of the picture beside the faces differs.",
    "3 parts of the picture beside the faces differ.",
    "1,234 faces, counted frame by frame, lie where the reference shows nothing.",
    "12 faces, counted frame by frame, are less than 24 pixels wide in one of the files.",
    "1 intact frame with a time not later than that of the frame before was not examined.",
    "48 intact frames with a time not later than that of the frame before were not examined.",
)


@pytest.mark.parametrize("code", LANGUAGES)
@pytest.mark.parametrize("sentence", BEGIN_WITH_A_FIGURE)
def test_sentences_may_begin_with_a_figure(code: str, sentence: str) -> None:
    """Beside others it is translated as it is alone; a message before it would take it for what it says."""
    before = "The exhibit shows one stretch of the reference, 12.0 seconds together."
    after = "No face differs by more than compression, colour and scaling explain."
    with translation.speaking(code):
        translations = [translation.translated(part) for part in (before, sentence, after)]
        assert translation.translated(f"{before} {sentence} {after}") == " ".join(translations)
        assert translation.translated(f"{sentence} {after}") == " ".join(translations[1:])
    assert not {before, sentence, after} & set(translations)


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_figure_behind_an_abbreviation_begins_no_sentence(code: str) -> None:
    with translation.speaking(code):
        text = translation.translated("There is no person approx. 3, Fig. 4 in this analysis.")
    assert "approx. 3, Fig. 4" in text and "There is" not in text
