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
        ("Müller", "Muller", True),
        ("alice", "\u1d00lice", True),  # a small capital
        ("alice", "a\u0142ice", True),
        ("alice", "\u24d0lice", True),
        ("alice", "\u249clice", True),
        ("alice", "\U0001f150lice", True),
        ("alice", "\U0001f1e6lice", True),
        ("alice", "\U0001d4d0lice", True),
        ("alice", "ali\u1d04e", True),
        ("alice", "\u1e9alice", True),
        ("alice", "alice\u02b9", True),
        ("alice", "alice.", True),
        ("alice", "al\u00b7ice", True),
        ("alice", "\uff41\uff4c\uff49\uff43\uff45", True),
        ("alice", "al\u0268ce", True),
        ("alice", "alic\u0435\u0301", True),
        ("alice", "a\u20ddlice", True),
        ("alice", "aI1ce", True),
        ("alice", "ALlCE", True),
        ("alice", "al\ufe0fice", True),
        ("alice", "\u1d43lice", True),
        ("alice", "\u0251lice", True),
        ("Ada", "\u1ea0da", True),
        ("Ada", "A\u0327da", True),
        ("\u0410\u043a\u0438\u043c", "\u0410\u049b\u0438\u043c", True),  # ka with descender
        ("Mary", "Rnary", True),
        ("Will", "VVill", True),
        ("\u0915\u093f", "\u0915\u0941", False),  # vowels of Devanagari are marks
        ("\u304c", "\u304b", False),
        ("Ada 1", "Ada 2", False),
        ("B\u00e6r", "Bar", False),
        ("Alice", "Alicia", False),
        ("!", "?", False),
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
