"""The second review of the exhibits of a case."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add its tables; no case there is has one."""
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "case_reviews",
        sa.Column("case_id", sa.Integer, sa.ForeignKey("cases.id"), primary_key=True),
        sa.Column("first_id", sa.Integer, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("second_id", sa.Integer, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("third_id", sa.Integer, sa.ForeignKey("users.id"), nullable=True),
        sa.Column("blind", sa.String(16), nullable=False),
        sa.Column("named", moment, nullable=False),
    )
    for name in ("first_id", "second_id", "third_id"):
        op.create_index(f"ix_case_reviews_{name}", "case_reviews", [name])
    op.create_table(
        "review_statements",
        sa.Column("analysis_id", sa.String(32), sa.ForeignKey("analyses.id"), primary_key=True),
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("part", sa.String(8), nullable=False),
        sa.Column("made", moment, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """Forget who reviews, and all that they said."""
    op.drop_table("review_statements")
    op.drop_table("case_reviews")
