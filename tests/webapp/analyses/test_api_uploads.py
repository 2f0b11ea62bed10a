"""Resumable uploads: the tus protocol, interruptions, damage, restarts, expiry."""

from __future__ import annotations

import base64
import errno
import fcntl
import hashlib
import io
import os
from datetime import timedelta
from email.utils import parsedate_to_datetime

import pytest
from made_results import digest
from people import account, signed_in, with_login
from sqlalchemy import select, update

from webapp import create_app
from webapp.accounts.permissions import Role
from webapp.analyses import uploads_api
from webapp.errors import UserError
from webapp.exhibits.uploads import resumable
from webapp.storage.data_folder import Folders
from webapp.storage.tables import AnalysisRow, Exhibit, UploadRow, now

API = "/api/v1"
TUS = {"Tus-Resumable": "1.0.0"}
CONTENT = bytes(range(256)) * 40
PART = "application/offset+octet-stream"


def begin(client, content: bytes = CONTENT, *, sha256: str = "", **headers: str):
    fields = {"filename": "../long clip.mp4"} | ({"sha256": sha256} if sha256 else {})
    metadata = ",".join(f"{name} {base64.b64encode(text.encode()).decode()}" for name, text in fields.items())
    given = TUS | {"Upload-Length": str(len(content)), "Upload-Metadata": metadata} | headers
    return client.post(f"{API}/uploads", headers=given)


def send(client, place: str, offset: int, part: bytes, **headers: str):
    return client.patch(
        place, data=part, content_type=PART, headers=TUS | {"Upload-Offset": str(offset)} | headers
    )


def test_a_resumable_upload_becomes_an_analysis(app, client, sent):
    begun = begin(client, sha256=digest(CONTENT))
    assert begun.status_code == 201 and begun.headers["Upload-Offset"] == "0"
    place = begun.headers["Location"]
    assert begun.json["file"] == "long clip.mp4" and begun.json["offset"] == 0
    assert send(client, place, 0, CONTENT[:4000]).headers["Upload-Offset"] == "4000"
    head = client.head(place, headers=TUS)
    assert (head.headers["Upload-Offset"], head.headers["Upload-Length"]) == ("4000", str(len(CONTENT)))
    assert head.headers["Cache-Control"] == "no-store" and "GMT" in head.headers["Upload-Expires"]
    early = client.post(f"{place}/analysis", json={})
    assert early.status_code == 409 and "4,000 of 10,240" in early.json["detail"]
    assert send(client, place, 4000, CONTENT[4000:]).status_code == 204
    made = client.post(f"{place}/analysis", json={"parameters": {"seed": 5}})
    assert made.status_code == 202 and made.json["sha256"] == digest(CONTENT)
    assert made.json["settings"] == {"seed": 5} and sent == [made.json["id"]]
    assert client.post(f"{place}/analysis", json={}).json["id"] == made.json["id"] and len(sent) == 1
    folders = Folders.local(app.extensions["settings"].data)
    with app.extensions["database"].begin() as session:
        exhibit = session.scalars(select(Exhibit)).one()
    stored = folders.data / exhibit.path
    assert stored.read_bytes() == CONTENT and stored.stat().st_mode & 0o777 == 0o440
    assert not list(folders.uploads.iterdir()) and client.get(place).json["analysis"] == made.json["id"]


def test_an_analysed_upload_is_complete_for_every_method(client, sent):
    place = begin(client).headers["Location"]
    send(client, place, 0, CONTENT)
    for _ in range(2):  # before and after the analysis
        assert client.head(place, headers=TUS).headers["Upload-Offset"] == str(len(CONTENT))
        whole = send(client, place, len(CONTENT), b"")
        assert (whole.status_code, whole.headers["Upload-Offset"]) == (204, str(len(CONTENT)))
        assert send(client, place, 0, b"x").status_code == 409
        assert send(client, place, len(CONTENT), b"x").status_code == 413
        assert client.post(f"{place}/analysis", json={}).status_code == 202
    assert len(sent) == 1 and client.delete(place, headers=TUS).status_code == 204
    assert send(client, place, len(CONTENT), b"").status_code == 404


