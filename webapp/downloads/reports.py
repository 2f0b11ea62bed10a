"""Reports as they are handed out: with what reviewers say, the case, and the custody log until then.

Set when somebody asks for one, after the kept exhibit was hashed again, and kept until more is
said or done. The stored report of an analysis is part of its result, and stays as it is.
"""

from __future__ import annotations

import hashlib
import json
import logging
import secrets
import shutil
import subprocess
import sys
import threading
from dataclasses import asdict
from pathlib import Path

from flask import current_app, send_file
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from detector.files import hashed, publish
from detector.paths import ROOT
from detector.timestamps import iso_milliseconds
from detector.version import __version__
from reports.custody.format import NAME as CUSTODY
from reports.review.annotation_file import canonical, to_json
from reports.text.language import gettext
from reports.text.languages import DEFAULT
from webapp.custody import integrity
from webapp.custody import log as custody_log
from webapp.downloads import custody_access
from webapp.errors import UserError
from webapp.http.security_headers import REPORT_POLICY
from webapp.queries import reference_comparisons, second_reviews
from webapp.queries.analyses import database
from webapp.queries.results import download_name, refuse_altered
from webapp.security.permissions import current
from webapp.services import annotations as annotation_service
from webapp.services import case_details, validations
from webapp.storage import key_files
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database
from webapp.storage.key_files import mac
from webapp.storage.tables import AnalysisRow, CustodyRow, Exhibit

REPORTS = ("report.pdf", "report.html")
# What :func:`send` hands out.
MEDIA_TYPES = {
    "report.pdf": "application/pdf",
    "report.html": "text/html",
    "analysis.json": "application/json",
    "manifest.json": "application/json",
}

log = logging.getLogger(__name__)

_TIME_LIMIT = 300  # seconds; a report of a few pages takes five on a busy machine
_PATIENCE = 60  # seconds to wait for another report that is being set
_SETTING = threading.Lock()  # it takes a core and a quarter of a gigabyte: one at a time
_SUMS = "macs.json"
# What is done so often, and changes nothing in a report, that none is set anew for it.
_PASSING = ("view", "export", "integrity check")


def current_report(
    database: Database, folders: Folders, row: AnalysisRow, *, with_log: bool = True, speak: str = DEFAULT
) -> Path:
    """The folder of ``report.html`` and ``report.pdf`` as they are to be handed out now.

    With them lies the ``custody.json`` they hold, unless they are to be without the log. Raises
    :class:`UserError` where they cannot be made, or not soon.
    """
    place = _place(database, folders, row, with_log, speak)
    if _unaltered(place):
        return place
    if not _SETTING.acquire(timeout=_PATIENCE):
        raise UserError(
            503, gettext("Other reports are being set at the moment."), gettext("Try again in a minute.")
        )
    try:
        if _unaltered(place):
            return place
        shutil.rmtree(place, ignore_errors=True)
        check = integrity.check(database, folders, row.exhibit)
        with database.begin() as session:
            said = [to_json(annotation) for annotation in annotation_service.listed(session, row.id)]
            case = case_details.stored(session, row.id)
            known = custody_log.export(session, row.exhibit.sha256) if with_log else None
            place = _place(database, folders, row, with_log, speak)  # the check may have found something
            laboratory = validations.in_reports(session, folders)
            reviewed = _second_review(session, row)
        compared = reference_comparisons.of_report(row.exhibit_id)
        for each in compared:
            reference_comparisons.result(each).refuse_altered()  # and fetched, where only the store had it
        given: dict[str, object] = {
            "language": speak,
            "annotations": said,
            "case": case.model_dump(),
            "check": asdict(check) | {"checked": iso_milliseconds(check.checked)},
            "comparisons": [each.id for each in compared],
            "laboratory": laboratory.decode() if laboratory is not None else None,
            "second_review": reviewed,
        }
        if place.exists():
            shutil.rmtree(place)
        _render(folders.result(row.id) / "analysis.json", given, known, place)
        (place / _SUMS).write_text(json.dumps(_sums(place)))
    finally:
        _SETTING.release()
    return place


