"""Which segments of an annotated analysis were looked at and not flagged, for statistics to heed it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add it: of analyses that are annotated already it is read from their results once the app runs."""
    op.add_column("analyses", sa.Column("unflagged", sa.Text, nullable=True))


def downgrade() -> None:
    """Forget it; the analyses themselves say it."""
    op.drop_column("analyses", "unflagged")
