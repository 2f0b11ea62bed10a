"""Fixtures of the engine's commands."""

from engine_fixtures import astronaut, model, scan, still  # noqa: F401
