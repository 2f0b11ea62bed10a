"""What pages print of a job while scripts follow it."""

from __future__ import annotations

from reports.text.translation import language
from webapp.pages.job_words import in_words


def test_words_are_in_the_language_of_the_page_and_the_rest_is_not() -> None:
    status = {"state": "running", "stage": "finding and scoring faces"}
    assert in_words(status) == status | {"words": {"stage": "Finding and scoring faces"}}
    with language.speaking("de"):
        assert in_words(status) == status | {"words": {"stage": "Gesichter werden gesucht und bewertet"}}


def test_a_failure_without_a_remedy_has_an_empty_one() -> None:
    status = {"state": "failed", "stage": "reading", "error": "The file is empty.", "remedy": None}
    assert in_words(status)["words"]["remedy"] == ""
