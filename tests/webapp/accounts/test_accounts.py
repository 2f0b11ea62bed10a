"""The pages of accounts: one's own, and everybody's for an administrator; and the commands."""

from __future__ import annotations

import io
import re
from datetime import timedelta

import pytest
from people import PASSWORD, account, age, sign_in, signed_in, with_accounts
from sqlalchemy import select

from cli.web import main as cli
from language import translation
from webapp.accounts import users as account_store
from webapp.accounts.account_pages import browser_name
from webapp.accounts.login_pages import wait_message
from webapp.accounts.permissions import Role
from webapp.accounts.users import AccountError
from webapp.storage.tables import CustodyRow, SessionRow, User

NEW = "marble kettle 48 orchid"
GIVEN = re.compile(r'<p class="given">([^<]+)</p>')


@pytest.fixture
def app(tmp_path, sent):
    people = {"root": Role.ADMINISTRATOR, "ada": Role.EXAMINER}
    with with_accounts(tmp_path / "data", sent, people) as app:
        yield app


def user(app, name: str) -> User:
    with app.extensions["database"].begin() as session:
        row = account_store.find(session, name)
        assert row is not None
        return row


def sessions_of(app, name: str) -> int:
    with app.extensions["database"].begin() as session:
        return len(list(session.scalars(select(SessionRow).where(SessionRow.user_id == user(app, name).id))))


def change(client, old=PASSWORD, new=NEW, again=NEW):
    return client.post("/account/password", data={"old": old, "new": new, "again": again})


def test_changing_the_password_ends_all_other_sessions(app):
    here, there = signed_in(app, "ada"), signed_in(app, "ada")
    before = here.get_cookie("reelproof").value
    assert change(here).status_code == 303
    assert here.get_cookie("reelproof").value != before
    assert here.get("/account").status_code == 200
    assert there.get("/account").status_code == 303
    assert sign_in(app.test_client(), "ada", NEW).status_code == 303
    assert sign_in(app.test_client(), "ada", PASSWORD).status_code == 401


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"old": "wrong"}, "This is not your password"),
        ({"again": "marble kettle 48 orchis"}, "differ"),
        ({"new": "short", "again": "short"}, "too short"),
        ({"new": "password1234", "again": "password1234"}, "easy to guess"),
        ({"new": PASSWORD, "again": PASSWORD}, "is the old one"),
    ],
)
def test_invalid_password_changes_are_refused(app, form, words):
    client = signed_in(app, "ada")
    answer = change(client, **form)
    assert answer.status_code == 400 and words in answer.text
    assert sign_in(app.test_client(), "ada").status_code == 303


@pytest.mark.usefixtures("standing_clock")
def test_guessing_the_old_password_is_throttled_and_logged(app):
    client = signed_in(app, "ada")
    answers = [change(client, old="wrong") for _ in range(7)]
    assert [answer.status_code for answer in answers] == [400] * 5 + [429] * 2
    assert int(answers[-1].headers["Retry-After"]) >= 1 and "Too many wrong passwords" in answers[-1].text
    assert change(client).status_code == 429, "the right one has to wait as well"
    with translation.speaking("de"):
        assert "(Passwörter)" in wait_message(timedelta(seconds=5))[0]
    with app.extensions["database"].begin() as session:
        entries = list(session.scalars(select(CustodyRow).where(CustodyRow.action == "account")))
    refused = [entry.actor for entry in entries if "password change refused" in entry.details]
    assert refused == ["ada"] * 5


def test_permissions_are_listed_in_the_readers_language(app):
    client = signed_in(app, "root")
    for page in ("/account", "/users"):
        text = client.get(page, headers={"Accept-Language": "de"}).text.partition("<main")[2]
        assert "Protokoll einsehen" in text and "anmerken" in text.casefold(), page
        assert "administer" not in text and "annotate" not in text, page
        assert "create accounts, change roles" in client.get(page).text


def test_sessions_are_listed_and_ended(app):
    here, there = signed_in(app, "ada"), signed_in(app, "ada")
    text = here.get("/account").text
    (other,) = re.findall(r"/account/sessions/([0-9a-f]{64})/end", text)
    assert "this one" in text
    assert signed_in(app, "root").post(f"/account/sessions/{other}/end").status_code == 404  # not theirs
    assert here.post(f"/account/sessions/{other}/end").status_code == 303
    assert there.get("/account").status_code == 303
    signed_in(app, "ada")
    assert here.post("/account/sessions/end", data={"but": "this"}).status_code == 303
    assert sessions_of(app, "ada") == 1
    assert here.post("/account/sessions/end").location == "/login"
    assert sessions_of(app, "ada") == 0 and sessions_of(app, "root") == 1


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/1 Firefox/140.0", "Firefox, Windows"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/5 Chrome/150.0 Safari/5 Edg/150.0", "Edge, Windows"),
        ("Mozilla/5.0 (Linux; Android 10; K) Chrome/150.0 Mobile Safari/537.36", "Chrome, Android"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) Mobile/1 Safari/604.1", "Safari, iPhone"),
        ("curl/8.14.1", "curl/8.14.1"),
        ("", ""),
    ],
)
def test_a_session_is_named_by_browser_and_system(agent, name):
    assert browser_name(agent) == name


