"""What a comparison amounts to, which lists say that do not read its result."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add it; of comparisons that are finished already it stays unknown, as the custody log has none."""
    op.add_column("comparisons", sa.Column("outcome", sa.Text, nullable=True))


def downgrade() -> None:
    """Forget it; the comparison itself has it."""
    op.drop_column("comparisons", "outcome")
