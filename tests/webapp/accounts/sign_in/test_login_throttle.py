"""Waits after wrong passwords: for an account, an address, a device."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from people import account, log_of_accounts, sign_in, signed_in

from webapp.accounts import passwords, sessions
from webapp.accounts.permissions import Role
from webapp.storage.tables import SignInFailure, now


@pytest.mark.usefixtures("standing_clock")
def test_wrong_passwords_slow_down_one_place_only(app, client):
    device = signed_in(app, "ada")  # this browser is known from now on
    for _ in range(3):
        assert sign_in(client, "ada", "wrong").status_code == 401
    slow = sign_in(client, "ada")
    assert slow.status_code == 429 and int(slow.headers["Retry-After"]) >= 1
    elsewhere = app.test_client()
    assert sign_in(elsewhere, "ada", environ_overrides={"REMOTE_ADDR": "10.1.2.3"}).status_code == 303
    assert sign_in(device, "ada").status_code == 303  # the same address as who guesses


@pytest.mark.usefixtures("standing_clock")
def test_a_padded_name_counts_as_the_account_it_opens(app, client):
    names = [f"ada{' ' * number}" for number in range(3)]
    assert [sign_in(client, name, "wrong").status_code for name in names] == [401] * 3
    for name in ("ada", "\t\nADA \t", "ａｄａ", " ada" + " " * 90):
        assert sign_in(client, name, "wrong").status_code == 429, name
    refused = [entry["account"] for entry in log_of_accounts(app) if entry["what"] == "sign-in refused"]
    assert refused == ["ada"] * 3


@pytest.mark.usefixtures("standing_clock")
def test_invalid_names_share_one_count_and_are_shortened_in_the_log(app, client):
    names = ["ada" + " \t\n" * 30 + "x", "ada" + " " * 77 + "y", "x" * 5000]
    assert [sign_in(client, name).status_code for name in names] == [401] * 3
    assert sign_in(client, "ada" + " " * 77 + "z").status_code == 429
    assert all(len(record["account"]) <= 41 for record in log_of_accounts(app) if "account" in record)
    assert sign_in(client, "ada").status_code == 303
    (entry,) = [record for record in log_of_accounts(app) if record["what"] == "sign-in"]
    assert entry["account"] == "ada"


def test_a_device_cookie_of_another_account_is_ignored(app, client):
    account(app, "bob", Role.READER)
    sign_in(client, "bob")
    with app.test_request_context(
        headers={"Cookie": f"reelproof-device={client.get_cookie('reelproof-device').value}"}
    ):
        assert sessions.known_device("bob") is not None
        assert sessions.known_device("ada") is None


def test_waits_double_up_to_a_limit(app):
    database, moment = app.extensions["database"], now()
    counted = passwords.throttle_buckets("ada", "10.0.0.1", None)
    waits = []
    for _ in range(16):
        with database.alone() as session:
            wait = passwords.throttle_attempt(session, counted, moment)
        waits.append(wait.total_seconds())
        moment += wait
        if wait:
            with database.alone() as session:
                assert not passwords.throttle_attempt(session, counted, moment)
    assert waits[:3] == [0, 0, 0]
    assert waits[3:8] == [1, 2, 4, 8, 16]
    assert max(waits) == 15 * 60
    with database.alone() as session:
        assert not passwords.throttle_attempt(session, counted, moment + timedelta(days=1, minutes=20))
        assert session.get_one(SignInFailure, counted[0].key).count == 1


def test_waits_of_a_clock_that_ran_ahead_end_when_it_is_right_again(app):
    database, moment = app.extensions["database"], now()
    counted = passwords.throttle_buckets("ada", "10.0.0.1", None)

    def waits(at) -> list[float]:
        with database.alone() as session:
            return [passwords.throttle_attempt(session, counted, at).total_seconds() for _ in range(4)]

    assert waits(moment + timedelta(hours=26)) == [0, 0, 0, 1]
    assert waits(moment) == [0, 0, 0, 1]
    assert min(waits(moment - timedelta(seconds=30))) == 31  # requests that overtook each other all count


def test_parallel_attempts_are_counted_one_by_one(app):
    """Threads that all ask before any password was compared get no more free tries than one would."""
    database, moment, free = app.extensions["database"], now(), []
    counted = passwords.throttle_buckets("ada", "10.0.0.1", None)

    def one():
        with database.alone() as session:
            free.append(not passwords.throttle_attempt(session, counted, moment))

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
            free += not passwords.throttle_attempt(
                session, passwords.throttle_buckets(f"n{number}", "10.0.0.1", None), moment
            )
    assert free == 30
