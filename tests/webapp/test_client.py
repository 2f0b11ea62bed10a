"""The Python client against a live server on loopback, lines that break included."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from http_servers import served
from made_comparisons import compared
from made_results import finished, hand_in

from detector.paths import ROOT
from webapp import client
from webapp.client import (
    AnalysisFailed,
    Client,
    ClientError,
    ComparisonFailed,
    Conflict,
    NotAllowed,
    NotFound,
    NotReached,
    Problem,
    TooOften,
    Unusable,
    findings,
    retries,
    uploads,
)
from webapp.downloads import kept_reports, reports
from webapp.intake import resumable
from webapp.jobs import claims, failures
from webapp.jobs.parameters import others
from webapp.services import analyses
from webapp.storage.data_folder import Folders
from webapp.storage.tables import AnalysisRow

CONTENT = bytes(range(256)) * 4000
# Answers of which the rest never comes.
_HALF = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"
_CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n{"
_REFUSED = b"HTTP/1.1 500 Oh\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n{"


@pytest.fixture
def live(app):
    with served(app) as address:
        yield address


@pytest.fixture
def clip(tmp_path) -> Path:
    path = tmp_path / "größe & co.mp4"
    path.write_bytes(CONTENT)
    return path


def clock(pause: Callable[[float], object]) -> SimpleNamespace:
    """In place of ``time``: who would sleep, calls ``pause``."""
    return SimpleNamespace(sleep=pause, monotonic=time.monotonic)


def failing(
    monkeypatch: pytest.MonkeyPatch, reelproof: Client, method: str, ending: str, *problems: Exception
) -> list[Exception]:
    """The next requests of this kind end so, before they arrive; which of them did not come yet."""
    through, to_come = reelproof._open, list(problems)

    def out(asked: str, path: str, *more: object) -> object:
        if asked == method and path.endswith(ending) and to_come:
            raise to_come.pop(0)
        return through(asked, path, *more)

    monkeypatch.setattr(reelproof, "_open", out)
    return to_come


def test_hand_in_wait_and_fetch(app, live, clip, tmp_path, monkeypatch, quick_reports):
    monkeypatch.setattr(uploads, "PART", 300_000)
    reelproof, parts = Client(live), []
    stands = reelproof.create(clip, parameters={"seed": 1}, on_part=lambda *so_far: parts.append(so_far))
    assert stands["file"] == clip.name and stands["sha256"] == hashlib.sha256(CONTENT).hexdigest()
    assert parts == [(300_000, 1_024_000), (600_000, 1_024_000), (900_000, 1_024_000), (1_024_000, 1_024_000)]
    done = finished(app, segments=2)
    assert reelproof.wait(done.id)["verdict"] == "manipulated"
    assert {each["id"] for each in reelproof.analyses()} == {done.id, stands["id"]}
    assert [each["id"] for each in reelproof.analyses(q="größe", limit=1)] == [stands["id"]]
    assert reelproof.analysis(done.id)["segments"] == reelproof.segments(done.id)
    few, many = list(reelproof.scores(done.id, limit=50)), list(reelproof.scores(done.id))
    assert few == many and len(many) > 100
    pdf = reelproof.download(done.id, "report.pdf", tmp_path / "report.pdf")
    assert pdf.read_bytes().startswith(b"%PDF")
    assert reelproof.download(done.id, "exports/csv", tmp_path / "s.csv").stat().st_size
    said = reelproof.annotate(done.id, kind="exhibit", author="Ada", verdict="agree", note="ja")
    assert reelproof.annotations(done.id) == [said]
    assert any(each["default"] for each in reelproof.models())
    assert len(list(reelproof.exhibits())) == 2


def test_a_report_that_is_being_made_is_waited_for(app, live, tmp_path, monkeypatch, quick_reports):
    row, folders = finished(app), Folders.local(app.extensions["settings"].data)
    monkeypatch.setattr(reports, "_PATIENCE", 0.01)
    monkeypatch.setattr(reports.ReportBeingMade, "retry_after", 1)
    with contextlib.ExitStack() as making:
        assert making.enter_context(kept_reports.hold(folders, row.id, 0.0))
        pauses = []

        def pause(seconds: float) -> None:
            assert Client(live).get(row.id)["report"] == "being made"
            pauses.append(seconds)
            making.close()

        monkeypatch.setattr(retries, "time", clock(pause))
        with monkeypatch.context() as patched, pytest.raises(Problem, match="being made"):
            patched.setattr(findings, "_LONGEST_WAIT", 0.5)
            Client(live).download(row.id, "report.pdf", tmp_path / "report.pdf")
        assert pauses == []
        pdf = Client(live).download(row.id, "report.pdf", tmp_path / "report.pdf")
    assert pdf.read_bytes().startswith(b"%PDF") and pauses == [1.0]
    assert Client(live).get(row.id)["report"] == "available"


def test_a_report_that_takes_longer_than_the_client_waits_is_waited_for(
    app, live, tmp_path, monkeypatch, quick_reports
):
    """Its own request has it rendered; the next one finds that going on, or what came of it."""
    row, pauses, rendered = finished(app), [], threading.Event()
    render = reports._render

    def render_slowly(*given: Any) -> None:
        assert rendered.wait(60)
        render(*given)

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            rendered.set()
        time.sleep(0.05)

    monkeypatch.setattr(reports, "_render", render_slowly)
    monkeypatch.setattr(reports, "_PATIENCE", 0.01)
    monkeypatch.setattr(retries, "time", clock(pause))
    pdf = Client(live, timeout=3.0).download(row.id, "report.pdf", tmp_path / "report.pdf")
    assert pdf.read_bytes().startswith(b"%PDF") and pauses[:3] == [1, 5.0, 5.0]


def test_errors_have_kinds(app, live, tmp_path, monkeypatch):
    reelproof, pauses = Client(live), []
    monkeypatch.setattr(retries, "time", clock(pauses.append))
    with pytest.raises(NotFound) as missing:
        reelproof.get("0" * 32)
    assert missing.value.status == 404 and missing.value.remedy
    with pytest.raises(Unusable, match=r"query\.limit"):
        list(reelproof.analyses(limit=0))
    with pytest.raises(Conflict):
        reelproof.download(hand_in(app).id, "report.pdf", tmp_path / "x.pdf")
    assert not list(tmp_path.glob("*x.pdf*"))
    with pytest.raises(NotAllowed, match="token"):
        Client(live, token="rp_" + "A" * 43).models()
    with pytest.raises(NotReached):
        Client("http://127.0.0.1:9").models()
    assert pauses == [1, 2, 4, 8]
    with pytest.raises(ClientError, match="is not at"):
        Client(live)._json("GET", "//evil.example/x")


def test_waiting_for_what_fails_or_takes_too_long(app, live):
    database, row = app.extensions["database"], hand_in(app)
    with pytest.raises(TimeoutError):
        Client(live).wait(row.id, timeout=0.3)
    claims.fail(database, claims.claim(database, row.id), failures.CRASHED)
    with pytest.raises(AnalysisFailed, match="decoder crash"):
        Client(live).wait(row.id)
    assert Client(live).retry(row.id)["state"] == "queued"
    assert Client(live).cancel(row.id)["state"] == "cancelled"
    assert Client(live).again(row.id, parameters={"seed": 2})["settings"] == {"seed": 2}
    Client(live).delete(row.id)
    with pytest.raises(NotFound):
        Client(live).get(row.id)


_OUTAGE = (
    NotReached("nobody answers"),
    TooOften(429, {}, 3.0),
    Problem(502, {}),
    Problem(503, {}, 5.0),
    Problem(504, {}),
)


def test_what_only_reads_outlasts_an_outage(app, live, tmp_path, monkeypatch, quick_reports):
    row, reelproof, pauses = finished(app), Client(live), []
    monkeypatch.setattr(retries, "time", clock(pauses.append))
    for ending, read in (
        (row.id, lambda: reelproof.get(row.id)),
        ("analyses", lambda: list(reelproof.analyses())),
        ("models", reelproof.models),
        ("exports/csv", lambda: reelproof.download(row.id, "exports/csv", tmp_path / "s.csv")),
        ("segments", lambda: reelproof.segments(row.id)),
    ):
        to_come = failing(monkeypatch, reelproof, "GET", ending, *_OUTAGE)
        assert read() and to_come == []
        assert pauses == [1, 3.0, 2, 5.0, 4]
        pauses.clear()
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["s.csv"]


def test_waiting_goes_on_through_outages(app, live, monkeypatch):
    """However often nobody answers, until the caller's own time is over."""
    row, reelproof = finished(app), Client(live)
    monkeypatch.setattr(retries, "time", clock(lambda _seconds: None))
    to_come = failing(monkeypatch, reelproof, "GET", row.id, *_OUTAGE * 3)
    assert reelproof.wait(row.id, timeout=60)["state"] == "done" and to_come == []
    failing(monkeypatch, reelproof, "GET", row.id, *_OUTAGE * 3)
    assert reelproof.wait(row.id)["state"] == "done"
    failing(monkeypatch, reelproof, "GET", row.id, *_OUTAGE)
    with pytest.raises(NotReached):
        reelproof.wait(row.id, timeout=0.5)


