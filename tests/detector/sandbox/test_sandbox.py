"""The confined process: what it may not do, what breaking a limit says, and what it leaves behind."""

from __future__ import annotations

import ctypes
import errno
import json
import mmap
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import cloudpickle
import pytest

from detector.errors import MediaError, ModelError, ReelproofError
from detector.paths import ROOT
from detector.sandbox import (
    AllowedPaths,
    CrashError,
    KilledError,
    LimitError,
    Limits,
    Sandbox,
    UnexpectedError,
    capabilities,
    refuse_links,
)

MB = 1_000_000


@pytest.fixture
def run(tmp_path: Path):
    """Run something confined; afterwards no folder of it may be left."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()

    def run(target, *arguments, limits=None, places=None, report=None):
        what = {"limits": limits or Limits(), "places": places or AllowedPaths(), "scratch": scratch}
        with Sandbox(called, cloudpickle.dumps(target), *arguments, **what) as confined:
            return confined.result(report)

    yield run
    assert list(scratch.iterdir()) == []


def called(target: bytes, *arguments):
    """Functions within a test, which pickle could not hand to a process started afresh."""
    return cloudpickle.loads(target)(*arguments)


def error_of(problem: OSError) -> str:
    return errno.errorcode[problem.errno or 0]


def test_what_it_says_comes_back(run):
    def target(number, report):
        report("reading", 0.25)
        report("done", 1.0)
        return {"twice": number * 2}

    said = []
    assert run(target, 21, report=lambda *at: said.append(at)) == {"twice": 42}
    assert [at for i, at in enumerate(said) if at not in said[:i]][-2:] == [("reading", 0.25), ("done", 1.0)]


def test_progress_comes_again_while_there_is_none_and_may_end_it(run):
    class Enough(Exception):
        pass

    said = []

    def report(*at):
        said.append(at)
        if said.count(("stuck", 0.5)) == 3:
            raise Enough

    def silent(report):
        report("stuck", 0.5)
        time.sleep(600)

    with pytest.raises(Enough):
        run(silent, report=report)


@pytest.mark.parametrize("kind", [MediaError, ModelError])
def test_the_engines_own_errors_come_back_as_they_are(run, kind):
    def target(_report):
        raise kind("Do this and that.")

    with pytest.raises(kind, match=r"^Do this and that\.$"):
        run(target)


def test_other_errors_come_back_as_text(run):
    def target(_report):
        return {}["missing"]

    with pytest.raises(UnexpectedError, match="KeyError: 'missing'"):
        run(target)


def test_what_comes_back_is_not_trusted(run):
    """It is JSON and nothing else: an object that JSON cannot hold is an error, not a pickle."""
    with pytest.raises(UnexpectedError, match="not JSON serializable"):
        run(lambda _report: object())


class TestLimits:
    def test_memory(self, run):
        def target(_report):
            kept = []
            while True:
                kept.append(bytearray(50 * MB))

        with pytest.raises(LimitError, match="more memory than the 2,000 MB allowed.*MEMORY_LIMIT_MB"):
            run(target, limits=Limits(memory=2000 * MB))

    def test_memory_that_the_kernel_does_not_count(self, run):
        def target(_report):
            kept = []
            while True:
                kept.append(mmap.mmap(-1, 20 * MB))
                kept[-1].write(b"x" * len(kept[-1]))
                time.sleep(0.01)

        with pytest.raises(LimitError, match="more memory"):
            run(target, limits=Limits(memory=2000 * MB))

    def test_memory_that_a_library_asks_for(self, run):
        def target(_report):
            import torch

            return torch.zeros(10**12).numel()

        with pytest.raises(LimitError, match="more memory"):
            run(target)

    def test_processor_time(self, run):
        def target(_report):
            while True:
                pass

        with pytest.raises(LimitError, match="processor time than the 1 seconds.*CPU_LIMIT"):
            run(target, limits=Limits(cpu=1))

    def test_the_clock(self, run):
        started = time.monotonic()
        with pytest.raises(LimitError, match="longer than the 0.3 seconds.*TIME_LIMIT"):
            run(lambda _report: time.sleep(60), limits=Limits(wall=0.3))
        assert time.monotonic() - started < 5

    def test_one_large_file(self, run):
        def target(_report):
            with open("x", "wb") as file:
                while True:
                    file.write(bytes(MB))

        with pytest.raises(LimitError, match="wrote more than the 5 MB.*TEMP_LIMIT_MB"):
            run(target, limits=Limits(written=5 * MB))

    def test_many_small_files(self, run, tmp_path):
        def target(_report):
            for number in range(1000):
                Path(tmp_path, f"{number}").write_bytes(bytes(MB))
                time.sleep(0.005)
            time.sleep(5)

        with pytest.raises(LimitError, match="wrote more than the 20 MB"):
            run(target, limits=Limits(written=20 * MB), places=AllowedPaths(writable=(tmp_path,)))

    def test_open_files(self, run):
        def target(_report):
            kept = []
            try:
                while True:
                    kept.append(os.open(os.devnull, os.O_RDONLY))
            except OSError as problem:
                return [len(kept), error_of(problem)]

        count, error = run(target, limits=Limits(files=40))
        assert count < 40 and error == "EMFILE"


class TestEnds:
    @pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGILL])
    def test_a_crash(self, run, number):
        with pytest.raises(CrashError, match="keep the original"):
            run(lambda _report: os.kill(os.getpid(), number))

    def test_a_wild_pointer(self, run):
        with pytest.raises(CrashError):
            run(lambda _report: ctypes.string_at(1))

    def test_somebody_else(self, run):
        with pytest.raises(KilledError):
            run(lambda _report: os.kill(os.getpid(), signal.SIGKILL))

    def test_without_a_word(self, run):
        with pytest.raises((UnexpectedError, CrashError)):
            run(lambda _report: os._exit(1))

    def test_each_is_one_of_ours(self):
        assert all(issubclass(kind, ReelproofError) for kind in (CrashError, KilledError, LimitError))

    def test_the_folder_of_a_killed_parent_is_removed_by_the_next(self, tmp_path, run):
        scratch = tmp_path / "scratch"
        parent = os.fork()
        if not parent:
            Sandbox(lambda _report: time.sleep(60), limits=Limits(), places=AllowedPaths(), scratch=scratch)
            os.kill(os.getpid(), signal.SIGKILL)
        os.waitpid(parent, 0)
        (abandoned,) = scratch.iterdir()
        end = time.monotonic() + 60
        while at_work_in(abandoned):  # the kernel ends it with its parent
            assert time.monotonic() < end
            time.sleep(0.02)
        assert run(lambda _report: 1) == 1  # and the fixture looks whether the folder is gone


def at_work_in(folder: Path) -> bool:
    for place in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if os.readlink(place) == str(folder):
                return True
        except OSError:
            continue
    return False


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

    def test_no_interface_but_one_that_is_down(self, run):
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

    def test_no_processes_but_threads(self, run):
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

    def test_only_the_files_it_needs(self, run, tmp_path):
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

        found = run(target, places=AllowedPaths(readable=(exhibit,), writable=(out,)))
        allowed = {"exhibit", "result", "temporary"}
        assert {name for name, what in found.items() if what == "done"} == allowed
        assert {what for name, what in found.items() if name not in allowed} <= {"EACCES", "EPERM"}

    @pytest.mark.parametrize("user", ["as it is", "nobody"])
    def test_nothing_is_changed_shared_or_watched(self, run, tmp_path, user):
        """A key, another exhibit, another process, and what outlives a process or is seen by others."""
        if user == "nobody" and os.geteuid() != 0:
            pytest.skip("only root can become somebody else")
        place = Path(tempfile.mkdtemp(prefix="sandbox-test-"))  # pytest's folders are for their owner alone
        place.chmod(0o777)
        try:
            (place / "key").touch()
            found = run(_probe, place) if user == "as it is" else _as_nobody(place)
        finally:
            shutil.rmtree(place)
        own = {"own prlimit", "own scheduling", "own folder"}
        assert {name for name, what in found.items() if what == "done"} == own
        assert {what for name, what in found.items() if name not in own} <= {"EPERM", "EACCES"}

    @pytest.mark.parametrize("user", ["as it is", "nobody"])
    def test_a_network_that_is_kept_leads_to_one_port(self, run, user):
        """And everything else is refused as ever."""
        if user == "nobody" and os.geteuid() != 0:
            pytest.skip("only root can become somebody else")
        place = Path(tempfile.mkdtemp(prefix="sandbox-test-"))
        place.chmod(0o777)
        with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
            ports = one.getsockname()[1], other.getsockname()[1]
            places = AllowedPaths(ports=ports[:1])
            try:
                (place / "key").touch()
                if user == "nobody":
                    found = _as_nobody(place, _both, *ports, places=places)
                else:
                    found = run(_both, place, *ports, places=places)
            finally:
                shutil.rmtree(place)
        allowed = {"own prlimit", "own scheduling", "own folder", "its port", "names"}
        if capabilities().files < 4:  # knows nothing of ports
            allowed |= {"another port", "listening"}
        assert {name for name, what in found.items() if what == "done"} == allowed
        assert {what for name, what in found.items() if name not in allowed} <= {"EPERM", "EACCES"}

    def test_nothing_open_is_inherited(self, run, tmp_path):
        def target(_report):
            places = [f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd")]
            return [os.readlink(place) for place in places if os.path.lexists(place)]

        with (tmp_path / "open").open("w"):
            assert str(tmp_path / "open") not in run(target)

    def test_no_core_dump_and_no_way_to_more_rights(self, run):
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


def _connections(port: int, other: int) -> dict[str, str]:
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
        "another file": _opened(Path(__file__).parents[3] / "CHANGELOG.md"),
    }


def _opened(path: Path) -> str:
    try:
        path.read_bytes()
    except OSError as problem:
        return error_of(problem)
    return "done"


def _both(place: Path, port: int, other: int, report) -> dict[str, str]:
    return _probe(place, report) | _connections(port, other)


def _as_nobody(place: Path, target=_probe, *arguments, places: AllowedPaths | None = None) -> dict[str, str]:
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


def test_links_in_a_result_are_refused(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "file").touch()
    refuse_links(tmp_path)
    (tmp_path / "a" / "link").symlink_to("/etc/passwd")
    with pytest.raises(CrashError):
        refuse_links(tmp_path)


def test_confining_takes_little_time(run):
    """Well below the 0.3 seconds an analysis may lose: of the processor's, for the machine may be busy."""

    def spent() -> float:
        own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime

    run(lambda _report: 0)
    before = spent()
    for _ in range(10):
        run(lambda _report: 0)
    assert (spent() - before) / 10 < 0.3


