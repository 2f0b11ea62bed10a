"""The body of a request that is no form, with a limit: it is held in memory as a whole."""

from __future__ import annotations

from flask import request
from werkzeug.exceptions import RequestEntityTooLarge

from webapp.errors import UserError

LARGEST_JSON = 256 * 1024  # bytes: the longest note and ten thousand tracks fit well


def small_body() -> bytes:
    """The body of this request.

    Raises :class:`UserError` where it has more than :data:`LARGEST_JSON` bytes, before more of it is read,
    also where the request does not say how long it is.
    """
    # Of a body of unknown length Werkzeug gives as much as the limit, without a word of there being more.
    request.max_content_length = LARGEST_JSON + 1
    try:
        data = request.get_data()
    except RequestEntityTooLarge:
        raise _too_large() from None
    if len(data) > LARGEST_JSON:
        raise _too_large()
    return data


def _too_large() -> UserError:
    return UserError(413, "The body is larger than 256 kB.", "Send less in one request.")