def test_comparing(app, live, tmp_path):
    reelproof = Client(live)
    pair = finished(app, file="altered.mp4"), finished(app, file="original.mp4")
    exhibit, reference = (row.exhibit.sha256 for row in pair)
    waits = reelproof.compare(exhibit, reference, priority="high")
    assert (waits["state"], waits["priority"]) == ("queued", "high")
    with pytest.raises(TimeoutError):
        reelproof.wait_for_comparison(waits["id"], timeout=0.3)
    assert reelproof.cancel_comparison(waits["id"])["state"] == "cancelled"
    with pytest.raises(ComparisonFailed, match="was cancelled"):
        reelproof.wait_for_comparison(waits["id"])
    reelproof.delete_comparison(waits["id"])
    done = compared(app, *pair)
    assert reelproof.wait_for_comparison(done.id) == reelproof.comparison(done.id)
    assert [each["id"] for each in reelproof.comparisons(exhibit)] == [done.id]
    name = reelproof.comparison_result(done.id)["segments"][0]["peaks"][0]["side_by_side"]
    assert reelproof.download_picture(done.id, name, tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_priority_and_pause(app, live, clip):
    reelproof = Client(live)
    analysis = reelproof.create(clip, priority="low")
    assert analysis["priority"] == "low"
    assert reelproof.prioritise(analysis["id"], "high")["priority"] == "high"
    assert reelproof.pause(analysis["id"])["state"] == "paused"
    with pytest.raises(TimeoutError, match="paused"):
        reelproof.wait(analysis["id"], timeout=0.3)
    assert reelproof.resume(analysis["id"])["state"] == "queued"
    assert reelproof.again(analysis["id"], priority="low")["priority"] == "low"


def test_several_models(app, live, clip):
    reelproof = Client(live)
    first = reelproof.create(clip, also=["reelproof-2"], joint="all")
    again = reelproof.again(first["id"], also=("reelproof-lite0",))
    with app.extensions["database"].begin() as session:
        asked = [
            others(session.get_one(AnalysisRow, each["id"]).changed_parameters) for each in (first, again)
        ]
    assert [each.names for each in asked] == [("reelproof-2",), ("reelproof-lite0",)]
    assert [each.rule for each in asked] == ["all", "first"]


def test_a_broken_line_costs_one_part_and_makes_nothing_twice(app, live, clip, sent, monkeypatch):
    """Through a relay that cuts every third connection after some bytes."""
    monkeypatch.setattr(uploads, "PART", 200_000)
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    with Relay(int(live.rsplit(":", 1)[1])) as relay:
        stands = Client(relay.address, timeout=5).create(clip)
    assert relay.cut >= 2
    assert stands["sha256"] == hashlib.sha256(CONTENT).hexdigest() and sent.count(stands["id"]) == len(sent)
    assert [row["id"] for row in Client(live).analyses()] == [stands["id"]]


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("answer", [b"", b"no HTTP\r\n\r\n", _HALF, _CHUNKED, _REFUSED])
def test_an_answer_that_breaks_off_was_not_reached(tmp_path, monkeypatch, answer, reset):
    """However it breaks off, the client raises one of its own errors, and leaves no part of a file."""
    monkeypatch.setattr(retries, "time", clock(lambda _seconds: None))
    with breaking_off(answer, reset=reset) as address:
        with pytest.raises(ClientError):
            Client(address).models()
        with pytest.raises(ClientError):
            Client(address).download("0" * 32, "report.pdf", tmp_path / "report.pdf")
    assert not list(tmp_path.iterdir())


def test_an_upload_goes_on_another_day(app, live, clip):
    reelproof = Client(live)
    upload = reelproof.begin_upload(clip)
    reelproof._open(
        "PATCH",
        f"uploads/{upload['id']}",
        CONTENT[:1000],
        {"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"},
    ).close()
    other = Client(live)
    with pytest.raises(Problem, match="not whole"):
        other.analyse_upload(upload["id"])
    other.send_parts(upload["id"], clip)
    assert other.analyse_upload(upload["id"])["sha256"] == hashlib.sha256(CONTENT).hexdigest()


@pytest.mark.parametrize("lasting", [3, 4])
def test_an_outage_is_waited_for_with_growing_pauses(live, clip, monkeypatch, lasting):
    """Of so many requests none comes through, be it a part or the question where to go on."""
    monkeypatch.setattr(uploads, "PART", 300_000)
    reelproof, pauses, parts = Client(live), [], []
    upload = reelproof.begin_upload(clip)
    through = reelproof._open

    def out(method: str, *more: object) -> object:
        if parts and len(pauses) <= lasting:
            raise NotReached("nobody answers")
        return through(method, *more)

    monkeypatch.setattr(reelproof, "_open", out)
    monkeypatch.setattr(retries, "time", clock(pauses.append))
    if lasting == retries.TRIES - 1:
        with pytest.raises(NotReached):
            reelproof.send_parts(upload["id"], clip, on_part=lambda *so_far: parts.append(so_far))
        assert pauses == [1, 2, 4, 8]
    else:
        reelproof.send_parts(upload["id"], clip, on_part=lambda *so_far: parts.append(so_far))
        assert pauses == [1, 2, 4, 8][: lasting + 1] and parts[-1] == (len(CONTENT), len(CONTENT))


@pytest.mark.parametrize("status", [429, 502, 503, 504])
@pytest.mark.parametrize(
    ("method", "ending"), [("POST", "uploads"), ("GET", ""), ("PATCH", ""), ("POST", "/analysis")]
)
def test_what_passes_ends_no_upload(live, clip, monkeypatch, method, ending, status):
    """A proxy or a server that starts, and a limit of requests; it waits as long as it is told."""
    monkeypatch.setattr(uploads, "PART", 300_000)
    reelproof, pauses = Client(live), []
    monkeypatch.setattr(retries, "time", clock(pauses.append))
    kind = TooOften if status == 429 else Problem
    told = [kind(status, {}, 17.0)] * 2 * retries.TRIES  # each is an answer: somebody is there
    if status != 429:
        told += [kind(status, {})] * (retries.TRIES - 1)
    to_come = failing(monkeypatch, reelproof, method, ending, *told)
    assert reelproof.create(clip)["state"] == "queued" and to_come == []
    assert pauses == [17.0] * 2 * retries.TRIES + [1, 2, 4, 8][: len(told) - 2 * retries.TRIES]


def test_what_does_not_pass_ends_one(app, live, clip, monkeypatch):
    reelproof, pauses = Client(live), []
    monkeypatch.setattr(retries, "time", clock(pauses.append))
    for problem in (TooOften(429, {}), TooOften(429, {}, retries.LONGEST + 1), Problem(507, {}, 1.0)):
        with monkeypatch.context() as patched, pytest.raises(type(problem)):
            failing(patched, reelproof, "PATCH", "", problem)
            reelproof.create(clip)
    assert pauses == []
    assert list(Folders.local(app.extensions["settings"].data).uploads.iterdir()) == []


def test_an_upload_is_deleted_through_an_outage(live, clip, monkeypatch):
    reelproof, pauses = Client(live), []
    monkeypatch.setattr(retries, "time", clock(pauses.append))
    upload = reelproof.begin_upload(clip)["id"]
    failing(monkeypatch, reelproof, "DELETE", "", TooOften(429, {}, 3.0), NotReached("broke off"))
    reelproof.delete_upload(upload)
    assert pauses == [3.0, 1]
    with pytest.raises(NotFound):
        reelproof.delete_upload(upload)
    # The first request came through, and its answer did not.
    failing(monkeypatch, reelproof, "DELETE", "", NotReached("broke off"))
    reelproof.delete_upload(upload)


def test_an_answer_that_takes_longer_than_the_client_waits_is_waited_for(live, clip, sent, monkeypatch):
    reelproof, slow, pauses = Client(live), threading.Event(), []
    upload = reelproof.begin_upload(clip)
    reelproof.send_parts(upload["id"], clip)
    submit = analyses.submit

    def submit_slowly(*given: Any, **more: Any) -> Any:
        assert slow.wait(60)
        return submit(*given, **more)

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            slow.set()
        time.sleep(0.1)

    monkeypatch.setattr(analyses, "submit", submit_slowly)
    monkeypatch.setattr(retries, "time", clock(pause))
    hurried = Client(live, timeout=3.0)
    made = hurried.analyse_upload(upload["id"])
    assert made["state"] == "queued" and sent == [made["id"]]
    assert pauses[0] == 1 and pauses[1:3] == [2.0, 2.0]


def test_a_file_that_becomes_shorter_is_not_sent_on(live, clip, monkeypatch):
    monkeypatch.setattr(uploads, "PART", 300_000)
    reelproof, parts = Client(live), []
    upload = reelproof.begin_upload(clip)

    def shorten(*so_far: int) -> None:
        parts.append(so_far)
        assert len(parts) < 3
        os.truncate(clip, 400_000)

    with pytest.raises(ClientError, match="became shorter"):
        reelproof.send_parts(upload["id"], clip, on_part=shorten)
    assert parts == [(300_000, len(CONTENT))]


def test_what_is_refused_leaves_no_upload_behind(app, live, clip, monkeypatch):
    """Twenty unfinished ones are the most there can be, and each would stay for a day."""
    reelproof = Client(live)
    for _ in range(resumable.MOST_AT_A_TIME + 1):
        with pytest.raises(Unusable, match="no model of this name"):
            reelproof.create(clip, model="nope")
    folder = Folders.local(app.extensions["settings"].data).uploads
    assert list(folder.iterdir()) == []
    assert reelproof.create(clip)["state"] == "queued"

    passing = Problem(423, {}), Problem(503, {}), Problem(504, {})
    for problem in (NotReached("broke off"), Conflict(409, {}, 2.0), *passing):
        with monkeypatch.context() as patched, pytest.raises(type(problem)):  # it may still be answered
            patched.setattr(reelproof, "analyse_upload", Mock(side_effect=problem))
            reelproof.create(clip)
    left = [path.name for path in folder.iterdir()]
    assert len(left) == 5
    for upload in left:
        reelproof.delete_upload(upload)
    assert list(folder.iterdir()) == []


def test_a_name_that_is_no_utf_8(live, tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9.mp4")
    path.write_bytes(CONTENT)
    assert Client(live).create(path)["file"] == "caf?.mp4"


def test_a_token_is_never_quoted(live):
    token = "rp_" + "A" * 43
    with pytest.raises(NotAllowed):  # reached: the end of a line is no part of it
        Client(live, token=f" {token}\r\n").models()
    for broken in (f"{token}\n{token}", f"{token}\0", f"{token}é"):
        with pytest.raises(ClientError, match="characters that no token has") as refused:
            Client(live, token=broken)
        assert token not in str(refused.value)


def test_it_needs_the_standard_library_alone(tmp_path):
    shutil.copytree(
        Path(client.__file__).parent, tmp_path / "copied", ignore=shutil.ignore_patterns("__pycache__")
    )
    # -S: no installed packages can be found.
    subprocess.run([sys.executable, "-S", "-c", "import copied"], cwd=tmp_path, check=True, timeout=60)


@contextlib.contextmanager
def breaking_off(answer: bytes, *, reset: bool) -> Iterator[str]:
    """Gives this answer to every request and closes the connection, politely or by resetting it."""

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                connection.recv(65536)
                connection.sendall(answer)
                if reset:
                    time.sleep(0.05)  # or what was sent is thrown away with the connection
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)


class Relay:
    """Passes bytes on to a port, and cuts every third connection when 50,000 of a request have passed."""

    def __init__(self, port: int) -> None:
        self._port, self.cut, self._count = port, 0, 0
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._server.getsockname()[1]}"

    def __enter__(self) -> Relay:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self._count += 1
            threading.Thread(target=self._relay, args=(connection, self._count % 3 == 0), daemon=True).start()

    def _relay(self, near: socket.socket, cutting: bool) -> None:
        with near, socket.create_connection(("127.0.0.1", self._port)) as far:
            threading.Thread(target=self._back, args=(far, near), daemon=True).start()
            passed = 0
            while True:
                try:
                    data = near.recv(65536)
                except OSError:
                    return
                if not data:
                    return
                passed += len(data)
                if cutting and passed > 50_000:
                    self.cut += 1
                    near.shutdown(socket.SHUT_RDWR)
                    return
                far.sendall(data)

    @staticmethod
    def _back(far: socket.socket, near: socket.socket) -> None:
        try:
            while data := far.recv(65536):
                near.sendall(data)
            near.shutdown(socket.SHUT_WR)
        except OSError:
            return


def test_it_is_imported_from_the_tree_with_the_standard_library_alone():
    """Isolated, and without site-packages: whatever else is imported is not there."""
    code = f"import sys; sys.path.append({str(ROOT)!r}); import webapp.client; print(*sys.modules)"
    ended = subprocess.run([sys.executable, "-S", "-I", "-c", code], capture_output=True, text=True, cwd="/")
    assert ended.returncode == 0, ended.stderr
    packages = {name.partition(".")[0] for name in ended.stdout.split()}
    assert packages - set(sys.stdlib_module_names) <= {"webapp", "__main__"}