def test_torch_computes_with_all_its_threads_after_the_parent_did(run):
    """A pool of OpenMP threads does not survive a fork, and is not waited for."""
    torch = pytest.importorskip("torch")
    pictures, convolution = torch.randn(4, 8, 64, 64), torch.nn.Conv2d(8, 8, 3)
    here = convolution(pictures)

    def target(_report):
        return [torch.get_num_threads(), convolution(pictures).sum().item()]

    threads, total = run(target)
    assert threads == torch.get_num_threads()
    assert total == pytest.approx(here.sum().item(), abs=0.01)


@pytest.mark.parametrize("alone", [True, False])
def test_forked_only_where_no_other_thread_runs(alone):
    code = f"""
import json, threading, time
from detector.sandbox import Sandbox, Limits, AllowedPaths
json.dumps.__doc__ = "changed"
if not {alone}:
    threading.Thread(target=time.sleep, args=[60], daemon=True).start()
with Sandbox(getattr, json.dumps, "__doc__", limits=Limits(), places=AllowedPaths()) as confined:
    print(confined.result() == "changed")
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert (ended.stdout, ended.stderr) == (f"{alone}\n", "")


def threads_at_work(_report):
    return len(os.listdir("/proc/self/task"))


@pytest.mark.fresh
class TestNoThreadIsThereBeforeItIsConfined:
    """One would stay outside of Landlock."""

    @pytest.fixture(autouse=True)
    def as_many_as_there_are_cores(self, monkeypatch):
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)  # `make test` sets it, and OpenBLAS heeds it

    def test_started_afresh(self):
        end = threading.Event()
        other = threading.Thread(target=end.wait)
        other.start()
        what = {"limits": Limits(), "places": AllowedPaths(), "modules": ("detector.engine",)}
        with Sandbox(threads_at_work, **what) as confined:
            assert confined.result() == 1
        end.set()
        other.join()

    def test_forked(self):
        code = """
import os
from detector.sandbox import Sandbox, Limits, AllowedPaths
def threads(_report):
    return len(os.listdir("/proc/self/task"))
with Sandbox(threads, limits=Limits(), places=AllowedPaths(), modules=("detector.engine",)) as confined:
    print(confined.result())
"""
        ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
        assert (ended.stdout, ended.stderr) == ("1\n", "")
