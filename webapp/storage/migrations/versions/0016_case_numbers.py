"""Numbers of cases are given once: SQLite gave a new case that of the newest one if it had been purged."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_COLUMNS = "id, name, description, created, created_by, closed, exported"


def upgrade() -> None:
    """Make the table anew; PostgreSQL gives no number twice as it is."""
    _make_anew(autoincrement=True)


def downgrade() -> None:
    """Let numbers be given again."""
    _make_anew(autoincrement=False)


def _make_anew(*, autoincrement: bool) -> None:
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        return
    # Other tables refer to its rows: the end of the transaction, not each statement, checks that all are
    # back. Python's sqlite3 has begun one only where an earlier migration wrote rows.
    if not connection.connection.dbapi_connection.in_transaction:  # type: ignore[union-attr]
        op.execute("BEGIN IMMEDIATE")
    op.execute("PRAGMA defer_foreign_keys=ON")
    op.execute("CREATE TEMPORARY TABLE kept_cases AS SELECT * FROM cases")
    op.drop_table("cases")
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "cases",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("created", moment, nullable=False),
        sa.Column("created_by", sa.String(40), nullable=False),
        sa.Column("closed", moment, nullable=True),
        sa.Column("exported", moment, nullable=True),
        sqlite_autoincrement=autoincrement,
    )
    op.execute(f"INSERT INTO cases ({_COLUMNS}) SELECT {_COLUMNS} FROM kept_cases")
    op.execute("DROP TABLE kept_cases")
