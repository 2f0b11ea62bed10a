"""RFC 3161 timestamps of an authority, inside signatures and over files."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from reports.signing.keys import DIGEST, SigningError, run
from reports.untrusted_input import is_confidential

if TYPE_CHECKING:
    from pyhanko.sign.timestamps import TimeStamper


SUFFIX = ".tsr"  # of a token beside the file it is about
APART = timedelta(days=1)  # a clock that nobody set may be off by a time zone; further is no mistake
_TIME_OUT = 20.0  # seconds for all of an answer
_LARGEST = 100_000  # bytes of an answer
_LATE = "it did not answer in time"
T = TypeVar("T")


def authority(url: str) -> TimeStamper:
    """Return a client of the authority at an address; raise :class:`SigningError` for an invalid address."""
    if not is_confidential(url):
        raise SigningError(f"{url} is no address of a timestamp authority: it must begin with https://.")
    return _stamper(url)


def token(data: bytes, url: str) -> bytes:
    """Return a timestamp token over ``data`` (DER)."""
    digest = hashlib.sha256(data).digest()
    return bytes(run(authority(url).async_timestamp(digest, DIGEST)).dump())


def _stamper(url: str) -> TimeStamper:
    from asn1crypto import tsp
    from pyhanko.sign.timestamps import TimeStamper
    from pyhanko.sign.timestamps.common_utils import TimestampRequestError

    class Authority(TimeStamper):
        async def async_timestamp(self, message_digest: bytes, md_algorithm: str) -> Any:
            try:
                token = await super().async_timestamp(message_digest, md_algorithm)
                why = await _unfit(token, message_digest, md_algorithm)
            except TimestampRequestError as problem:
                why = " ".join(str(problem).split())[:120]
            except Exception:  # of an answer that may hold anything any: asn1crypto promises none
                why = "its answer is not a timestamp"
            if why:
                raise SigningError(f"The authority at {url} gave no timestamp: {why}.") from None
            return token

        async def async_request_tsa_response(self, req: Any) -> Any:
            body = _within(_TIME_OUT, partial(_answer, url, req.dump()))
            return tsp.TimeStampResp.load(body, strict=True)

    return Authority()


def _answer(url: str, body: bytes) -> bytes:
    """Return the answer of the authority, read with a limit on its length."""
    import requests
    import urllib3
    from pyhanko.sign.timestamps.common_utils import TimestampRequestError

    headers = {"Content-Type": "application/timestamp-query", "Accept-Encoding": "identity"}
    asking: dict[str, Any] = {"timeout": _TIME_OUT, "allow_redirects": False, "stream": True}
    ends = time.monotonic() + _TIME_OUT
    try:
        with requests.Session() as session:
            session.trust_env = False
            with session.post(url, body, headers=headers, **asking) as response:
                if response.status_code != 200:
                    raise TimestampRequestError(f"it answered {response.status_code}")
                return _read(response.raw, ends)
    except TimestampRequestError:  # an OSError as well
        raise
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as problem:
        raise TimestampRequestError(type(problem).__name__) from None


def _read(answer: Any, ends: float) -> bytes:
    """Return the bytes of an answer within the size limit and before time ``ends``."""
    from pyhanko.sign.timestamps.common_utils import TimestampRequestError

    data = b""
    while more := answer.read1(_LARGEST, decode_content=False):
        data += more
        if len(data) > _LARGEST:
            raise TimestampRequestError("its answer is too long")
        if time.monotonic() > ends:
            raise TimestampRequestError(_LATE)
    return data


def _within(seconds: float, work: Callable[[], T]) -> T:
    """Return the result of ``work`` within a time limit.

    Socket timeouts apply to each read, so a server that sends a byte now and then would never time out. The
    thread is abandoned and does not keep the process alive.
    """
    from pyhanko.sign.timestamps.common_utils import TimestampRequestError

    future: Future[T] = Future()

    def do() -> None:
        try:
            future.set_result(work())
        except Exception as problem:
            future.set_exception(problem)

    threading.Thread(target=do, name="timestamp", daemon=True).start()
    try:
        return future.result(seconds)
    except TimeoutError:
        raise TimestampRequestError(_LATE) from None


async def _unfit(made: Any, digest: bytes, algorithm: str) -> str:
    """Why a token is none of what was asked for; else evidence would be signed that nobody can verify."""
    from pyhanko.sign.validation.generic_cms import validate_tst_signed_data
    from pyhanko_certvalidator import ValidationContext

    signed = made["content"]
    content = signed["encap_content_info"]["content"].parsed
    nobody = ValidationContext(trust_roots=[], allow_fetching=False)
    status = await validate_tst_signed_data(signed, nobody, lambda name: digest if name == algorithm else b"")
    if not (status["intact"] and status["valid"]):
        return "its answer is not a timestamp of the requested data"
    if abs(content["gen_time"].native - datetime.now(UTC)) > APART:
        return "its time differs from this machine's by more than a day: set the clock"
    return ""
