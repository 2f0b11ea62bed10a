"""Uploads: hashed, limited, named, and without leftovers when interrupted."""

from __future__ import annotations

import io
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from made_results import digest
from sqlalchemy import event, func, select
from sqlalchemy.exc import OperationalError
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import ClientDisconnected
from werkzeug.test import encode_multipart

from detector.files import ROOT
from webapp import create_app
from webapp.exhibits import deletion
from webapp.exhibits.uploads.exhibits import clean_file_name
from webapp.http.uploads import Incoming
from webapp.server import listen
from webapp.storage.data_folder import Folders
from webapp.storage.tables import AnalysisRow, Exhibit


def upload(client, content: bytes, name: str = "clip.mp4", **more):
    # Encoded here: the test client would spool a large form to a file it forgets to close.
    boundary, body = encode_multipart({"file": FileStorage(io.BytesIO(content), name, "file")})
    return client.post(
        "/analyses", data=body, content_type=f"multipart/form-data; boundary={boundary}", **more
    )


def remaining_files(app) -> list[Path]:
    return list(Folders.local(app.extensions["settings"].data).incoming.iterdir())


def exhibits(app) -> list[Path]:
    return [
        path for path in Folders.local(app.extensions["settings"].data).exhibits.rglob("*") if path.is_file()
    ]


def counts(app) -> tuple[int, int]:
    with app.extensions["database"].begin() as session:
        return tuple(
            session.scalar(select(func.count()).select_from(table)) for table in (Exhibit, AnalysisRow)
        )


@pytest.mark.parametrize("where", ["/analyses", "/api/v1/analyses"])
def test_forms_in_other_encodings_are_refused(app, client, where):
    boundary, body = encode_multipart({"file": FileStorage(io.BytesIO(b"content"), "cafe.mp4", "file")})
    sent_as = {"content_type": f"multipart/form-data; boundary={boundary}"}
    answer = client.post(where, data=body.replace(b"cafe", b"caf\xe9"), **sent_as)
    assert answer.status_code == 400
    assert "most likely the name of a file in it is not" in answer.text and "No file came" not in answer.text
    assert remaining_files(app) == [] and counts(app) == (0, 0)
    form = {"content_type": "application/x-www-form-urlencoded"}
    assert client.post("/analyses", data=b"model=\xe9", **form).status_code == 400


def test_upload_becomes_a_read_only_exhibit_and_a_queued_analysis(app, client, sent):
    content = bytes(range(256)) * 1000
    answer = upload(client, content)
    assert answer.status_code == 303
    (analysis_id,) = sent
    assert answer.location == f"/analyses/{analysis_id}"
    (path,) = exhibits(app)
    assert path.read_bytes() == content
    assert path.name == digest(content) and path.parent.name == path.name[:2]
    assert stat.S_IMODE(path.stat().st_mode) == 0o440
    assert remaining_files(app) == []
    status = client.get(f"/api/v1/analyses/{analysis_id}").json
    assert (status["state"], status["file"], status["sha256"]) == ("queued", "clip.mp4", digest(content))


def test_same_bytes_are_one_exhibit_and_two_analyses(app, client, sent):
    upload(client, b"same", "first.mp4")
    inode = exhibits(app)[0].stat().st_ino
    upload(client, b"same", "second.mov")
    assert len(set(sent)) == 2
    assert [path.stat().st_ino for path in exhibits(app)] == [inode]
    assert counts(app) == (1, 2)
    assert remaining_files(app) == []
    assert client.get(f"/api/v1/analyses/{sent[1]}").json["file"] == "second.mov"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("/", "unnamed file"),
        ("..", "unnamed file"),
        ("", "unnamed file"),
        (None, "unnamed file"),
        ("a\x00b\r\nc.mp4", "abc.mp4"),
        ("gpj.\u202eexe.mp4", "gpj.exe.mp4"),
        ("می\u200cخواهم.mp4", "می\u200cخواهم.mp4"),
        ("cl\u200cip\u200d.mp4", "clip.mp4"),
        ("a\u2800b\u3164.mp4", "a[BRAILLE PATTERN BLANK]b[HANGUL FILLER].mp4"),
        ("a\u200b\ufe0f❤\ufe0f.mp4", "a[VARIATION SELECTOR-16]❤\ufe0f.mp4"),
        ("cafe\u0301.mp4", "caf\u00e9.mp4"),
        ("lone \udcff surrogate.mp4", "lone ? surrogate.mp4"),
    ],
)
def test_file_names_are_cleaned(name, shown):
    assert clean_file_name(name) == shown


