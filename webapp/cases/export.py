"""Export a case as one zip: every exhibit as uploaded, and the review bundle of every analysis.

``case.json`` describes the case and its analyses; ``sha256sums.txt`` lists all files. The zip is streamed
while it is built: a large case neither takes its size on the disk again nor keeps the browser waiting.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import stream_with_context
from werkzeug.wrappers import Response

from detector.schema.formatting import escape_directions
from detector.timestamps import iso_milliseconds
from language import translation
from language.translation import gettext
from reports.bundle.archive import chunks, new_entry
from webapp import context
from webapp.accounts.permissions import current
from webapp.casework import access, blinding
from webapp.casework.blinding import Disclosure
from webapp.custody import custody_log, integrity
from webapp.custody.integrity import Condition
from webapp.downloads import bundles
from webapp.errors import UserError
from webapp.exhibits.results import refuse_altered_files, result_folder
from webapp.exhibits.uploads.exhibits import refuse_altered_exhibit, verified_exhibit
from webapp.http.responses import ConcurrencyLimit
from webapp.storage.data_folder import Folders
from webapp.storage.tables import AnalysisRow, CaseRow, State, now

_CASE_FILE, _SUMS_FILE = "case.json", "sha256sums.txt"
# An export occupies one of the server's threads until it is read, however slowly.
_MAX_EXPORTS, _MAX_EXPORTS_PER_ACCOUNT = 4, 2
_EXPORTS = ConcurrencyLimit(
    _MAX_EXPORTS,
    _MAX_EXPORTS_PER_ACCOUNT,
    lambda: UserError(
        503,
        gettext("Other cases are being exported at the moment."),
        gettext("Try again when they are done."),
    ),
)


def send(case_id: int, language_code: str = translation.DEFAULT) -> Response:
    """Stream the zip of a case, with bundles in the language ``language_code``.

    The custody log records the exports of the parts and of the whole. Raises :class:`UserError` while too
    many cases are being exported.
    """
    folders = context.folders()
    with context.database().begin() as session:
        case = access.find_or_404(session, current(), case_id)
        rows = access.list_analyses(session, case)
        if not current().sees_all:
            for exhibit_id in {row.exhibit_id for row in rows}:
                blinding.refuse_blinded(session, current().user_id, exhibit_id, Disclosure.JUDGEMENTS)
        members = [user.name for user in access.list_members(session, case)]
    _refuse_incomplete(folders, rows)
    files = _files(_case_json(case, rows, members), folders, rows, language_code)
    with ExitStack() as held:
        held.enter_context(_EXPORTS.slot(current().user_id))
        chunks_of_zip = stream_with_context(_stream_zip(case_id, files))
        response = Response(chunks_of_zip, mimetype="application/zip")
        response.call_on_close(held.pop_all().close)
    response.headers.set("Content-Disposition", "attachment", filename=f"reelproof-case-{case_id}.zip")
    return response


def _refuse_incomplete(folders: Folders, rows: list[AnalysisRow]) -> None:
    """Raise an error for missing or altered files as far as this is quick, before streaming begins."""
    for row in rows:
        try:
            with folders.store.opened(folders.data / row.exhibit.path):
                fits = row.exhibit.condition in (None, Condition.FITS)
        except OSError:
            fits = False
        if not fits:
            result = integrity.check_exhibit(context.database(), folders, row.exhibit)
            refuse_altered_exhibit(context.database(), folders, row, result.sha256)
        if row.state == State.DONE:
            refuse_altered_files(result_folder(context.database(), folders, row))


def _case_json(case: CaseRow, rows: list[AnalysisRow], members: list[str]) -> bytes:
    content = {
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
                "state": row.shown_state,
                "verdict": row.verdict,
                "bundle": f"analyses/{row.id}.zip" if row.state == State.DONE else None,
            }
            for row in rows
        ],
    }
    return escape_directions(json.dumps(content, indent=1, ensure_ascii=False)).encode()


@dataclass(frozen=True)
class _File:
    """A file of the zip; its content can be read once."""

    name: str
    size: int
    content: Iterator[bytes]


def _files(
    case_json: bytes, folders: Folders, rows: list[AnalysisRow], language_code: str
) -> Iterator[_File]:
    """Yield all files of the zip, each created when the previous one has been sent."""
    sums: list[str] = []

    def file(name: str, path: Path) -> Iterator[_File]:
        digest = hashlib.sha256()
        with path.open("rb") as stream:
            yield _File(name, path.stat().st_size, _hashed_chunks(digest, stream))
        sums.append(f"{digest.hexdigest()}  {name}\n")

    for row in {row.exhibit.sha256: row for row in rows}.values():
        exhibit = verified_exhibit(context.database(), folders, row)
        yield from file(f"exhibits/{row.exhibit.sha256}", exhibit)
    for row in rows:
        if row.state == State.DONE:
            # Without the video, which is in the zip as the exhibit. The language is explicit, not that of the
            # page: archives are for other people.
            result = result_folder(context.database(), folders, row)
            bundle = bundles.make_bundle(row, result, video=False, language_code=language_code, in_line=False)
            try:
                yield from file(f"analyses/{row.id}.zip", bundle)
            finally:
                bundle.unlink(missing_ok=True)
    yield _File(_CASE_FILE, len(case_json), iter([case_json]))
    sums.append(f"{hashlib.sha256(case_json).hexdigest()}  {_CASE_FILE}\n")
    sums_text = "".join(sums).encode()
    yield _File(_SUMS_FILE, len(sums_text), iter([sums_text]))


def _hashed_chunks(digest: Any, stream: Any) -> Iterator[bytes]:
    for chunk in chunks(stream):
        digest.update(chunk)
        yield chunk


def _stream_zip(case_id: int, files: Iterator[_File]) -> Iterator[bytes]:
    """Yield the zip in chunks, and record in the custody log what was sent, complete or not.

    A zip that breaks off lacks its central directory at the end, so nobody takes it for a complete one.
    """
    buffer, complete = _Buffer(), False
    try:
        archive = zipfile.ZipFile(buffer, "w")
        for file in files:
            with archive.open(new_entry(file.name, file.size), "w") as target:
                for chunk in file.content:
                    target.write(chunk)
                    yield buffer.take()
        archive.close()
        yield buffer.take()
        complete = True
    finally:
        files.close()  # type: ignore[attr-defined]
        details: dict[str, str | int | None] = {"what": "case", "case": case_id, "file": "case.zip"}
        details["bytes"] = buffer.bytes
        details |= {"sha256": buffer.digest.hexdigest()} if complete else {"broken off": "yes"}
        with context.database().begin() as session:
            if complete and (case := session.get(CaseRow, case_id)) is not None:
                case.exported = now()
            custody_log.append(session, "export", details)


class _Buffer(io.RawIOBase):
    """A file that can only be written sequentially, and hands out what was written."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self.digest = hashlib.sha256()
        self.bytes = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        chunk = bytes(data)
        self._chunks.append(chunk)
        self.digest.update(chunk)
        self.bytes += len(chunk)
        return len(chunk)

    def take(self) -> bytes:
        """Return what was written since the last call."""
        chunks_written, self._chunks = self._chunks, []
        return b"".join(chunks_written)
