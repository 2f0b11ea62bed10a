"""Requests to the API and their answers: JSON, pages, files, what is asked again and what is waited for."""

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

from .errors import KINDS, ClientError, NotReached, Problem
from .retries import LONGEST, Retries

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