def test_long_names_keep_their_ending():
    name = clean_file_name("x" * 4000 + ".mp4")
    assert len(name) <= 200 and name.endswith(".mp4")
    assert len(clean_file_name("x" * 4000)) <= 200


def test_file_names_never_become_paths(app, client, sent, tmp_path):
    before = {path for path in tmp_path.rglob("*") if "data" not in path.parts}
    answer = upload(client, b"x", "../../../escape.mp4")
    assert answer.status_code == 303
    assert client.get(f"/api/v1/analyses/{sent[0]}").json["file"] == "escape.mp4"
    assert {path for path in tmp_path.rglob("*") if "data" not in path.parts} == before
    assert not list(tmp_path.rglob("*escape*"))


def test_an_empty_file_is_refused(app, client, sent):
    answer = upload(client, b"", "empty.mp4")
    assert answer.status_code == 400
    assert "The file is empty" in answer.text
    assert (remaining_files(app), exhibits(app), sent, counts(app)) == ([], [], [], (0, 0))


@pytest.mark.parametrize("data", [{}, {"file": "text, not a file"}, {"other": (io.BytesIO(b"x"), "x.mp4")}])
def test_a_form_without_a_file_is_refused(app, client, data):
    answer = client.post("/analyses", data=data, content_type="multipart/form-data")
    assert answer.status_code == 400
    assert "No file came" in answer.text
    assert remaining_files(app) == []


def test_a_form_with_no_file_chosen_is_refused(app, client):
    answer = client.post("/analyses", data={"file": (io.BytesIO(b""), "")})
    assert answer.status_code == 400
    assert "No file" in answer.text
    assert remaining_files(app) == []


def test_two_files_at_once_are_refused(app, client, sent):
    data = {"file": [(io.BytesIO(b"one"), "1.mp4"), (io.BytesIO(b"two"), "2.mp4")]}
    answer = client.post("/analyses", data=data)
    assert answer.status_code == 400 and "one file at a time" in answer.text
    assert (remaining_files(app), sent) == ([], [])


def test_the_size_limit(tmp_path):
    sent: list[str] = []
    app = create_app(
        {"REELPROOF_DATA": tmp_path, "REELPROOF_UPLOAD_LIMIT_MB": "0.5", "TESTING": True, "SEND": sent.append}
    )
    client = app.test_client()
    assert upload(client, b"x" * 500_000).status_code == 303
    for size in (500_001, 900_000):  # within the form's margin, and beyond it
        answer = upload(client, b"x" * size, headers={"Accept": "application/json"})
        assert answer.status_code == 413
        assert "larger than 0.5 MB" in answer.json["error"]
        assert "REELPROOF_UPLOAD_LIMIT_MB" in answer.json["remedy"]
    assert remaining_files(app) == [] and len(exhibits(app)) == len(sent) == 1
    app.extensions["database"].close()


def test_an_oversized_form_is_distinguished_from_an_oversized_file(client):
    for data in ({"note": "x" * 600_000}, {f"field {number}": "x" for number in range(20)}):
        boundary, body = encode_multipart(data)
        form = f"multipart/form-data; boundary={boundary}"
        answer = client.post("/analyses", data=body, content_type=form)
        assert answer.status_code == 400
        assert "too many parts or too long a text" in answer.text


