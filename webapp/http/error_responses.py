"""Error responses: pages, JSON for scripts, RFC 9457 problem details below ``/api``, and rejected forms."""

from __future__ import annotations

import errno
import functools
import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import ParamSpec
from urllib.parse import urlsplit

from flask import Flask, Response, g, jsonify, make_response, render_template, request
from flask.typing import ResponseReturnValue
from pydantic import Field
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.wrappers import Response as WerkzeugResponse

from detector.files import is_disk_full
from detector.schema.analysis import Value
from reports.inputs.case_fields import STATED
from reports.language import translation
from reports.language.translation import N_, gettext
from webapp.errors import UserError
from webapp.http.uploads import current_request
from webapp.storage.database import is_disk_full as has_no_room
from webapp.storage.database import is_read_only

MEDIA_TYPE = "application/problem+json"
PREFIX = "/api/"
CHALLENGE = 'Bearer realm="reelproof"'  # of 401


class FieldProblem(Value):
    """One part of a request that cannot be used."""

    where: str = Field(description="query, body, form or header, and the field, such as query.limit")
    problem: str


class ProblemDetails(Value):
    """What went wrong and what to do about it (RFC 9457)."""

    type: str = Field(default="about:blank", description="the status says all there is to its kind")
    title: str = Field(description="the status in words")
    status: int = Field(ge=400, le=599)
    detail: str = Field(description="what is the matter, in a sentence or two")
    remedy: str = Field(default="", description="what to do next; empty where the detail says it")
    errors: tuple[FieldProblem, ...] = Field(default=(), description="the fields that cannot be used")


def is_api() -> bool:
    """Whether this request is for the API, whatever it asks for."""
    return request.path.startswith(PREFIX)


def problem_response(
    status: int, detail: str, remedy: str = "", errors: tuple[FieldProblem, ...] = ()
) -> Response:
    """The answer that says it."""
    problem = ProblemDetails(
        title=problem_title(status), status=status, detail=detail, remedy=remedy, errors=errors
    )
    # Words may quote what was sent: a half of a surrogate pair has no UTF-8.
    text = problem.model_dump_json(exclude_defaults=True, ensure_ascii=True)
    answer = Response(text + "\n", status=status, content_type=MEDIA_TYPE)
    if status == 401:
        answer.headers["WWW-Authenticate"] = CHALLENGE
    return answer


def problem_title(status: int) -> str:
    """What a status is called."""
    return "Checksum Mismatch" if status == 460 else HTTPStatus(status).phrase


class FieldsError(Exception):
    """Fields of a request cannot be used; answered with 422 and all of them."""

    def __init__(self, errors: tuple[FieldProblem, ...]) -> None:
        super().__init__("; ".join(f"{error.where}: {error.problem}" for error in errors))
        self.errors = errors


# Fields that hold what somebody thought of, and what they are called. No other field is ever shown again: a
# form may bring a password, a code or a token.
FIELDS = {
    "reasons": N_("Reasons"),
    "text": N_("Message"),
    "note": N_("Note"),
    "description": N_("Description"),
    "table": N_("Labels, as a table (CSV)"),
    **STATED,
}
_KIND = "application/x-www-form-urlencoded"
_MOST = 500_000  # bytes of a form, which whoever is signed in may send as well


def unsent_texts() -> tuple[tuple[str, str], ...]:
    """The texts of the request's form, each with its name; none where it brings files or cannot be read."""
    if request.mimetype != _KIND or (request.content_length or 0) > _MOST:
        return ()
    try:
        form = request.form
    except (UserError, HTTPException):
        return ()
    return tuple(
        (gettext(name), text)
        for field, name in FIELDS.items()
        for text in form.getlist(field)
        if text.strip()
    )


log = logging.getLogger(__name__)

_DATABASE_AWAY = "10"  # seconds: who asks again waits for it up to half a minute anyway

