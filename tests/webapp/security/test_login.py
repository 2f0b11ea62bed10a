"""Signing in and out, sessions, cookies and the tokens of forms."""

from __future__ import annotations

import io
import json
import re
import threading
import time
from datetime import timedelta

import pytest
from made import finished, hand_in
from people import CHEAP, PASSWORD, account, sign_in, signed_in, token, with_login
from sqlalchemy import select

from webapp.security import login_throttle, passwords, request_guard, sessions
from webapp.security.permissions import Role
from webapp.security.rate_limits import Rates, TooOften
from webapp.storage.tables import AnalysisRow, CustodyRow, SessionRow, SignInFailure, User, now

HTTPS = {"wsgi.url_scheme": "https"}


@pytest.fixture
def app(tmp_path, sent):
    app = with_login(tmp_path / "data", sent)
    account(app, "ada", Role.EXAMINER)
    yield app
    app.extensions["database"].close()


@pytest.fixture
def client(app):
    return app.test_client()


def rows(app, of):
    with app.extensions["database"].begin() as session:
        return list(session.scalars(select(of)))


def age(app, **by):
    """Make every session older than it is."""
    with app.extensions["database"].begin() as session:
        for row in session.scalars(select(SessionRow)):
            for name, how_much in by.items():
                setattr(row, name, getattr(row, name) - how_much)


def test_pages_send_to_the_form_and_back(client):
    answer = client.get("/analyses?q=x&sort=name")
    assert answer.status_code == 303
    assert answer.location == "/login?next=/analyses?q%3Dx%26sort%3Dname"
    page = client.get(answer.location)
    assert page.status_code == 200 and 'name="next" value="/analyses?q=x&amp;sort=name"' in page.text
    answer = client.post("/login", data={"name": "ada", "password": PASSWORD, "next": "/analyses?q=x"})
    assert answer.status_code == 303 and answer.location == "/analyses?q=x"
    assert client.get("/analyses").status_code == 200


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "evil",
        "javascript:alert(1)",
        "/a\nb",
        "",
    ],
)
def test_signing_in_leads_to_no_other_site(client, elsewhere):
    answer = client.post("/login", data={"name": "ada", "password": PASSWORD, "next": elsewhere})
    assert answer.status_code == 303 and answer.location == "/"


def test_programs_get_401(client):
    answer = client.get("/analyses/x.json")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.get_json()["error"] == "You are not signed in."


def test_wrong_password_unknown_name_and_disabled_account_look_the_same(app, client):
    other = account(app, "bob", Role.READER)
    with app.extensions["database"].begin() as session:
        session.get_one(User, other.id).disabled = now()
    answers = [
        sign_in(client, "ada", "wrong"),
        sign_in(client, "nobody", "wrong"),
        sign_in(client, "bob"),
    ]
    assert [answer.status_code for answer in answers] == [401] * 3
    texts = {
        answer.text.replace(name, "") for answer, name in zip(answers, ("ada", "nobody", "bob"), strict=True)
    }
    assert len(texts) == 1
    assert all("Set-Cookie" not in answer.headers for answer in answers)


def test_an_unknown_name_costs_a_hash_as_well(monkeypatch, client):
    compared = []
    verify = CHEAP.verify
    monkeypatch.setattr(
        CHEAP, "verify", lambda kept, password: compared.append(kept) or verify(kept, password)
    )
    sign_in(client, "nobody", "wrong")
    sign_in(client, "ada", "wrong")
    assert len(compared) == 2
    usual = passwords.Passwords(passwords.Cost())
    assert not usual.verify(None, "first")  # the hash to compare with is made now
    start = time.perf_counter()
    usual.hash("wrong")
    started = time.perf_counter()
    assert not usual.verify(None, "wrong")
    assert time.perf_counter() - started > (started - start) / 10


def test_the_cookie_over_http_and_over_https(app, client):
    plain = sign_in(client, "ada").headers.getlist("Set-Cookie")
    assert [line.split("=")[0] for line in plain] == ["reelproof", "reelproof-device"]
    for line in plain:
        assert "HttpOnly" in line and "SameSite=Lax" in line and "Path=/" in line
        assert "Secure" not in line and "Domain" not in line
    answer = sign_in(app.test_client(), "ada", environ_overrides=HTTPS)
    for line in answer.headers.getlist("Set-Cookie"):
        assert line.startswith("__Host-reelproof") and "Secure" in line and "Domain" not in line
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=31536000")
    assert "Strict-Transport-Security" not in client.get("/").headers


