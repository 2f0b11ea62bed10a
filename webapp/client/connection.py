"""Requests and responses of the API: errors, retries, JSON, pages and files."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import secrets
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, TypeVar
from urllib.parse import quote, urlencode, urljoin, urlsplit

TRIES = 5
MAX_WAIT = 600.0  # seconds: making an exhibit of the largest file takes minutes on a slow disk
# From a proxy whose server does not answer, and from a server that starts or has no database.
TRANSIENT = (502, 503, 504)
_CHUNK = 1 << 20
_BROKEN_OFF = (OSError, http.client.HTTPException)  # what the standard library raises for a broken connection
_Result = TypeVar("_Result")


class ClientError(Exception):
    """The base class of all errors of the client."""


class NotReached(ClientError):
    """Nobody answered, or the response broke off."""


class Problem(ClientError):
    """The API refused: ``status``, ``detail``, what to do (``remedy``), and invalid fields (``errors``)."""

    def __init__(self, status: int, problem: Mapping[str, Any], retry_after: float | None = None) -> None:
        self.status = status
        self.detail = str(problem.get("detail") or problem.get("title") or f"status {status}")
        self.remedy = str(problem.get("remedy", ""))
        self.errors: list[dict[str, str]] = list(problem.get("errors", ()))
        self.retry_after = retry_after
        fields = "".join(f"\n{error['where']}: {error['problem']}" for error in self.errors)
        super().__init__(f"{self.detail} {self.remedy}".strip() + fields)


class NotAllowed(Problem):
    """401 or 403: no token, one that does not work, or one without the scope."""


class NotFound(Problem):
    """404 or 410: the object does not exist, is not visible to you, or was deleted."""


class Conflict(Problem):
    """409: the request conflicts with the current state, such as a result that is not ready.

    With ``retry_after`` the first request with the same key is still in progress.
    """


class Unusable(Problem):
    """400, 413, 415 or 422: the request itself must be changed."""


class TooOften(Problem):
    """429: wait, at least for ``retry_after`` seconds if it is set."""


class AnalysisFailed(ClientError):
    """The analysis failed or was cancelled; ``analysis`` is its status."""

    def __init__(self, analysis: dict[str, Any]) -> None:
        self.analysis = analysis
        message = f"{analysis.get('error') or ''} {analysis.get('remedy') or ''}".strip()
        super().__init__(message or f"The analysis was {analysis['state']}.")


class ComparisonFailed(ClientError):
    """The comparison failed or was cancelled; ``comparison`` is its status."""

    def __init__(self, comparison: dict[str, Any]) -> None:
        self.comparison = comparison
        message = f"{comparison.get('error') or ''} {comparison.get('remedy') or ''}".strip()
        super().__init__(message or f"The comparison was {comparison['state']}.")


KINDS: dict[int, type[Problem]] = {
    **dict.fromkeys((400, 413, 415, 422), Unusable),
    **dict.fromkeys((401, 403), NotAllowed),
    **dict.fromkeys((404, 410), NotFound),
    409: Conflict,
    429: TooOften,
}


class Retries:
    """Pauses between repetitions of one request.

    The server's Retry-After is honoured, for ``max_wait`` seconds in total. Otherwise pauses grow, and the
    request is given up after so many ``tries``; without a limit of tries, after ``max_wait`` seconds as well.
    """

    def __init__(self, max_wait: float = MAX_WAIT, tries: int | None = TRIES) -> None:
        self._failures, self._tries = 0, tries
        self._until = time.monotonic() + max_wait

    def pause(self, error: NotReached | Problem, *also: int) -> None:
        """Pause before the next try; raise ``error`` if another try would not help or is one too many.

        ``also`` are further transient statuses.
        """
        wait = None
        if isinstance(error, Problem):
            wait = error.retry_after
            # These are transient only if the server says how long.
            with_delay = (409, 429) if wait is not None else ()
            if error.status not in (*TRANSIENT, *also, *with_delay):
                raise error
        if wait is None:
            self._failures += 1
            if self._failures == self._tries:
                raise error
            wait = min(0.5 * 2**self._failures, 10)
        wait = max(wait, 0.5)
        if time.monotonic() + wait > self._until:
            raise error
        time.sleep(wait)


class Connection:
    """HTTP connections to one Reelproof; the classes of calls build on this one.

    Methods raise :class:`NotReached` if nobody answers or a response breaks off, and :class:`Problem` or a
    subclass if the API refuses. Requests that only read are repeated (:class:`Retries`). A malformed token
    raises :class:`ClientError` at once.
    """

    def __init__(self, address: str = "http://127.0.0.1:8000", token: str | None = None, timeout: float = 60):
        self._root = address.rstrip("/") + "/"
        self._token = (token or "").strip()  # a token from a file ends with a line break
        if not (self._token.isascii() and self._token.isprintable()):
            # Checked here: http.client would quote the token in a message, which may go into a log.
            raise ClientError("The token contains invalid characters. Copy it again, without anything else.")
        self._timeout = timeout
        # No proxy: the traffic is evidence. No redirects: the token stays here.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects())

    def _download(self, path: str, to: str | os.PathLike[str], max_wait: float = MAX_WAIT) -> Path:
        """Fetch a file to ``to``, where it appears complete or not at all."""
        target = Path(to)
        _repeat(lambda: self._fetch(path, target), Retries(max_wait))
        return target

    def _fetch(self, path: str, target: Path) -> None:
        temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
        try:
            with self._open("GET", path) as response, temporary.open("xb") as out:
                length, received = response.headers.get("Content-Length"), 0
                while chunk := _read(response, path, _CHUNK):
                    received += out.write(chunk)
            if length is not None and received != int(length):
                raise NotReached(f"{path} broke off after {received} of {length} bytes")
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)

    def _wait_for_end(
        self,
        path: str,
        failed: Callable[[dict[str, Any]], Exception],
        timeout: float | None,
        on_progress: Callable[[dict[str, Any]], None] | None,
    ) -> dict[str, Any]:
        """Return the status of a job once it is done; raise ``failed(status)`` if it ends in another way.

        Raises ``TimeoutError`` after ``timeout`` seconds. A paused job is waited for.
        """
        until = None if timeout is None else time.monotonic() + timeout
        pause = 0.2
        while True:
            left = MAX_WAIT if until is None else until - time.monotonic()
            status = _repeat(lambda: self._json("GET", path), Retries(left, tries=None))
            if on_progress is not None:
                on_progress(status)
            if status["state"] == "done":
                return status
            if status["state"] in ("failed", "cancelled"):
                raise failed(status)
            if until is not None and time.monotonic() + pause > until:
                raise TimeoutError(f"{status['id']} is {status['state']} after {timeout} s")
            time.sleep(pause)
            pause = min(pause * 1.5, 3.0)

    def _pages(self, path: str, query: Mapping[str, object], items: str) -> Iterator[dict[str, Any]]:
        """Yield the items of a list, fetching page after page as needed."""
        parameters = without_none(**query)
        address: str | None = f"{path}?{urlencode(parameters)}" if parameters else path
        while address:
            page = self._get(address)
            yield from page[items]
            address = page["next"]

    def _post_once(
        self, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Repeat a POST with one Idempotency-Key until it is answered, so that it takes effect once."""
        keyed = {"Idempotency-Key": secrets.token_hex(16), **(headers or {})}
        return _repeat(lambda: self._json("POST", path, body, keyed), Retries())

    def _get(self, path: str) -> dict[str, Any]:
        return _repeat(lambda: self._json("GET", path), Retries())

    def _json(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        data, headers = None, dict(headers or {})
        if body is not None:
            data, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        with self._open(method, path, data, headers) as response:
            try:
                content: dict[str, Any] = json.loads(_read(response, path))
            except ValueError as error:
                raise NotReached(f"the answer to {method} {path} is not JSON: {error}") from None
        return content

    def _open(
        self, method: str, path: str, data: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Any:
        address = urljoin(self._root, path if path.startswith("/") else f"api/v1/{path}")
        if urlsplit(address).netloc != urlsplit(self._root).netloc:
            raise ClientError(f"{address} is not at {self._root}")
        request = urllib.request.Request(
            quote(address, safe=":/?&=%+-._~[]"), data=data, method=method, headers=dict(headers or {})
        )
        if data is None and method in ("POST", "PATCH"):
            request.data = b""
        request.add_header("Accept", "application/json, */*")
        if self._token:
            request.add_header("Authorization", f"Bearer {self._token}")
        try:
            return self._opener.open(request, timeout=self._timeout)
        except urllib.error.HTTPError as error:
            with error:
                raise _problem(error) from None
        except _BROKEN_OFF as error:
            raise NotReached(f"{self._root} did not answer: {getattr(error, 'reason', error)}") from None


def _repeat(request: Callable[[], _Result], retries: Retries) -> _Result:
    while True:
        try:
            return request()
        except (NotReached, Problem) as error:
            retries.pause(error)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """Return None, so that a redirect becomes an error with its status."""


def _read(response: IO[bytes], path: str, size: int = -1) -> bytes:
    try:
        return response.read(size)
    except _BROKEN_OFF as error:
        raise NotReached(f"the answer to {path} broke off: {error}") from None


def _problem(response: urllib.error.HTTPError) -> Problem:
    details: Mapping[str, Any] = {}
    with contextlib.suppress(ValueError, *_BROKEN_OFF):
        content = json.loads(response.read(1 << 20))
        details = content if isinstance(content, dict) else {}
    delay = response.headers.get("Retry-After") or ""
    kind = KINDS.get(response.code, Problem)
    return kind(response.code, details, float(delay) if delay.isdigit() else None)


def without_none(**values: object) -> dict[str, Any]:
    """Leave out None, for which the API has defaults."""
    return {name: value for name, value in values.items() if value is not None}
