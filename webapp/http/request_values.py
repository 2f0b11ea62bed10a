"""Values read from requests: client addresses, row ids, names, and rejected NUL characters."""

from __future__ import annotations

import ipaddress
import re

from flask import Flask, abort, request
from werkzeug.routing import IntegerConverter, Map

from detector.schema.formatting import find_invisible
from reports.language.translation import gettext
from webapp.http.error_responses import is_api

_WITH_PORT = re.compile(r"\[(?P<v6>[^\]]+)\](:\d+)?|(?P<v4>\d+\.\d+\.\d+\.\d+):\d+")


def client_network(address: str) -> str:
    """An address or, of IPv6, the network a household gets."""
    plain = plain_address(address)
    try:
        parsed = ipaddress.ip_address(plain.partition("%")[0])
    except ValueError:
        return plain
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


def plain_address(address: str) -> str:
    """An address as it is written by itself; proxies add ports and brackets, or write IPv4 as IPv6."""
    text = address.strip()
    if found := _WITH_PORT.fullmatch(text):
        text = found["v6"] or found["v4"]
    try:
        parsed = ipaddress.ip_address(text)
    except ValueError:
        return text
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(parsed)


_LARGEST = 2**31 - 1  # of PostgreSQL's integer; SQLite ends at 2**63 - 1
_MOST_DIGITS = 9  # all numbers of so many are below it


class RowNumber(IntegerConverter):
    """``<int:...>`` in a rule: a larger number is an address there is not, and so a 404."""

    def __init__(
        self,
        map: Map,
        fixed_digits: int = 0,
        min: int | None = None,
        max: int | None = _LARGEST,
        signed: bool = False,
    ) -> None:
        super().__init__(map, fixed_digits, min, max, signed)


def row_number(text: str) -> int | None:
    """The number of a row that a form or a program sent as text; None for what can be none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else None


def name_fault(name: str, longest: int) -> str:
    """What is wrong with a name and how to put it right, in a sentence; empty where nothing is."""
    if len(name) > longest:
        return gettext("It has more than %(longest)s characters.", longest=longest)
    if code := find_invisible(name):
        return gettext(
            "It holds a character that nobody sees (%(code)s). Delete that, or type the name anew.", code=code
        )
    return ""


NUL = "\0"


def refuse_nul_characters(app: Flask) -> None:
    """Answer an address with a NUL in it as one there is not, before its view looks anything up."""
    app.before_request(_refuse)


def _refuse() -> None:
    # Of its queries the API says which field is at fault.
    query = () if is_api() else request.args.items(multi=True)
    if NUL in request.path or any(NUL in text for field in query for text in field):
        abort(404)
