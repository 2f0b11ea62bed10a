"""Names that look like an existing one, in letters of other scripts."""

from __future__ import annotations

import pytest
from people import account, with_login

from webapp.accounts.lookalikes import looks_taken
from webapp.accounts.permissions import Role
from webapp.accounts.users import AccountError


@pytest.mark.parametrize(
    ("display", "other", "same"),
    [
        ("Ada Lovelace", "\u0410da Lovelace", True),  # Cyrillic
        ("Paul", "\u03a1auI", True),  # Greek rho, capital i
        ("Omar", "\u041em\u0430r", True),
        ("Müller", "Mu\u0308ller", True),
        ("ADA", "ada", True),
        ("Müller", "Muller", False),
        ("Ada", "Adam", False),
        ("\u0418\u0432\u0430\u043d", "Ivan", False),
    ],
)
def test_names_are_compared_by_what_they_look_like(display: str, other: str, same: bool) -> None:
    assert looks_taken(display, ["Somebody", other]) == looks_taken(other, [display]) == same


def test_no_account_reads_like_another(tmp_path, sent) -> None:
    app = with_login(tmp_path / "data", sent)
    account(app, "ada", Role.EXAMINER, "Ada Lovelace")
    with pytest.raises(AccountError, match="already"):
        account(app, "other", Role.EXAMINER, "\u0410da Lov\u0435lace")
    app.extensions["database"].close()
