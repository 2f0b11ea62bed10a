"""Values read from requests: client addresses, row ids, names, and rejected NUL characters."""

from __future__ import annotations

import ipaddress
import re

from flask import Flask, abort, request
from werkzeug.routing import IntegerConverter, Map

from detector.schema.formatting import find_invisible
from language.translation import gettext
from webapp.http.error_responses import is_api

_WITH_PORT = re.compile(r"\[(?P<v6>[^\]]+)\](:\d+)?|(?P<v4>\d+\.\d+\.\d+\.\d+):\d+")
_MAX_ID = 2**31 - 1  # of PostgreSQL's integer; SQLite ends at 2**63 - 1
_MAX_DIGITS = 9  # every number of so many digits is smaller


def client_network(address: str) -> str:
    """Return an IPv4 address or, for IPv6, the /64 network, which is what a household gets."""
    plain = plain_address(address)
    try:
        parsed = ipaddress.ip_address(plain.partition("%")[0])
    except ValueError:
        return plain
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


def plain_address(address: str) -> str:
    """Normalise an address: proxies add ports and brackets, or write IPv4 as IPv6."""
    text = address.strip()
    if match := _WITH_PORT.fullmatch(text):
        text = match["v6"] or match["v4"]
    try:
        parsed = ipaddress.ip_address(text)
    except ValueError:
        return text
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(parsed)


class RowNumber(IntegerConverter):
    """``<int:...>`` in a route; a number larger than any row's does not match, hence 404."""

    def __init__(
        self,
        map: Map,
        fixed_digits: int = 0,
        min: int | None = None,
        max: int | None = _MAX_ID,
        signed: bool = False,
    ) -> None:
        super().__init__(map, fixed_digits, min, max, signed)


def row_number(text: str) -> int | None:
    """Parse the number of a row from a form or program; None if it cannot be one."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS else None


def name_fault(name: str, longest: int) -> str:
    """Return what is wrong with the name of a case, account or token, as a sentence; empty if nothing."""
    if len(name) > longest:
        return gettext("It has more than %(longest)s characters.", longest=longest)
    if code := find_invisible(name):
        return gettext(
            "It contains an invisible character (%(code)s). Delete it, or type the name again.", code=code
        )
    return ""


def refuse_nul_characters(app: Flask) -> None:
    """Answer addresses with a NUL with 404: PostgreSQL can neither store nor compare it.

    Forms are checked where they are read (:mod:`webapp.http.uploads`), JSON by its models.
    """

    @app.before_request
    def refuse() -> None:
        # The API itself reports which field of a query is invalid.
        query = () if is_api() else request.args.items(multi=True)
        if "\0" in request.path or any("\0" in text for field in query for text in field):
            abort(404)
