"""Trusted time: timestamps of an authority (RFC 3161) inside signatures, and over a file of its own.

Nothing is asked for unless an address is given. Only a SHA-256 leaves the machine, to that address alone: by
https (http to this machine only), without redirects and proxies.
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Any

from reports.plain_http import is_confidential
from reports.signing.keys import DIGEST, SigningError, run

if TYPE_CHECKING:
    from pyhanko.sign.timestamps import TimeStamper

SUFFIX = ".tsr"  # of a token beside the file it is about
_TIME_OUT = 20.0  # seconds
_LARGEST = 100_000  # bytes of an answer


def authority(url: str) -> TimeStamper:
    """What asks the authority at an address; raises :class:`SigningError` for what can be none."""
    if not is_confidential(url):
        raise SigningError(f"{url} is no address of a timestamp authority: it must begin with https://.")
    return _stamper(url)


def token(data: bytes, url: str) -> bytes:
    """A timestamp token over ``data``, DER."""
    digest = hashlib.sha256(data).digest()
    return bytes(run(authority(url).async_timestamp(digest, DIGEST)).dump())


def _stamper(url: str) -> TimeStamper:
    import requests
    from asn1crypto import tsp
    from pyhanko.sign.timestamps import TimeStamper
    from pyhanko.sign.timestamps.common_utils import TimestampRequestError

    class Authority(TimeStamper):
        async def async_timestamp(self, message_digest: bytes, md_algorithm: str) -> Any:
            try:
                return await super().async_timestamp(message_digest, md_algorithm)
            except TimestampRequestError as problem:
                why = " ".join(str(problem).split())[:120]
                raise SigningError(f"The authority at {url} gave no timestamp: {why}.") from None

        async def async_request_tsa_response(self, req: Any) -> Any:
            return await asyncio.to_thread(self._ask, req.dump())

        def _ask(self, body: bytes) -> Any:
            kind = {"Content-Type": "application/timestamp-query"}
            try:
                with requests.Session() as session:
                    session.trust_env = False
                    answer = session.post(url, body, headers=kind, timeout=_TIME_OUT, allow_redirects=False)
            except (OSError, requests.RequestException) as problem:
                raise TimestampRequestError(f"{type(problem).__name__}") from problem
            if answer.status_code != 200 or len(answer.content) > _LARGEST:
                raise TimestampRequestError(f"it answered {answer.status_code}")
            try:
                return tsp.TimeStampResp.load(answer.content, strict=True)
            except ValueError:
                raise TimestampRequestError("its answer is no timestamp") from None

    return Authority()
