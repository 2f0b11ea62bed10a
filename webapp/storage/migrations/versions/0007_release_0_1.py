"""Release 0.1: the next migration makes its tables too, or changes those that are there."""

from __future__ import annotations

revision = "0007"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make nothing."""
