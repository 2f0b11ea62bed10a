"""Fixtures of the engine's tests."""

from __future__ import annotations

from engine_fixtures import (  # noqa: F401
    astronaut,
    fused,
    material,
    model,
    portrait,
    scan,
    scanned_alone,
    scorer,
    still,
    talking,
    tiny,
)
