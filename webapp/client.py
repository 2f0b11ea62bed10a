"""The API from Python, with the standard library alone.

    from webapp.client import Client
    reelproof = Client("http://127.0.0.1:8000", token=None)
    analysis = reelproof.wait(reelproof.create("clip.mp4")["id"])
    for segment in reelproof.segments(analysis["id"]):
        print(segment["person"], segment["start"], segment["end"])

This file needs nothing else of Reelproof and may be copied to where it is needed. Answers are
JSON as ``/api/v1/openapi.json`` describes it. Errors are :class:`Problem` or one of its kinds.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import secrets
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote, urlencode, urljoin, urlsplit

PART = 8 * 1024 * 1024  # bytes of one part: what a broken line costs
_CHUNK = 1 << 20
_TRIES = 5
_ENDED = ("done", "failed", "cancelled")


class ClientError(Exception):
    """Root of everything this module raises."""


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
    """409: it does not fit how things stand, such as a result that is not there yet."""


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


_KINDS: dict[int, type[Problem]] = {
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


class Client:
    """One Reelproof. ``address`` is that of its start page; ``token`` is needed where people sign in."""

    def __init__(self, address: str = "http://127.0.0.1:8000", token: str | None = None, timeout: float = 60):
        self._root = address.rstrip("/") + "/"
        self._token = token
        self._timeout = timeout
        # No proxy: what goes through is evidence. No redirects either: the token stays here.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects())

    def create(
        self,
        file: str | os.PathLike[str],
        *,
        name: str | None = None,
        model: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        also: Sequence[str] | None = None,
        joint: str | None = None,
        case: int | None = None,
        priority: str | None = None,
        on_part: Callable[[int, int], None] | None = None,
    ) -> dict[str, Any]:
        """Hand in a file, in parts that are sent again where the line breaks; where its analysis stands.

        ``also`` names other models that judge the same faces, ``joint`` the rule of their joint verdict.
        ``on_part`` is told of bytes sent and bytes in all. The file's SHA-256 is checked on arrival.
        """
        path = Path(file)
        upload = self.begin_upload(path, name=name)
        self.send_parts(upload["id"], path, on_part=on_part)
        asked = _given(
            model=model, parameters=parameters, also=also, joint=joint, case=case, priority=priority
        )
        return self.analyse_upload(upload["id"], **asked)

    def begin_upload(self, path: Path, *, name: str | None = None) -> dict[str, Any]:
        """Announce a file that will come in parts; its ``id`` lets :meth:`send_parts` go on another day."""
        with path.open("rb") as source:
            sha256 = hashlib.file_digest(source, "sha256").hexdigest()
        metadata = {"filename": name or path.name, "sha256": sha256}
        headers = {
            "Tus-Resumable": "1.0.0",
            "Upload-Length": str(path.stat().st_size),
            "Upload-Metadata": ",".join(
                f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in metadata.items()
            ),
        }
        begun: dict[str, Any] = self._again(lambda key: self._json("POST", "uploads", headers=headers | key))
        return begun

    def send_parts(
        self, upload_id: str, path: Path, *, on_part: Callable[[int, int], None] | None = None
    ) -> None:
        """Send what is missing of a file; after a break it goes on where the other side says."""
        size, failures = path.stat().st_size, 0
        offset = self._offset(upload_id)
        with path.open("rb") as source:
            while offset < size:
                source.seek(offset)
                part = source.read(PART)
                digest = base64.b64encode(hashlib.sha256(part).digest()).decode()
                headers = {
                    "Tus-Resumable": "1.0.0",
                    "Upload-Offset": str(offset),
                    "Upload-Checksum": f"sha256 {digest}",
                    "Content-Type": "application/offset+octet-stream",
                }
                try:
                    with self._open("PATCH", f"uploads/{upload_id}", part, headers) as answer:
                        offset, failures = int(answer.headers["Upload-Offset"]), 0
                except (NotReached, Problem) as problem:
                    # Damaged on the way (460), somewhere else than thought (409), busy (423) or broken off.
                    if isinstance(problem, Problem) and problem.status not in (409, 423, 460):
                        raise
                    failures += 1
                    if failures >= _TRIES:
                        raise
                    time.sleep(min(0.5 * 2**failures, 10))
                    offset = self._offset(upload_id)
                if on_part is not None:
                    on_part(offset, size)

    def analyse_upload(
        self,
        upload_id: str,
        *,
        model: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        also: Sequence[str] | None = None,
        joint: str | None = None,
        case: int | None = None,
        priority: str | None = None,
    ) -> dict[str, Any]:
        """Have a file that came whole analysed; asked again it is the same analysis."""
        asked = _given(
            model=model, parameters=parameters, also=also, joint=joint, case=case, priority=priority
        )
        made: dict[str, Any] = self._again(
            lambda key: self._json("POST", f"uploads/{upload_id}/analysis", asked, headers=key)
        )
        return made

    def get(self, analysis_id: str) -> dict[str, Any]:
        """Where an analysis stands."""
        found: dict[str, Any] = self._json("GET", f"analyses/{analysis_id}")
        return found

    def wait(
        self,
        analysis_id: str,
        *,
        timeout: float | None = None,
        on_progress: Callable[[dict[str, Any]], None] | None = None,
    ) -> dict[str, Any]:
        """Wait until an analysis is done, paused or not; raises :class:`AnalysisFailed`, ``TimeoutError``."""
        return self._ended(lambda: self.get(analysis_id), AnalysisFailed, timeout, on_progress)

    def analyses(self, **search: object) -> Iterator[dict[str, Any]]:
        """All analyses that fit, newest first: ``q``, ``state``, ``verdict``, ``model``, ``reviewer``.

        ``from_`` and ``to`` are the first and last day; ``like`` is the id of an analysis whose
        exhibit they are to show.
        """
        query = {name.rstrip("_"): value for name, value in search.items()}
        yield from self._pages("analyses", query, "items")

    def exhibits(self) -> Iterator[dict[str, Any]]:
        """All exhibits, newest first."""
        yield from self._pages("exhibits", {}, "items")

    def copies(self, sha256: str) -> list[dict[str, Any]]:
        """Other exhibits that show the same as one, or a part of it."""
        found: list[dict[str, Any]] = self._json("GET", f"exhibits/{sha256}/copies")["copies"]
        return found

    def cancel(self, analysis_id: str) -> dict[str, Any]:
        """Take an analysis out of the queue, or stop it."""
        stands: dict[str, Any] = self._json("POST", f"analyses/{analysis_id}/cancel")
        return stands

    def retry(self, analysis_id: str) -> dict[str, Any]:
        """Queue an analysis that failed or was cancelled once more."""
        stands: dict[str, Any] = self._json("POST", f"analyses/{analysis_id}/retry")
        return stands

    def pause(self, analysis_id: str) -> dict[str, Any]:
        """Take an analysis out of the queue, or stop it, until it is resumed; it then begins anew."""
        stands: dict[str, Any] = self._json("POST", f"analyses/{analysis_id}/pause")
        return stands

    def resume(self, analysis_id: str) -> dict[str, Any]:
        """Queue a paused analysis again."""
        stands: dict[str, Any] = self._json("POST", f"analyses/{analysis_id}/resume")
        return stands

    def prioritise(self, analysis_id: str, priority: str) -> dict[str, Any]:
        """Have an analysis that waits begin earlier or later: ``low``, ``normal`` or ``high``."""
        asked = {"priority": priority}
        stands: dict[str, Any] = self._json("POST", f"analyses/{analysis_id}/priority", asked)
        return stands

    def again(
        self,
        analysis_id: str,
        *,
        model: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        also: Sequence[str] | None = None,
        joint: str | None = None,
        priority: str | None = None,
    ) -> dict[str, Any]:
        """Analyse the same exhibit with another model, several models or other parameters."""
        asked = _given(model=model, parameters=parameters, also=also, joint=joint, priority=priority)
        made: dict[str, Any] = self._again(
            lambda key: self._json("POST", f"analyses/{analysis_id}/again", asked, headers=key)
        )
        return made

    def delete(self, analysis_id: str) -> None:
        """Delete an analysis that has ended."""
        self._open("DELETE", f"analyses/{analysis_id}").close()

    def analysis(self, analysis_id: str) -> dict[str, Any]:
        """The whole result (docs/analysis.schema.json)."""
        found: dict[str, Any] = self._json("GET", f"analyses/{analysis_id}/analysis.json")
        return found

    def segments(self, analysis_id: str) -> list[dict[str, Any]]:
        """The segments that were flagged."""
        found: list[dict[str, Any]] = self._json("GET", f"analyses/{analysis_id}/segments")["segments"]
        return found

    def scores(self, analysis_id: str, **search: object) -> Iterator[dict[str, Any]]:
        """Scores one after another: ``person``, ``start`` and ``end`` in seconds narrow them down."""
        yield from self._pages(f"analyses/{analysis_id}/scores", search, "items")

    def annotations(self, analysis_id: str) -> list[dict[str, Any]]:
        """What reviewers said."""
        found: list[dict[str, Any]] = self._json("GET", f"analyses/{analysis_id}/annotations")["annotations"]
        return found

    def annotate(self, analysis_id: str, **said: object) -> dict[str, Any]:
        """Record what somebody says (docs/bundle.md), without ``id`` and ``made``."""
        made: dict[str, Any] = self._again(
            lambda key: self._json("POST", f"analyses/{analysis_id}/annotations", said, headers=key)
        )
        found: dict[str, Any] = made["annotation"]
        return found

    def name_reviewers(
        self, case: int, first: str, second: str, third: str | None = None, *, blind: str = "judgements"
    ) -> dict[str, Any]:
        """Say who reviews the exhibits of a case; ``blind`` is ``judgements`` or ``findings``."""
        asked = _given(first=first, second=second, third=third, blind=blind)
        named: dict[str, Any] = self._json("PUT", f"cases/{case}/reviewers", asked)
        return named

    def reviewers(self, case: int) -> dict[str, Any]:
        """Who reviews the exhibits of a case."""
        found: dict[str, Any] = self._json("GET", f"cases/{case}/reviewers")
        return found

    def waiting_reviews(self) -> list[dict[str, Any]]:
        """The second reviews that wait for you."""
        found: list[dict[str, Any]] = self._json("GET", "reviews")["items"]
        return found

    def review(self, analysis_id: str) -> dict[str, Any]:
        """The second review of an analysis, as far as you may see it."""
        found: dict[str, Any] = self._json("GET", f"analyses/{analysis_id}/review")
        return found

    def judge(
        self, analysis_id: str, conclusion: str, reasons: str, stretches: Sequence[Mapping[str, Any]] = ()
    ) -> dict[str, Any]:
        """Give your judgement: ``stretches`` have ``start`` and ``end`` in seconds, perhaps a ``note``."""
        asked = {"conclusion": conclusion, "reasons": reasons, "stretches": list(stretches)}
        return self._review(analysis_id, "judgement", asked)

    def say_in_review(self, analysis_id: str, text: str) -> dict[str, Any]:
        """Add to the recorded conversation about a difference."""
        return self._review(analysis_id, "messages", {"text": text})

    def propose(self, analysis_id: str, conclusion: str, reasons: str) -> dict[str, Any]:
        """Propose a joint conclusion."""
        return self._review(analysis_id, "proposal", {"conclusion": conclusion, "reasons": reasons})

    def accept(self, analysis_id: str, proposal: str) -> dict[str, Any]:
        """Accept what the other reviewer proposes, by the proposal's id."""
        return self._review(analysis_id, "acceptance", {"proposal": proposal})

    def decide(self, analysis_id: str, conclusion: str, reasons: str) -> dict[str, Any]:
        """Decide a difference as third reviewer."""
        return self._review(analysis_id, "decision", {"conclusion": conclusion, "reasons": reasons})

    def _review(self, analysis_id: str, act: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        told: dict[str, Any] = self._again(
            lambda key: self._json("POST", f"analyses/{analysis_id}/review/{act}", asked, headers=key)
        )
        return told

    def compare(self, exhibit: str, reference: str, *, priority: str | None = None) -> dict[str, Any]:
        """Compare two exhibits that are here, by their SHA-256; where the comparison stands."""
        asked = _given(reference=reference, priority=priority)
        made: dict[str, Any] = self._again(
            lambda key: self._json("POST", f"exhibits/{exhibit}/comparisons", asked, headers=key)
        )
        return made

    def comparisons(self, exhibit: str) -> list[dict[str, Any]]:
        """The comparisons of an exhibit, by its SHA-256, with references, newest first."""
        found: list[dict[str, Any]] = self._json("GET", f"exhibits/{exhibit}/comparisons")["comparisons"]
        return found

    def comparison(self, comparison_id: str) -> dict[str, Any]:
        """Where a comparison stands."""
        found: dict[str, Any] = self._json("GET", f"comparisons/{comparison_id}")
        return found

    def wait_for_comparison(
        self,
        comparison_id: str,
        *,
        timeout: float | None = None,
        on_progress: Callable[[dict[str, Any]], None] | None = None,
    ) -> dict[str, Any]:
        """Wait until a comparison is done; raises :class:`ComparisonFailed`, ``TimeoutError``."""
        return self._ended(lambda: self.comparison(comparison_id), ComparisonFailed, timeout, on_progress)

    def comparison_result(self, comparison_id: str) -> dict[str, Any]:
        """The whole result of a comparison (docs/comparison.schema.json)."""
        found: dict[str, Any] = self._json("GET", f"comparisons/{comparison_id}/comparison.json")
        return found

    def download_picture(self, comparison_id: str, picture: str, to: str | os.PathLike[str]) -> Path:
        """Fetch a picture that the result of a comparison names, such as ``pictures/A1-1.png``."""
        return self._fetched(f"comparisons/{comparison_id}/{picture}", to)

    def cancel_comparison(self, comparison_id: str) -> dict[str, Any]:
        """Take a comparison out of the queue, or stop it."""
        stands: dict[str, Any] = self._json("POST", f"comparisons/{comparison_id}/cancel")
        return stands

    def delete_comparison(self, comparison_id: str) -> None:
        """Delete a comparison that has ended; both exhibits stay."""
        self._open("DELETE", f"comparisons/{comparison_id}").close()

    def models(self) -> list[dict[str, Any]]:
        """The models that can be chosen."""
        found: list[dict[str, Any]] = self._json("GET", "models")["models"]
        return found

    def download(self, analysis_id: str, what: str, to: str | os.PathLike[str]) -> Path:
        """Fetch ``report.pdf``, ``report.html``, ``bundle.zip``, ``manifest.json`` or ``exports/NAME``.

        The file appears whole or not at all. While the report is being made this waits for it, some minutes
        at most.
        """
        for _ in range(1, _TRIES):
            try:
                return self._fetched(f"analyses/{analysis_id}/{what}", to)
            except Problem as problem:
                if problem.status != 503 or problem.retry_after is None:
                    raise
                time.sleep(problem.retry_after)
        return self._fetched(f"analyses/{analysis_id}/{what}", to)

    def _fetched(self, path: str, to: str | os.PathLike[str]) -> Path:
        place = Path(to)
        aside = place.with_name(f".{place.name}.{secrets.token_hex(4)}")
        try:
            with self._open("GET", path) as answer, aside.open("xb") as out:
                announced, came = answer.headers.get("Content-Length"), 0
                while chunk := answer.read(_CHUNK):
                    came += out.write(chunk)
            if announced is not None and came != int(announced):
                raise NotReached(f"{path} broke off after {came} of {announced} bytes")
            os.replace(aside, place)
        finally:
            aside.unlink(missing_ok=True)
        return place

    def _ended(
        self,
        ask: Callable[[], dict[str, Any]],
        failed: Callable[[dict[str, Any]], Exception],
        timeout: float | None,
        on_progress: Callable[[dict[str, Any]], None] | None,
    ) -> dict[str, Any]:
        """Where a job stands once it is done."""
        until = None if timeout is None else time.monotonic() + timeout
        pause = 0.2
        while True:
            stands = ask()
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

    def _offset(self, upload_id: str) -> int:
        return int(self._json("GET", f"uploads/{upload_id}")["offset"])

    def _pages(self, path: str, query: Mapping[str, object], items: str) -> Iterator[dict[str, Any]]:
        asked = {name: value for name, value in query.items() if value is not None}
        address: str | None = f"{path}?{urlencode(asked)}" if asked else path
        while address:
            page = self._json("GET", address)
            yield from page[items]
            address = page["next"]

    def _again(self, ask: Callable[[dict[str, str]], Any]) -> Any:
        """Ask under one key until there is an answer: it is done once, however often it is asked."""
        key = {"Idempotency-Key": secrets.token_hex(16)}
        for failures in range(1, _TRIES):
            with contextlib.suppress(NotReached):
                return ask(key)
            time.sleep(min(0.25 * 2**failures, 5))
        return ask(key)

    def _json(
        self, method: str, path: str, body: object = None, *, headers: Mapping[str, str] | None = None
    ) -> Any:
        data, more = None, dict(headers or {})
        if body is not None:
            data, more["Content-Type"] = json.dumps(body).encode(), "application/json"
        with self._open(method, path, data, more) as answer:
            try:
                return json.load(answer)
            except (ValueError, OSError) as problem:
                raise NotReached(f"the answer to {method} {path} broke off: {problem}") from None

    def _open(
        self, method: str, path: str, data: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Any:
        address = urljoin(self._root, path if path.startswith("/") else f"api/v1/{path}")
        if urlsplit(address).netloc != urlsplit(self._root).netloc:
            raise NotReached(f"{address} is not at {self._root}")
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
        except (OSError, urllib.error.URLError) as problem:
            raise NotReached(f"{self._root} did not answer: {getattr(problem, 'reason', problem)}") from None


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """None: the redirect becomes an error with its status."""


def _problem(status: int, headers: Any, body: IO[bytes]) -> Problem:
    told: Mapping[str, Any] = {}
    with contextlib.suppress(ValueError, OSError):
        read = json.loads(body.read(1 << 20))
        told = read if isinstance(read, dict) else {}
    wait = headers.get("Retry-After") or ""
    return _KINDS.get(status, Problem)(status, told, float(wait) if wait.isdigit() else None)


def _given(**values: object) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
