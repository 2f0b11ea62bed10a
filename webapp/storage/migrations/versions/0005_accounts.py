"""Accounts, sessions, cases; who handed in an analysis and which case it belongs to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Analyses made before have no owner and no case: administrators see them, and can give them a case."""
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "users",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(40), nullable=False, unique=True),
        sa.Column("display", sa.String(80), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("password", sa.String(200), nullable=False),
        sa.Column("password_set", moment, nullable=False),
        sa.Column("one_time", sa.Boolean, nullable=False),
        sa.Column("disabled", moment, nullable=True),
        sa.Column("created", moment, nullable=False),
    )
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("user_id", sa.Integer, sa.ForeignKey("users.id"), nullable=False, index=True),
        sa.Column("started", moment, nullable=False),
        sa.Column("seen", moment, nullable=False),
        sa.Column("confirmed", moment, nullable=False),
        sa.Column("address", sa.String(45), nullable=False),
        sa.Column("agent", sa.String(200), nullable=False),
    )
    op.create_table(
        "sign_in_failures",
        sa.Column("place", sa.String(64), primary_key=True),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("last", moment, nullable=False),
    )
    op.create_table(
        "cases",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("created", moment, nullable=False),
        sa.Column("created_by", sa.String(40), nullable=False),
    )
    op.create_table(
        "case_members",
        sa.Column("case_id", sa.Integer, sa.ForeignKey("cases.id"), primary_key=True),
        sa.Column("user_id", sa.Integer, sa.ForeignKey("users.id"), primary_key=True, index=True),
    )
    # In place: copying the table, as SQLite needs for other constraints, would trip over annotations.
    for name, of in (("owner_id", "users.id"), ("case_id", "cases.id")):
        column = sa.Column(name, sa.Integer, sa.ForeignKey(of), nullable=True)
        op.add_column("analyses", column, inline_references=True)
    op.create_index("ix_analyses_owner_id", "analyses", ["owner_id"])
    op.create_index("ix_analyses_case_id", "analyses", ["case_id"])


def downgrade() -> None:
    """Forget them."""
    op.drop_index("ix_analyses_case_id")
    op.drop_index("ix_analyses_owner_id")
    with op.batch_alter_table("analyses") as analyses:
        analyses.drop_column("case_id")
        analyses.drop_column("owner_id")
    for table in ("case_members", "cases", "sign_in_failures", "sessions", "users"):
        op.drop_table(table)
