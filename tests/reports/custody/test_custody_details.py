"""Details of entries of the custody log, as pages and reports name them."""

from __future__ import annotations

from language import translation
from reports.custody.custody_section import NAMES, details_in_words
from reports.inputs.case import CaseDetails


def test_every_case_detail_is_among_the_names_that_are_translated() -> None:
    assert {name.replace("_", " ") for name in CaseDetails.model_fields} <= set(NAMES)


def test_reviewers_are_shown_by_name() -> None:
    details = {"case": 4, "first": "ada", "second": "ben", "named": "2 3 0 judgements"}
    assert dict(details_in_words(details)) == {"case": "4", "first": "ada", "second": "ben"}
    with translation.speaking("de"):
        assert "niemand" in dict(details_in_words({"case": 4, "named": "nobody"})).values()
