"""Create the Flask app: settings, data folder, database, blueprints."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flask import Flask, request
from sqlalchemy.exc import SQLAlchemyError

from detector.files import FILES
from detector.process.resources import gc_paused
from webapp import context, logs, template_filters
from webapp.accounts import request_guard
from webapp.accounts.passwords import Passwords
from webapp.custody import startup as custody_startup
from webapp.errors import UserError
from webapp.exhibits import queries, reference_comparisons
from webapp.http import error_responses, language, request_values, responses, security, uploads
from webapp.http.request_values import RowNumber
from webapp.operations import metrics
from webapp.settings import Settings, read_settings
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database, connect
from webapp.storage.tables import AnalysisRow, ComparisonRow, now


def deleted_meanwhile() -> UserError | None:
    """Return an error if the analysis or comparison of this request was deleted while it was answered.

    Rows are deleted before files: a request that has read the row may find no files, or other ones, at any of
    the many places that read them.
    """
    names = request.view_args or {}
    try:
        with context.database().begin() as session:
            for name, table, not_found in (
                ("analysis_id", AnalysisRow, queries.not_found_error),
                ("comparison_id", ComparisonRow, reference_comparisons.comparison_gone),
            ):
                if name in names and session.get(table, names[name]) is None:
                    error = not_found(session, names[name])
                    return error if error.status == 410 else None
    except SQLAlchemyError:  # the first error is the one to report
        return None
    return None


def register_api(app: Flask) -> None:
    """Register the routes of the REST API."""
    from webapp.analyses import api, exhibits_api, results_api, uploads_api
    from webapp.analyses import custody_api as custody_api
    from webapp.comparisons import api as comparisons_api
    from webapp.comparisons import copies_api
    from webapp.models import api as models_api
    from webapp.rest import about, operation
    from webapp.review import api as review_api
    from webapp.review import desk_api, heatmaps_api
    from webapp.webhooks import api as webhooks_api

    for blueprint in (
        api.blueprint,
        uploads_api.blueprint,
        results_api.findings_blueprint,
        desk_api.blueprint,
        review_api.annotations_blueprint,
        heatmaps_api.blueprint,
        results_api.downloads_blueprint,
        exhibits_api.blueprint,
        comparisons_api.blueprint,
        copies_api.blueprint,
        custody_api.blueprint,
        review_api.reviews_blueprint,
        models_api.blueprint,
        webhooks_api.blueprint,
        about.blueprint,
    ):
        app.register_blueprint(blueprint, url_prefix=operation.PREFIX)


@gc_paused()  # it imports all routes
def create_app(config: Mapping[str, Any] | None = None) -> Flask:
    """Create the app: settings, data folder, migrated tables, routes.

    ``config`` overrides settings of the environment by their names
    (:data:`webapp.settings.SETTINGS`); other keys go to Flask's own configuration.
    ``SEND``, called with a job's id, replaces Celery; ``PASSWORDS`` replaces the usual cost of hashing.
    """
    settings = read_settings(config)
    app = _flask(settings, config or {})
    _open_data(app, settings)

    # These handle a request in this order, and the response in reverse.
    language.install(app)
    responses.install(app)
    logs.install(app)
    metrics.install(app)
    security.install(app, settings)
    request_guard.install(app)
    request_values.refuse_nul_characters(app)
    error_responses.install(app, deleted_meanwhile)
    template_filters.install(app)
    _register_pages(app)
    register_api(app)
    return app


def _flask(settings: Settings, config: Mapping[str, Any]) -> Flask:
    app = Flask("webapp", template_folder=str(FILES / "templates"), static_folder=str(FILES / "static"))
    app.request_class = uploads.UploadRequest
    app.config.from_mapping(
        # Limits the whole request; the exhibit's own limit is checked while it is written.
        MAX_CONTENT_LENGTH=settings.upload_limit + uploads.FORM_OVERHEAD,
        MAX_FORM_PARTS=16,
    )
    app.config.from_mapping(config)
    app.url_map.converters["int"] = RowNumber
    app.json.sort_keys = False  # type: ignore[attr-defined]  # the schema's order
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    return app


def _open_data(app: Flask, settings: Settings) -> None:
    """Open the data folder, migrate the database, and store both in the app."""
    Folders.local(settings.data).create()
    database = connect(settings)
    database.migrate()
    custody_startup.open_log(database, settings)
    app.extensions["started"] = now()
    app.extensions["settings"] = settings
    app.extensions["database"] = database
    app.extensions["passwords"] = app.config.get("PASSWORDS") or Passwords()
    app.extensions["send"] = app.config.get("SEND") or celery_sender(settings, database)


def _register_pages(app: Flask) -> None:
    from webapp.accounts import account_pages, admin_pages, login_pages, openid_pages, second_factor_pages
    from webapp.analyses import custody_pages as custody_pages
    from webapp.analyses import library, statistics, two_analyses
    from webapp.analyses import pages as analyses_pages
    from webapp.cases import details_pages, pages
    from webapp.comparisons import pages as comparisons_pages
    from webapp.live import pages as live_pages
    from webapp.models import pages as models_pages
    from webapp.operations import health
    from webapp.operations import pages as operations_pages
    from webapp.review import pages as review_pages
    from webapp.validations import pages as validations_pages

    for blueprint in (
        analyses_pages.upload_blueprint,
        library.blueprint,
        analyses_pages.actions_blueprint,
        analyses_pages.result_blueprint,
        details_pages.blueprint,
        analyses_pages.downloads_blueprint,
        review_pages.annotations_blueprint,
        custody_pages.blueprint,
        two_analyses.blueprint,
        comparisons_pages.blueprint,
        statistics.blueprint,
        models_pages.blueprint,
        validations_pages.blueprint,
        live_pages.blueprint,
        analyses_pages.help_blueprint,
        health.blueprint,
        operations_pages.blueprint,
        login_pages.blueprint,
        openid_pages.blueprint,
        account_pages.account_blueprint,
        second_factor_pages.blueprint,
        account_pages.tokens_blueprint,
        admin_pages.blueprint,
        pages.blueprint,
        review_pages.blueprint,
    ):
        app.register_blueprint(blueprint)


def celery_sender(settings: Settings, database: Database) -> Callable[[str], None]:
    """Return a function that sends a job's id to the workers; its first call loads Celery."""
    senders: list[Callable[[str], None]] = []

    def send(job_id: str) -> None:
        from webapp.jobs import broker

        if not senders:
            senders.append(broker.Sender(settings, database))
        senders[0](job_id)

    return send
