"""Makes the Flask app: settings, data folder, database, routes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flask import Flask

from detector.paths import FILES
from detector.process.gc_pause import gc_paused
from webapp import api, logs
from webapp.custody import startup as custody_startup
from webapp.http import error_pages, interface_language, nul_characters, security_headers, static_files
from webapp.http.row_numbers import RowNumber
from webapp.intake import upload_request
from webapp.monitoring import metrics
from webapp.pages import template_filters
from webapp.queries import deleted_meanwhile
from webapp.security.requests import request_guard
from webapp.security.sign_in.passwords import Passwords
from webapp.settings import Settings, read_settings
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database, connect
from webapp.storage.tables import now


@gc_paused()  # it imports all routes
def create_app(config: Mapping[str, Any] | None = None) -> Flask:
    """Make the app: settings, data folder, tables up to date, routes.

    ``config`` overrides settings of the environment by their names
    (:data:`webapp.settings.SETTINGS`); other keys go to Flask's own configuration.
    ``SEND``, a callable taking a job's id, replaces Celery; ``PASSWORDS`` the usual cost of hashing.
    """
    settings = read_settings(config)
    app = _flask(settings, config or {})
    _open_data(app, settings)

    # Each of these sees a request in this order, and the answer in the reverse.
    interface_language.install(app)
    static_files.install(app)
    logs.install(app)
    metrics.install(app)
    security_headers.install(app, settings)
    request_guard.install(app)
    nul_characters.install(app)
    error_pages.install(app, deleted_meanwhile.told)
    template_filters.install(app)
    _register_pages(app)
    api.install(app)
    return app


def _flask(settings: Settings, config: Mapping[str, Any]) -> Flask:
    """The bare app: folders, bounds of a request, how addresses and answers are written."""
    app = Flask("webapp", template_folder=str(FILES / "templates"), static_folder=str(FILES / "static"))
    app.request_class = upload_request.UploadRequest
    app.config.from_mapping(
        # The exhibit's own limit is checked while it is written; this bounds the whole request.
        MAX_CONTENT_LENGTH=settings.upload_limit + upload_request.FORM_OVERHEAD,
        MAX_FORM_PARTS=16,
    )
    app.config.from_mapping(config)
    app.url_map.converters["int"] = RowNumber
    app.json.sort_keys = False  # type: ignore[attr-defined]  # the schema's order
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    return app


def _open_data(app: Flask, settings: Settings) -> None:
    """Bring the data folder and its database up to date, and keep in the app what requests work with."""
    Folders.local(settings.data).create()
    database = connect(settings)
    database.migrate()
    custody_startup.begin(database, settings)
    app.extensions["started"] = now()
    app.extensions["settings"] = settings
    app.extensions["database"] = database
    app.extensions["passwords"] = app.config.get("PASSWORDS") or Passwords()
    app.extensions["send"] = app.config.get("SEND") or celery_sender(settings, database)


def _register_pages(app: Flask) -> None:
    from webapp.pages import (
        cases,
        comparisons,
        custody,
        health,
        help,
        library,
        live,
        models,
        operations,
        second_reviews,
        statistics,
        upload,
        validations,
    )
    from webapp.pages.analysis import annotations, case_details, desk, downloads, manage, show, two_analyses
    from webapp.pages.people import account, accounts, api_tokens, login, provider, second_factor

    for area in (
        upload,
        library,
        manage,
        show,
        case_details,
        desk,
        downloads,
        annotations,
        custody,
        two_analyses,
        comparisons,
        statistics,
        models,
        validations,
        live,
        help,
        health,
        operations,
        login,
        provider,
        account,
        second_factor,
        api_tokens,
        accounts,
        cases,
        second_reviews,
    ):
        app.register_blueprint(area.blueprint)


def celery_sender(settings: Settings, database: Database) -> Callable[[str], None]:
    """Sends a job's id, of an analysis or a comparison, to the workers.

    Celery is loaded by the first one, not by the start.
    """
    senders: list[Callable[[str], None]] = []

    def send(job_id: str) -> None:
        from webapp.jobs import broker

        if not senders:
            senders.append(broker.Sender(settings, database))
        senders[0](job_id)

    return send
