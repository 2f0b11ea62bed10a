"""What the kernel is asked to hold a process to, and which of it this machine offers."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import site
import struct
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from detector.paths import FILES, ROOT
from detector.sandbox import landlock, seccomp
from detector.sandbox.limits import AllowedPaths, Limits

_PR_SET_NO_NEW_PRIVS = 38
_NEW_USER, _NEW_NETWORK, _NEW_IPC = 0x10000000, 0x40000000, 0x08000000
_CAPABILITIES_VERSION = 0x20080522
_FILE_CAPABILITIES = 0b0110  # dac_override, dac_read_search: what root needs to open files
_CPU_GRACE = 5  # seconds between the signal that can be told from others and the one that ends everything

# The program beside its data: the data folder may lie in the same folder, and is not for reading.
_PROGRAM = ("detector", "reports", "webapp")
_COMMIT = ("HEAD", "packed-refs", "refs")  # in .git; with them a result names the commit
_FILES = ("templates", "static", "translations", "models", "requirements.txt")
_SYSTEM = ("/usr", "/lib", "/lib64", "/proc", "/sys", "/var/cache/fontconfig")
_SETTINGS = ("fonts", "ld.so.cache", "localtime", "mime.types", "nsswitch.conf", "passwd", "group")
_OF_NETWORK = tuple(Path("/etc", name) for name in ("hosts", "resolv.conf", "gai.conf", "services", "ssl"))
_FONTS = (".fonts", ".local/share/fonts", ".cache/fontconfig", ".config/fontconfig")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")


@dataclass(frozen=True)
class Capabilities:
    """Which means beyond plain limits this machine offers."""

    network: bool  # a network namespace of its own, with nothing in it
    calls: bool  # a seccomp filter
    files: int  # version of Landlock, 0 for none


def confine(limits: Limits, places: AllowedPaths, scratch: Path, *, network: bool) -> Capabilities:
    """Confine this process, for good; ``scratch`` becomes its folder for temporary files.

    Needs to be called before there is a second thread. ``network`` is what :func:`capabilities` found of a
    namespace: half of one cannot be undone. Returns which means took hold; what the kernel does
    not offer is done without.
    """
    os.chdir(scratch)
    os.environ["TMPDIR"] = tempfile.tempdir = str(scratch)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    alone = network and _leave_network(libc, _NEW_IPC if places.ports else _NEW_NETWORK | _NEW_IPC)
    _limit(limits)
    _drop_capabilities(libc)
    writable = (*places.writable, scratch, *map(Path, _DEVICES), *Path("/dev").glob("nvidia*"))
    readable = (*_program(), *places.readable, *(_OF_NETWORK if places.ports else ()))
    fenced = landlock.refuse_files(readable, writable, places.ports)
    filtered = seccomp.refuse_calls(network=bool(places.ports))
    return Capabilities(alone and not places.ports, filtered, landlock.version() if fenced else 0)


@cache
def capabilities() -> Capabilities:
    """What takes hold on this machine, tried out in a process that does nothing else."""
    return _tried(network=True) or _tried(network=False) or Capabilities(False, False, 0)


def _tried(*, network: bool) -> Capabilities | None:
    reader, writer = os.pipe()
    with tempfile.TemporaryDirectory() as scratch:
        process = os.fork()
        if not process:
            try:
                with contextlib.suppress(OSError):
                    found = confine(Limits(), AllowedPaths(), Path(scratch), network=network)
                    os.write(writer, struct.pack("3i", found.network, found.calls, found.files))
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
        # Not RLIMIT_AS: torch alone reserves four gigabytes of addresses that it never uses.
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
    """Into a network namespace with nothing in it, not even loopback that is up, and one for System V IPC.

    Raises ``OSError`` where a user namespace can be made but not be set up, as on some Ubuntus.
    """
    if os.geteuid() == 0:
        # Root needs no user namespace, in which it could no longer open files of other users.
        return bool(libc.unshare(namespaces) == 0)
    user, group = os.geteuid(), os.getegid()
    if libc.unshare(_NEW_USER | namespaces) != 0:
        return False
    # Without a mapping, nothing could be created: files need an owner.
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    return True


def _drop_capabilities(libc: ctypes.CDLL) -> None:
    kept = _FILE_CAPABILITIES if os.geteuid() == 0 else 0
    head = struct.pack("=Ii", _CAPABILITIES_VERSION, 0)
    libc.capset(head, struct.pack("=6I", kept, kept, 0, 0, 0, 0))


def _program() -> list[Path]:
    """What the program itself reads: code, packages, models, fonts, the system's libraries."""
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