def test_protocol_headers(app, client):
    headers = client.options(f"{API}/uploads").headers
    assert (headers["Tus-Version"], headers["Tus-Resumable"]) == ("1.0.0", "1.0.0")
    assert headers["Tus-Extension"] == "creation,termination,expiration,checksum"
    assert headers["Tus-Max-Size"] == str(app.extensions["settings"].upload_limit)
    assert headers["Tus-Checksum-Algorithm"] == "sha1,sha256"
    other = begin(client, **{"Tus-Resumable": "0.2.2"})
    assert (other.status_code, other.headers["Tus-Version"], other.headers["Tus-Resumable"]) == (
        412,
        "1.0.0",
        "1.0.0",
    )
    place = begin(client, sha256=digest(CONTENT)).headers["Location"]
    wrong = send(client, place, 5, b"x")
    assert (wrong.status_code, wrong.headers["Tus-Resumable"]) == (409, "1.0.0")
    pairs = dict(pair.split(" ") for pair in client.head(place).headers["Upload-Metadata"].split(","))
    assert {name: base64.b64decode(value).decode() for name, value in pairs.items()} == {
        "filename": "long clip.mp4",
        "sha256": digest(CONTENT),
    }
    unnamed = client.post(f"{API}/uploads", headers=TUS | {"Upload-Length": "5"}).headers["Location"]
    assert "Upload-Metadata" not in client.head(unnamed).headers
    assert client.delete(place).headers["Tus-Resumable"] == "1.0.0"


def test_a_part_at_another_offset_is_refused(client):
    place = begin(client).headers["Location"]
    send(client, place, 0, CONTENT[:100])
    for offset in (0, 99, 101, len(CONTENT)):
        assert send(client, place, offset, b"x").status_code == 409
    assert send(client, place, 100, CONTENT).status_code == 413
    assert client.get(place).json["offset"] == 100
    assert send(client, place, 100, CONTENT[100:]).status_code == 204


@pytest.mark.parametrize("name", ["sha1", "sha256"])
def test_a_damaged_part_is_discarded(app, client, name):
    place = begin(client).headers["Location"]
    right = base64.b64encode(hashlib.new(name, CONTENT).digest()).decode()
    damaged = send(client, place, 0, CONTENT[:-1] + b"?", **{"Upload-Checksum": f"{name} {right}"})
    assert damaged.status_code == 460 and client.get(place).json["offset"] == 0
    kept = Folders.local(app.extensions["settings"].data).upload(place.rsplit("/", 1)[1])
    assert kept.read_bytes() == b""
    assert send(client, place, 0, CONTENT, **{"Upload-Checksum": f"{name} {right}"}).status_code == 204


def test_a_file_with_another_hash_is_not_analysed(client, sent):
    place = begin(client, sha256="0" * 64).headers["Location"]
    send(client, place, 0, CONTENT)
    assert client.post(f"{place}/analysis", json={}).status_code == 460 and sent == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Tus-Resumable": "0.2.2"}, 412),
        ({"Upload-Metadata": "no=pair"}, 422),
        ({"Upload-Length": "-1"}, 422),
        ({"Upload-Length": "0"}, 400),
        ({"Upload-Length": "9" * 16}, 413),
        ({"Upload-Metadata": "filename ???"}, 422),
        ({"Upload-Metadata": "sha256 MDA="}, 422),
    ],
)
def test_invalid_announcements_are_refused(client, headers, status):
    answer = begin(client, **headers)
    assert answer.status_code == status and answer.json["detail"]


