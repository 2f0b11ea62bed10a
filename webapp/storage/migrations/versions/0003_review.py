"""Annotations; settings and length of an analysis, for the library."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Analyses made before keep no length here; their results hold it."""
    op.add_column("analyses", sa.Column("settings", sa.Text, nullable=True))
    op.add_column("analyses", sa.Column("duration", sa.Float, nullable=True))
    op.create_index("analyses_model", "analyses", ["model"])
    op.create_table(
        "annotations",
        sa.Column("analysis_id", sa.String(32), sa.ForeignKey("analyses.id"), primary_key=True),
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("author", sa.String(80), nullable=False),
        sa.Column("verdict", sa.String(16), nullable=True),
        sa.Column("made", sa.DateTime(timezone=True), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("annotations_author", "annotations", ["author", "analysis_id"])


def downgrade() -> None:
    """Forget them."""
    op.drop_table("annotations")
    op.drop_index("analyses_model")
    with op.batch_alter_table("analyses") as analyses:
        analyses.drop_column("duration")
        analyses.drop_column("settings")
