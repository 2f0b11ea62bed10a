"""What a restore brings back of accounts, and what it does not with ``--require-reset``."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from made_backups import make, put_back
from people import CHEAP, PASSWORD, account, sign_in, with_login
from sqlalchemy import select

from webapp.accounts.permissions import Role
from webapp.custody import people_records
from webapp.operations import restore
from webapp.storage.database import connect
from webapp.storage.tables import ApiToken, User


@pytest.mark.parametrize("require_reset", [False, True])
def test_passwords_of_the_backup(
    tmp_path: Path, sent: list[str], monkeypatch: pytest.MonkeyPatch, require_reset: bool
) -> None:
    monkeypatch.setattr(restore, "Passwords", lambda: CHEAP)
    app = with_login(tmp_path / "data", sent)
    account(app, "ada", Role.EXAMINER)
    make(app, tmp_path / "kept")
    app.extensions["database"].close()
    settings = put_back(tmp_path / "kept", tmp_path / "again", require_reset=require_reset)
    with closing(connect(settings)) as database, database.begin() as session:
        (user,) = session.scalars(select(User))
        assert user.one_time == require_reset
        people_records.refuse_altered_account(session, user)  # the log says what was done
        assert list(session.scalars(select(ApiToken))) == []
    again = with_login(settings.data, sent)
    status = sign_in(again.test_client(), "ada", PASSWORD).status_code
    assert status == (401 if require_reset else 303)
    again.extensions["database"].close()
