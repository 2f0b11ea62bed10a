"""What a confined process is prevented from doing."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from confined import error_of

from detector.files import ROOT
from detector.sandbox import (
    AllowedPaths,
    Limits,
    Sandbox,
    capabilities,
)

_READS_GIT = """
import errno, sys
from pathlib import Path
from detector.environment import commit
from detector.sandbox import AllowedPaths, Limits, kernel
root = Path(sys.argv[1])
kernel.ROOT = root
kernel.confine(Limits(), AllowedPaths(), root / "scratch", network=False)
try:
    (root / ".git/config").read_text()
except OSError as problem:
    print(commit(root), errno.errorcode[problem.errno])
"""

_IMPORTS_AN_ARCHITECTURE = """
import sys
from pathlib import Path
from detector.sandbox import AllowedPaths, Limits, kernel
kernel.confine(Limits(), AllowedPaths(), Path(sys.argv[1]), network=False)
print("confined", flush=True)
sys.stdin.readline()
from detector.networks.base import create
print(type(create("resnet18")).__name__)
"""


class TestRefusals:
    """What a hijacked decoder would try. Each needs a means of the kernel, without which it skips."""

    @pytest.fixture(autouse=True)
    def offered(self):
        if not (capabilities().calls and capabilities().files):
            pytest.skip(f"this machine offers only {capabilities()}")

    @pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6, socket.AF_UNIX])
    def test_no_network(self, run, family):
        def target(_report):
            try:
                socket.socket(family)
            except OSError as problem:
                return error_of(problem)

        assert run(target) == "EPERM"

    def test_only_interface_is_down(self, run):
        if not capabilities().network:
            pytest.skip("no network namespaces here")
        names = run(lambda _report: Path("/proc/self/net/dev").read_text())
        assert [line.split(":")[0].strip() for line in names.splitlines()[2:]] == ["lo"]

    def test_no_programs(self, run):
        def target(_report):
            try:
                subprocess.run(["/bin/true"])
            except OSError as problem:
                return error_of(problem)

        assert run(target) == "EPERM"

    def test_threads_but_no_processes(self, run):
        def target(_report):
            seen = []
            thread = threading.Thread(target=lambda: seen.append("thread"))
            thread.start()
            thread.join()
            try:
                os.fork()
            except OSError as problem:
                seen.append(error_of(problem))
            return seen

        assert run(target) == ["thread", "EPERM"]

    def test_no_signals_to_others(self, run):
        def target(_report):
            try:
                os.kill(os.getppid(), 0)
            except OSError as problem:
                return error_of(problem)

        assert run(target) == "EPERM"

    def test_memory_environment_and_files_of_other_processes_are_refused(self, run):
        """Command lines remain readable, as docs/confinement.md states."""

        def target(_report):
            parent = f"/proc/{os.getppid()}"
            results = {}
            for name in ("environ", "mem", "maps"):
                try:
                    with open(f"{parent}/{name}", "rb") as file:
                        file.read(1)
                    results[name] = True
                except OSError:
                    results[name] = False
            try:
                first = os.listdir(f"{parent}/fd")[0]
                os.close(os.open(f"{parent}/fd/{first}", os.O_RDONLY))
                results["fd"] = True
            except (OSError, IndexError):
                results["fd"] = False
            return results

        assert run(target) == dict.fromkeys(("environ", "mem", "maps", "fd"), False)

    def test_only_needed_files_are_readable(self, run, tmp_path):
        exhibit, other, out = tmp_path / "exhibit", tmp_path / "other", tmp_path / "out"
        exhibit.write_bytes(b"exhibit"), other.write_bytes(b"secret"), out.mkdir()

        def attempt(action) -> str:
            try:
                action()
            except OSError as problem:
                return error_of(problem)
            return "done"

        def target(_report):
            return {
                "exhibit": attempt(exhibit.read_bytes),
                "other": attempt(other.read_bytes),
                "listing": attempt(lambda: list(tmp_path.iterdir())),
                "home": attempt(lambda: list(Path.home().iterdir())),
                "result": attempt(lambda: (out / "a").write_bytes(b"a")),
                "temporary": attempt(lambda: tempfile.TemporaryFile().close()),
                "change": attempt(lambda: exhibit.write_bytes(b"changed")),
                "link": attempt(lambda: (out / "link").symlink_to(other)),
                "beside": attempt(lambda: (tmp_path / "new").touch()),
            }

        outcomes = run(target, places=AllowedPaths(readable=(exhibit,), writable=(out,)))
        allowed = {"exhibit", "result", "temporary"}
        assert {name for name, what in outcomes.items() if what == "done"} == allowed
        assert {what for name, what in outcomes.items() if name not in allowed} <= {"EACCES", "EPERM"}

    def test_only_the_commit_of_git_is_readable(self, tmp_path):
        git = tmp_path / ".git"
        (git / "refs/heads").mkdir(parents=True)
        (git / "HEAD").write_text("ref: refs/heads/main\n")
        (git / "refs/heads/main").write_text("0123456789" * 4 + "\n")
        (git / "config").write_text("url = https://user:password@example.org")
        (tmp_path / "scratch").mkdir()
        # A program of its own: a confined process that was not forked would not know of another root.
        ran = subprocess.run(
            [sys.executable, "-c", _READS_GIT, str(tmp_path)], capture_output=True, text=True, check=True
        )
        assert ran.stdout.split() == ["0123456789" * 4, "EACCES"]

    def test_architectures_are_imported_after_the_repository_changed(self, tmp_path):
        with subprocess.Popen(
            [sys.executable, "-c", _IMPORTS_AN_ARCHITECTURE, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            text=True,
        ) as process:
            assert process.stdout.readline() == "confined\n"
            os.utime(ROOT)  # as if a file beside the packages had just been created
            assert process.communicate("\n")[0] == "ResNet18\n"

    @pytest.mark.parametrize("user", ["as it is", "nobody"])
    def test_nothing_is_changed_shared_or_watched(self, run, tmp_path, user):
        """A key, another exhibit, another process, and what outlives a process or is seen by others."""
        if user == "nobody" and os.geteuid() != 0:
            pytest.skip("only root can become somebody else")
        place = Path(tempfile.mkdtemp(prefix="sandbox-test-"))  # pytest's folders are for their owner alone
        place.chmod(0o777)
        try:
            (place / "key").touch()
            outcomes = run(_probe, place) if user == "as it is" else _probe_as_nobody(place)
        finally:
            shutil.rmtree(place)
        own = {"own prlimit", "own scheduling", "own folder"}
        assert {name for name, what in outcomes.items() if what == "done"} == own
        assert {what for name, what in outcomes.items() if name not in own} <= {"EPERM", "EACCES"}

    @pytest.mark.parametrize("user", ["as it is", "nobody"])
    def test_allowed_network_reaches_one_port(self, run, user):
        """And everything else is refused as ever."""
        if user == "nobody" and os.geteuid() != 0:
            pytest.skip("only root can become somebody else")
        place = Path(tempfile.mkdtemp(prefix="sandbox-test-"))
        place.chmod(0o777)
        with (
            socket.create_server(("127.0.0.1", 0)) as server,
            socket.create_server(("127.0.0.1", 0)) as other,
        ):
            ports = server.getsockname()[1], other.getsockname()[1]
            places = AllowedPaths(ports=ports[:1])
            try:
                (place / "key").touch()
                if user == "nobody":
                    outcomes = _probe_as_nobody(place, _probe_all, *ports, places=places)
                else:
                    outcomes = run(_probe_all, place, *ports, places=places)
            finally:
                shutil.rmtree(place)
        allowed = {"own prlimit", "own scheduling", "own folder", "its port", "names"}
        if capabilities().files < 4:  # knows nothing of ports
            allowed |= {"another port", "listening"}
        assert {name for name, what in outcomes.items() if what == "done"} == allowed
        assert {what for name, what in outcomes.items() if name not in allowed} <= {"EPERM", "EACCES"}

    def test_no_open_files_are_inherited(self, run, tmp_path):
        def target(_report):
            places = [f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd")]
            return [os.readlink(place) for place in places if os.path.lexists(place)]

        with (tmp_path / "open").open("w"):
            assert str(tmp_path / "open") not in run(target)

    def test_no_core_dumps_and_no_privilege_escalation(self, run):
        def target(_report):
            status = Path("/proc/self/status").read_text()
            return [
                resource.getrlimit(resource.RLIMIT_CORE),
                "NoNewPrivs:\t1" in status,
                "Seccomp:\t2" in status,
            ]

        assert run(target) == [[0, 0], True, True]


def _probe(place: Path, _report) -> dict[str, str]:
    """What came of each act that a hijacked decoder could try, by name; ``place`` may be used by anybody."""
    libc = ctypes.CDLL(None, use_errno=True)
    key, segment = place / "key", Path("/dev/shm", f"reelproof-{os.getpid()}")

    def attempt(act) -> str:
        try:
            if act() == -1:
                return errno.errorcode[ctypes.get_errno()]
        except OSError as problem:
            return error_of(problem)
        return "done"

    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    other = os.getppid()
    return {
        "own folder": attempt(lambda: Path("file").write_bytes(b"")),
        "own prlimit": attempt(lambda: resource.prlimit(0, resource.RLIMIT_STACK)),
        "own scheduling": attempt(lambda: os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))),
        "chmod": attempt(lambda: os.chmod(key, 0o666)),
        "chmod of what is its own": attempt(lambda: os.chmod("file", 0o777)),
        "chown": attempt(lambda: os.chown(key, os.getuid(), os.getgid())),
        "utime": attempt(lambda: os.utime(key, (0, 0))),
        "setxattr": attempt(lambda: os.setxattr(key, "user.a", b"a")),
        "removexattr": attempt(lambda: os.removexattr(key, "user.a")),
        "prlimit": attempt(lambda: resource.prlimit(other, resource.RLIMIT_CORE, unlimited)),
        "scheduling": attempt(lambda: os.sched_setscheduler(other, os.SCHED_IDLE, os.sched_param(0))),
        "priority": attempt(lambda: os.setpriority(os.PRIO_PROCESS, other, 19)),
        "pidfd": attempt(lambda: os.pidfd_open(other)),
        "shared file": attempt(lambda: segment.write_bytes(b"a")),
        "shared memory": attempt(lambda: libc.shmget(0x5EE1, 4096, 0o1666)),
        "semaphores": attempt(lambda: libc.semget(0x5EE1, 1, 0o1666)),
        "messages": attempt(lambda: libc.msgget(0x5EE1, 0o1666)),
        "inotify": attempt(lambda: libc.inotify_init1(0)),
        "fanotify": attempt(lambda: libc.fanotify_init(0, 0)),
        "namespace": attempt(lambda: libc.unshare(0x10000000)),
    }


def _try_connections(port: int, other: int) -> dict[str, str]:
    """What came of each way to reach somebody, by name."""

    def attempt(*kind, to=None, send=False) -> str:
        try:
            with socket.socket(*kind) as made:
                made.settimeout(60)
                if send:
                    made.sendto(b"a", socket.MSG_FASTOPEN, ("127.0.0.1", to))
                elif to:
                    made.connect(("127.0.0.1", to))
        except OSError as problem:
            return error_of(problem)
        return "done"

    def listening() -> str:
        try:
            socket.create_server(("127.0.0.1", 0)).close()
        except OSError as problem:
            return error_of(problem)
        return "done"

    tcp, udp = (socket.AF_INET, socket.SOCK_STREAM), (socket.AF_INET, socket.SOCK_DGRAM)
    return {
        "its port": attempt(*tcp, to=port),
        "another port": attempt(*tcp, to=other),
        "another port by multipath": attempt(*tcp, 262, to=other),  # IPPROTO_MPTCP
        "another port by sending": attempt(*tcp, to=other, send=True),
        "listening": listening(),
        "names": attempt(*udp, to=53),
        "raw packets": attempt(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
        "packets": attempt(socket.AF_PACKET, socket.SOCK_RAW),
        "programs on this machine": attempt(socket.AF_UNIX, socket.SOCK_STREAM),
        "the kernel": attempt(socket.AF_NETLINK, socket.SOCK_RAW),
        "another file": _try_opening(Path(__file__).parents[3] / "CHANGELOG.md"),
    }


def _try_opening(path: Path) -> str:
    try:
        path.read_bytes()
    except OSError as problem:
        return error_of(problem)
    return "done"


def _probe_all(place: Path, port: int, other: int, report) -> dict[str, str]:
    return _probe(place, report) | _try_connections(port, other)


def _probe_as_nobody(
    place: Path, target=_probe, *arguments, places: AllowedPaths | None = None
) -> dict[str, str]:
    """The same by an account without rights."""
    reader, writer = os.pipe()
    if not (process := os.fork()):
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            capabilities.cache_clear()
            tempfile.tempdir = str(place)
            what = {"limits": Limits(), "places": places or AllowedPaths(), "scratch": place}
            with Sandbox(target, place, *arguments, **what) as confined:
                os.write(writer, json.dumps(confined.result()).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as answer:
        text = answer.read()
    os.waitpid(process, 0)
    return json.loads(text)
