"""Limits of a confined process and how the kernel enforces them, Landlock included."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import site
import stat
import struct
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path

from detector.files import FILES, ROOT
from detector.sandbox import seccomp

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Limits:
    """Limits of a confined process: sizes in bytes, times in seconds.

    An analysis of 4K video takes 1.6 GB of ``memory`` as counted here, of which 1 GB belongs to libraries
    such as torch, and about twelve minutes of processor time for an hour of 720p.
    """

    memory: int = 4096 * MEGABYTE
    cpu: int = 14_400
    wall: float = 7_200
    written: int = 4096 * MEGABYTE
    files: int = 256


@dataclass(frozen=True)
class AllowedPaths:
    """Files and folders that a confined process may access, besides reading the program's own.

    Paths in ``writable`` must exist; ``Limits.written`` limits their total size. With ``ports`` the process
    keeps the network: it may resolve names and connect to these TCP ports of any machine.
    """

    readable: tuple[Path, ...] = ()
    writable: tuple[Path, ...] = ()
    ports: tuple[int, ...] = ()


# Landlock: system calls, flag for the version, types of rules, and the right to connect to a port.
_CREATE, _ADD, _RESTRICT = 444, 445, 446
_VERSION = 1
_RULE_PATH, _RULE_PORT = 1, 2
_CONNECT = 2
_EXECUTE, _WRITE, _READ, _READ_DIR = 1, 2, 4, 8
_TRUNCATE, _IOCTL = 1 << 14, 1 << 15
_READING = _READ | _READ_DIR
# Never create links, sockets, pipes or devices, which a reader of the result would follow.
_NEVER_WRITTEN = _EXECUTE | 1 << 6 | 1 << 9 | 1 << 10 | 1 << 11 | 1 << 12
_FILE_RIGHTS = _EXECUTE | _WRITE | _READ | _TRUNCATE | _IOCTL
# All file rights by version: REFER came with 2, TRUNCATE with 3, IOCTL_DEV with 5.
_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
_TCP = {4: 3}  # bind and connect
_SCOPES = {6: 3}  # abstract Unix sockets and signals that leave this process's own domain


def landlock_version() -> int:
    """Return the version of Landlock that the kernel offers; 0 without Landlock."""
    return max(0, _libc().syscall(_CREATE, None, 0, _VERSION))


def refuse_files(readable: Iterable[Path], writable: Iterable[Path], ports: Iterable[int] = ()) -> bool:
    """Restrict this process to these files and folders, for good; return False without Landlock.

    Missing paths are ignored. TCP connections are restricted to ``ports`` from version 4 on. Needs
    ``PR_SET_NO_NEW_PRIVS``.
    """
    newest = landlock_version()
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
            _libc().syscall(_ADD, rules, _RULE_PORT, struct.pack("=QQ", _CONNECT, port), 0)
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
            rights &= _FILE_RIGHTS
        _libc().syscall(_ADD, rules, _RULE_PATH, struct.pack("=Qi", rights, place), 0)
    finally:
        os.close(place)


def _known(by_version: dict[int, int], newest: int) -> int:
    return max((value for version, value in by_version.items() if version <= newest), default=0)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


_PR_SET_NO_NEW_PRIVS = 38
_NEW_USER, _NEW_NETWORK, _NEW_IPC = 0x10000000, 0x40000000, 0x08000000
_CAPABILITIES_VERSION = 0x20080522
_FILE_CAPABILITIES = 0b0110  # dac_override, dac_read_search: what root needs to open files
_CPU_GRACE = 5  # seconds between SIGXCPU, which identifies the limit, and SIGKILL

# Named one by one, because the data folder may be beside them and must not be readable.
# training holds architectures without weights.
_PROGRAM = ("cli", "detector", "language", "reports", "training", "verification", "webapp")
_COMMIT = ("HEAD", "packed-refs", "refs")  # in .git, to record the commit in results
_FILES = ("templates", "static", "translations", "models", "requirements.txt")
_SYSTEM = ("/usr", "/lib", "/lib64", "/proc", "/sys", "/var/cache/fontconfig")
_SETTINGS = ("fonts", "ld.so.cache", "localtime", "mime.types", "nsswitch.conf", "passwd", "group")
_NETWORK_FILES = tuple(Path("/etc", name) for name in ("hosts", "resolv.conf", "gai.conf", "services", "ssl"))
_FONTS = (".fonts", ".local/share/fonts", ".cache/fontconfig", ".config/fontconfig")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")


@dataclass(frozen=True)
class Capabilities:
    """The means of confinement beyond plain limits that this machine offers."""

    network: bool  # an empty network namespace
    calls: bool  # a seccomp filter
    files: int  # version of Landlock, 0 for none


def confine(limits: Limits, places: AllowedPaths, scratch: Path, *, network: bool) -> Capabilities:
    """Confine this process for good; ``scratch`` becomes its folder for temporary files.

    Must be called before a second thread starts. ``network`` tells whether to try a network namespace, as
    :func:`capabilities` determined, because a half-created one cannot be undone. Returns the means that took
    effect; those that the kernel does not offer are skipped.
    """
    with contextlib.suppress(ModuleNotFoundError):
        # Python lists the folder above the packages again when it has changed, which in here it cannot read.
        import_module("training")
    os.chdir(scratch)
    os.environ["TMPDIR"] = tempfile.tempdir = str(scratch)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    alone = network and _leave_network(libc, _NEW_IPC if places.ports else _NEW_NETWORK | _NEW_IPC)
    _limit(limits)
    _drop_capabilities(libc)
    writable = (*places.writable, scratch, *map(Path, _DEVICES), *Path("/dev").glob("nvidia*"))
    readable = (*_program(), *places.readable, *(_NETWORK_FILES if places.ports else ()))
    fenced = refuse_files(readable, writable, places.ports)
    filtered = seccomp.refuse_calls(network=bool(places.ports))
    return Capabilities(alone and not places.ports, filtered, landlock_version() if fenced else 0)


@cache
def capabilities() -> Capabilities:
    """Determine what takes effect on this machine by confining a process that does nothing else."""
    return _try_confining(network=True) or _try_confining(network=False) or Capabilities(False, False, 0)


def _try_confining(*, network: bool) -> Capabilities | None:
    reader, writer = os.pipe()
    with tempfile.TemporaryDirectory() as scratch:
        process = os.fork()
        if not process:
            try:
                with contextlib.suppress(OSError):
                    layers = confine(Limits(), AllowedPaths(), Path(scratch), network=network)
                    os.write(writer, struct.pack("3i", layers.network, layers.calls, layers.files))
            finally:
                os._exit(0)
        os.close(writer)
        with os.fdopen(reader, "rb") as answer:
            text = answer.read()
        os.waitpid(process, 0)
    if not text:
        return None
    alone, calls, files = struct.unpack("3i", text)
    return Capabilities(bool(alone), bool(calls), files)


def _limit(limits: Limits) -> None:
    for kind, soft, hard in (
        # Not RLIMIT_AS: torch alone reserves four gigabytes of address space that it never uses.
        (resource.RLIMIT_DATA, limits.memory, limits.memory),
        (resource.RLIMIT_CPU, limits.cpu, limits.cpu + _CPU_GRACE),
        (resource.RLIMIT_FSIZE, limits.written, limits.written),
        (resource.RLIMIT_NOFILE, limits.files, limits.files),
        (resource.RLIMIT_CORE, 0, 0),
    ):
        most = resource.getrlimit(kind)[1]
        if most != resource.RLIM_INFINITY:
            soft, hard = min(soft, most), min(hard, most)
        resource.setrlimit(kind, (soft, hard))


def _leave_network(libc: ctypes.CDLL, namespaces: int) -> bool:
    """Enter an empty network namespace, without even loopback, and one for System V IPC.

    Raises ``OSError`` if a user namespace can be created but not set up, as on some Ubuntu systems.
    """
    if os.geteuid() == 0:
        # Root needs no user namespace, and could no longer open files of other users in one.
        return bool(libc.unshare(namespaces) == 0)
    user, group = os.geteuid(), os.getegid()
    if libc.unshare(_NEW_USER | namespaces) != 0:
        return False
    # Without a mapping no file could be created, because files need an owner.
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    return True


def _drop_capabilities(libc: ctypes.CDLL) -> None:
    kept = _FILE_CAPABILITIES if os.geteuid() == 0 else 0
    head = struct.pack("=Ii", _CAPABILITIES_VERSION, 0)
    libc.capset(head, struct.pack("=6I", kept, kept, 0, 0, 0, 0))


def _program() -> list[Path]:
    """Return what the program itself reads: code, packages, models, fonts and system libraries."""
    packages = [*site.getsitepackages(), site.getusersitepackages(), sys.prefix, sys.base_prefix]
    home = Path.home()
    return [
        *(ROOT / name for name in _PROGRAM),
        *(ROOT / ".git" / name for name in _COMMIT),
        *(FILES / name for name in _FILES),
        *map(Path, packages),
        *map(Path, _SYSTEM),
        *(Path("/etc", name) for name in _SETTINGS),
        *(home / name for name in _FONTS),
    ]
