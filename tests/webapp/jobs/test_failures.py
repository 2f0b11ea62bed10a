"""What people are told of failed jobs: in their language, in the words of the kind of job."""

from __future__ import annotations

import errno

import pytest

from reports.language import translation
from webapp.jobs import failures
from webapp.storage.tables import JOBS

ALL = [each for each in vars(failures).values() if isinstance(each, failures.JobFailure)]


@pytest.mark.parametrize("noun", [table.noun for table in JOBS])
@pytest.mark.parametrize("failure", ALL, ids=lambda failure: failure.error[:30])
def test_every_kind_of_job_fails_in_words_of_the_language_spoken(
    noun: str, failure: failures.JobFailure
) -> None:
    told = failures.failure_for(noun, failure)
    for code in set(translation.LANGUAGES) - {translation.DEFAULT}:
        with translation.speaking(code):
            assert all(translation.translated(text) != text for text in told)


def test_a_disk_that_takes_nothing_is_told_from_what_nobody_foresaw() -> None:
    assert failures.explain_failure(OSError(errno.EROFS, "")) is failures.DISK_READ_ONLY
    assert failures.explain_failure(OSError(errno.ENOSPC, "")) is failures.DISK_FULL
    assert failures.explain_failure(OSError(errno.EIO, "")) is failures.UNEXPECTED


def test_a_kind_of_job_without_words_is_noticed() -> None:
    with pytest.raises(KeyError):
        failures.failure_for("errand", failures.UNEXPECTED)
