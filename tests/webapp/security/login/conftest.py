"""An app that people sign in to, and one of them."""

from __future__ import annotations

import pytest
from people import account, with_login

from webapp.security.permissions import Role


@pytest.fixture
def app(tmp_path, sent):
    app = with_login(tmp_path / "data", sent)
    account(app, "ada", Role.EXAMINER)
    yield app
    app.extensions["database"].close()
