"""Checks of paths, JSON and addresses that come from outside."""

from __future__ import annotations

import ipaddress
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit


def escapes_folder(name: str) -> bool:
    """Return whether a file name could refer to a place outside of its folder, on any system."""
    pure = PurePosixPath(name)
    return pure.is_absolute() or ".." in pure.parts or any(char in name for char in "\\:\0")


def kept(folder: Path, name: str) -> bytes | None:
    """Read a file of a result or an unpacked bundle; return None if it does not exist."""
    path = folder / name
    return path.read_bytes() if path.is_file() else None


# Objects and lists; ten thousand annotations have twenty thousand, and names and notes may hold brackets.
_MOST = 100_000


def is_crowded(data: bytes) -> bool:
    """Return whether JSON has more objects and lists than any of our files (each takes 20 times its text)."""
    return data.count(b"{") + data.count(b"[") > _MOST


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine; IPv6 addresses may have brackets."""
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_confidential(url: str) -> bool:
    """Return whether a URL is https or leads to this machine, so that nobody can read the traffic."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
