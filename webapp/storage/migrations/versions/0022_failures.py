"""Why a job failed, as a code with parameters, beside its sentences."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add it: jobs that failed before have sentences alone."""
    for table in ("analyses", "comparisons"):
        op.add_column(table, sa.Column("failure", sa.Text, nullable=True))


def downgrade() -> None:
    """Forget it; the sentences stay."""
    for table in ("analyses", "comparisons"):
        op.drop_column(table, "failure")
