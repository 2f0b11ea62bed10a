"""Verdict on the voices and outcome of both questions, read from the summaries of finished analyses."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_COLUMNS = ("outcome", "sound_only", "voice_verdict", "voice_probability")


def upgrade() -> None:
    """Add the columns and fill them in."""
    op.add_column("analyses", sa.Column("outcome", sa.String(16), nullable=True))
    op.add_column("analyses", sa.Column("sound_only", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("analyses", sa.Column("voice_verdict", sa.String(40), nullable=True))
    op.add_column("analyses", sa.Column("voice_probability", sa.Float, nullable=True))
    analyses = sa.table(
        "analyses",
        *(sa.column(name) for name in ("id", "verdict", "finding", "voice_verdict", "outcome")),
        sa.column("voice_probability"),
        sa.column("sound_only", sa.Boolean),
    )
    connection = op.get_bind()
    judged = sa.select(analyses.c.id, analyses.c.verdict, analyses.c.finding).where(
        analyses.c.verdict.is_not(None)
    )
    changes = [{"key": row.id} | _values(row.verdict, row.finding) for row in connection.execute(judged)]
    if changes:
        values: dict[str, Any] = {name: sa.bindparam(name) for name in _COLUMNS}
        connection.execute(
            sa.update(analyses).where(analyses.c.id == sa.bindparam("key")).values(values), changes
        )
    op.create_index("analyses_outcome", "analyses", ["outcome"])


def _values(verdict: str, finding: str | None) -> dict[str, Any]:
    # The rules of this release, written out: later ones may differ.
    voice = (json.loads(finding).get("voice") if finding else None) or {}
    spoken, sound_only = voice.get("verdict"), bool(voice.get("only"))
    answers = [] if sound_only else [verdict]
    answers += [spoken] if spoken not in (None, "no speech") else []
    if {"manipulated", "synthetic speech found"} & set(answers):
        outcome = "finding"
    elif answers and set(answers) <= {"no manipulation found", "no synthetic speech found"}:
        outcome = "nothing found"
    else:
        outcome = "open"
    return {
        "outcome": outcome,
        "sound_only": sound_only,
        "voice_verdict": spoken,
        "voice_probability": voice.get("probability"),
    }


def downgrade() -> None:
    """Drop them; the summaries have all of it."""
    op.drop_index("analyses_outcome", "analyses")
    for name in reversed(_COLUMNS):
        op.drop_column("analyses", name)
