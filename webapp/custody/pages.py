"""The custody log of an exhibit, as a page and as a file."""

from __future__ import annotations

import json
from collections.abc import Callable
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
from webapp.analyses import queries as analysis_queries
from webapp.analyses.results import record_view
from webapp.custody import custody_log, disclosure

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
    return _download(
        analysis_id, "custody.xlsx", spreadsheets.MIMETYPE, lambda text: _spreadsheet(read_export(text))
    )


@blueprint.get("/custody.json")
@require(Permission.EXPORT)
def as_json(analysis_id: str) -> Response:
    """Send the entries about an exhibit with count and head of the whole log, to be kept elsewhere."""
    return _download(analysis_id, CUSTODY, "application/json", lambda text: text)


def _download(analysis_id: str, name: str, mimetype: str, write: Callable[[bytes], bytes]) -> Response:
    """Send what ``write`` makes of the exported log of an exhibit, and record the download."""
    row = analysis_queries.get_or_404(analysis_id)
    with context.database().begin() as session:
        disclosure.require_full_log(session, current(), row.exhibit.sha256)
        text = custody_log.export_log(session, row.exhibit.sha256)
    content = write(text)
    disclosure.record_download(row, name, content, log=text)
    response = Response(content, mimetype=mimetype)
    filename = f"reelproof-{row.exhibit.sha256[:8]}-{name}"
    response.headers.set("Content-Disposition", "attachment", filename=filename)
    return response


def _spreadsheet(log: ExportedLog) -> bytes:
    """Return the entries of a custody log as a spreadsheet; ``custody.json`` is what can be verified."""
    rows = (
        (
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
        for entry in log.entries
    )
    provenance: dict[str, Cell | datetime] = {
        "exhibit_sha256": log.exhibit,
        "entries_of_whole_log": log.count,
        "head": log.head,
        "head_mac": log.head_mac,
        "exported": log.exported,
        "columns": "docs/custody.md of Reelproof defines them; custody.json is what can be verified",
    }
    return spreadsheets.workbook("Custody log", _COLUMNS, rows, provenance, timestamps.parse(log.exported))
