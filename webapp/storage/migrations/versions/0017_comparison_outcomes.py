"""What a comparison amounts to, which lists say that do not read its result."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add it, as the custody log has it: of comparisons that ended before outcomes were kept it has none."""
    op.add_column("comparisons", sa.Column("outcome", sa.Text, nullable=True))
    custody = sa.table("custody", *map(sa.column, ("number", "action", "analysis", "details")))
    comparisons = sa.table("comparisons", sa.column("id"), sa.column("outcome"))
    finished = sa.select(custody.c.analysis, custody.c.details).where(
        custody.c.action == "comparison finished", custody.c.details.contains('"outcome"')
    )
    connection = op.get_bind()
    for row in connection.execute(finished.order_by(custody.c.number)).all():
        own = comparisons.c.id == row.analysis
        outcome = json.loads(row.details).get("outcome")
        connection.execute(sa.update(comparisons).where(own).values(outcome=outcome))


def downgrade() -> None:
    """Forget it; the custody log has it."""
    op.drop_column("comparisons", "outcome")
