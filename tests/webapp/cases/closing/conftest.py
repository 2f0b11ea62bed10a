"""A case of ada's with two analyses, and root, an administrator."""

from __future__ import annotations

import pytest
from made_cases import put
from made_results import finished
from people import signed_in, with_accounts

from webapp.accounts.permissions import Role


@pytest.fixture
def app(tmp_path, sent):
    people = {"root": Role.ADMINISTRATOR, "ada": Role.EXAMINER}
    with with_accounts(tmp_path / "data", sent, people) as app:
        yield app


@pytest.fixture
def root(app):
    return signed_in(app, "root")


@pytest.fixture
def ada(app):
    return signed_in(app, "ada")


@pytest.fixture
def case(app, ada):
    """The address of a case of ada's with two finished analyses."""
    place = ada.post("/cases", data={"name": "K-17/26", "description": "what it is about"}).location
    number = int(place.rpartition("/")[2])
    for name in "ab":
        put(app, finished(app, file=f"{name}.mp4").id, number)
    return place
