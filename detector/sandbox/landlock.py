"""Which files a confined process may open: Landlock, in Linux since 5.13 where it is switched on.

Everything is refused but what is listed. The system calls have one number on all processors.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Iterable
from pathlib import Path

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_VERSION = 1  # flag: say which version there is
_BENEATH, _PORT = 1, 2  # kinds of rules
_CONNECT = 2  # right on a port

_EXECUTE, _WRITE, _READ, _READ_DIR = 1, 2, 4, 8
_TRUNCATE, _IOCTL = 1 << 14, 1 << 15
_READING = _READ | _READ_DIR
# No links, sockets, pipes or devices: whoever takes a result over would follow them.
_NEVER_WRITTEN = _EXECUTE | 1 << 6 | 1 << 9 | 1 << 10 | 1 << 11 | 1 << 12
_OF_FILES = _EXECUTE | _WRITE | _READ | _TRUNCATE | _IOCTL
# All rights on files that each version knows of: REFER came with 2, TRUNCATE with 3, IOCTL_DEV with 5.
_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
_TCP = {4: 3}  # bind and connect
_SCOPES = {6: 3}  # abstract Unix sockets and signals that leave this process's own domain


def version() -> int:
    """Which version of Landlock this kernel offers; 0 for none."""
    return max(0, _libc().syscall(_CREATE, None, 0, _VERSION))


def refuse_files(readable: Iterable[Path], writable: Iterable[Path], ports: Iterable[int] = ()) -> bool:
    """From now on this process opens nothing but these and what is below them; False if that cannot be.

    What does not exist is left out. Of TCP ports it connects to ``ports`` alone, where the kernel knows of
    them (version 4). Needs ``PR_SET_NO_NEW_PRIVS``.
    """
    newest = version()
    if not newest:
        return False
    handled = _known(_RIGHTS, newest)
    tcp, scopes = _known(_TCP, newest), _known(_SCOPES, newest)
    fields = [handled] + [tcp] * (newest >= 4) + [scopes] * (newest >= 6)
    attribute = struct.pack(f"={len(fields)}Q", *fields)
    rules = _libc().syscall(_CREATE, attribute, len(attribute), 0)
    if rules < 0:
        return False
    try:
        for path in readable:
            _allow(rules, path, handled & _READING)
        for path in writable:
            _allow(rules, path, handled & ~_NEVER_WRITTEN)
        for port in ports if tcp else ():
            _libc().syscall(_ADD, rules, _PORT, struct.pack("=QQ", _CONNECT, port), 0)
        return bool(_libc().syscall(_RESTRICT, rules, 0) == 0)
    finally:
        os.close(rules)


def _allow(rules: int, path: Path, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(place).st_mode):
            rights &= _OF_FILES
        _libc().syscall(_ADD, rules, _BENEATH, struct.pack("=Qi", rights, place), 0)
    finally:
        os.close(place)


def _known(by_version: dict[int, int], newest: int) -> int:
    return max((value for version, value in by_version.items() if version <= newest), default=0)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