def test_parts_need_type_and_offset(client):
    place = begin(client).headers["Location"]
    assert client.patch(place, data=b"x", headers=TUS | {"Upload-Offset": "0"}).status_code == 415
    assert client.patch(place, data=b"x", content_type=PART, headers=TUS).status_code == 422
    assert send(client, f"{API}/uploads/{'0' * 32}", 0, b"x").status_code == 404


def test_uploads_are_limited_by_number_and_free_space(app, client, monkeypatch):
    places = [begin(client).headers["Location"] for _ in range(resumable.MAX_UNFINISHED)]
    assert begin(client).status_code == 429
    assert client.delete(places[0]).status_code == 204 and client.get(places[0]).status_code == 404
    assert begin(client).status_code == 201
    client.delete(places[1])

    class Full:
        free = app.extensions["settings"].spare + 19 * len(CONTENT)

    monkeypatch.setattr("webapp.exhibits.uploads.resumable.shutil.disk_usage", lambda _: Full)
    assert begin(client).status_code == 507  # what the others announced is spoken for
    assert begin(client, b"").status_code == 400


def test_parts_leave_the_reserved_space_free(app, client, monkeypatch):
    place = begin(client).headers["Location"]

    class Full:
        free = app.extensions["settings"].spare - 1

    with monkeypatch.context() as patched:
        patched.setattr("webapp.exhibits.uploads.resumable.shutil.disk_usage", lambda _: Full)
        assert send(client, place, 0, CONTENT).status_code == 507
    assert send(client, place, 0, CONTENT).status_code == 204


@pytest.fixture
def lab(tmp_path, sent):
    """An app with login and the given settings, and the accounts Ada and Ben."""
    opened = []

    def lab(**settings: str):
        app = with_login(tmp_path / "lab", sent, **settings)
        opened.append(app)
        for name in ("ada", "ben"):
            account(app, name, Role.EXAMINER)
        return app, signed_in(app, "ada"), signed_in(app, "ben")

    yield lab
    for app in opened:
        app.extensions["database"].close()


def test_uploads_belong_to_the_account_that_began_them(lab, sent):
    _app, ada, ben = lab()
    places = [begin(ada).headers["Location"] for _ in range(resumable.MAX_UNFINISHED)]
    refused = [
        ben.get(places[0]),
        ben.head(places[0], headers=TUS),
        send(ben, places[0], 0, CONTENT),
        ben.post(f"{places[0]}/analysis", json={}),
        ben.delete(places[0], headers=TUS),
    ]
    assert [answer.status_code for answer in refused] == [404] * len(refused)
    assert ada.get(places[0]).json["offset"] == 0
    assert begin(ada).status_code == 429 and begin(ben).status_code == 201
    assert send(ada, places[0], 0, CONTENT).status_code == 204
    assert ada.post(f"{places[0]}/analysis", json={}).status_code == 202
    assert begin(ada).status_code == 201, "a finished one is no unfinished one"


def test_announced_uploads_count_towards_the_quota(lab, sent):
    _app, ada, _ben = lab(REELPROOF_QUOTA_MB="0.025")
    places = [begin(ada).headers["Location"] for _ in range(2)]
    over = begin(ada)
    assert over.status_code == 413 and "Unfinished uploads count" in over.json["remedy"]
    for number, place in enumerate(places):
        assert send(ada, place, 0, bytes([number]) * len(CONTENT)).status_code == 204
        assert ada.post(f"{place}/analysis", json={}).status_code == 202, "it is not counted twice"
    assert len(sent) == 2 and begin(ada).status_code == 413


def test_one_account_cannot_reserve_all_space(lab, monkeypatch):
    app, ada, ben = lab(REELPROOF_UPLOAD_LIMIT_MB="0.02")

    class Some:
        free = app.extensions["settings"].spare + 32 * len(CONTENT)

    monkeypatch.setattr("webapp.exhibits.uploads.resumable.shutil.disk_usage", lambda _: Some)
    for place in [begin(ada).headers["Location"] for _ in range(4)]:  # finished ones are no uploads any more
        assert send(ada, place, 0, CONTENT).status_code == 204
        assert ada.post(f"{place}/analysis", json={}).status_code == 202
    assert [begin(ada).status_code for _ in range(9)] == [201] * 8 + [429]
    assert "so that others have room" in begin(ada).json["detail"]
    assert begin(ben).status_code == 201