_TITLES = {
    400: N_("This request does not work"),
    401: N_("Not signed in"),
    403: N_("Refused"),
    404: N_("Nothing here"),
    405: N_("This request does not work"),
    409: N_("Not possible as things stand"),
    410: N_("Deleted"),
    413: N_("The file is too large"),
    415: N_("No video and no photo"),
    429: N_("Too often"),
    500: N_("Something went wrong inside Reelproof"),
    503: N_("Busy at the moment"),
    507: N_("The disk is full"),
}
_WORDS = {
    404: (
        N_("There is no page at this address."),
        N_("Check the address, or look for the analysis in the library."),
    ),
    405: (N_("This address does not take that kind of request."), N_("Go back to the page you came from.")),
    500: (
        N_("Reelproof met an error it did not expect. Exhibits and results are untouched."),
        N_(
            "Try again. If it happens again, the messages in the terminal Reelproof runs "
            "in say what went wrong."
        ),
    ),
    503: (
        N_("The database cannot be reached, or is busy."),
        N_(
            "Try again in a minute. Exhibits and results are untouched. If it stays so, "
            "the messages in the terminal Reelproof runs in say why."
        ),
    ),
    507: (
        N_("The disk of the database is full, so nothing was saved."),
        N_("Make room on it, then try again. Exhibits and results are untouched."),
    ),
}
_NO_CHANGES = (
    N_(
        "The disk that holds Reelproof's data takes no changes: it is read-only, or failed. "
        "Nothing was saved."
    ),
    N_("Whoever runs Reelproof has to check that disk and make it writable; then try again."),
)
_NO_ROOM = (
    N_("The disk that holds Reelproof's data is full, so what you asked for could not be written."),
    _WORDS[507][1],
)

# That what a request is about was deleted while it was answered, if so.
DeletedMeanwhile = Callable[[], UserError | None]


def install(app: Flask, deleted_meanwhile: DeletedMeanwhile) -> None:
    """Answer every error in words; of the handlers that fit, Flask takes the one of the narrowest class."""

    def user_error(problem: UserError) -> Response:
        # Files that are missing or do not fit may be those of an analysis that is being deleted.
        return _user_error((problem.status == 500 and deleted_meanwhile()) or problem)

    def unexpected(problem: Exception) -> Response:
        gone = deleted_meanwhile()
        return _user_error(gone) if gone is not None else _unexpected(problem)

    app.register_error_handler(UserError, user_error)
    app.register_error_handler(FieldsError, _fields_at_fault)
    app.register_error_handler(413, _request_too_large)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(OperationalError, _no_database)
    app.register_error_handler(Exception, unexpected)


def _user_error(problem: UserError) -> Response:
    response = error_response(
        problem.status, problem.error, problem.remedy, title=problem.title, link=problem.link
    )
    if problem.retry_after is not None:
        response.headers["Retry-After"] = str(problem.retry_after)
    return response


def _fields_at_fault(problem: FieldsError) -> Response:
    words = (
        gettext("Parts of this request cannot be used."),
        gettext("Put right what “errors” names, then send it again."),
    )
    return problem_response(422, *words, problem.errors)


def _request_too_large(_problem: HTTPException) -> Response:
    # Werkzeug says 413 of too many parts and of a text field too large as well.
    if (request.content_length or 0) <= (request.max_content_length or 0):
        return error_response(
            400,
            gettext("The form holds too many parts or too long a text."),
            gettext("Hand in one file alone."),
        )
    return _user_error(current_request().allowed().too_large())


def _http_error(problem: HTTPException) -> Response:
    status = problem.code or 500
    error, remedy = _WORDS.get(
        status, (problem.description or "", gettext("Go back to the page you came from."))
    )
    if isinstance(problem, MethodNotAllowed) and problem.valid_methods and is_api():
        remedy = f"Use one of these methods: {', '.join(sorted(problem.valid_methods))}."
    response = error_response(status, error, remedy)
    for name, value in problem.get_headers():
        if name in ("Allow", "Content-Range", "Retry-After", "WWW-Authenticate"):
            response.headers[name] = value
    return response


