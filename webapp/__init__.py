"""The web app; ``python -m webapp`` runs it.

``from webapp import create_app`` creates the Flask app. Nothing else is imported before it is needed, so that
:mod:`webapp.client` needs the standard library alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from webapp.app import create_app as create_app


__all__ = ["create_app"]


def __getattr__(name: str) -> object:
    if name != "create_app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from detector.process.resources import gc_paused

    with gc_paused():
        from webapp.app import create_app

    return create_app