def test_concurrent_writes_are_refused(app, client):
    place = begin(client).headers["Location"]
    with resumable._lock(place.rsplit("/", 1)[1]):
        assert send(client, place, 0, b"x").status_code == 423
    assert send(client, place, 0, b"x").status_code == 204


@pytest.mark.parametrize("problem", [errno.EBADF, errno.ENOLCK], ids=["NFS", "no locks"])
def test_uploads_need_no_file_locks(client, sent, monkeypatch, problem):
    def refused(*_: object) -> None:  # NFS locks nothing exclusively for who only reads
        raise OSError(problem, os.strerror(problem))

    monkeypatch.setattr(fcntl, "flock", refused)
    place = begin(client).headers["Location"]
    assert send(client, place, 0, CONTENT).status_code == 204
    assert client.post(f"{place}/analysis", json={}).status_code == 202 and len(sent) == 1


def test_uploads_resume_after_a_crash(app, client, sent):
    place = begin(client).headers["Location"]
    send(client, place, 0, CONTENT[:5000])
    data = app.extensions["settings"].data
    with Folders.local(data).upload(place.rsplit("/", 1)[1]).open("ab") as file:
        file.write(b"half a part that was never answered")
    Folders.local(data).remove_leftovers()
    again = create_app({"TESTING": True, "REELPROOF_DATA": data, "SEND": sent.append})
    other = again.test_client()
    assert other.get(place).json["offset"] == 5000
    send(other, place, 5000, CONTENT[5000:])
    assert other.post(f"{place}/analysis", json={}).json["sha256"] == digest(CONTENT)
    again.extensions["database"].close()


def test_a_crash_during_completion_creates_one_analysis(app, client, sent):
    place = begin(client).headers["Location"]
    send(client, place, 0, CONTENT)
    made = client.post(f"{place}/analysis", json={}).json
    data, upload = Folders.local(app.extensions["settings"].data), place.rsplit("/", 1)[1]
    database = app.extensions["database"]
    with database.begin() as session:  # as if the last write had been lost
        session.execute(update(UploadRow).values(analysis_id=None))
        exhibit = session.scalars(select(Exhibit)).one()
    data.upload(upload).hardlink_to(data.data / exhibit.path)
    assert client.post(f"{place}/analysis", json={}).json["id"] == made["id"]
    with database.begin() as session:
        assert len(session.scalars(select(AnalysisRow.id)).all()) == 1


def test_uploads_expire_a_day_after_their_last_part(app, client):
    database, folders = app.extensions["database"], Folders.local(app.extensions["settings"].data)
    old, new = begin(client).headers["Location"], begin(client).headers["Location"]
    with database.begin() as session:
        row = session.get_one(UploadRow, old.rsplit("/", 1)[1])
        assert row.expires - row.created == timedelta(days=1)
        row.expires = now() - timedelta(seconds=1)
    (folders.uploads / "stray").write_bytes(b"no row speaks of it")
    resumable.expire_uploads(database, folders)
    assert client.get(old).status_code == 404 and client.get(new).status_code == 200
    assert [path.name for path in folders.uploads.iterdir()] == [new.rsplit("/", 1)[1]]


@pytest.fixture
def run_while_hashing(monkeypatch):
    """Call a function after the exhibit of an upload was hashed."""

    def then(act) -> None:
        real = uploads_api.AssembledFile

        def hashed(*arguments: object):
            whole = real(*arguments)
            act()
            return whole

        monkeypatch.setattr(uploads_api, "AssembledFile", hashed)

    return then


