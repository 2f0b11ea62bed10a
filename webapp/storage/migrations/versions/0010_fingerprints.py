"""Perceptual fingerprints of exhibits, their index, and which exhibits show the same."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add their tables."""
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "fingerprints",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("exhibit_id", sa.Integer, sa.ForeignKey("exhibits.id"), nullable=False, unique=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("made", moment, nullable=False),
        sa.Column("looks", sa.LargeBinary, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=True),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "fingerprint_blocks",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("owners", sa.LargeBinary, nullable=False),
        sa.Column("codes", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "matches",
        sa.Column("exhibit_id", sa.Integer, sa.ForeignKey("exhibits.id"), primary_key=True),
        sa.Column("other_id", sa.Integer, sa.ForeignKey("exhibits.id"), primary_key=True),
        sa.Column("of_all", sa.Boolean, nullable=False),
        sa.Column("found", moment, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("ix_matches_other_id", "matches", ["other_id"])


def downgrade() -> None:
    """Forget them; they can be made again."""
    for table in ("matches", "fingerprint_blocks", "fingerprints"):
        op.drop_table(table)
