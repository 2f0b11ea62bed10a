"""Answers kept for requests that are sent again hold no secret of a webhook any more."""

from __future__ import annotations

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Remove those that do: who sends such a request again makes another webhook."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute("PRAGMA secure_delete = ON")  # the room they leave in the file is overwritten
    op.execute("""DELETE FROM keyed_requests WHERE body LIKE '%"secret":%'""")


def downgrade() -> None:
    """Leave it: an older version keeps answers anew."""
