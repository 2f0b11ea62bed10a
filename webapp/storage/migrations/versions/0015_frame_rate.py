"""The frame rate of an analysed video, by which pages step that show nothing else of the analysis."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add it: of analyses that are finished already it is kept once it is first asked for."""
    op.add_column("analyses", sa.Column("frame_rate", sa.Text, nullable=True))


def downgrade() -> None:
    """Forget it; the analysis itself has it."""
    op.drop_column("analyses", "frame_rate")