def _unaltered(place: Path) -> bool:
    """Whether reports lie there, and are the ones that were set."""
    try:
        return bool(json.loads((place / _SUMS).read_bytes()) == _sums(place))
    except (OSError, ValueError):
        return False


def _sums(place: Path) -> dict[str, str]:
    """A MAC of each file of a folder of reports, by name; to change one unseen takes the key."""
    key = current_app.extensions["settings"].custody_key
    of = "/".join(place.parts[-2:])  # reports set for something else do not fit
    files = sorted(path for path in place.iterdir() if path.name != _SUMS)
    return {
        path.name: mac(key_files.read(key), "report", f"{of}/{path.name}\0{hashed(path)[1]}")
        for path in files
    }


def _place(database: Database, folders: Folders, row: AnalysisRow, with_log: bool, speak: str) -> Path:
    """Where the reports for what is said and done until now lie, or would."""
    with database.begin() as session:
        inputs = [
            [to_json(annotation) for annotation in annotation_service.listed(session, row.id)],
            case_details.stored(session, row.id).model_dump(),
            _last_act(session, row.exhibit.sha256) if with_log else "without the log",
            session.scalar(select(Exhibit.condition).where(Exhibit.id == row.exhibit_id)) or "fits",
            [each.id for each in reference_comparisons.of_report(row.exhibit_id)],
            hashlib.sha256(validations.in_reports(session, folders) or b"").hexdigest(),
            _second_review(session, row),
            __version__,
            *([] if speak == DEFAULT else [speak]),
        ]
    return folders.reviewed(row.id) / hashlib.sha256(canonical(inputs).encode()).hexdigest()[:32]


def _second_review(session: Session, row: AnalysisRow) -> str | None:
    """What is disclosed of the second review, if there is one."""
    found = second_reviews.find(session, session.get_one(AnalysisRow, row.id))
    return found.disclosed.to_json() if found is not None else None


def _last_act(session: Session, sha256: str) -> str | None:
    query = select(CustodyRow.sha256).where(CustodyRow.exhibit == sha256, CustodyRow.action.not_in(_PASSING))
    return session.scalar(query.order_by(CustodyRow.number.desc()).limit(1))


def _render(analysis: Path, given: dict[str, object], known: bytes | None, place: Path) -> None:
    aside = place.parent / f".{secrets.token_hex(8)}"
    aside.mkdir(mode=0o700, parents=True)
    try:
        if known is not None:
            (aside / CUSTODY).write_bytes(known)
        ended = subprocess.run(
            [sys.executable, "-m", "webapp.downloads.report_process", str(analysis), str(aside)],
            cwd=ROOT,
            input=json.dumps(given).encode(),
            timeout=_TIME_LIMIT,
        )
        if ended.returncode:
            raise _render_error()
        publish(aside, place)
    except subprocess.TimeoutExpired:
        raise _render_error() from None
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    for older in place.parent.iterdir():
        if older != place:
            shutil.rmtree(older, ignore_errors=True)


def _render_error() -> UserError:
    return UserError(
        500,
        gettext("The report could not be set."),
        gettext(
            "The terminal Reelproof runs in may say why. Nothing is lost: annotations and findings "
            "are on the page, and the machine's findings in analysis.json."
        ),
    )


def send(row: AnalysisRow, folder: Path, name: str, speak: str = DEFAULT) -> Response:
    """One of the files of :data:`MEDIA_TYPES` of a finished analysis; that it is handed out is recorded.

    ``folder`` is that of its result. Reports come with what reviewers said until now.
    """
    refuse_altered(folder)
    log = None
    if name in REPORTS:
        folders = Folders.of(current_app.extensions["settings"])
        with database().begin() as session:
            with_log = not custody_access.hidden_analyses(session, current(), row.exhibit.sha256)
        folder = current_report(database(), folders, row, with_log=with_log, speak=speak)
        log = (folder / CUSTODY).read_bytes() if with_log else None
    custody_access.log_download(row, name, folder / name, log=log)
    page = name == "report.html"
    response = send_file(
        folder / name,
        mimetype=MEDIA_TYPES[name],
        as_attachment=not page,
        download_name=download_name(row, name),
    )
    if page:
        response.headers["Content-Security-Policy"] = REPORT_POLICY
    return response
