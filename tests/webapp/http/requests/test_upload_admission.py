"""Uploads are looked at before the server keeps their bodies, over real connections."""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from types import SimpleNamespace

import pytest
from http_servers import served
from people import account, age, rows, signed_in, with_login
from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from waiting import PATIENCE
from waitress.adjustments import Adjustments

from webapp.accounts.permissions import Role
from webapp.accounts.request_guard import SMALL, TOO_MANY, Admission
from webapp.server import AdmittedRequest, Room
from webapp.storage.tables import SessionRow, now

BIG = 4 * SMALL


@contextlib.contextmanager
def listening(app) -> Iterator[int]:
    """The port of the app's own server."""
    with served(app) as address:
        yield int(address.rpartition(":")[2])


@pytest.fixture
def app(tmp_path, sent):
    app = with_login(tmp_path / "data", sent, REELPROOF_UPLOADS_AT_ONCE="2")
    account(app, "ada", Role.EXAMINER)
    account(app, "ray", Role.READER)
    yield app
    app.extensions["database"].close()


@pytest.fixture
def port(app) -> Iterator[int]:
    with listening(app) as number:
        yield number


ASKS_FIRST = "Expect: 100-continue\r\n"


def request(
    port: int, cookie: str, length: int, *, chunked: bool = False, further: str = ""
) -> socket.socket:
    """A connection that has sent the head of an upload."""
    link = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    size = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {length}"
    head = f"POST /analyses HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie}\r\n{size}\r\n{further}"
    link.sendall(f"{head}Content-Type: multipart/form-data; boundary=e\r\n\r\n".encode())
    return link


def status(link: socket.socket) -> int:
    """The answer's status; hangs up."""
    with link:
        return int(link.recv(4096).split()[1])


def cookie_of(app, name: str) -> str:
    return f"reelproof={signed_in(app, name).get_cookie('reelproof').value}"


def arrived(app) -> list:
    return list((app.extensions["settings"].data / "incoming").iterdir())


def test_unauthenticated_uploads_are_refused_early(app, port):
    for cookie in ("", "reelproof=made-up"):
        assert status(request(port, cookie, BIG)) == 401
        assert status(request(port, cookie, 0, chunked=True)) == 401
    assert arrived(app) == []


def test_uploads_without_permission_are_refused_early(app, port):
    assert status(request(port, cookie_of(app, "ray"), BIG)) == 403


def test_expect_continue_is_answered_at_once(app, port):
    """As curl asks above 1 MB; a body that is refused is not read."""
    examiner = cookie_of(app, "ada")
    for cookie, length, refusal in (
        ("", BIG, 401),
        (cookie_of(app, "ray"), BIG, 403),
        (examiner, 1 << 50, 413),
    ):
        assert status(request(port, cookie, length, further=ASKS_FIRST)) == refusal
    assert status(request(port, "", 0, chunked=True, further=ASKS_FIRST)) == 401
    assert arrived(app) == []
    link = request(port, examiner, BIG, further=ASKS_FIRST)
    assert status(link) == 100, "who is let in is told to go on"


def test_without_a_database_the_refusal_says_why(app, port, monkeypatch):
    cookie = cookie_of(app, "ada")

    def gone(*_: object) -> None:
        raise OperationalError("", {}, Exception("no server"))

    monkeypatch.setattr("webapp.accounts.sessions.find_session", gone)
    for further in ("", ASKS_FIRST):
        with request(port, cookie, BIG, further=further) as link:
            answer = b"".join(iter(lambda: link.recv(4096), b""))
        assert answer.startswith(b"HTTP/1.1 503") and b"The database cannot be reached" in answer
        assert b"\r\nRetry-After: 10\r\n" in answer
    assert arrived(app) == []


