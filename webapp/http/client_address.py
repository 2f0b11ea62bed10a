"""Where a request comes from: its network address by itself, and the network it counts as."""

from __future__ import annotations

import ipaddress
import re

_WITH_PORT = re.compile(r"\[(?P<v6>[^\]]+)\](:\d+)?|(?P<v4>\d+\.\d+\.\d+\.\d+):\d+")


def network(address: str) -> str:
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
