"""Messages whose placeholders are filled: their translation is looked up, whatever the values."""

from __future__ import annotations

import json
import pickle

import pytest

from detector.schema.formatting import N_, Message, sentences
from language.translation import Quoted, speaking, translated

EMPTY = N_("The file is empty (0 bytes). Copy or download it again.")
KIND = N_("The file is %(name)s.")


def test_a_filled_message_is_looked_up_by_its_message() -> None:
    filled = KIND % {"name": N_("a PDF document")}
    assert filled == "The file is a PDF document."
    with speaking("de"):
        assert translated(filled) == "Die Datei ist ein PDF-Dokument."
        assert translated(sentences(filled, EMPTY)).startswith(
            "Die Datei ist ein PDF-Dokument. Die Datei ist leer"
        )


def test_values_that_are_no_messages_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file may be called like a message."""
    with speaking("de"):
        assert translated(KIND % {"name": "a PDF document"}) == "Die Datei ist a PDF document."
        assert translated(KIND % {"name": "1,234.5"}) == "Die Datei ist 1.234,5."
        assert translated(KIND % {"name": Quoted("1,234.5")}) == "Die Datei ist 1,234.5."


@pytest.mark.parametrize("message", [EMPTY, KIND % {"name": N_("a PDF document")}, sentences(KIND, EMPTY)])
def test_messages_survive_errors_and_processes(message: str) -> None:
    raised = str(ValueError(message))
    copied = pickle.loads(pickle.dumps(raised))
    assert isinstance(copied, Message) and copied == raised == message
    assert json.loads(json.dumps(message)) == message
    with speaking("es"):
        assert translated(copied) == translated(message) != message
