"""Release 0.2: all tables of a new database, and what the tables of a database of 0.1 lack."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0007"
branch_labels = None
depends_on = None

# The tables as release 0.2 had them; later changes are migrations of their own.
TABLES = sa.MetaData()
MOMENT = sa.DateTime(timezone=True)


def _job_columns(server_default: str | None = None) -> tuple[sa.Column[Any], ...]:
    """Make the columns of a table of jobs; ``server_default`` is that of its priority."""
    return (
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("priority", sa.Integer, nullable=False, server_default=server_default),
        sa.Column("queue", sa.String(8), nullable=True),
        sa.Column("stage", sa.String(80), nullable=False),
        sa.Column("progress", sa.Double, nullable=False),
        sa.Column("error", sa.String, nullable=True),
        sa.Column("remedy", sa.String, nullable=True),
        sa.Column("created", MOMENT, nullable=False),
        sa.Column("sent", MOMENT, nullable=True),
        sa.Column("started", MOMENT, nullable=True),
        sa.Column("finished", MOMENT, nullable=True),
        sa.Column("heartbeat", MOMENT, nullable=True),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("worker", sa.String(120), nullable=True),
    )


sa.Table(
    "api_tokens",
    TABLES,
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
sa.Table(
    "cases",
    TABLES,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(120), nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("created", MOMENT, nullable=False),
    sa.Column("created_by", sa.String(40), nullable=False),
    sa.Column("closed", MOMENT, nullable=True),
    sa.Column("exported", MOMENT, nullable=True),
    sqlite_autoincrement=True,
)
sa.Table(
    "choices",
    TABLES,
    sa.Column("name", sa.String(40), primary_key=True),
    sa.Column("value", sa.String(200), nullable=False),
    sa.Column("made", MOMENT, nullable=False),
)
sa.Table(
    "custody",
    TABLES,
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
    sa.Index("custody_action", "action", "number"),
    sa.Index("custody_analysis", "analysis", "action", "number"),
    sa.Index("custody_exhibit", "exhibit", "number"),
)
sa.Table(
    "exhibits",
    TABLES,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("sha256", sa.String(64), nullable=False, unique=True),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("path", sa.String(255), nullable=False),
    sa.Column("created", MOMENT, nullable=False),
    sa.Column("checked", MOMENT, nullable=True),
    sa.Column("condition", sa.String(16), nullable=True),
)
sa.Table(
    "fingerprint_blocks",
    TABLES,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("owners", sa.LargeBinary, nullable=False),
    sa.Column("codes", sa.LargeBinary, nullable=False),
)
sa.Table(
    "keyed_requests",
    TABLES,
    sa.Column("who", sa.String(120), primary_key=True),
    sa.Column("key", sa.String(128), primary_key=True),
    sa.Column("fingerprint", sa.String(64), nullable=False),
    sa.Column("identity", sa.String(32), nullable=False),
    sa.Column("started", MOMENT, nullable=False),
    sa.Column("status", sa.Integer, nullable=True),
    sa.Column("headers", sa.Text, nullable=True),
    sa.Column("body", sa.Text, nullable=True),
)
sa.Table(
    "milestones",
    TABLES,
    sa.Column("name", sa.String(40), primary_key=True),
    sa.Column("reached", MOMENT, nullable=False),
)
sa.Table(
    "sign_in_failures",
    TABLES,
    sa.Column("place", sa.String(64), primary_key=True),
    sa.Column("count", sa.Integer, nullable=False),
    sa.Column("last", MOMENT, nullable=False),
)
sa.Table(
    "uploads",
    TABLES,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("who", sa.String(120), nullable=False),
    sa.Column("file", sa.String(255), nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("received", sa.BigInteger, nullable=False),
    sa.Column("sha256", sa.String(64), nullable=True),
    sa.Column("created", MOMENT, nullable=False),
    sa.Column("expires", MOMENT, nullable=False),
    sa.Column("analysis_id", sa.String(32), nullable=True),
    sa.Index("uploads_expires", "expires"),
)
sa.Table(
    "users",
    TABLES,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(40), nullable=False, unique=True),
    sa.Column("display", sa.String(80), nullable=False),
    sa.Column("role", sa.String(16), nullable=False),
    sa.Column("password", sa.String(200), nullable=False),
    sa.Column("password_set", MOMENT, nullable=False),
    sa.Column("one_time", sa.Boolean, nullable=False),
    sa.Column("disabled", MOMENT, nullable=True),
    sa.Column("created", MOMENT, nullable=False),
    sa.Column("factor_secret", sa.String(200), nullable=True),
    sa.Column("factor_since", MOMENT, nullable=True),
    sa.Column("factor_step", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("subject", sa.String(64), nullable=True),
    sa.Column("language", sa.String(8), nullable=False, server_default=""),
    sa.Index("users_subject", "subject", unique=True),
)
sa.Table(
    "webhooks",
    TABLES,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("url", sa.String(2000), nullable=False),
    sa.Column("events", sa.String(255), nullable=False),
    sa.Column("who", sa.String(120), nullable=False),
    sa.Column("made", MOMENT, nullable=False),
)
sa.Table(
    "workers",
    TABLES,
    sa.Column("name", sa.String(120), primary_key=True),
    sa.Column("started", MOMENT, nullable=False),
    sa.Column("seen", MOMENT, nullable=False),
)
sa.Table(
    "analyses",
    TABLES,
    sa.Column("exhibit_id", sa.Integer, sa.ForeignKey("exhibits.id"), nullable=False, index=True),
    sa.Column("file", sa.String(255), nullable=False),
    sa.Column("verdict", sa.String(40), nullable=True),
    sa.Column("probability", sa.Double, nullable=True),
    sa.Column("finding", sa.Text, nullable=True),
    sa.Column("unflagged", sa.Text, nullable=True),
    sa.Column("model", sa.String(60), nullable=True),
    sa.Column("settings", sa.Text, nullable=True),
    sa.Column("duration", sa.Double, nullable=True),
    sa.Column("frame_rate", sa.Text, nullable=True),
    sa.Column("owner_id", sa.Integer, sa.ForeignKey("users.id"), nullable=True, index=True),
    sa.Column("case_id", sa.Integer, sa.ForeignKey("cases.id"), nullable=True, index=True),
    *_job_columns(server_default="1"),
    sa.Index("analyses_finished", "finished"),
    sa.Index("analyses_model", "model"),
    sa.Index("analyses_newest", "created", "id"),
    sa.Index("analyses_state", "state"),
)
sa.Table(
    "case_members",
    TABLES,
    sa.Column("case_id", sa.Integer, sa.ForeignKey("cases.id"), primary_key=True),
    sa.Column("user_id", sa.Integer, sa.ForeignKey("users.id"), primary_key=True, index=True),
)
sa.Table(
    "case_reviews",
    TABLES,
    sa.Column("case_id", sa.Integer, sa.ForeignKey("cases.id"), primary_key=True),
    sa.Column("first_id", sa.Integer, sa.ForeignKey("users.id"), nullable=False, index=True),
    sa.Column("second_id", sa.Integer, sa.ForeignKey("users.id"), nullable=False, index=True),
    sa.Column("third_id", sa.Integer, sa.ForeignKey("users.id"), nullable=True, index=True),
    sa.Column("blind", sa.String(16), nullable=False),
    sa.Column("named", MOMENT, nullable=False),
)
sa.Table(
    "comparisons",
    TABLES,
    sa.Column("exhibit_id", sa.Integer, sa.ForeignKey("exhibits.id"), nullable=False, index=True),
    sa.Column("reference_id", sa.Integer, sa.ForeignKey("exhibits.id"), nullable=False, index=True),
    sa.Column("file", sa.String(255), nullable=False),
    sa.Column("reference_file", sa.String(255), nullable=False),
    sa.Column("asked_by", sa.String(120), nullable=False),
    sa.Column("related", sa.Boolean, nullable=True),
    sa.Column("segments", sa.Integer, nullable=True),
    sa.Column("outcome", sa.Text, nullable=True),
    *_job_columns(),
    sa.Index("comparisons_state", "state"),
)
sa.Table(
    "deliveries",
    TABLES,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("webhook_id", sa.String(32), sa.ForeignKey("webhooks.id"), nullable=False, index=True),
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
    sa.Index("deliveries_due", "due"),
)
sa.Table(
    "fingerprints",
    TABLES,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("exhibit_id", sa.Integer, sa.ForeignKey("exhibits.id"), nullable=False, unique=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("made", MOMENT, nullable=False),
    sa.Column("looks", sa.LargeBinary, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=True),
    sqlite_autoincrement=True,
)
sa.Table(
    "matches",
    TABLES,
    sa.Column("exhibit_id", sa.Integer, sa.ForeignKey("exhibits.id"), primary_key=True),
    sa.Column("other_id", sa.Integer, sa.ForeignKey("exhibits.id"), primary_key=True, index=True),
    sa.Column("of_all", sa.Boolean, nullable=False),
    sa.Column("found", MOMENT, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
)
sa.Table(
    "recovery_codes",
    TABLES,
    sa.Column("sha256", sa.String(64), primary_key=True),
    sa.Column("user_id", sa.Integer, sa.ForeignKey("users.id"), nullable=False, index=True),
    sa.Column("used", MOMENT, nullable=True),
)
sa.Table(
    "sessions",
    TABLES,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("user_id", sa.Integer, sa.ForeignKey("users.id"), nullable=False, index=True),
    sa.Column("started", MOMENT, nullable=False),
    sa.Column("seen", MOMENT, nullable=False),
    sa.Column("confirmed", MOMENT, nullable=False),
    sa.Column("address", sa.String(45), nullable=False),
    sa.Column("agent", sa.String(200), nullable=False),
    sa.Column("way", sa.String(16), nullable=False, server_default="password"),
)
sa.Table(
    "annotations",
    TABLES,
    sa.Column("analysis_id", sa.String(32), sa.ForeignKey("analyses.id"), primary_key=True),
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("author", sa.String(80), nullable=False),
    sa.Column("verdict", sa.String(16), nullable=True),
    sa.Column("made", MOMENT, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Index("annotations_author", "author", "analysis_id"),
)
sa.Table(
    "case_details",
    TABLES,
    sa.Column("analysis_id", sa.String(32), sa.ForeignKey("analyses.id"), primary_key=True),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("changed", MOMENT, nullable=False),
)
sa.Table(
    "review_statements",
    TABLES,
    sa.Column("analysis_id", sa.String(32), sa.ForeignKey("analyses.id"), primary_key=True),
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("part", sa.String(8), nullable=False),
    sa.Column("made", MOMENT, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
)

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
    """Make the tables, or change those of 0.1 and add the others."""
    connection = op.get_bind()
    tables = sa.inspect(connection)
    is_sqlite = connection.dialect.name == "sqlite"
    if "analyses" not in tables.get_table_names():
        TABLES.create_all(connection)
        for statement in _SQLITE if is_sqlite else _POSTGRESQL:
            op.execute(statement)
        return
    if is_sqlite:
        # Numbers of cases are given once: 0.1 gave a new case that of the newest one if it had been deleted.
        # Other tables refer to its rows: the end of the transaction, not each statement, checks them.
        op.execute("PRAGMA defer_foreign_keys=ON")
        op.execute("CREATE TEMPORARY TABLE cases_of_0_1 AS SELECT * FROM cases")
        op.drop_table("cases")
        TABLES.tables["cases"].create(connection)
        columns = "id, name, description, created, created_by"
        op.execute(f"INSERT INTO cases ({columns}) SELECT {columns} FROM cases_of_0_1")
        op.execute("DROP TABLE cases_of_0_1")
        op.execute("PRAGMA secure_delete = ON")  # the room that deleted secrets leave is overwritten
    tables.clear_cache()
    for name in tables.get_table_names():
        if name not in TABLES.tables:  # Alembic's own
            continue
        columns_before = {column["name"] for column in tables.get_columns(name)}
        for column in TABLES.tables[name].columns:
            if column.name not in columns_before:
                default = getattr(column.server_default, "arg", None)
                new = sa.Column(column.name, column.type, nullable=column.nullable, server_default=default)
                op.add_column(name, new)  # none of them refers to another table
        indexes_before = {index["name"] for index in tables.get_indexes(name)}
        for index in TABLES.tables[name].indexes:
            if index.name not in indexes_before:
                index.create(connection)
    TABLES.create_all(connection)
    # Answers kept for repeated requests held secrets of webhooks; such a request makes another webhook.
    op.execute("""DELETE FROM keyed_requests WHERE body LIKE '%"secret":%'""")
