"""Second factors of accounts, their recovery codes, and how somebody signed in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add them; nobody has a second factor, and all sessions there are began with a password."""
    moment = sa.DateTime(timezone=True)
    op.add_column("users", sa.Column("factor_secret", sa.String(200), nullable=True))
    op.add_column("users", sa.Column("factor_since", moment, nullable=True))
    op.add_column("users", sa.Column("factor_step", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("users", sa.Column("subject", sa.String(64), nullable=True))
    op.create_index("users_subject", "users", ["subject"], unique=True)
    op.add_column("sessions", sa.Column("way", sa.String(16), nullable=False, server_default="password"))
    op.create_table(
        "recovery_codes",
        sa.Column("sha256", sa.String(64), primary_key=True),
        sa.Column("user_id", sa.Integer, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("used", moment, nullable=True),
    )
    op.create_index("ix_recovery_codes_user_id", "recovery_codes", ["user_id"])


def downgrade() -> None:
    """Forget them."""
    op.drop_table("recovery_codes")
    op.drop_column("sessions", "way")
    op.drop_index("users_subject", "users")
    for column in ("subject", "factor_step", "factor_since", "factor_secret"):
        op.drop_column("users", column)
