"""Which model an analysis uses, and which one is the default."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Analyses made before keep no name here; their results hold it."""
    op.add_column("analyses", sa.Column("model", sa.String(60), nullable=True))
    op.create_table(
        "choices",
        sa.Column("name", sa.String(40), primary_key=True),
        sa.Column("value", sa.String(200), nullable=False),
        sa.Column("made", sa.DateTime(timezone=True), nullable=False),
    )


def downgrade() -> None:
    """Forget both."""
    op.drop_table("choices")
    with op.batch_alter_table("analyses") as analyses:
        analyses.drop_column("model")
