"""A form that is refused comes again: with what was typed, and beside the field what is wrong with it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec

from flask import make_response
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from webapp.errors import UserError
from webapp.http.error_pages import wants_json
from webapp.intake.upload_request import this_request

_Arguments = ParamSpec("_Arguments")
_View = Callable[_Arguments, ResponseReturnValue]

_NO_FORM = frozenset({403, 404, 410})  # who may not, or where there is nothing (any more), is shown none


def form_again(page: Callable[..., ResponseReturnValue]) -> Callable[[_View[_Arguments]], _View[_Arguments]]:
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
                if wants_json() or problem.status in _NO_FORM or not this_request().form_is_read:
                    raise
                response: Response = make_response(page(*given, **named, problem=problem))
                response.status_code = problem.status
                return response

        return answered

    return decorate
