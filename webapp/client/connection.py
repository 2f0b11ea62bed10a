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
from typing import IO, Any
from urllib.parse import quote, urlencode, urljoin, urlsplit


class ClientError(Exception):
    """Root of everything that the client raises."""


class NotReached(ClientError):
    """Nobody answered, or the answer broke off."""


class Problem(ClientError):
    """The API refused: ``status``, ``detail``, what to do (``remedy``), and fields at fault (``errors``)."""

    def __init__(self, status: int, told: Mapping[str, Any], retry_after: float | None = None) -> None:
        self.status = status
        self.detail = str(told.get("detail") or told.get("title") or f"status {status}")
        self.remedy = str(told.get("remedy", ""))
        self.errors: list[dict[str, str]] = list(told.get("errors", ()))
        self.retry_after = retry_after
        fields = "".join(f"\n{each['where']}: {each['problem']}" for each in self.errors)
        super().__init__(f"{self.detail} {self.remedy}".strip() + fields)


class NotAllowed(Problem):
    """401 or 403: no token, one that does not work, or one without the scope."""


class NotFound(Problem):
    """404 or 410: there is no such thing, not for you, or not any more."""


class Conflict(Problem):
    """409: it does not fit how things stand, such as a result that is not there yet.

    With ``retry_after`` the first request under the same key is still being answered.
    """


class Unusable(Problem):
    """400, 413, 415 or 422: the request itself must be changed."""


class TooOften(Problem):
    """429: wait, at least ``retry_after`` seconds where it is said."""


class AnalysisFailed(ClientError):
    """What was waited for failed or was cancelled; ``analysis`` is where it stands."""

    def __init__(self, analysis: dict[str, Any]) -> None:
        self.analysis = analysis
        words = f"{analysis.get('error') or ''} {analysis.get('remedy') or ''}".strip()
        super().__init__(words or f"The analysis was {analysis['state']}.")


class ComparisonFailed(ClientError):
    """The same of a comparison; ``comparison`` is where it stands."""

    def __init__(self, comparison: dict[str, Any]) -> None:
        self.comparison = comparison
        words = f"{comparison.get('error') or ''} {comparison.get('remedy') or ''}".strip()
        super().__init__(words or f"The comparison was {comparison['state']}.")


KINDS: dict[int, type[Problem]] = {
    400: Unusable,
    401: NotAllowed,
    403: NotAllowed,
    404: NotFound,
    410: NotFound,
    409: Conflict,
    413: Unusable,
    415: Unusable,
    422: Unusable,
    429: TooOften,
}
"""By status; any other is a :class:`Problem`."""


TRIES = 5
LONGEST = 600.0  # seconds: to make an exhibit of the largest file takes minutes on a slow disk
# What a proxy says of a server that does not answer, and a server that starts or has no database.
PASSING = (502, 503, 504)
_WITH_A_TIME = (409, 429)  # these pass only where they say when


class Retries:
    """Pauses between the times that one thing is asked.

    Where the other side says when to ask again, that is heeded, for ``longest`` seconds in all. Otherwise
    pauses grow, and after so many ``tries`` it is given up; with none, after ``longest`` seconds as well.
    """

    def __init__(self, longest: float = LONGEST, tries: int | None = TRIES) -> None:
        self._failures, self._tries = 0, tries
        self._until = time.monotonic() + longest

    def pause(self, problem: NotReached | Problem, *also: int) -> None:
        """Pause before it is asked again; raises ``problem`` where that would not help, or not any more.

        ``also`` are further statuses that pass.
        """
        wait = None
        if isinstance(problem, Problem):
            wait = problem.retry_after
            says_when = _WITH_A_TIME if wait is not None else ()
            if problem.status not in (*PASSING, *also, *says_when):
                raise problem
        if wait is None:
            self._failures += 1
            if self._failures == self._tries:
                raise problem
            wait = min(0.5 * 2**self._failures, 10)
        wait = max(wait, 0.5)
        if time.monotonic() + wait > self._until:
            raise problem
        time.sleep(wait)


_CHUNK = 1 << 20
_ENDED = ("done", "failed", "cancelled")
_BROKEN_OFF = (OSError, http.client.HTTPException)  # what the standard library raises where a line breaks