def test_programs_get_problem_details(app, port, monkeypatch, caplog):
    """As the app tells them, with the request's id and when to ask again."""
    caplog.set_level("INFO", "webapp.requests")

    def answered(path: str, cookie: str, length: int = BIG) -> tuple[bytes, http.client.HTTPMessage, bytes]:
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as link:
            head = f"PATCH {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie}\r\n"
            link.sendall(f"{head}Content-Length: {length}\r\n\r\n".encode())
            status, _, rest = b"".join(iter(lambda: link.recv(4096), b"")).partition(b"\r\n")
        headers, _, body = rest.partition(b"\r\n\r\n")
        return status, http.client.parse_headers(io.BytesIO(headers + b"\r\n\r\n")), body

    examiner = cookie_of(app, "ada")
    asked = [("", BIG, 401), (cookie_of(app, "ray"), BIG, 403), (examiner, 1 << 50, 413)]
    for cookie, length, code in asked:
        status, headers, body = answered("/api/v1/uploads/x", cookie, length)
        assert status.startswith(b"HTTP/1.1 %d " % code)
        details = json.loads(body)
        assert headers["Content-Type"] == "application/problem+json"
        assert details["status"] == code and details["title"] and details["detail"] and details["remedy"]
        assert ("WWW-Authenticate" in headers) == (code == 401)
        assert ("HEAD" in details["remedy"]) == (code == 401)
        logged = [record for record in caplog.records if record.name == "webapp.requests"][
            -1
        ]  # not of waitress
        assert logged.fields["request"] == headers["X-Request-Id"]
        assert logged.fields["status"] == code
    monkeypatch.setattr(Room, "takes", lambda *_: False)
    status, headers, body = answered("/api/v1/uploads/x", examiner)
    assert json.loads(body)["status"] == 507 and "disk space" in json.loads(body)["detail"]
    monkeypatch.setattr("webapp.accounts.request_guard.Admission.enter", lambda *_, **__: TOO_MANY)
    status, headers, body = answered("/api/v1/uploads/x", examiner)
    assert b" 429 " in status and headers["Retry-After"] == "5" and "Retry-After" not in json.loads(body)
    status, headers, body = answered("/analyses", examiner)
    assert headers["Content-Type"].startswith("text/plain") and headers["Retry-After"] == "5"


def test_a_refused_part_explains_how_to_continue(app, monkeypatch):
    """A token that ends in the middle of an upload costs one part, not the file."""
    admission = Admission(app)
    whole, part = (admission.enter({}, BIG, is_part=variant) for variant in (False, True))
    assert whole.status == part.status == 401
    assert "upload the file again" in whole.remedy and "upload the file again" not in part.remedy
    assert "send HEAD to learn the offset" in part.remedy
    for variant in (whole, part):
        assert "account page" in variant.remedy and "python -m webapp add-token" in variant.remedy

    def gone(*_: object, **__: object) -> None:
        raise OperationalError("", {}, Exception("no server"))

    monkeypatch.setattr("webapp.accounts.request_guard.identify", gone)
    whole, part = (admission.enter({}, BIG, is_part=variant) for variant in (False, True))
    assert whole.status == part.status == 503 and whole.retry_after == part.retry_after == 10
    assert "Nothing of the file was kept" in whole.remedy and "those before it are kept" in part.remedy


@pytest.fixture
def happens(monkeypatch) -> Callable[..., bool]:
    """Waits until the server has let so many uploads into the room on the disk, or forgotten them."""
    counts = {name: threading.Semaphore(0) for name in ("takes", "forget")}

    def noted(name: str, act: Callable) -> Callable:
        def done(*args: object) -> object:
            result = act(*args)
            counts[name].release()
            return result

        return done

    for name in counts:
        monkeypatch.setattr(Room, name, noted(name, getattr(Room, name)))

    def happens(name: str, times: int = 1, within: float = PATIENCE) -> bool:
        return all(counts[name].acquire(timeout=within) for _ in range(times))

    return happens


def test_concurrent_uploads_are_limited_and_a_broken_one_makes_room(app, port, happens):
    cookie = cookie_of(app, "ada")
    links = [request(port, cookie, BIG) for _ in range(2)]
    assert happens("takes", 2)
    assert status(request(port, cookie, BIG)) == 429
    links[0].close()
    assert happens("forget", 2)  # of the refused one as well
    third = request(port, cookie, BIG)
    assert happens("takes")
    third.settimeout(0.2)
    with pytest.raises(TimeoutError):  # it is being taken in
        third.recv(10)
    for link in (*links[1:], third):
        link.close()


@pytest.fixture
def room(app, monkeypatch):
    """Sets how many bytes the disk can take."""

    def room(size: int) -> None:
        free = app.extensions["settings"].spare + size
        monkeypatch.setattr("webapp.server.shutil.disk_usage", lambda _path: SimpleNamespace(free=free))

    return room


@pytest.fixture
def let_in(app, room) -> Callable[[str, int | None], AdmittedRequest]:
    """Heads of requests come in, as the server reads them; one that is refused has an error."""
    admission, counted = Admission(app), Room(app.extensions["settings"])

    def let_in(cookie: str, length: int | None) -> AdmittedRequest:
        made = AdmittedRequest(admission, counted, Adjustments())
        size = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
        made.received(f"POST /analyses HTTP/1.1\r\nCookie: {cookie}\r\n{size}\r\n\r\n".encode())
        return made

    return let_in


