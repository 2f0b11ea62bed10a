"""The tables of all codes in docs/exhibit.md are those of the sources."""

from __future__ import annotations

from detector.schema.causes.cause import CODES, PARAMETERS
from detector.schema.causes.tables import DOCUMENT, SUBJECTS, with_tables


def test_the_document_has_every_code() -> None:
    text = DOCUMENT.read_text("utf-8")
    assert with_tables(text) == text, "run `make schema`"
    assert {code.code for subject in SUBJECTS for code in subject} == set(CODES)
    assert set(PARAMETERS) == {name for code in CODES.values() for name in code.parameters}