class Connection:
    """One Reelproof, asked over HTTP. What can be asked are the classes that build on this one.

    Their methods raise :class:`NotReached` where nobody answers or an answer breaks off, and
    :class:`Problem` or one of its kinds where the API refuses. What only reads is asked some times before
    (:class:`~.retries.Retries`). A token that can be none raises :class:`ClientError` at once.
    """

    def __init__(self, address: str = "http://127.0.0.1:8000", token: str | None = None, timeout: float = 60):
        self._root = address.rstrip("/") + "/"
        self._token = (token or "").strip()  # as a file has it, with the end of its line
        if not (self._token.isascii() and self._token.isprintable()):
            # Without the token: http.client would quote it, and messages go into logs.
            raise ClientError("The token holds characters that no token has. Copy it anew, alone.")
        self._timeout = timeout
        # No proxy: what goes through is evidence. No redirects either: the token stays here.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects())

    def _fetched(self, path: str, to: str | os.PathLike[str], longest: float = LONGEST) -> Path:
        """Fetch a file to ``to``, where it appears whole or not at all; asked for ``longest`` seconds."""
        place = Path(to)
        _repeated(lambda: self._fetch(path, place), Retries(longest))
        return place

    def _fetch(self, path: str, place: Path) -> None:
        aside = place.with_name(f".{place.name}.{secrets.token_hex(4)}")
        try:
            with self._open("GET", path) as answer, aside.open("xb") as out:
                announced, came = answer.headers.get("Content-Length"), 0
                while chunk := _read(answer, path, _CHUNK):
                    came += out.write(chunk)
            if announced is not None and came != int(announced):
                raise NotReached(f"{path} broke off after {came} of {announced} bytes")
            os.replace(aside, place)
        finally:
            aside.unlink(missing_ok=True)

    def _wait_for_end(
        self,
        path: str,
        failed: Callable[[dict[str, Any]], Exception],
        timeout: float | None,
        on_progress: Callable[[dict[str, Any]], None] | None,
    ) -> dict[str, Any]:
        """Where a job stands once it is done; raises ``failed`` of where one stands that is not done.

        Raises ``TimeoutError`` after ``timeout`` seconds. A job that is paused is waited for.
        """
        until = None if timeout is None else time.monotonic() + timeout
        pause = 0.2
        while True:
            left = LONGEST if until is None else until - time.monotonic()
            stands = _repeated(lambda: self._json("GET", path), Retries(left, tries=None))
            if on_progress is not None:
                on_progress(stands)
            if stands["state"] == "done":
                return stands
            if stands["state"] in _ENDED:
                raise failed(stands)
            if until is not None and time.monotonic() + pause > until:
                raise TimeoutError(f"{stands['id']} is {stands['state']} after {timeout} s")
            time.sleep(pause)
            pause = min(pause * 1.5, 3.0)

    def _pages(self, path: str, query: Mapping[str, object], items: str) -> Iterator[dict[str, Any]]:
        """What a listing holds under the name ``items``, page after page as it is needed."""
        asked = {name: value for name, value in query.items() if value is not None}
        address: str | None = f"{path}?{urlencode(asked)}" if asked else path
        while address:
            page = self._get(address)
            yield from page[items]
            address = page["next"]

    def _once(self, ask: Callable[[dict[str, str]], Any]) -> Any:
        """Ask under one key until there is an answer: it is done once, however often it is asked.

        Where the first request, whose answer did not come, is still being answered, that is waited for.
        """
        key = {"Idempotency-Key": secrets.token_hex(16)}
        return _repeated(lambda: ask(key), Retries())

    def _get(self, path: str) -> Any:
        return _repeated(lambda: self._json("GET", path), Retries())

    def _json(
        self, method: str, path: str, body: object = None, *, headers: Mapping[str, str] | None = None
    ) -> Any:
        data, more = None, dict(headers or {})
        if body is not None:
            data, more["Content-Type"] = json.dumps(body).encode(), "application/json"
        with self._open(method, path, data, more) as answer:
            try:
                return json.loads(_read(answer, path))
            except ValueError as problem:
                raise NotReached(f"the answer to {method} {path} is no JSON: {problem}") from None

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
        except urllib.error.HTTPError as refused:
            with refused:
                raise _problem(refused.code, refused.headers, refused) from None
        except _BROKEN_OFF as problem:
            raise NotReached(f"{self._root} did not answer: {getattr(problem, 'reason', problem)}") from None


def _repeated(ask: Callable[[], Any], retries: Retries) -> Any:
    """What is answered, however often it has to be asked."""
    while True:
        try:
            return ask()
        except (NotReached, Problem) as problem:
            retries.pause(problem)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """None: the redirect becomes an error with its status."""


def _read(answer: IO[bytes], path: str, most: int = -1) -> bytes:
    """The next bytes of an answer, all of them by default; raises :class:`NotReached` where it breaks off."""
    try:
        return answer.read(most)
    except _BROKEN_OFF as problem:
        raise NotReached(f"the answer to {path} broke off: {problem}") from None


def _problem(status: int, headers: Any, body: IO[bytes]) -> Problem:
    told: Mapping[str, Any] = {}
    with contextlib.suppress(ValueError, *_BROKEN_OFF):
        read = json.loads(body.read(1 << 20))
        told = read if isinstance(read, dict) else {}
    wait = headers.get("Retry-After") or ""
    return KINDS.get(status, Problem)(status, told, float(wait) if wait.isdigit() else None)


def without_none(**values: object) -> dict[str, Any]:
    """What of a request was given: the rest has the defaults of the API."""
    return {name: value for name, value in values.items() if value is not None}