def test_uploads_in_progress_share_the_free_space(app, let_in, room):
    account(app, "eve", Role.EXAMINER)
    ada, eve = cookie_of(app, "ada"), cookie_of(app, "eve")
    room(5 * BIG)  # each is on the disk twice, at worst
    first = let_in(ada, BIG)
    first.received(bytes(BIG // 2))
    room(5 * BIG - BIG // 2)
    second = let_in(ada, BIG)
    assert first.error is second.error is None
    assert let_in(eve, BIG).error.code == 507
    assert let_in(eve, 5).error is None
    first.close()
    third = let_in(eve, BIG)
    assert third.error is None
    for connection in (second, third):
        connection.close()


def test_a_copied_upload_counts_with_its_remaining_bytes(app, let_in, room):
    cookie = cookie_of(app, "ada")
    room(4 * BIG)
    first = let_in(cookie, BIG)
    first.received(bytes(BIG))
    body = first.get_body_stream()
    for copied in (BIG // 2, BIG):
        assert len(body.read(BIG // 2)) == BIG // 2
        room(3 * BIG - copied)
        assert first.to_come() == BIG - copied
    second = let_in(cookie, BIG)  # there is just room for it
    assert second.error is None and body.read() == b""
    for connection in (first, second):
        connection.close()


@pytest.mark.parametrize("promised", [0, BIG])
def test_a_chunked_upload_ends_when_the_disk_is_full(app, let_in, room, promised):
    """As large as one that says it; what was promised to another stays."""
    cookie, free = cookie_of(app, "ada"), 2 * promised + 2 * BIG + SMALL
    room(free)
    other = let_in(cookie, promised)
    upload = let_in(cookie, None)
    assert upload.error is None
    piece = b"%x\r\n%s\r\n" % (BIG // 4, bytes(BIG // 4))
    for arrived in range(4):
        room(free - arrived * BIG // 4)
        upload.received(piece)
        assert upload.error is None
    room(free - BIG)
    upload.received(piece)
    assert (upload.completed, upload.error.code) == (True, 507)
    upload.close()
    assert let_in(cookie, None).error is None, "it gave back its share, and its sender's place"
    other.close()


def test_small_forms_are_accepted_on_a_full_disk(app, let_in, room):
    """Signing in, annotating and deleting, which makes room."""
    cookie = cookie_of(app, "ada")
    room(-1)
    assert let_in("", 60).error is None and let_in(cookie, SMALL).error is None
    assert let_in(cookie, SMALL + 1).error.code == 507


def test_expect_continue_reports_a_full_disk(app, port, room):
    room(BIG)
    assert status(request(port, cookie_of(app, "ada"), BIG, further=ASKS_FIRST)) == 507


def test_an_upload_that_breaks_off_makes_room(app, port, happens):
    link = request(port, cookie_of(app, "ada"), BIG)
    assert happens("takes") and not happens("forget", within=0.1)
    link.close()
    assert happens("forget")


def test_an_upload_that_has_arrived_makes_room(app, port, sent, room):
    room(5 * BIG)
    client = signed_in(app, "ada")
    cookie = f"reelproof={client.get_cookie('reelproof').value}"
    token = client.environ_base["HTTP_X_CSRF_TOKEN"]
    body = (
        (
            f'--e\r\nContent-Disposition: form-data; name="csrf_token"\r\n\r\n{token}\r\n'
            '--e\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\n'
        ).encode()
        + b"\0\0\0 ftypisom"
        + bytes(BIG)
    )
    body += b"\r\n--e--\r\n"
    for _ in range(3):
        link = request(port, cookie, len(body))
        link.sendall(body)
        assert status(link) == 303
    assert len(sent) == 3
    assert arrived(app) == []


def test_small_forms_are_not_counted(app):
    admission = Admission(app)
    assert admission.enter({}, SMALL) == ""


def test_admission_does_not_wait_for_writers(app):
    """The one thread that reads asks; what it waits for, everybody waits for."""
    client = signed_in(app, "ada")
    answer = client.post("/account/tokens", data={"name": "script", "scope": "analyse"})
    token = re.search(r"rp_[A-Za-z0-9_-]{43}", answer.text)[0]
    age(app, seen=timedelta(minutes=2))
    session = {"COOKIE": f"reelproof={client.get_cookie('reelproof').value}"}
    admission, database = Admission(app), app.extensions["database"]
    event.listen(database.engine, "begin", lambda link: link.exec_driver_sql("PRAGMA busy_timeout = 0"))
    with database.alone():
        for headers in (session, {"AUTHORIZATION": f"Bearer {token}"}):
            assert admission.enter(headers, BIG) == "ada"
    assert client.get("/help").status_code == 200
    (seen,) = [row.seen for row in rows(app, SessionRow)]
    assert now() - seen < timedelta(minutes=1), "the request itself counts"


def test_without_login_every_upload_is_admitted(tmp_path, sent):
    app = with_login(tmp_path / "alone", sent, REELPROOF_LOGIN="off")
    assert Admission(app).enter({}, None) == ""
    app.extensions["database"].close()
