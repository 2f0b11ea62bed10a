"""The second factor: set up, asked for, used once, required by role, reset."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta

import pyotp
import pytest
from people import TOKEN, account, sign_in, signed_in, with_login
from sqlalchemy import select, text

from cli.web import main as cli
from webapp.accounts import second_factor, tokens
from webapp.accounts import second_factor_pages as pages
from webapp.accounts import users as account_store
from webapp.accounts.permissions import Role
from webapp.setting_values import ROLES
from webapp.storage.tables import CustodyRow, RecoveryCode, User

KEY = re.compile(r'<dd class="exact">([A-Z2-7]{32})</dd>')
CODE = re.compile(r'<li class="exact">([A-Z2-7-]{29})</li>')
AT = "/account/second-factor"


class Clock:
    """The moment that codes are checked at, moved by hand."""

    def __init__(self) -> None:
        # Of today, as that of passwords: what was counted a day before is forgotten.
        self.moment = datetime.now(UTC).replace(second=5, microsecond=0)

    def __call__(self) -> datetime:
        return self.moment

    def code(self, secret: str, steps: int = 0) -> str:
        return pyotp.TOTP(secret).at(self.moment + timedelta(seconds=30 * steps))

    def later(self, seconds: float = 30) -> None:
        self.moment += timedelta(seconds=seconds)


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(pages, "now", clock)
    return clock


@pytest.fixture
def required() -> str:
    return "examiner"


@pytest.fixture
def app(tmp_path, sent, required):
    app = with_login(tmp_path / "data", sent, REELPROOF_SECOND_FACTOR=required)
    account(app, "root", Role.ADMINISTRATOR)
    account(app, "ada", Role.EXAMINER)
    account(app, "ray", Role.READER)
    yield app
    app.extensions["database"].close()


def set_up(client, clock) -> tuple[str, list[str]]:
    """The secret and the recovery codes of an account that now has a second factor."""
    secret = KEY.search(client.post(AT).text)[1]
    answer = client.post(f"{AT}/confirm", data={"code": clock.code(secret)})
    assert answer.status_code == 200, answer.text
    codes = CODE.findall(answer.text)
    assert len(codes) == 10
    client.environ_base["HTTP_X_CSRF_TOKEN"] = TOKEN.search(answer.text)[1]  # the session is a new one
    clock.later()
    return secret, codes


def with_code(app, name: str, code: str):
    """A browser and the answer it gets to a code after the right password."""
    client = app.test_client()
    answer = sign_in(client, name)
    assert answer.location.startswith("/login/code")
    return client, client.post("/login/code", data={"code": code, "next": "/help"})


def events(app, what: str) -> list[dict]:
    with app.extensions["database"].begin() as session:
        rows = session.scalars(select(CustodyRow.details).where(CustodyRow.action == "account"))
        return [entry for entry in map(json.loads, rows) if entry["what"] == what]


def test_set_up_and_signed_in_with_a_code_that_works_once(app, clock):
    ray, other = signed_in(app, "ray"), signed_in(app, "ray")
    page = ray.post(AT)
    assert "<svg" in page.text and "http" not in page.text.split("<svg")[1].split("</svg>")[0].replace(
        "http://www.w3.org/2000/svg", ""
    )
    secret, _ = set_up(ray, clock)
    assert ray.get("/help").status_code == 200
    assert other.get("/help").status_code == 303  # signed out
    code = clock.code(secret)
    client, answer = with_code(app, "ray", code)
    assert (answer.status_code, answer.location) == (303, "/help")
    assert client.get("/help").status_code == 200
    _, again = with_code(app, "ray", code)
    assert again.status_code == 401 and "used before" in again.text
    _, earlier = with_code(app, "ray", clock.code(secret, -1))  # of a step before the used one
    assert earlier.status_code == 401
    assert events(app, "sign-in")[-1]["factor"] == "code"
    assert len(events(app, "second factor set up")) == 1 and events(app, "second factor refused")


def test_without_the_code_every_page_is_closed(app, clock):
    set_up(signed_in(app, "ray"), clock)
    client = app.test_client()
    sign_in(client, "ray")
    assert client.get("/help").status_code == 303
    assert client.get("/login/code").status_code == 200
    cookie = client.get_cookie("reelproof-pending").value
    other = app.test_client()
    other.set_cookie("reelproof-pending", cookie.replace(cookie[:1], "1", 1))  # root's
    assert other.get("/login/code").location.startswith("/login")
    other.set_cookie("reelproof-pending", "x.y.z")
    assert other.get("/login/code").location.startswith("/login")


def test_clocks_may_differ_by_one_step(app, clock):
    secret, _ = set_up(signed_in(app, "ray"), clock)
    clock.later(300)
    assert with_code(app, "ray", clock.code(secret, 2))[1].status_code == 401
    assert with_code(app, "ray", clock.code(secret, -1))[1].status_code == 303
    assert with_code(app, "ray", clock.code(secret, 1))[1].status_code == 303


def test_codes_work_again_after_a_clock_that_ran_ahead(app, clock):
    secret, _ = set_up(signed_in(app, "ray"), clock)
    clock.later(26 * 3600)
    assert with_code(app, "ray", clock.code(secret))[1].status_code == 303
    clock.later(-26 * 3600)
    assert with_code(app, "ray", clock.code(secret))[1].status_code == 303
    assert with_code(app, "ray", clock.code(secret))[1].status_code == 401


def test_recovery_codes_work_once_each(app, clock):
    ray = signed_in(app, "ray")
    secret, codes = set_up(ray, clock)
    assert with_code(app, "ray", codes[0].lower().replace("-", " "))[1].status_code == 303
    assert with_code(app, "ray", codes[0])[1].status_code == 401
    assert "9 of 10" in ray.get(AT).text
    answer = ray.post(f"{AT}/codes", data={"code": clock.code(secret)})
    fresh = CODE.findall(answer.text)
    assert len(fresh) == 10 and not set(fresh) & set(codes)
    assert with_code(app, "ray", codes[1])[1].status_code == 401
    assert with_code(app, "ray", fresh[1])[1].status_code == 303
    with app.extensions["database"].begin() as session:
        kept = session.scalars(select(RecoveryCode.sha256)).all()
    assert len(kept) == 10 and not any(code.replace("-", "") in " ".join(kept) for code in fresh)


def test_wrong_codes_are_throttled_from_all_places(app, clock):
    secret, _ = set_up(signed_in(app, "ray"), clock)
    for _try in range(5):
        assert with_code(app, "ray", "000000")[1].status_code == 401
    client = app.test_client()
    sign_in(client, "ray")
    client.environ_base["REMOTE_ADDR"] = "192.0.2.7"
    right = {"code": clock.code(secret)}
    answer = client.post("/login/code", data=right)
    assert answer.status_code == 429 and int(answer.headers["Retry-After"]) >= 1
    clock.later(3)
    assert client.post("/login/code", data={"code": clock.code(secret)}).status_code == 303


def test_a_role_that_requires_one_has_to_set_it_up_first(app, clock):
    ada = signed_in(app, "ada")
    assert ada.get("/analyses").location.startswith(AT)
    assert ada.get("/api/v1/me").status_code == 403
    assert "Your role needs it" in ada.get(AT).text
    secret, _ = set_up(ada, clock)
    assert ada.get("/analyses").status_code == 200
    assert ada.post(f"{AT}/remove", data={"code": clock.code(secret)}).status_code == 403
    ray = signed_in(app, "ray")
    assert ray.get("/analyses").status_code == 200
    secret, _ = set_up(ray, clock)
    assert ray.post(f"{AT}/remove", data={"code": "000000"}).status_code == 400
    assert ray.post(f"{AT}/remove", data={"code": clock.code(secret)}).status_code == 303
    assert sign_in(app.test_client(), "ray").location == "/"


def test_tokens_work_without_second_factor(app, clock):
    with app.extensions["database"].begin() as session:
        ada = account_store.principal_of(account_store.find(session, "ada"))
        token = tokens.create(session, ada, "nightly", ["read"]).token
    asked = {"headers": {"Authorization": f"Bearer {token}"}}
    assert app.test_client().get("/api/v1/me", **asked).status_code == 200
    set_up(signed_in(app, "ada"), clock)
    assert app.test_client().get("/api/v1/me", **asked).status_code == 200


def test_administrators_and_commands_reset_it(app, clock, monkeypatch, capsys):
    root, ray = signed_in(app, "root"), signed_in(app, "ray")
    set_up(ray, clock)
    page = root.get("/users").text
    (address,) = re.findall(r'action="(/users/\d+/second-factor)"', page)
    assert root.post(address).status_code == 200
    assert ray.get("/help").status_code == 303
    set_up(signed_in(app, "ray"), clock)
    monkeypatch.setenv("REELPROOF_DATA", str(app.extensions["settings"].data))
    assert cli.run(["reset-second-factor", "ray"]) == 0
    assert sign_in(app.test_client(), "ray").location == "/"
    assert [entry["account"] for entry in events(app, "second factor reset")] == ["ray", "ray"]
    assert cli.run(["verify-log"]) == 0, capsys.readouterr()


def test_the_secret_is_encrypted_and_bound_to_its_account(app, clock):
    ray = signed_in(app, "ray")
    secret, _ = set_up(ray, clock)
    settings, database = app.extensions["settings"], app.extensions["database"]
    assert (settings.data / "factors.key").stat().st_mode & 0o777 == 0o600
    assert secret.encode() not in (settings.data / "reelproof.sqlite3").read_bytes()
    with database.begin() as session:
        user = session.scalars(select(User).where(User.name == "ray")).one()
        assert second_factor.secret(settings, user) == secret
        session.execute(
            text("UPDATE users SET factor_secret = :s, factor_since = :m WHERE name = 'root'"),
            {"s": user.factor_secret, "m": "2026-11-22 12:00:00.000000"},
        )
    # The log says nothing of a second factor of root's.
    assert sign_in(app.test_client(), "root").status_code == 500


def test_removal_in_the_database_is_detected(app, clock):
    set_up(signed_in(app, "ray"), clock)
    with app.extensions["database"].begin() as session:
        session.execute(text("UPDATE users SET factor_since = NULL WHERE name = 'ray'"))
    answer = sign_in(app.test_client(), "ray")
    assert answer.status_code == 500 and "second factor" in answer.text


def test_the_setting_knows_every_role():
    assert tuple(map(str, Role)) == ROLES
