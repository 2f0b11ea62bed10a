"""What goes wrong between here and the store, as what people are told of it.

s3fs raises errors of botocore, of aiohttp and of the system, each with S3's own code or without one.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from reports.text.translation.language import gettext
from webapp.errors import StoreError

log = logging.getLogger(__name__)

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
_OF_DISK_HERE = (*_DISK_FULL, errno.EROFS)
_NO_ENTRY = frozenset(
    {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "401", "403"}
)
_FULL = frozenset({"XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "QuotaExceeded", "507"})


@contextmanager
def in_words(url: str, endpoint: str | None) -> Iterator[None]:
    """Say in words what is wrong with the store at ``url``: raises :class:`StoreError`.

    ``FileNotFoundError`` stays what it is, and so does the ``OSError`` of a disk here that is full or
    read-only.
    """
    try:
        yield
    except (StoreError, InterruptedError):
        raise
    except Exception as problem:
        code = _code(problem)
        if isinstance(problem, FileNotFoundError) and code != "NoSuchBucket":
            raise
        if isinstance(problem, OSError) and problem.errno in _OF_DISK_HERE and not code:
            raise
        log.warning("%s at %s: %s", url, endpoint or "its usual address", problem)
        if code == "NoSuchBucket":
            raise StoreError(
                503,
                gettext("The store has no such bucket."),
                gettext("Make the bucket, or correct REELPROOF_STORE."),
            ) from problem
        if code in _NO_ENTRY or type(problem).__name__ in ("NoCredentialsError", "PermissionError"):
            raise StoreError(
                503,
                gettext("The store does not let Reelproof in."),
                gettext(
                    "Correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or what their owner "
                    "may do there: read, write, list, delete."
                ),
            ) from problem
        if code in _FULL:
            raise StoreError(
                507, gettext("The store is full."), gettext("Make room there, then try again.")
            ) from problem
        raise StoreError(
            503,
            gettext("The store cannot be reached, or failed."),
            gettext(
                "Try again in a minute. If it stays so, see that it runs, and that "
                "REELPROOF_STORE_ENDPOINT is its address."
            ),
        ) from problem


@contextmanager
def disk_full_in_words() -> Iterator[None]:
    """Raise :class:`StoreError` where this machine's disk has no room for what comes from the store."""
    try:
        yield
    except OSError as problem:
        if problem.errno not in _DISK_FULL:
            raise
        raise StoreError(
            507,
            gettext("There is not enough free disk space for what comes from the store."),
            gettext(
                "Free some space on the disk that holds Reelproof's data; `python -m webapp "
                "clear-cache` removes from it what the store has."
            ),
        ) from problem


def _code(problem: BaseException) -> str:
    """S3's own code of an error, which s3fs wraps; empty where it did not come from there."""
    for error in (problem, problem.__cause__):
        response = getattr(error, "response", None)
        if isinstance(response, dict):
            return str(response.get("Error", {}).get("Code", ""))
    return ""