class Disk(NamedTuple):
    total: int
    used: int
    free: int


def test_no_room_is_said_before_anything_is_written(app, client, sent, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Disk(10**12, 10**12, 1000))
    answer = upload(client, b"x" * 5000)
    assert answer.status_code == 507
    assert "not enough free disk space" in answer.text
    assert (remaining_files(app), sent) == ([], [])


def test_lack_of_space_is_reported_before_the_body_is_stored(app, monkeypatch):
    settings = app.extensions["settings"].model_copy(update={"port": 0})
    monkeypatch.setattr(tempfile, "tempdir", None)  # put back what listen sets
    server = listen(app, settings)
    free = settings.spare + 1_999_999
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Disk(10**12, 0, free))
    for size, status in ((900_000, None), (1_000_000, 507)):
        parser = server.channel_class.parser_class(server.adj)
        parser.received(b"POST /analyses HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % size)
        assert (parser.error and parser.error.code) == status
    server.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_disk_that_fills_up_during_an_upload(app, client, sent, monkeypatch):
    monkeypatch.setattr(
        "webapp.http.uploads.open",
        lambda *_a, **_k: open("/dev/full", "wb"),  # noqa: SIM115
        raising=False,
    )
    answer = upload(client, b"x" * 5_000_000)
    assert answer.status_code == 507
    assert (remaining_files(app), exhibits(app), sent) == ([], [], [])


class Interrupted(io.RawIOBase):
    """A request body that ends early, like that of a lost connection."""

    def __init__(self, content: bytes, failure: Exception | None) -> None:
        self.content, self.failure = io.BytesIO(content), failure

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        data = self.content.read(len(buffer))
        if not data and self.failure:
            raise self.failure
        buffer[: len(data)] = data
        return len(data)


@pytest.fixture
def fail_commit(app) -> Iterator[Callable[[], None]]:
    """Make the next commit fail, like on a full disk."""
    engine = app.extensions["database"].engine

    def fail(_connection) -> None:
        event.remove(engine, "commit", fail)
        raise OperationalError("COMMIT", {}, Exception("the disk is full"))

    yield lambda: event.listen(engine, "commit", fail)
    if event.contains(engine, "commit", fail):
        event.remove(engine, "commit", fail)


def test_a_failed_commit_leaves_no_exhibit(app, client, sent, fail_commit):
    app.testing = False
    fail_commit()
    assert upload(client, b"bytes").status_code == 503
    assert (remaining_files(app), exhibits(app), sent, counts(app)) == ([], [], [], (0, 0))
    assert upload(client, b"bytes").status_code == 303
    fail_commit()
    assert upload(client, b"bytes", "again.mp4").status_code == 503
    assert len(exhibits(app)) == 1 and counts(app) == (1, 1)


def test_a_failed_upload_keeps_the_file_of_another(app, client, fail_commit):
    """The file has no row if an older copy of the database was restored."""
    path = Folders.local(app.extensions["settings"].data).exhibit(digest(b"bytes"))
    path.parent.mkdir()
    path.write_bytes(b"bytes")
    app.testing = False
    fail_commit()
    assert upload(client, b"bytes").status_code == 503
    assert exhibits(app) == [path]


def test_the_first_error_is_reported_if_cleaning_up_fails(app, client, fail_commit, monkeypatch, caplog):
    def refused(*_: object) -> None:
        raise PermissionError("read-only")

    monkeypatch.setattr(deletion, "_remove_unless_known", refused)
    app.testing = False
    fail_commit()
    assert upload(client, b"bytes").status_code == 503
    assert "the disk is full" in caplog.text and "read-only" not in caplog.text


def watch_writes(monkeypatch) -> list[int]:
    sizes: list[int] = []
    write = Incoming.write

    def watched(self, data):
        sizes.append(len(data))
        return write(self, data)

    monkeypatch.setattr(Incoming, "write", watched)
    return sizes


@pytest.mark.parametrize("failure", [None, ClientDisconnected(), ConnectionResetError()])
def test_an_interrupted_upload_leaves_nothing(app, client, sent, monkeypatch, failure):
    head = (
        b'--edge\r\nContent-Disposition: form-data; name="file"; filename="clip.mp4"\r\n'
        b"Content-Type: video/mp4\r\n\r\n"
    )
    body = Interrupted(head + b"x" * 300_000, failure)
    app.testing = False  # a lost connection is not a bug to raise here
    written = watch_writes(monkeypatch)
    answer = client.post(
        "/analyses",
        environ_overrides={
            "wsgi.input": body,
            "CONTENT_LENGTH": "10000000",
            "CONTENT_TYPE": "multipart/form-data; boundary=edge",
        },
    )
    assert answer.status_code == 400
    assert sum(written) > 200_000  # it had begun
    assert (remaining_files(app), exhibits(app), sent, counts(app)) == ([], [], [], (0, 0))


def test_leftovers_of_a_killed_app_are_removed_at_start(app):
    folders = Folders.local(app.extensions["settings"].data)
    (folders.incoming / "half").write_bytes(b"x")
    (folders.analyses / ".abc.1").mkdir()
    (folders.analyses / "kept").mkdir()
    (folders.thumbnails / ".abc.part").write_bytes(b"x")
    (later := folders.previews / ".abc.part").write_bytes(b"x")
    os.utime(later, (time.time() + 3600,) * 2)  # written before the clock was set back
    folders.remove_leftovers()
    assert remaining_files(app) == list(folders.thumbnails.iterdir()) == [] and not later.exists()
    assert [path.name for path in folders.analyses.iterdir()] == ["kept"]


def test_uploads_survive_an_unreachable_broker(tmp_path):
    def broken(_analysis_id: str) -> None:
        raise ConnectionError("no broker")

    app = create_app({"REELPROOF_DATA": tmp_path, "TESTING": True, "SEND": broken})
    answer = upload(app.test_client(), b"x")
    assert answer.status_code == 303
    assert counts(app) == (1, 1)
    app.extensions["database"].close()


PROGRAM = """
import hashlib, io, sys
from detector.process.resources import peak_memory
from webapp import create_app

class Body(io.RawIOBase):
    def __init__(self, head, size, tail):
        self.parts = [(head, 1), (bytes(1 << 20), size >> 20), (tail, 1)]
        self.length = len(head) + size + len(tail)
        self.rest = b""
    def readable(self):
        return True
    def readinto(self, buffer):
        while not self.rest and self.parts:
            data, count = self.parts[0]
            self.rest = data
            self.parts[0] = (data, count - 1)
            if count == 1:
                self.parts.pop(0)
        data = self.rest[:len(buffer)]
        self.rest = self.rest[len(data):]
        buffer[:len(data)] = data
        return len(data)

app = create_app({"TESTING": True, "SEND": lambda _: None})
client = app.test_client()
client.get("/")
def post(size):
    head = b'--e\\r\\nContent-Disposition: form-data; name="file"; filename="b.mp4"\\r\\n\\r\\n\\0\\0\\0 ftyp'
    body = Body(head, size, b"\\r\\n--e--\\r\\n")
    return client.post("/analyses", environ_overrides={
        "wsgi.input": body, "CONTENT_LENGTH": str(body.length),
        "CONTENT_TYPE": "multipart/form-data; boundary=e"})
assert post(1 << 20).status_code == 303
before = peak_memory()
assert post(100 << 20).status_code == 303
print(peak_memory() - before)
"""


def test_a_large_upload_is_streamed(tmp_path):
    environment = {"PATH": "", "REELPROOF_DATA": str(tmp_path)}
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) < 16 << 20, f"100 MB upload took {run.stdout.strip()} bytes more memory"
    sizes = [path.stat().st_size for path in (tmp_path / "exhibits").rglob("*") if path.is_file()]
    assert sorted(sizes) == [8 + (1 << 20), 8 + (100 << 20)]
