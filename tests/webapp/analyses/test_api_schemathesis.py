"""Schemathesis against the app in process: no 5xx, no undocumented response."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from people import account, with_login

from webapp.accounts import tokens
from webapp.accounts.permissions import Permission, Role
from webapp.accounts.users import principal_of

# Its WSGI client reads answers but never closes them, as a server does: a file sent may still be open when
# the garbage collector finds it.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <_io.FileIO:pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture
def attack() -> Callable[..., Counter[str]]:
    """:func:`api_attack.attack`, imported by the one process that runs these tests."""
    pytest.importorskip("schemathesis")
    from api_attack import attack

    return attack


@pytest.fixture(autouse=True)
def operations_of_this_app() -> Iterator[None]:
    """Collect open resources within the test that left them open."""
    yield
    gc.collect()


def test_responses_are_documented(app, attack):
    sent = attack(app, examples=1, brief=True)
    assert sent["coverage"] > 700 and sent["fuzzing"] > 30 and sent["stateful"] > 3, sent


@pytest.mark.slow
@pytest.mark.parametrize("role", list(Role))
def test_with_login_and_a_token(tmp_path, role, attack):
    """Checks scopes, access to objects of others, and that every operation requires the token."""
    app = with_login(tmp_path / "data", [])
    who = principal_of(account(app, "somebody", role))
    allowed = [permission for permission in Permission if who.may(permission)]
    with app.extensions["database"].alone() as session:
        token = tokens.create(session, who, "attack", allowed).token
    sent = attack(app, examples=10, token=token)
    assert sent["fuzzing"] > 50, sent
    app.extensions["database"].close()


@pytest.mark.slow
def test_the_same_at_length(app, attack):
    sent = attack(app, examples=100)
    assert sent["fuzzing"] > 2000, sent
