"""What is told of a finished analysis beside its verdict: kind, answers and declarations, as JSON."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add it: analyses that are finished already have none."""
    op.add_column("analyses", sa.Column("finding", sa.Text, nullable=True))


def downgrade() -> None:
    """Forget it; the analysis itself has all of it."""
    op.drop_column("analyses", "finding")