def test_nothing_of_the_token_is_stored(app, client):
    sign_in(client, "ada")
    value = client.get_cookie("reelproof").value
    (row,) = rows(app, SessionRow)
    assert value not in (row.id, row.agent) and row.id == sessions.hashed(value)
    assert len(value) >= 43  # 256 bits


def test_signing_in_again_ends_the_session_there_was(app, client):
    sign_in(client, "ada")
    first = client.get_cookie("reelproof").value
    assert sign_in(client, "ada").status_code == 403  # a form without this session's token
    assert sign_in(client, "ada", headers={"X-CSRF-Token": token(client)}).status_code == 303
    assert client.get_cookie("reelproof").value != first
    assert len(rows(app, SessionRow)) == 1
    client.set_cookie("reelproof", first)
    assert client.get("/analyses").status_code == 303


def test_a_token_somebody_planted_is_worth_nothing(client):
    client.set_cookie("reelproof", "planted")
    sign_in(client, "ada")
    assert client.get_cookie("reelproof").value != "planted"


def test_signing_out(app):
    client = signed_in(app, "ada")
    answer = client.post("/logout")
    assert answer.status_code == 303 and answer.location == "/login"
    assert answer.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert rows(app, SessionRow) == []
    assert client.get("/analyses").status_code == 303


@pytest.mark.parametrize("by", [{"seen": timedelta(minutes=61)}, {"started": timedelta(hours=12, seconds=1)}])
def test_sessions_idle_out_and_grow_old(app, by):
    client = signed_in(app, "ada")
    assert client.get("/analyses").status_code == 200
    age(app, **by)
    assert client.get("/analyses").status_code == 303


def test_use_keeps_a_session_but_a_page_that_asks_by_itself_does_not(app):
    client = signed_in(app, "ada")
    row = hand_in(app)
    with app.extensions["database"].begin() as session:
        session.get_one(AnalysisRow, row.id).owner_id = 1
    age(app, seen=timedelta(minutes=50))
    assert client.get(f"/analyses/{row.id}/state.json").status_code == 200
    (kept,) = rows(app, SessionRow)
    assert now() - kept.seen > timedelta(minutes=49)
    client.get("/analyses")
    (kept,) = rows(app, SessionRow)
    assert now() - kept.seen < timedelta(minutes=1)


def test_a_disabled_account_is_out_at_once(app):
    client = signed_in(app, "ada")
    with app.extensions["database"].begin() as session:
        session.scalars(select(User)).one().disabled = now()
    assert client.get("/analyses").status_code == 303


def test_forms_without_the_token_are_refused(app, sent):
    client = signed_in(app, "ada")
    right = client.environ_base.pop("HTTP_X_CSRF_TOKEN")
    part = {"file": (io.BytesIO(b"x"), "x.mp4")}
    assert client.post("/analyses", data=part).status_code == 403
    other = signed_in(app, "ada").environ_base["HTTP_X_CSRF_TOKEN"]
    assert other != right
    part = {"csrf_token": other, "file": (io.BytesIO(b"x"), "x.mp4")}
    assert client.post("/analyses", data=part).status_code == 403
    assert sent == []
    assert list((app.extensions["settings"].data / "incoming").iterdir()) == []
    assert client.post("/logout").status_code == 403
    assert client.post("/logout", data={"csrf_token": right}).status_code == 303


def test_every_form_of_every_page_brings_the_token(app):
    account(app, "root", Role.ADMINISTRATOR)
    client = signed_in(app, "root")
    done, waiting = finished(app), hand_in(app)
    client.post("/cases", data={"name": "K"})
    paths = ["/", "/analyses", "/models", "/account", "/users", "/cases", "/cases/1", "/confirm"]
    paths += [f"/analyses/{waiting.id}", f"/analyses/{done.id}"]
    paths += [f"/analyses/{done.id}/{name}" for name in ("again", "delete", "assign")]
    for path in paths:
        text = client.get(path).text
        forms = [form.split("</form>")[0] for form in text.split("<form")[1:]]
        unsafe = [form for form in forms if 'method="post"' in form]
        assert unsafe, path
        for form in unsafe:
            assert re.search(r'name="csrf_token" value="[0-9a-f]{128}"', form), (path, form[:200])


