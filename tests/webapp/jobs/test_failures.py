"""Explanations of failed jobs, translated and worded for the kind of job."""

from __future__ import annotations

import errno

import pytest

from language import translation
from webapp.jobs import failures
from webapp.storage.tables import JOBS

ALL = [each for each in vars(failures).values() if isinstance(each, failures.JobFailure)]


@pytest.mark.parametrize("noun", [table.noun for table in JOBS])
@pytest.mark.parametrize("failure", ALL, ids=lambda failure: failure.error[:30])
def test_failures_of_every_kind_of_job_are_translated(noun: str, failure: failures.JobFailure) -> None:
    texts = failures.failure_for(noun, failure)
    for code in set(translation.LANGUAGES) - {translation.DEFAULT}:
        with translation.speaking(code):
            assert all(translation.translated(text) != text for text in texts)


def test_full_and_read_only_disks_have_their_own_explanations() -> None:
    assert failures.explain_failure(OSError(errno.EROFS, "")) is failures.DISK_READ_ONLY
    assert failures.explain_failure(OSError(errno.ENOSPC, "")) is failures.DISK_FULL
    assert failures.explain_failure(OSError(errno.EIO, "")) is failures.UNEXPECTED


def test_a_kind_of_job_without_explanations_is_rejected() -> None:
    with pytest.raises(KeyError):
        failures.failure_for("errand", failures.UNEXPECTED)
