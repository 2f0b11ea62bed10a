"""Alembic's entry point: run the migrations on the connection that :mod:`webapp.storage.database` opened."""

from __future__ import annotations

from alembic import context

from webapp.storage.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite alters a table by copying it
)
with context.begin_transaction():
    context.run_migrations()