def test_wrong_tries_slow_down_here_and_not_elsewhere(app, client):
    device = signed_in(app, "ada")  # this browser is known from now on
    for _ in range(3):
        assert sign_in(client, "ada", "wrong").status_code == 401
    slow = sign_in(client, "ada")
    assert slow.status_code == 429 and int(slow.headers["Retry-After"]) >= 1
    elsewhere = app.test_client()
    assert sign_in(elsewhere, "ada", environ_overrides={"REMOTE_ADDR": "10.1.2.3"}).status_code == 303
    assert sign_in(device, "ada").status_code == 303  # the same address as who guesses


def log_of_accounts(app):
    with app.extensions["database"].begin() as session:
        own = select(CustodyRow.details).where(CustodyRow.action == "account").order_by(CustodyRow.number)
        return [json.loads(text) for text in session.scalars(own)]


def test_a_padded_name_counts_as_the_account_it_opens(app, client):
    names = [f"ada{' ' * number}" for number in range(3)]
    assert [sign_in(client, name, "wrong").status_code for name in names] == [401] * 3
    for name in ("ada", "\t\nADA \t", "ａｄａ", " ada" + " " * 90):
        assert sign_in(client, name, "wrong").status_code == 429, name
    refused = [each["account"] for each in log_of_accounts(app) if each["what"] == "sign-in refused"]
    assert refused == ["ada"] * 3


def test_what_cannot_be_a_name_is_counted_as_one_and_cut_short_in_the_log(app, client):
    names = ["ada" + " \t\n" * 30 + "x", "ada" + " " * 77 + "y", "x" * 5000]
    assert [sign_in(client, name).status_code for name in names] == [401] * 3
    assert sign_in(client, "ada" + " " * 77 + "z").status_code == 429
    assert all(len(each["account"]) <= 41 for each in log_of_accounts(app) if "account" in each)
    assert sign_in(client, "ada").status_code == 303
    (entry,) = [each for each in log_of_accounts(app) if each["what"] == "sign-in"]
    assert entry["account"] == "ada"


def test_a_device_cookie_of_another_account_is_none(app, client):
    account(app, "bob", Role.READER)
    sign_in(client, "bob")
    with app.test_request_context(
        headers={"Cookie": f"reelproof-device={client.get_cookie('reelproof-device').value}"}
    ):
        assert request_guard.known_device("bob") is not None
        assert request_guard.known_device("ada") is None


def test_waits_double_and_end(app):
    database, moment = app.extensions["database"], now()
    counted = login_throttle.buckets("ada", "10.0.0.1", None)
    waits = []
    for _ in range(16):
        with database.alone() as session:
            wait = login_throttle.try_now(session, counted, moment)
        waits.append(wait.total_seconds())
        moment += wait
        if wait:
            with database.alone() as session:
                assert not login_throttle.try_now(session, counted, moment)
    assert waits[:3] == [0, 0, 0]
    assert waits[3:8] == [1, 2, 4, 8, 16]
    assert max(waits) == 15 * 60
    with database.alone() as session:
        assert not login_throttle.try_now(session, counted, moment + timedelta(days=1, minutes=20))
        assert session.get_one(SignInFailure, counted[0].key).count == 1


def test_many_tries_at_once_are_counted_one_by_one(app):
    """Threads that all ask before any password was compared get no more free tries than one would."""
    database, moment, free = app.extensions["database"], now(), []
    counted = login_throttle.buckets("ada", "10.0.0.1", None)

    def one():
        with database.alone() as session:
            free.append(not login_throttle.try_now(session, counted, moment))

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(free) == 3


