"""The first tables: exhibits, analyses, milestones."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "exhibits",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("sha256", sa.String(64), nullable=False, unique=True),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("path", sa.String(255), nullable=False),
        sa.Column("created", MOMENT, nullable=False),
    )
    op.create_table(
        "analyses",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("exhibit_id", sa.Integer, sa.ForeignKey("exhibits.id"), nullable=False),
        sa.Column("file", sa.String(255), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("stage", sa.String(80), nullable=False),
        sa.Column("progress", sa.Float, nullable=False),
        sa.Column("error", sa.String, nullable=True),
        sa.Column("remedy", sa.String, nullable=True),
        sa.Column("created", MOMENT, nullable=False),
        sa.Column("sent", MOMENT, nullable=True),
        sa.Column("started", MOMENT, nullable=True),
        sa.Column("finished", MOMENT, nullable=True),
        sa.Column("heartbeat", MOMENT, nullable=True),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("worker", sa.String(120), nullable=True),
        sa.Column("verdict", sa.String(40), nullable=True),
        sa.Column("probability", sa.Float, nullable=True),
    )
    op.create_index("ix_analyses_exhibit_id", "analyses", ["exhibit_id"])
    op.create_index("analyses_newest", "analyses", ["created", "id"])
    op.create_index("analyses_state", "analyses", ["state"])
    op.create_table(
        "milestones",
        sa.Column("name", sa.String(40), primary_key=True),
        sa.Column("reached", MOMENT, nullable=False),
    )


def downgrade() -> None:
    """Remove the tables."""
    op.drop_table("milestones")
    op.drop_table("analyses")
    op.drop_table("exhibits")
