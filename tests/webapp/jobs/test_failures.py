"""Explanations of failed jobs, translated and worded for the kind of job."""

from __future__ import annotations

import errno

import pytest

from detector.errors import MediaError
from detector.media.acceptance import refuse_other_types
from detector.schema.causes.cause import Cause
from detector.schema.causes.failures import FailureCode, brief_json, remedy_of
from language import translation
from reports.custody.custody_section import details_in_words
from webapp.jobs.failures import explain_failure, failure_for
from webapp.storage.tables import JOBS, ComparisonRow


@pytest.mark.parametrize("code", [code for code in FailureCode if not code.parameters])
def test_failures_are_translated(code: FailureCode) -> None:
    cause = code.cause()
    texts = cause.text, remedy_of(cause)
    for language in set(translation.LANGUAGES) - {translation.DEFAULT}:
        with translation.speaking(language):
            words = translation.failure_texts(cause.model_dump_json(exclude={"text"}), "", "")
        assert all(text != english for text, english in zip(words, texts, strict=True))


@pytest.mark.parametrize("noun", [table.noun for table in JOBS])
def test_failures_are_worded_for_every_kind_of_job(noun: str) -> None:
    failure = failure_for(noun, FailureCode.CRASHED.cause())
    assert failure.text.startswith("One of the two" if noun == ComparisonRow.noun else "The file crashed")
    limit = FailureCode.WALL_LIMIT.cause(wall_seconds=7200.0)
    assert failure_for(noun, limit) is limit


def test_the_message_of_an_error_is_stored_without_its_words_and_shown_in_every_language() -> None:
    with pytest.raises(MediaError) as refused:
        refuse_other_types(b"%PDF-1.7")
    failure = explain_failure(refused.value)
    stored = brief_json(failure)
    assert failure.text == str(refused.value) and "The file is a PDF document" not in stored
    with translation.speaking("de"):
        (error, remedy), (_, detail) = (
            translation.failure_texts(stored, None, None),
            *details_in_words({"error": failure.text, "cause": stored}),
        )
    assert error == detail and error.startswith("Die Datei ist ein PDF-Dokument. ") and not remedy


def test_templates_of_others_cannot_ask_for_long_texts() -> None:
    cause = Cause(code="error_message", parameters={"template": "%(a)99999999s", "fields": ("a",)})
    assert not cause.text


def test_failures_of_earlier_versions_and_unknown_codes_keep_their_sentences() -> None:
    with translation.speaking("de"):
        for failure in (None, '{"code": "of_later_version"}', "{"):
            assert translation.failure_texts(failure, "It broke.", "Mend it.") == ("It broke.", "Mend it.")


def test_full_and_read_only_disks_have_their_own_explanations() -> None:
    assert explain_failure(OSError(errno.EROFS, "")) == FailureCode.DISK_READ_ONLY.cause()
    assert explain_failure(OSError(errno.ENOSPC, "")) == FailureCode.DISK_FULL.cause()
    assert explain_failure(OSError(errno.EIO, "")) == FailureCode.UNEXPECTED_ERROR.cause()


def test_a_kind_of_job_without_explanations_is_rejected() -> None:
    with pytest.raises(KeyError):
        failure_for("errand", FailureCode.UNEXPECTED_ERROR.cause())
