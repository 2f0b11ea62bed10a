"""The web app: upload, progress, results, downloads. ``python -m webapp`` runs it.

``from webapp import create_app`` makes the Flask app. Nothing is loaded before it is asked for:
:mod:`webapp.client` needs the standard library alone. What the folders hold is in docs/ARCHITECTURE.md. Of
the modules beside them:

- :mod:`~webapp.app` makes the app, :mod:`~webapp.server` serves it.
- :mod:`~webapp.settings` has every setting, :mod:`~webapp.setting_values` reads the kinds of their values,
  :mod:`~webapp.url_allowlist` says of addresses what they allow to be asked for.
- :mod:`~webapp.this_app` gives settings, database and data folder during a request.
- :mod:`~webapp.errors` is the root of errors that are answered in words, :mod:`~webapp.logs` the log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from webapp.app import create_app as create_app

__all__ = ["create_app"]


def __getattr__(name: str) -> object:
    if name != "create_app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from detector.process.gc_pause import gc_paused

    with gc_paused():
        from webapp.app import create_app

    return create_app
