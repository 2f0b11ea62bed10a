"""An app that people sign in to, and one of them."""

from __future__ import annotations

import pytest
from people import with_accounts

from webapp.accounts.permissions import Role


@pytest.fixture
def app(tmp_path, sent):
    with with_accounts(tmp_path / "data", sent, {"ada": Role.EXAMINER}) as app:
        yield app
