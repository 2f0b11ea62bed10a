"""When a case was closed, and when it was exported whole."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add both; every case there is stays open."""
    moment = sa.DateTime(timezone=True)
    op.add_column("cases", sa.Column("closed", moment, nullable=True))
    op.add_column("cases", sa.Column("exported", moment, nullable=True))


def downgrade() -> None:
    """Forget which were closed."""
    op.drop_column("cases", "exported")
    op.drop_column("cases", "closed")
