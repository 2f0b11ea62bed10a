"""Checks of paths, JSON and addresses that come from outside."""

from __future__ import annotations

import ipaddress
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit


def escapes_folder(name: str) -> bool:
    """Whether a file's name could mean a place outside of the folder that it is in, on any system."""
    pure = PurePosixPath(name)
    return pure.is_absolute() or ".." in pure.parts or any(char in name for char in "\\:\0")


def kept(folder: Path, name: str) -> bytes | None:
    """What is in the file of this name in the folder of a result or an unpacked bundle, if there is one."""
    path = folder / name
    return path.read_bytes() if path.is_file() else None


# Objects and lists; ten thousand annotations have twenty thousand, and names and notes may hold brackets.
_MOST = 100_000


def is_crowded(data: bytes) -> bool:
    """Whether it holds more objects and lists than any file of ours: one takes twenty times its text."""
    return data.count(b"{") + data.count(b"[") > _MOST


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there; of IPv6 with or without brackets."""
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_confidential(url: str) -> bool:
    """Whether nobody on the way reads or changes what is sent there: by https, or to this machine."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