def test_the_page_never_shows_a_token(app):
    client = signed_in(app, "ada")
    assert client.get_cookie("reelproof").value not in client.get("/account").text


def test_a_new_account_has_a_one_time_password(app):
    root = signed_in(app, "root")
    answer = root.post("/users", data={"name": "Bob", "display": "Bob Meier", "role": "reviewer"})
    given = GIVEN.search(answer.text)[1]
    assert given not in root.get("/users").text  # shown once
    bob = app.test_client()
    assert sign_in(bob, "bob", given).status_code == 303
    for path in ("/", "/analyses", "/help", "/cases"):
        assert bob.get(path).location.startswith("/account")
    assert bob.get("/analyses/x.json").status_code == 403
    token = re.search(r'csrf-token" content="([^"]+)', bob.get("/account").text)[1]
    bob.environ_base["HTTP_X_CSRF_TOKEN"] = token
    assert change(bob, old=given).status_code == 303
    assert bob.get("/analyses").status_code == 200


def test_a_one_time_password_works_for_a_week(app):
    account(app, "bob", Role.READER, one_time=True)
    assert sign_in(app.test_client(), "bob").status_code == 303
    with app.extensions["database"].begin() as session:
        account_store.find(session, "bob").password_set -= timedelta(days=8)
    assert sign_in(app.test_client(), "bob").status_code == 401


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"name": "ada"}, "an account “ada” already"),
        ({"name": "ADA"}, "an account “ada” already"),
        ({"name": "a"}, "cannot be a user name"),
        ({"name": "local user"}, "cannot be a user name"),
        ({"name": "reelproof"}, "cannot be a user name"),
        ({"name": "../etc"}, "cannot be a user name"),
        ({"name": "carl", "display": "ada"}, "There is a person called “ada” already"),
        ({"name": "carl", "display": "x" * 81}, "It has more than 80 characters."),
        ({"name": "carl", "display": "Carl\u200d"}, "invisible character (U+200D)"),
        ({"name": "carl", "display": "C\u200carl"}, "invisible character (U+200C)"),
        ({"name": "carl", "display": "Carl\u2800"}, "invisible character (U+2800)"),
        ({"name": "carl", "display": "\u3164"}, "invisible character (U+3164)"),
        ({"name": "carl", "display": "C\u034farl"}, "invisible character (U+034F)"),
        ({"name": "carl", "display": "\u1d00da."}, "already"),
        ({"name": "ada."}, "cannot be a user name"),
        ({"name": "carl", "role": "emperor"}, "no such role"),
    ],
)
def test_invalid_accounts_are_refused(app, form, words):
    answer = signed_in(app, "root").post("/users", data={"display": "", "role": "reader"} | form)
    assert answer.status_code == 400 and words in answer.text


def test_names_that_differ_in_joiners_are_equal(app):
    root = signed_in(app, "root")
    first = {"name": "ali", "display": "علی‌رضا", "role": "reader"}
    made = root.post("/users", data=first)
    assert made.status_code == 200 and "علی‌رضا" in made.text
    second = {"name": "ali2", "display": "علیرضا", "role": "reader"}
    refused = root.post("/users", data=second)
    assert refused.status_code == 400 and "There is a person called “علیرضا” already" in refused.text


def test_a_new_role_takes_effect_at_the_next_sign_in(app):
    root, ada = signed_in(app, "root"), signed_in(app, "ada")
    place = f"/users/{user(app, 'ada').id}"
    assert ada.get("/users").status_code == 403
    answer = root.post(f"{place}/role", data={"role": "administrator"})
    assert "Ada is administrator now" in answer.text
    assert ada.get("/analyses").status_code == 303  # signed out
    assert signed_in(app, "ada").get("/users").status_code == 200


def test_accounts_are_disabled_and_enabled(app):
    root, ada = signed_in(app, "root"), signed_in(app, "ada")
    place = f"/users/{user(app, 'ada').id}"
    assert "Ada cannot sign in any more" in root.post(f"{place}/disable").text
    assert ada.get("/analyses").status_code == 303
    assert sign_in(app.test_client(), "ada").status_code == 401
    root.post(f"{place}/enable")
    assert sign_in(app.test_client(), "ada").status_code == 303


def test_administrators_reset_passwords(app):
    root, ada = signed_in(app, "root"), signed_in(app, "ada")
    answer = root.post(f"/users/{user(app, 'ada').id}/password")
    assert ada.get("/analyses").status_code == 303
    assert sign_in(app.test_client(), "ada").status_code == 401
    assert sign_in(app.test_client(), "ada", GIVEN.search(answer.text)[1]).status_code == 303


def test_the_last_administrator_stays(app):
    root = signed_in(app, "root")
    place = f"/users/{user(app, 'root').id}"
    for answer in (root.post(f"{place}/disable"), root.post(f"{place}/role", data={"role": "reader"})):
        assert answer.status_code == 400 and "only administrator" in answer.text
    assert root.get("/users").status_code == 200