def test_an_upload_being_completed_does_not_expire(app, client, sent, run_while_hashing):
    database, folders = app.extensions["database"], Folders.local(app.extensions["settings"].data)
    place = begin(client).headers["Location"]
    send(client, place, 0, CONTENT)
    with database.begin() as session:
        session.execute(update(UploadRow).values(expires=now() - timedelta(seconds=1)))
    run_while_hashing(lambda: resumable.expire_uploads(database, folders))
    assert client.post(f"{place}/analysis", json={}).status_code == 202 and len(sent) == 1
    resumable.expire_uploads(database, folders)
    assert client.get(place).status_code == 404


def test_a_part_renews_an_expiring_upload(app, client, monkeypatch):
    database, folders = app.extensions["database"], Folders.local(app.extensions["settings"].data)
    place = begin(client).headers["Location"]
    with database.begin() as session:
        session.execute(update(UploadRow).values(expires=now() - timedelta(seconds=1)))
    real = resumable._lock

    def held(upload_id: str):
        monkeypatch.setattr(resumable, "_lock", real)
        assert send(client, place, 0, CONTENT).status_code == 204
        return real(upload_id)

    monkeypatch.setattr(resumable, "_lock", held)
    resumable.expire_uploads(database, folders)
    assert client.get(place).json["offset"] == len(CONTENT)


def test_deletion_during_completion(app, client, sent, run_while_hashing):
    app.testing = False
    place = begin(client).headers["Location"]
    send(client, place, 0, CONTENT)
    run_while_hashing(lambda: client.delete(place, headers=TUS))
    gone = client.post(f"{place}/analysis", json={})
    assert (gone.status_code, gone.json["detail"]) == (404, "This upload no longer exists.")
    assert sent == []


def test_each_part_renews_the_expiry(app, client):
    place = begin(client).headers["Location"]
    with app.extensions["database"].begin() as session:
        session.get_one(UploadRow, place.rsplit("/", 1)[1]).expires -= timedelta(hours=23)
    expiry = send(client, place, 0, CONTENT[:100]).headers["Upload-Expires"]
    assert timedelta(hours=23) < parsedate_to_datetime(expiry) - now() <= timedelta(days=1)


def test_error_for_a_single_byte_is_singular(app, client):
    place = begin(client).headers["Location"]
    send(client, place, 0, CONTENT[:1])
    assert "but 1 byte is here" in send(client, place, 0, CONTENT[:1]).json["detail"]


def test_a_waiting_part_is_checked_against_the_current_offset(app, client):
    place = begin(client).headers["Location"]
    with app.extensions["database"].begin() as session:
        row = session.get_one(UploadRow, place.rsplit("/", 1)[1])
    send(client, place, 0, CONTENT[:100])
    with pytest.raises(UserError, match="100 bytes are here"):
        resumable.append_part(
            app.extensions["database"], app.extensions["settings"], row, 0, io.BytesIO(b"an earlier part")
        )
    send(client, place, 100, CONTENT[100:])
    assert client.post(f"{place}/analysis", json={}).json["sha256"] == digest(CONTENT)


def test_deletion_during_a_part(app, client):
    database, settings = app.extensions["database"], app.extensions["settings"]
    upload = begin(client).headers["Location"].rsplit("/", 1)[1]
    with database.begin() as session:
        row = session.get_one(UploadRow, upload)

    class Deleting(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            resumable.remove_upload(database, Folders.local(settings.data), upload)
            return super().read(size)

    with pytest.raises(UserError) as refused:
        resumable.append_part(database, settings, row, 0, Deleting(CONTENT))
    assert refused.value.status == 404
    assert not list(Folders.local(settings.data).uploads.iterdir())


def test_parts_are_not_held_in_memory(app, client):
    """A part of 32 MB raises the peak of Python's memory by a few chunks at most."""
    import tracemalloc

    content = bytes(1 << 20) * 32
    place = begin(client, content).headers["Location"]
    tracemalloc.start()
    assert send(client, place, 0, content).status_code == 204
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20