def _no_database(problem: OperationalError) -> Response:
    log.error("%s %s failed: %s", request.method, _route(), problem.orig)
    if has_no_room(problem):
        return error_response(507, *_WORDS[507])
    if is_read_only(problem):
        return _no_changes()
    response = error_response(503, *_WORDS[503])
    response.headers["Retry-After"] = _DATABASE_AWAY
    return response


def _no_changes() -> Response:
    return error_response(503, *_NO_CHANGES, title=N_("The disk takes no changes"))


def _unexpected(problem: Exception) -> Response:
    log.error("%s %s failed", request.method, _route(), exc_info=problem)
    if isinstance(problem, OSError) and problem.errno == errno.EROFS:
        return _no_changes()
    if is_disk_full(problem):
        return error_response(507, *_NO_ROOM)
    return error_response(500, *_WORDS[500])


def error_response(
    status: int,
    error: str,
    remedy: str,
    *,
    title: str | None = None,
    link: tuple[str, str] | None = None,
    texts: tuple[tuple[str, str], ...] | None = None,
    sign_in: str | None = None,
) -> Response:
    """A page or, for addresses ending in .json and callers that ask for it, JSON; for the API a problem.

    ``title`` is that of the page, if not that of every page of this status; ``link`` is where to go on and
    what that is called; ``texts`` are what somebody wrote that was not saved, each with its field's name,
    by default those in the form of whoever is signed in; ``sign_in`` is where to sign in.
    """
    if is_api():
        return problem_response(status, error, remedy)
    error, remedy = translation.translated(error), translation.translated(remedy)
    if wants_json():
        response = jsonify(error=error, remedy=remedy)
    else:
        if texts is None:
            texts = unsent_texts() if g.get("principal") is not None else ()
            copy = gettext("Copy what you wrote first.")
            remedy = f"{copy} {remedy}" if texts else remedy
        response = make_response(
            render_template(
                "pages/error.html",
                status=status,
                title=gettext(title or _TITLES.get(status, _TITLES[400])),
                error=error,
                remedy=remedy,
                link=link,
                texts=texts,
                sign_in=sign_in,
                back=_page_before(),
            )
        )
    response.status_code = status
    return response


def _route() -> str:
    """What the request is for, as it stands in the log: without what somebody put into the address."""
    return str(request.url_rule) if request.url_rule else "an unknown address"


def _page_before() -> str | None:
    """The page of this app that the link or form was on, if a browser says it and it is another one."""
    before = urlsplit(request.referrer or "")
    if before.netloc != request.host or before.path.startswith("//"):
        return None
    if request.method == "GET" and before.path == request.path:
        return None
    return before._replace(scheme="", netloc="", fragment="").geturl()


def wants_json() -> bool:
    """Whether the caller is a program rather than a person's browser."""
    if request.path.endswith(".json"):
        return True
    best = request.accept_mimetypes.best_match(["text/html", "application/json"])
    return best == "application/json"


_Arguments = ParamSpec("_Arguments")
_View = Callable[_Arguments, ResponseReturnValue]

_NO_FORM = frozenset({403, 404, 410})  # who may not, or where there is nothing (any more), is shown none


def show_form_again(
    page: Callable[..., ResponseReturnValue],
) -> Callable[[_View[_Arguments]], _View[_Arguments]]:
    """Answer a form that the view refuses with ``page``, which is called as the view and with ``problem``.

    It shows what the request's form holds, and what is the matter, by :attr:`UserError.field` beside a field;
    where it has no such form any more, it raises the problem. Programs get JSON, as from everywhere.
    """

    def decorate(view: _View[_Arguments]) -> _View[_Arguments]:
        @functools.wraps(view)
        def answered(*given: _Arguments.args, **named: _Arguments.kwargs) -> ResponseReturnValue:
            try:
                return view(*given, **named)
            except UserError as problem:
                if wants_json() or problem.status in _NO_FORM or not current_request().form_is_read:
                    raise
                response: WerkzeugResponse = make_response(page(*given, **named, problem=problem))
                response.status_code = problem.status
                return response

        return answered

    return decorate
