"""Searches without accents find the same in Python and in both databases."""

from __future__ import annotations

import pytest
import servers
from sqlalchemy import NullPool, create_engine, literal, select

from webapp.storage.database import Database
from webapp.storage.folded_text import fold, folded

TEXTS = {
    "Frédéric.MP4": "frederic.mp4",
    "Fre\u0301de\u0301ric": "frederic",
    "ÄPFEL": "apfel",
    "Ångström Ñandú": "angstrom nandu",
    "हिन्दी": "हिन्दी",
    "Zoë’s 100%": "zoe’s 100%",
}


@pytest.mark.parametrize(("text", "expected"), TEXTS.items())
def test_text_is_folded(database: Database, text: str, expected: str) -> None:
    assert fold(text) == fold(expected) == expected
    with database.begin() as session:
        assert session.scalar(select(folded(literal(text)))) == expected


def test_postgresql_folds_alike(postgresql: servers.PostgreSQL) -> None:
    with create_engine(postgresql.url, poolclass=NullPool).connect() as connection:
        for text, expected in TEXTS.items():
            assert connection.scalar(select(folded(literal(text)))) == expected
