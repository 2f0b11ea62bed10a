"""The files of a finished analysis: reports, bundle, exports."""

from __future__ import annotations

from flask import Blueprint, url_for
from werkzeug.wrappers import Response

from reports.exports.formats import suited
from webapp.api.analysis_requests import require_finished
from webapp.api.contract.operation import Answer, operation
from webapp.api.contract.schemas.downloads import BundleSearch, Export, Exports, ReportSearch
from webapp.downloads import bundles as bundle_downloads
from webapp.downloads import exports as export_downloads
from webapp.downloads import reports as report_downloads
from webapp.queries.results import load
from webapp.security.access.blinding import Discloses
from webapp.security.access.permissions import Permission

blueprint = Blueprint("api_files", __name__)  # openapi.json names its operations by it

_ERRORS = (404, 409, 503)


@operation(
    blueprint,
    "GET",
    "/analyses/<analysis_id>/report.pdf",
    permission=Permission.EXPORT,
    query=ReportSearch,
    answers={200: Answer("The report.", media=("application/pdf",), headers=("ETag",))},
    errors=(*_ERRORS, 422),
)
def report_pdf(analysis_id: str, query: ReportSearch) -> Response:
    """The evidence report as PDF, with what reviewers said until now."""
    return report_downloads.send(*require_finished(analysis_id), "report.pdf", query.language)


@operation(
    blueprint,
    "GET",
    "/analyses/<analysis_id>/report.html",
    permission=Permission.EXPORT,
    query=ReportSearch,
    answers={200: Answer("The report.", media=("text/html",), headers=("ETag",))},
    errors=(*_ERRORS, 422),
)
def report_html(analysis_id: str, query: ReportSearch) -> Response:
    """The same as one HTML page."""
    return report_downloads.send(*require_finished(analysis_id), "report.html", query.language)


@operation(
    blueprint,
    "GET",
    "/analyses/<analysis_id>/manifest.json",
    permission=Permission.EXPORT,
    answers={200: Answer("The manifest.", media=("application/json",), headers=("ETag",))},
    errors=_ERRORS,
)
def manifest(analysis_id: str) -> Response:
    """SHA-256 of the exhibit and of each file of the result."""
    return report_downloads.send(*require_finished(analysis_id, Discloses.FINDINGS), "manifest.json")


@operation(
    blueprint,
    "GET",
    "/analyses/<analysis_id>/bundle.zip",
    permission=Permission.EXPORT,
    query=BundleSearch,
    answers={200: Answer("The bundle (docs/bundle.md).", media=("application/zip",))},
    errors=(*_ERRORS, 422, 507),
)
def bundle(analysis_id: str, query: BundleSearch) -> Response:
    """Everything needed to review offline and to check it, as one zip."""
    found = require_finished(analysis_id)
    return bundle_downloads.send(*found, video=query.video == "yes", language_code=query.language)


@operation(
    blueprint,
    "GET",
    "/analyses/<analysis_id>/exports",
    permission=Permission.EXPORT,
    answers={200: Answer("The formats (docs/exports.md).", Exports, headers=("ETag",))},
    errors=(404, 409),
)
def export_list(analysis_id: str) -> Exports:
    """The formats an analysis can be exported in."""
    _, folder = require_finished(analysis_id, Discloses.FINDINGS)
    found = (
        Export(
            name=each.name,
            what=each.what,
            media_type=each.mimetype,
            href=url_for("api_files.export", analysis_id=analysis_id, export_name=each.name),
        )
        for each in suited(load(folder).analysis.media.still)
    )
    return Exports(exports=tuple(found))


@operation(
    blueprint,
    "GET",
    "/analyses/<analysis_id>/exports/<export_name>",
    permission=Permission.EXPORT,
    answers={
        200: Answer(
            "The export.",
            media=(
                "text/csv",
                "application/json",
                "text/vtt",
                "text/plain",
                "application/vnd.apache.parquet",
                "application/zip",
            ),
        )
    },
    errors=(404, 409),
)
def export(analysis_id: str, export_name: str) -> Response:
    """An analysis in one of the formats of docs/exports.md."""
    return export_downloads.send(*require_finished(analysis_id, Discloses.FINDINGS), export_name)
