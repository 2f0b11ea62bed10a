"""The API: tokens, keyed requests, uploads in parts, webhooks; workers that are there."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add them."""
    op.create_index("analyses_finished", "analyses", ["finished"])
    op.create_table(
        "api_tokens",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("sha256", sa.String(64), nullable=False, unique=True),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("scopes", sa.String(255), nullable=False),
        sa.Column("user_id", sa.Integer, nullable=True),
        sa.Column("made", MOMENT, nullable=False),
        sa.Column("expires", MOMENT, nullable=True),
        sa.Column("used", MOMENT, nullable=True),
        sa.Column("revoked", MOMENT, nullable=True),
    )
    op.create_table(
        "keyed_requests",
        sa.Column("who", sa.String(120), primary_key=True),
        sa.Column("key", sa.String(128), primary_key=True),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("identity", sa.String(32), nullable=False),
        sa.Column("started", MOMENT, nullable=False),
        sa.Column("status", sa.Integer, nullable=True),
        sa.Column("headers", sa.Text, nullable=True),
        sa.Column("body", sa.Text, nullable=True),
    )
    op.create_table(
        "uploads",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("who", sa.String(120), nullable=False),
        sa.Column("file", sa.String(255), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("received", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=True),
        sa.Column("created", MOMENT, nullable=False),
        sa.Column("expires", MOMENT, nullable=False),
        sa.Column("analysis_id", sa.String(32), nullable=True),
    )
    op.create_index("uploads_expires", "uploads", ["expires"])
    op.create_table(
        "workers",
        sa.Column("name", sa.String(120), primary_key=True),
        sa.Column("started", MOMENT, nullable=False),
        sa.Column("seen", MOMENT, nullable=False),
    )
    op.create_table(
        "webhooks",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("url", sa.String(2000), nullable=False),
        sa.Column("events", sa.String(255), nullable=False),
        sa.Column("who", sa.String(120), nullable=False),
        sa.Column("made", MOMENT, nullable=False),
    )
    op.create_table(
        "deliveries",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("webhook_id", sa.String(32), sa.ForeignKey("webhooks.id"), nullable=False),
        sa.Column("analysis_id", sa.String(32), nullable=False),
        sa.Column("event", sa.String(40), nullable=False),
        sa.Column("happened", MOMENT, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("due", MOMENT, nullable=True),
        sa.Column("delivered", MOMENT, nullable=True),
        sa.Column("status", sa.Integer, nullable=True),
        sa.Column("problem", sa.String(300), nullable=True),
        sa.UniqueConstraint("webhook_id", "analysis_id", "happened"),
    )
    op.create_index("deliveries_due", "deliveries", ["due"])
    op.create_index("ix_deliveries_webhook_id", "deliveries", ["webhook_id"])


def downgrade() -> None:
    """Forget them."""
    for table in ("deliveries", "webhooks", "workers", "uploads", "keyed_requests", "api_tokens"):
        op.drop_table(table)
    op.drop_index("analyses_finished")
