"""Errors as RFC 9457 problem details, for everything below ``/api``."""

from __future__ import annotations

from http import HTTPStatus

from flask import Response, request
from pydantic import Field

from detector.schema.analysis import Value

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


def response(status: int, detail: str, remedy: str = "", errors: tuple[FieldProblem, ...] = ()) -> Response:
    """The answer that says it."""
    problem = ProblemDetails(title=title(status), status=status, detail=detail, remedy=remedy, errors=errors)
    # Words may quote what was sent: a half of a surrogate pair has no UTF-8.
    text = problem.model_dump_json(exclude_defaults=True, ensure_ascii=True)
    answer = Response(text + "\n", status=status, content_type=MEDIA_TYPE)
    if status == 401:
        answer.headers["WWW-Authenticate"] = CHALLENGE
    return answer


def title(status: int) -> str:
    """What a status is called."""
    return "Checksum Mismatch" if status == 460 else HTTPStatus(status).phrase


class FieldsError(Exception):
    """Fields of a request cannot be used; answered with 422 and all of them."""

    def __init__(self, errors: tuple[FieldProblem, ...]) -> None:
        super().__init__("; ".join(f"{error.where}: {error.problem}" for error in errors))
        self.errors = errors
