"""Export a case as one zip: every exhibit as handed in, and the review bundle of every analysis."""

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

from detector.timestamps import iso_milliseconds
from reports.bundle.archive import chunks, new_entry
from reports.language import translation
from reports.language.translation import gettext
from webapp import context
from webapp.accounts.permissions import current
from webapp.analyses.downloads import bundles
from webapp.analyses.results import refuse_altered_files, result_folder
from webapp.analyses.uploads.exhibits import refuse_altered_exhibit, verified_exhibit
from webapp.cases import access as case_queries
from webapp.custody import custody_log, integrity
from webapp.custody.integrity import Condition
from webapp.errors import UserError
from webapp.http.responses import ConcurrencyLimit
from webapp.review import blinding
from webapp.review.blinding import Disclosure
from webapp.storage.data_folder import Folders
from webapp.storage.tables import AnalysisRow, CaseRow, State, now

NAME, SUMS = "case.json", "sha256sums.txt"
# Each holds one of the server's threads until it is read, however slowly.
_MOST_AT_ONCE, _MOST_OF_ONE = 4, 2
_EXPORTS = ConcurrencyLimit(
    _MOST_AT_ONCE,
    _MOST_OF_ONE,
    lambda: UserError(
        503,
        gettext("Other cases are being exported at the moment."),
        gettext("Try again when they are done."),
    ),
)


def send(case_id: int, language_code: str = translation.DEFAULT) -> Response:
    """The zip of a case, sent while it is made, its bundles in the language ``language_code``.

    Each export, and that of the whole, is in the custody log. Raises
    :class:`~webapp.errors.UserError` while others are being exported.
    """
    folders = context.folders()
    with context.database().begin() as session:
        case = case_queries.find_or_404(session, current(), case_id)
        rows = case_queries.list_analyses(session, case)
        if not current().sees_all:
            for exhibit_id in {row.exhibit_id for row in rows}:
                blinding.refuse_blinded(session, current().user_id, exhibit_id, Disclosure.JUDGEMENTS)
        about = _about(case, rows, [user.name for user in case_queries.list_members(session, case)])
    _refuse_incomplete(folders, rows)
    with ExitStack() as held:
        held.enter_context(_EXPORTS.place(current().user_id))
        pieces = stream_with_context(_sent(case_id, _files(about, folders, rows, language_code)))
        response = Response(pieces, mimetype="application/zip")
        response.call_on_close(held.pop_all().close)
    response.headers.set("Content-Disposition", "attachment", filename=f"reelproof-case-{case_id}.zip")
    return response


def _refuse_incomplete(folders: Folders, rows: list[AnalysisRow]) -> None:
    """Raise for what is missing or altered, as far as it shows at once: later no page can say so."""
    for row in rows:
        try:
            with folders.store.opened(folders.data / row.exhibit.path):
                sound = row.exhibit.condition in (None, Condition.FITS)
        except OSError:
            sound = False
        if not sound:
            seen = integrity.check_exhibit(context.database(), folders, row.exhibit)
            refuse_altered_exhibit(context.database(), folders, row, seen.sha256)
        if row.state == State.DONE:
            refuse_altered_files(result_folder(context.database(), folders, row))


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


@dataclass(frozen=True)
class _File:
    """One file of the zip, to be read once."""

    name: str
    size: int
    content: Iterator[bytes]


def _files(
    about: dict[str, Any], folders: Folders, rows: list[AnalysisRow], language_code: str
) -> Iterator[_File]:
    """All files of the zip, each made when the one before has been sent."""
    sums: list[str] = []

    def file(name: str, path: Path) -> Iterator[_File]:
        digest = hashlib.sha256()
        with path.open("rb") as stream:
            yield _File(name, path.stat().st_size, _counted(digest, stream))
        sums.append(f"{digest.hexdigest()}  {name}\n")

    for row in {row.exhibit.sha256: row for row in rows}.values():
        exhibit = verified_exhibit(context.database(), folders, row)
        yield from file(f"exhibits/{row.exhibit.sha256}", exhibit)
    for row in rows:
        if row.state == State.DONE:
            # Without the video, which lies beside it as the exhibit; in this language, whatever the page
            # speaks: archives go to others.
            result = result_folder(context.database(), folders, row)
            bundle = bundles.make_bundle(row, result, video=False, language_code=language_code, in_line=False)
            try:
                yield from file(f"analyses/{row.id}.zip", bundle)
            finally:
                bundle.unlink(missing_ok=True)
    text = json.dumps(about, indent=1, ensure_ascii=False).encode()
    yield _File(NAME, len(text), iter([text]))
    sums.append(f"{hashlib.sha256(text).hexdigest()}  {NAME}\n")
    listed = "".join(sums).encode()
    yield _File(SUMS, len(listed), iter([listed]))


def _sent(case_id: int, files: Iterator[_File]) -> Iterator[bytes]:
    """The zip of ``files`` in pieces; what was sent is put into the log, whole or not.

    One that breaks off has no list of files at its end, so that nobody takes it for the whole.
    """
    sent, whole = _Sent(), False
    try:
        archive = zipfile.ZipFile(sent, "w")
        for file in files:
            with archive.open(new_entry(file.name, file.size), "w") as target:
                for piece in file.content:
                    target.write(piece)
                    yield sent.taken()
        archive.close()
        yield sent.taken()
        whole = True
    finally:
        files.close()  # type: ignore[attr-defined]
        details: dict[str, str | int | None] = {"what": "case", "case": case_id, "file": "case.zip"}
        details["bytes"] = sent.bytes
        details |= {"sha256": sent.sha256} if whole else {"broken off": "yes"}
        with context.database().begin() as session:
            if whole and (case := session.get(CaseRow, case_id)) is not None:
                case.exported = now()
            custody_log.append(session, "export", details)


class _Sent(io.RawIOBase):
    """A file that is written once from its beginning to its end, and gives away what was written."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._digest = hashlib.sha256()
        self.bytes = 0

    @property
    def sha256(self) -> str:
        """Of all that was written."""
        return self._digest.hexdigest()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        piece = bytes(data)
        self._pieces.append(piece)
        self._digest.update(piece)
        self.bytes += len(piece)
        return len(piece)

    def taken(self) -> bytes:
        """What was written since the last time."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


def _counted(digest: Any, stream: Any) -> Iterator[bytes]:
    for piece in chunks(stream):
        digest.update(piece)
        yield piece