def test_an_administrator_who_cannot_sign_in_is_not_counted(app):
    other = account(app, "old", Role.ADMINISTRATOR).id
    root = signed_in(app, "root")
    assert root.post(f"/users/{other}/disable").status_code == 200
    place = f"/users/{user(app, 'root').id}"
    for answer in (root.post(f"{place}/disable"), root.post(f"{place}/role", data={"role": "reader"})):
        assert answer.status_code == 400 and "only administrator" in answer.text
    assert root.post(f"/users/{other}/enable").status_code == 200
    assert root.post(f"{place}/disable").status_code == 200


def test_unknown_account_ids_answer_404(app):
    root = signed_in(app, "root")
    for act in ("role", "disable", "enable", "password"):
        assert root.post(f"/users/99/{act}", data={"role": "reader"}).status_code == 404


def test_accounts_are_changed_only_soon_after_the_password_was_given(app):
    root = signed_in(app, "root")
    age(app, confirmed=timedelta(minutes=16))
    assert root.get("/users").location == "/confirm?next=/users"
    answer = root.post("/users/1/disable", headers={"Referer": "http://localhost/users"})
    assert answer.location == "/confirm?next=/users"
    assert root.get("/analyses").status_code == 200
    before = root.get_cookie("reelproof").value
    wrong = root.post("/confirm", data={"password": "wrong", "next": "/users"})
    assert wrong.status_code == 401 and "not your password" in wrong.text
    right = root.post("/confirm", data={"password": PASSWORD, "next": "/users"})
    assert right.location == "/users"
    assert root.get_cookie("reelproof").value != before
    assert root.get("/users").status_code == 200
    assert sessions_of(app, "root") == 1


def test_confirming_does_not_extend_a_session(app):
    root = signed_in(app, "root")
    age(app, started=timedelta(hours=11, minutes=59))
    root.post("/confirm", data={"password": PASSWORD})
    assert root.get("/").status_code == 200
    age(app, started=timedelta(minutes=2))
    assert root.get("/").status_code == 303


def test_a_weak_hash_is_renewed_by_signing_in(app, monkeypatch):
    from webapp.accounts.passwords import Cost, Passwords

    app.extensions["passwords"] = Passwords(Cost(memory=16, passes=1, lanes=1))
    before = user(app, "ada").password
    assert sign_in(app.test_client(), "ada").status_code == 303
    assert user(app, "ada").password != before
    assert "m=16" in user(app, "ada").password
    assert sign_in(app.test_client(), "ada").status_code == 303


@pytest.fixture
def command(tmp_path, monkeypatch):
    """Runs a command on a data folder of its own."""
    monkeypatch.setenv("REELPROOF_DATA", str(tmp_path / "commanded"))
    file = tmp_path / "password"
    file.write_text(PASSWORD + "\n")

    def run(*arguments: str, password: bool = False) -> int:
        return cli.run([*arguments, *(["--password-file", str(file)] if password else [])])

    return run


def test_accounts_are_made_changed_and_listed_by_commands(command, capsys):
    assert command("add-user", "Root", "--role", "administrator", password=True) == 0
    assert (
        command("add-user", "ada", "--role", "reader", "--display", "Ada L.", "--one-time", password=True)
        == 0
    )
    assert "ada can sign in now, as reader (data folder: /" in capsys.readouterr().out
    assert command("set-role", "ada", "examiner") == 0
    assert command("disable-user", "ada") == 0
    capsys.readouterr()
    assert command("list-users") == 0
    listed = capsys.readouterr().out.splitlines()
    assert listed[0].split() == ["ada", "examiner", "Ada", "L.", "(disabled)"]
    assert listed[1].split() == ["root", "administrator", "root"]
    assert command("enable-user", "ada") == 0
    assert command("reset-password", "ada", password=True) == 0


def test_failing_commands_explain_the_problem(command, capsys, monkeypatch, tmp_path):
    assert command("add-user", "root", "--role", "administrator", password=True) == 0
    for arguments, words in (
        (("disable-user", "root"), "only administrator"),
        (("set-role", "nobody", "reader"), "no account “nobody”"),
        (("add-user", "root", "--role", "reader"), "no terminal"),
        (("reset-password", "root", "--password-file", str(tmp_path / "missing")), "No such file"),
    ):
        monkeypatch.setattr("sys.stdin", io.StringIO())
        assert command(*arguments) == 2
        assert words in capsys.readouterr().err
    with pytest.raises(SystemExit) as stopped:
        command("add-user", "x", "--role", "emperor")
    assert stopped.value.code == 2


def test_the_terminal_asks_for_the_password_twice(command, monkeypatch, capsys):
    class Terminal:
        def isatty(self) -> bool:
            return True

    answers = iter([PASSWORD, PASSWORD, NEW, "something else"])
    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("getpass.getpass", lambda _words: next(answers))
    assert command("add-user", "root", "--role", "administrator") == 0
    assert command("reset-password", "root") == 2
    assert "two passwords differ" in capsys.readouterr().err


def test_an_account_error_says_what_to_do(app):
    with app.extensions["database"].begin() as session, pytest.raises(AccountError, match="first"):
        account_store.disable(session, account_store.find(session, "root"))
