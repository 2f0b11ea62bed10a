"""The custody log of an exhibit, as a page and as a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime

from flask import Blueprint, render_template
from werkzeug.wrappers import Response

from detector import timestamps
from reports.custody.chain import check_export
from reports.custody.format import CustodyError, ExportedLog, read_export
from reports.exports import spreadsheets
from reports.exports.tables import Cell
from reports.file_names import CUSTODY
from webapp import context
from webapp.accounts.permissions import Permission, current, require
from webapp.custody import custody_log
from webapp.downloads import exports
from webapp.exhibits import disclosure
from webapp.exhibits import queries as analysis_queries
from webapp.exhibits.results import record_view
from webapp.http.responses import send_and_forget
from webapp.storage.tables import AnalysisRow

_COLUMNS = ("number", "time_utc", "actor", "action", "exhibit", "analysis", "details", "sha256", "mac")

blueprint = Blueprint("custody", __name__, url_prefix="/analyses/<analysis_id>")

_MAX_SHOWN = 500  # entries on the page, the newest; the file has all


@blueprint.get("/custody")
@require(Permission.READ)
def show(analysis_id: str) -> str:
    """Show the entries about an exhibit, newest first."""
    row = analysis_queries.get_or_404(analysis_id)
    record_view(row)
    with context.database().begin() as session:
        text = custody_log.export_log(session, row.exhibit.sha256)
        head = custody_log.head(session)
        hidden = disclosure.hidden_analyses(session, current(), row.exhibit.sha256)
    try:
        entries = read_export(text).entries
    except CustodyError:  # explained by the list of problems
        entries = ()
    if hidden:
        entries = disclosure.redact(entries, hidden)
    return render_template(
        "custody/custody.html",
        row=row,
        entries=entries[: -_MAX_SHOWN - 1 : -1],
        count=len(entries),
        head=head,
        problems=() if hidden else check_export(text),
        whole=not hidden,
    )


@blueprint.get("/custody.xlsx")
@require(Permission.EXPORT)
def as_spreadsheet(analysis_id: str) -> Response:
    """Send the entries about an exhibit as a spreadsheet."""
    row, text = _exported(analysis_id)
    log = read_export(text)
    provenance: dict[str, Cell | datetime] = {
        "exhibit_sha256": log.exhibit,
        "entries_of_whole_log": log.count,
        "head": log.head,
        "head_mac": log.head_mac,
        "exported": log.exported,
        "columns": "docs/custody.md of Reelproof defines them; custody.json is what can be verified",
    }
    # Who asks again, because it took long, gets what was made, if nothing was recorded meanwhile.
    key = (current().user_id, "custody.xlsx", log.exhibit, log.entries[-1].sha256 if log.entries else "")
    moment = timestamps.parse(log.exported)
    path = exports.make_spreadsheet(
        key, "Custody log", _COLUMNS, lambda: _cells(log), lambda _count: provenance, moment
    )
    try:
        disclosure.record_download(row, "custody.xlsx", path, log=text)
        response = send_and_forget(path, spreadsheets.MIMETYPE)
    finally:
        path.unlink(missing_ok=True)
    return _named(response, row, "custody.xlsx")


@blueprint.get("/custody.json")
@require(Permission.EXPORT)
def as_json(analysis_id: str) -> Response:
    """Send the entries about an exhibit with count and head of the log, to be kept elsewhere."""
    row, text = _exported(analysis_id)
    disclosure.record_download(row, CUSTODY, text, log=text)
    return _named(Response(text, mimetype="application/json"), row, CUSTODY)


def _exported(analysis_id: str) -> tuple[AnalysisRow, bytes]:
    """Return an analysis and the exported log of its exhibit; raise for one that the caller sees in part."""
    row = analysis_queries.get_or_404(analysis_id)
    with context.database().begin() as session:
        disclosure.require_full_log(session, current(), row.exhibit.sha256)
        return row, custody_log.export_log(session, row.exhibit.sha256)


def _named(response: Response, row: AnalysisRow, name: str) -> Response:
    filename = f"reelproof-{row.exhibit.sha256[:8]}-{name}"
    response.headers.set("Content-Disposition", "attachment", filename=filename)
    return response


def _cells(log: ExportedLog) -> Iterator[tuple[Cell | datetime, ...]]:
    """Yield the rows of a custody log."""
    for entry in log.entries:
        yield (
            entry.number,
            timestamps.parse(entry.made),
            entry.actor,
            entry.action,
            entry.exhibit,
            entry.analysis,
            json.dumps(entry.details, ensure_ascii=False) if entry.details else None,
            entry.sha256,
            entry.mac,
        )
