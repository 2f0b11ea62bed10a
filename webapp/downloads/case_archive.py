"""A case whole, as one zip: every exhibit as it was handed in, and the review bundle of every analysis.

``case.json`` says what the case is and what belongs together; ``sha256sums.txt`` lists all files.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flask import current_app
from werkzeug.wrappers import Response

from detector.files import hashed
from detector.timestamps import iso_milliseconds
from reports.bundle.archive import add_entry, chunks
from webapp.custody import log as custody_log
from webapp.downloads import bundles, custody_access
from webapp.http.range_responses import send_and_forget
from webapp.queries.analyses import database
from webapp.queries.results import load, refuse_altered, result_folder
from webapp.security import blinding
from webapp.security.blinding import Discloses
from webapp.security.permissions import current
from webapp.services import annotations as annotation_service
from webapp.services import cases as case_service
from webapp.settings import Settings
from webapp.storage.data_folder import Folders
from webapp.storage.tables import AnalysisRow, CaseRow, State, now

NAME, SUMS = "case.json", "sha256sums.txt"


def send(case_id: int) -> Response:
    """The zip of a case. Each export, and that of the whole, is in the custody log."""
    settings: Settings = current_app.extensions["settings"]
    folders = Folders.of(settings)
    with database().begin() as session:
        case = case_service.find(session, current(), case_id)
        rows = case_service.analyses(session, case)
        if not current().sees_all:
            for exhibit_id in {row.exhibit_id for row in rows}:
                blinding.refuse_blinded(session, current().user_id, exhibit_id, Discloses.JUDGEMENTS)
        about = _about(case, rows, [user.name for user in case_service.members(session, case)])
    place = folders.incoming / f"{secrets.token_hex(16)}.zip"
    try:
        _write(place, about, settings, folders, rows)
        with database().begin() as session:
            case_service.find(session, current(), case_id).exported = now()
            details = custody_log.export_details("case.zip", place, log=None)
            custody_log.append(session, "export", {"what": "case", "case": case_id, **details})
        response = send_and_forget(place, "application/zip")
    finally:
        place.unlink(missing_ok=True)
    response.headers.set("Content-Disposition", "attachment", filename=f"reelproof-case-{case_id}.zip")
    return response


def _about(case: CaseRow, rows: list[AnalysisRow], members: list[str]) -> dict[str, Any]:
    return {
        "reelproof_case": "1.0",
        "id": case.id,
        "name": case.name,
        "description": case.description,
        "made": iso_milliseconds(case.created),
        "made_by": case.created_by,
        "closed": iso_milliseconds(case.closed) if case.closed else None,
        "exported": iso_milliseconds(now()),
        "members": members,
        "analyses": [
            {
                "id": row.id,
                "file": row.file,
                "exhibit": row.exhibit.sha256,
                "state": row.state,
                "verdict": row.verdict,
                "bundle": f"analyses/{row.id}.zip" if row.state == State.DONE else None,
            }
            for row in rows
        ],
    }


def _write(
    place: Path, about: dict[str, Any], settings: Settings, folders: Folders, rows: list[AnalysisRow]
) -> None:
    sums: list[str] = []
    with zipfile.ZipFile(place, "w") as archive:

        def add(name: str, path: Path) -> None:
            digest = hashlib.sha256()
            with path.open("rb") as stream:
                add_entry(archive, name, path.stat().st_size, _counted(digest, stream))
            sums.append(f"{digest.hexdigest()}  {name}\n")

        for row in {row.exhibit.sha256: row for row in rows}.values():
            add(f"exhibits/{row.exhibit.sha256}", _exhibit(folders, row))
        for row in rows:
            if row.state == State.DONE:
                bundle = _bundle(settings, folders, row)
                try:
                    add(f"analyses/{row.id}.zip", bundle)
                finally:
                    bundle.unlink(missing_ok=True)
        text = json.dumps(about, indent=1, ensure_ascii=False).encode()
        add_entry(archive, NAME, len(text), [text])
        sums.append(f"{hashlib.sha256(text).hexdigest()}  {NAME}\n")
        listed = "".join(sums).encode()
        add_entry(archive, SUMS, len(listed), [listed])


def _counted(digest: Any, stream: Any) -> Iterator[bytes]:
    for piece in chunks(stream):
        digest.update(piece)
        yield piece


def _exhibit(folders: Folders, row: AnalysisRow) -> Path:
    """Its kept file, fetched where only the store has it, and as it was handed in."""
    path = folders.data / row.exhibit.path
    folders.store.fetch(path, row.exhibit.sha256)
    bundles.refuse_altered_exhibit(database(), folders, row, hashed(path)[1])
    return path


def _bundle(settings: Settings, folders: Folders, row: AnalysisRow) -> Path:
    """The review bundle of an analysis without the video, which lies beside it as the exhibit."""
    folder = result_folder(database(), folders, row)
    refuse_altered(folder)
    result, made = load(folder), now()
    with database().begin() as session:
        said = annotation_service.listed(session, row.id)
        with_log = not custody_access.hidden_analyses(session, current(), row.exhibit.sha256)
    files = bundles.contents(
        database(), folders, row, result, said, video=False, made=made, with_log=with_log
    )
    place = bundles.packed(settings, row, result, files, made)
    log = files.get(bundles.CUSTODY)
    custody_access.log_download(row, "bundle.zip", place, log=log if isinstance(log, bytes) else None)
    return place