def test_one_password_on_many_accounts_is_slowed_down_too(app):
    database, moment = app.extensions["database"], now()
    free = 0
    for number in range(40):
        with database.alone() as session:
            free += not login_throttle.try_now(
                session, login_throttle.buckets(f"n{number}", "10.0.0.1", None), moment
            )
    assert free == 30


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("[2001:db8:1:2:3::4]:50123", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2:3::4]", "2001:db8:1:2::/64"),
        ("10.0.0.1:50123", "10.0.0.1"),
        ("[::ffff:10.0.0.1]:50123", "10.0.0.1"),
        ("::FFFF:0a00:0001", "10.0.0.1"),
        ("", ""),
    ],
)
def test_places(address, place):
    assert login_throttle.network(address) == place


def test_rates_are_a_persons_own(monkeypatch):
    monkeypatch.setattr("webapp.security.rate_limits._ANYTHING", "3/minute")
    rates = Rates()
    for _ in range(3):
        rates.count("ada", None)
    with pytest.raises(TooOften) as stopped:
        rates.count("ada", None)
    assert 1 <= stopped.value.seconds <= 60
    rates.count("bob", None)


def test_who_is_not_signed_in_is_counted_by_network_however_a_proxy_writes_it(app, monkeypatch):
    monkeypatch.setattr("webapp.security.rate_limits._ANYTHING", "3/minute")
    app.extensions["rates"] = Rates()
    client = app.test_client()
    places = [f"[2001:db8::{number}]:{50000 + number}" for number in range(1, 6)]
    answers = [client.get("/login", environ_overrides={"REMOTE_ADDR": place}) for place in places]
    assert [answer.status_code for answer in answers] == [200] * 3 + [429] * 2
    sign_in(client, "ada", environ_overrides={"REMOTE_ADDR": "[::ffff:10.9.8.7]:443"})
    assert [row.address for row in rows(app, SessionRow)] == ["10.9.8.7"]


def test_many_refusals_are_few_entries(app):
    client = signed_in(app, "ada")
    for number in range(30):
        assert client.get("/users").status_code == 403
        assert client.post("/logout", headers={"X-CSRF-Token": f"{number}"}).status_code == 403
    refused = [each for each in log_of_accounts(app) if each["what"] in ("access refused", "form refused")]
    assert sorted((each["what"], each.get("times")) for each in refused if "times" in each) == [
        ("access refused", "10 within an hour"),
        ("form refused", "10 within an hour"),
    ]
    assert len(refused) == 4, "the first and the tenth of each"


def test_too_often_is_said_in_words(app, monkeypatch):
    monkeypatch.setattr("webapp.security.rate_limits._ANYTHING", "3/minute")
    app.extensions["rates"] = Rates()
    client = app.test_client()
    answers = [client.get("/login") for _ in range(5)]
    assert [answer.status_code for answer in answers[-2:]] == [429, 429]
    assert "Wait " in answers[-1].text and int(answers[-1].headers["Retry-After"]) >= 1


def test_the_secret_is_made_once_and_kept_to_oneself(app, tmp_path, sent):
    path = tmp_path / "data" / "secret.key"
    assert path.stat().st_mode & 0o777 == 0o600 and path.stat().st_size == 32
    again = with_login(tmp_path / "data", sent)
    assert again.extensions["secret"] == app.extensions["secret"]
    again.extensions["database"].close()
    other = with_login(tmp_path / "other", sent)
    assert other.extensions["secret"] != app.extensions["secret"]
    other.extensions["database"].close()


def test_a_secret_others_may_read_is_refused(app, tmp_path, sent):
    path = tmp_path / "data" / "secret.key"
    path.chmod(0o644)
    with pytest.raises(Exception, match="chmod 600"):
        with_login(tmp_path / "data", sent)
    path.chmod(0o600)
    path.write_bytes(b"short")
    with pytest.raises(Exception, match="too short"):
        with_login(tmp_path / "data", sent)


def test_without_login_there_are_no_cookies_and_no_form(tmp_path, sent):
    app = with_login(tmp_path / "alone", sent, REELPROOF_LOGIN="off")
    client = app.test_client()
    answer = client.get("/")
    assert answer.status_code == 200 and "Set-Cookie" not in answer.headers
    assert "Sign out" not in answer.text and "csrf" not in answer.text
    assert client.get("/login").location == "/"
    assert client.post("/login", data={"name": "x", "password": "y"}).location == "/"
    assert client.get("/account").status_code == 404
    assert client.get("/users").status_code == 200
    app.extensions["database"].close()
