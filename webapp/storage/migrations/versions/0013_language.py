"""The language an account reads pages in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add it; until somebody chooses one, the browser's counts."""
    op.add_column("users", sa.Column("language", sa.String(8), nullable=False, server_default=""))


def downgrade() -> None:
    """Forget it."""
    op.drop_column("users", "language")
