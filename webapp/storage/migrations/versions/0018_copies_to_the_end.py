"""Copies of one another are those that share about all of their time; four fifths were enough before."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_ABOUT_ALL = 0.95


def upgrade() -> None:
    """Mark the others as having most in common, by the shares that each match holds."""
    matches = sa.table(
        "matches",
        sa.column("exhibit_id", sa.Integer),
        sa.column("other_id", sa.Integer),
        sa.column("of_all", sa.Boolean),
        sa.column("body", sa.Text),
    )
    connection = op.get_bind()
    for row in connection.execute(sa.select(matches).where(matches.c.of_all.is_(True))).all():
        told = json.loads(row.body)
        if min(told["share"], told["other_share"]) < _ABOUT_ALL:
            own = (matches.c.exhibit_id == row.exhibit_id) & (matches.c.other_id == row.other_id)
            connection.execute(sa.update(matches).where(own).values(of_all=False))


def downgrade() -> None:
    """Leave it: each match holds its shares."""
