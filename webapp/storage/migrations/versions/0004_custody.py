"""The custody log, which nothing changes or removes; case details; when exhibits were last checked."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_REFUSAL = "the custody log is append-only"
_ORDER = "an entry of the custody log must follow the last one"

# The third also stops INSERT OR REPLACE, which removes rows without asking a trigger.
_SQLITE = (
    f"CREATE TRIGGER custody_no_update BEFORE UPDATE ON custody BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END",
    f"CREATE TRIGGER custody_no_delete BEFORE DELETE ON custody BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END",
    f"""CREATE TRIGGER custody_in_order BEFORE INSERT ON custody
    WHEN NEW.number IS NOT (SELECT coalesce(max(number), 0) + 1 FROM custody)
    BEGIN SELECT RAISE(ABORT, '{_ORDER}'); END""",
)
_POSTGRESQL = (
    f"""CREATE FUNCTION custody_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION '{_REFUSAL}'; END $$""",
    f"""CREATE FUNCTION custody_follow() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.number IS DISTINCT FROM (SELECT coalesce(max(number), 0) + 1 FROM custody) THEN
            RAISE EXCEPTION '{_ORDER}';
        END IF;
        RETURN NEW;
    END $$""",
    """CREATE TRIGGER custody_unchanged BEFORE UPDATE OR DELETE ON custody
    FOR EACH ROW EXECUTE FUNCTION custody_refuse()""",
    """CREATE TRIGGER custody_not_emptied BEFORE TRUNCATE ON custody
    FOR EACH STATEMENT EXECUTE FUNCTION custody_refuse()""",
    """CREATE TRIGGER custody_in_order BEFORE INSERT ON custody
    FOR EACH ROW EXECUTE FUNCTION custody_follow()""",
)


def upgrade() -> None:
    """No foreign keys: entries stay when what they are about is gone."""
    op.create_table(
        "custody",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("made", sa.String(24), nullable=False),
        sa.Column("actor", sa.String(120), nullable=False),
        sa.Column("action", sa.String(40), nullable=False),
        sa.Column("exhibit", sa.String(64), nullable=True),
        sa.Column("analysis", sa.String(32), nullable=True),
        sa.Column("details", sa.Text, nullable=False),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("previous_of_exhibit", sa.String(64), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("mac", sa.String(64), nullable=False),
    )
    op.create_index("custody_exhibit", "custody", ["exhibit", "number"])
    op.create_index("custody_analysis", "custody", ["analysis", "action", "number"])
    op.create_index("custody_action", "custody", ["action", "number"])
    op.create_table(
        "case_details",
        sa.Column("analysis_id", sa.String(32), sa.ForeignKey("analyses.id"), primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("changed", sa.DateTime(timezone=True), nullable=False),
    )
    op.add_column("exhibits", sa.Column("checked", sa.DateTime(timezone=True), nullable=True))
    op.add_column("exhibits", sa.Column("condition", sa.String(16), nullable=True))
    dialect = op.get_bind().dialect.name
    for statement in _SQLITE if dialect == "sqlite" else _POSTGRESQL:
        op.execute(statement)


def downgrade() -> None:
    """Forget them, the log included."""
    with op.batch_alter_table("exhibits") as exhibits:
        exhibits.drop_column("condition")
        exhibits.drop_column("checked")
    op.drop_table("case_details")
    op.drop_table("custody")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION custody_refuse()")
        op.execute("DROP FUNCTION custody_follow()")
