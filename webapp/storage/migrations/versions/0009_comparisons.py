"""Comparisons of an exhibit with a reference."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add their table."""
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "comparisons",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("exhibit_id", sa.Integer, sa.ForeignKey("exhibits.id"), nullable=False),
        sa.Column("reference_id", sa.Integer, sa.ForeignKey("exhibits.id"), nullable=False),
        sa.Column("file", sa.String(255), nullable=False),
        sa.Column("reference_file", sa.String(255), nullable=False),
        sa.Column("asked_by", sa.String(120), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("queue", sa.String(8), nullable=True),
        sa.Column("stage", sa.String(80), nullable=False),
        sa.Column("progress", sa.Float, nullable=False),
        sa.Column("error", sa.String, nullable=True),
        sa.Column("remedy", sa.String, nullable=True),
        sa.Column("created", moment, nullable=False),
        sa.Column("sent", moment, nullable=True),
        sa.Column("started", moment, nullable=True),
        sa.Column("finished", moment, nullable=True),
        sa.Column("heartbeat", moment, nullable=True),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("worker", sa.String(120), nullable=True),
        sa.Column("related", sa.Boolean, nullable=True),
        sa.Column("segments", sa.Integer, nullable=True),
    )
    op.create_index("ix_comparisons_exhibit_id", "comparisons", ["exhibit_id"])
    op.create_index("ix_comparisons_reference_id", "comparisons", ["reference_id"])
    op.create_index("comparisons_state", "comparisons", ["state"])


def downgrade() -> None:
    """Forget them; their results stay in the data folder."""
    op.drop_table("comparisons")
