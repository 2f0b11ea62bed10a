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
from language import translation
from language.translation import N_, gettext
from reports.inputs.case_fields import STATED
from webapp.errors import UserError
from webapp.http.uploads import current_request
from webapp.storage.database import is_disk_full as is_database_disk_full
from webapp.storage.database import is_read_only

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
PREFIX = "/api/"
CHALLENGE = 'Bearer realm="reelproof"'  # of 401
_RETRY_DATABASE_AFTER = "10"  # seconds; each request already waits up to half a minute for the database
_TITLES = {
    400: N_("Invalid request"),
    401: N_("Not signed in"),
    403: N_("Refused"),
    404: N_("Nothing here"),
    405: N_("Invalid request"),
    409: N_("Not possible in this state"),
    410: N_("Deleted"),
    413: N_("The file is too large"),
    415: N_("No video and no photo"),
    429: N_("Too often"),
    500: N_("Something went wrong inside Reelproof"),
    503: N_("Busy at the moment"),
    507: N_("The disk is full"),
}
_MESSAGES = {
    404: (
        N_("There is no page at this address."),
        N_("Check the address, or look for the analysis in the library."),
    ),
    405: (N_("This address does not accept that kind of request."), N_("Go back to the page you came from.")),
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
# Fields with texts that somebody composed, and their labels. No other field is ever shown again: it may
# hold a password, a code or a token.
FIELDS = {
    "reasons": N_("Reasons"),
    "text": N_("Message"),
    "note": N_("Note"),
    "description": N_("Description"),
    "table": N_("Labels, as a table (CSV)"),
    **STATED,
}
_MAX_UNSENT_FORM = 500_000  # bytes


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


class FieldsError(Exception):
    """Fields of a request are invalid; the response is 422 and lists all of them."""

    def __init__(self, errors: tuple[FieldProblem, ...]) -> None:
        super().__init__("; ".join(f"{error.where}: {error.problem}" for error in errors))
        self.errors = errors


def is_api() -> bool:
    """Tell whether this request is for the API."""
    return request.path.startswith(PREFIX)


def wants_json() -> bool:
    """Tell whether the caller is a program rather than a person's browser."""
    if request.path.endswith(".json"):
        return True
    return request.accept_mimetypes.best_match(["text/html", "application/json"]) == "application/json"


def problem_response(
    status: int, detail: str, remedy: str = "", errors: tuple[FieldProblem, ...] = ()
) -> Response:
    """Build a response of RFC 9457 problem details."""
    problem = ProblemDetails(
        title=problem_title(status), status=status, detail=detail, remedy=remedy, errors=errors
    )
    # In ASCII: a message may quote half a surrogate pair from the request, which has no UTF-8.
    text = problem.model_dump_json(exclude_defaults=True, ensure_ascii=True)
    response = Response(text + "\n", status=status, content_type=MEDIA_TYPE)
    if status == 401:
        response.headers["WWW-Authenticate"] = CHALLENGE
    return response


def problem_title(status: int) -> str:
    """Return the name of a status."""
    return "Checksum Mismatch" if status == 460 else HTTPStatus(status).phrase


def unsent_texts() -> tuple[tuple[str, str], ...]:
    """Return the texts of a rejected form with their labels; none if it has files or cannot be read."""
    is_form = request.mimetype == "application/x-www-form-urlencoded"
    if not is_form or (request.content_length or 0) > _MAX_UNSENT_FORM:
        return ()
    try:
        form = request.form
    except (UserError, HTTPException):
        return ()
    return tuple(
        (gettext(label), text)
        for field, label in FIELDS.items()
        for text in form.getlist(field)
        if text.strip()
    )


def install(app: Flask, deleted_meanwhile: Callable[[], UserError | None]) -> None:
    """Register the error handlers; of the matching ones, Flask calls that of the narrowest class.

    ``deleted_meanwhile`` returns an error if the object of the request was deleted while it was answered.
    """

    def user_error(error: UserError) -> Response:
        # Missing or mismatching files may be those of an analysis that is being deleted.
        return _user_error((error.status == 500 and deleted_meanwhile()) or error)

    def unexpected(error: Exception) -> Response:
        deleted = deleted_meanwhile()
        return _user_error(deleted) if deleted is not None else _unexpected(error)

    def fields_error(error: FieldsError) -> Response:
        return problem_response(
            422,
            gettext("Parts of this request cannot be used."),
            gettext("Correct the fields that “errors” names, then send it again."),
            error.errors,
        )

    app.register_error_handler(UserError, user_error)
    app.register_error_handler(FieldsError, fields_error)
    app.register_error_handler(413, _request_too_large)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(OperationalError, _database_error)
    app.register_error_handler(Exception, unexpected)


def _user_error(error: UserError) -> Response:
    response = error_response(
        error.status,
        error.error,
        error.remedy,
        title=error.title,
        link=error.link,
        again_after=error.retry_after if request.method == "GET" else None,
        makes_download=error.makes_download,
    )
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def _request_too_large(_error: HTTPException) -> Response:
    # Werkzeug raises 413 for too many parts and for too large a text field as well.
    if (request.content_length or 0) <= (request.max_content_length or 0):
        return error_response(
            400,
            gettext("The form has too many parts or too long a text."),
            gettext("Upload only one file."),
        )
    return _user_error(current_request().allowed().too_large())


def _http_error(error: HTTPException) -> Response:
    status = error.code or 500
    message, remedy = _MESSAGES.get(
        status, (error.description or "", gettext("Go back to the page you came from."))
    )
    if isinstance(error, MethodNotAllowed) and error.valid_methods and is_api():
        remedy = f"Use one of these methods: {', '.join(sorted(error.valid_methods))}."
    response = error_response(status, message, remedy)
    for name, value in error.get_headers():
        if name in ("Allow", "Content-Range", "Retry-After", "WWW-Authenticate"):
            response.headers[name] = value
    return response


def _database_error(error: OperationalError) -> Response:
    log.error("%s %s failed: %s", request.method, _route(), error.orig)
    if is_database_disk_full(error):
        return error_response(507, *_MESSAGES[507])
    if is_read_only(error):
        return _read_only_response()
    response = error_response(503, *_MESSAGES[503])
    response.headers["Retry-After"] = _RETRY_DATABASE_AFTER
    return response


def _unexpected(error: Exception) -> Response:
    log.error("%s %s failed", request.method, _route(), exc_info=error)
    if isinstance(error, OSError) and error.errno == errno.EROFS:
        return _read_only_response()
    if is_disk_full(error):
        message = N_("The disk that holds Reelproof's data is full, so your request could not be saved.")
        return error_response(507, message, _MESSAGES[507][1])
    return error_response(500, *_MESSAGES[500])


def _read_only_response() -> Response:
    return error_response(
        503,
        N_(
            "The disk with Reelproof's data cannot be written: it is read-only, or failed. Nothing was saved."
        ),
        N_("The operator of Reelproof must check that disk and make it writable; then try again."),
        title=N_("The disk cannot be written"),
    )


def _route() -> str:
    """Return the route for the log: without the values that somebody put into the address."""
    return str(request.url_rule) if request.url_rule else "an unknown address"


def error_response(
    status: int,
    error: str,
    remedy: str,
    *,
    title: str | None = None,
    link: tuple[str, str] | None = None,
    texts: tuple[tuple[str, str], ...] | None = None,
    sign_in: str | None = None,
    again_after: int | None = None,
    makes_download: bool = False,
) -> Response:
    """Build an error page; JSON for addresses ending in .json and callers that ask for it; problem details.

    ``title`` replaces the usual title of the status. ``link`` is an address to continue at and its label.
    ``texts`` are unsaved texts with their labels, by default those of the form if the caller is signed in.
    ``sign_in`` is the address to sign in at; ``again_after`` the seconds after which the page tries again,
    and ``makes_download`` whether it then downloads something.
    """
    if is_api():
        return problem_response(status, error, remedy)
    error, remedy = translation.translated(error), translation.translated(remedy)
    if wants_json():
        response = jsonify(error=error, remedy=remedy)
    else:
        if texts is None:
            texts = unsent_texts() if g.get("principal") is not None else ()
            if texts:
                copy_first = gettext("Copy what you wrote first.")  # Babel reads no call inside an f-string
                remedy = f"{copy_first} {remedy}"
        response = make_response(
            render_template(
                "error.html",
                status=status,
                title=gettext(title or _TITLES.get(status, _TITLES[400])),
                error=error,
                remedy=remedy,
                link=link,
                texts=texts,
                sign_in=sign_in,
                again_after=again_after,
                makes_download=makes_download,
                back=_previous_page(),
            )
        )
    response.status_code = status
    return response


def _previous_page() -> str | None:
    """Return the page of this app that the link or form was on, unless it is the same one."""
    referrer = urlsplit(request.referrer or "")
    if referrer.netloc != request.host or referrer.path.startswith("//"):
        return None
    if request.method == "GET" and referrer.path == request.path:
        return None
    return referrer._replace(scheme="", netloc="", fragment="").geturl()


_P = ParamSpec("_P")
_View = Callable[_P, ResponseReturnValue]


def show_form_again(page: Callable[..., ResponseReturnValue]) -> Callable[[_View[_P]], _View[_P]]:
    """Answer a form that the view rejects with ``page``, called like the view and with ``problem``.

    The page shows the submitted values, and the error beside the field :attr:`UserError.field`. It raises the
    error if it has no such form any more. Programs get JSON.
    """

    def decorate(view: _View[_P]) -> _View[_P]:
        @functools.wraps(view)
        def wrapped(*args: _P.args, **kwargs: _P.kwargs) -> ResponseReturnValue:
            try:
                return view(*args, **kwargs)
            except UserError as error:
                # Without permission or object there is no form to show.
                no_form = error.status in (403, 404, 410)
                if no_form or wants_json() or not current_request().form_is_read:
                    raise
                response: WerkzeugResponse = make_response(page(*args, **kwargs, problem=error))
                response.status_code = error.status
                return response

        return wrapped

    return decorate
