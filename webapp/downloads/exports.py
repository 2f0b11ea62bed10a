"""Exports of analyses in the formats of ``docs/exports.md``, and tables of the database as spreadsheets.

A process of its own writes each, row by row; :mod:`webapp.http.in_turn` says how many wait for it. Exports of
an analysis are kept: they depend on its result and on this version alone.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from werkzeug.wrappers import Response

from detector.files import ROOT, hash_file, publish_folder
from detector.process.signals import environment_of_child
from detector.schema.causes.cause import Cause
from detector.version import __version__
from language.translation import cause_text, gettext, translated
from reports.exports.formats import FORMATS, suited
from reports.exports.tables import Cell
from reports.file_names import ANALYSIS, ANNOTATED
from webapp import context
from webapp.accounts.permissions import current
from webapp.downloads import kept_reports
from webapp.downloads.table_process import encoded
from webapp.errors import UserError
from webapp.exhibits.disclosure import record_download
from webapp.exhibits.results import download_name, load_result, refuse_altered_files
from webapp.http import in_turn
from webapp.http.in_turn import NotReady
from webapp.http.responses import send_file_whole
from webapp.storage.tables import AnalysisRow

_TIME_LIMIT = 1800  # seconds, as of reports
_PROBLEM = "problem.json"
# Drawing takes about as long as playing, so reports and other exports do not wait for it.
_ANNOTATED_LIMIT, _DRAWING = 6 * 3600, threading.Lock()
_UNCOLLECTED_FOR = 3600  # seconds
_TABLE_LOCKS = in_turn.KeyLocks()
_TABLES: dict[Hashable, Path] = {}  # made, but not yet sent
_TABLES_LOCK = threading.Lock()


TIMED = frozenset(format.name for format in FORMATS.values() if format.timed)


def export_links(still: bool) -> dict[str, str]:
    """Return the exports that the page of an analysis offers: translated texts of links by name."""
    links = {format.name: (still and format.photo_link) or format.link for format in suited(still)}
    return {name: translated(link) for name, link in links.items() if link is not None}


def send_export(row: AnalysisRow, folder: Path, name: str) -> Response:
    """Send a finished analysis in the format of this name.

    Raises :class:`~webapp.errors.UserError` for an unknown name, if the format cannot hold the analysis, or
    if it is not ready soon.
    """
    if name not in FORMATS:
        raise UserError(
            404,
            gettext("There is no export of this name."),
            gettext("There are %(names)s; docs/exports.md says more.", names=", ".join(FORMATS)),
        )
    refuse_altered_files(folder)
    format = FORMATS[name]

    def write(out: Path) -> None:
        _run("export_process", out, str(folder / ANALYSIS), format.name, str(out))

    path = _current_export(row, folder, format.name, format.ending, write)
    return _send(row, path, format.ending, format.mimetype)


def send_annotated_video(row: AnalysisRow, folder: Path) -> Response:
    """Send a copy of the video with the findings of its analysis drawn into it.

    Raises :class:`~webapp.errors.UserError` if the exhibit is no video or not here, or if the copy is not
    ready soon.
    """
    refuse_altered_files(folder)
    media = load_result(folder).analysis.media
    if media.still or media.sound_only:
        raise UserError(
            409,
            gettext("Only videos have an annotated copy."),
            gettext("The pictures of a photo, and the spectrograms of sound, are in the bundle."),
        )
    folders = context.folders()
    exhibit = folders.data / row.exhibit.path
    if not folders.store.fetch(exhibit, row.exhibit.sha256):
        raise UserError(
            409,
            gettext("The file of this exhibit is not here, so no copy of it can be annotated."),
            gettext("Upload the same file again."),
        )
    request = {
        "exhibit": str(exhibit),
        "analysis": str(folder / ANALYSIS),
        "limits": asdict(context.settings().limits),
    }

    def write(out: Path) -> None:
        line = json.dumps(request | {"out": str(out / ANNOTATED)}).encode()
        remedy = gettext("The report and the bundle hold the same findings.")
        _run("annotated_process", out, lines=[line], limit=_ANNOTATED_LIMIT, remedy=remedy)

    path = _current_export(row, folder, "annotated", ANNOTATED, write, _DRAWING)
    return _send(row, path, ANNOTATED, "video/mp4")


def _send(row: AnalysisRow, path: Path, ending: str, mimetype: str) -> Response:
    record_download(row, ending, path)
    # The response adds the charset of texts.
    response = send_file_whole(path, mimetype.partition(";")[0])
    response.headers.set("Content-Disposition", "attachment", filename=download_name(row, ending))
    return response


def _current_export(
    row: AnalysisRow,
    folder: Path,
    name: str,
    ending: str,
    write: Callable[[Path], None],
    working: threading.Lock = in_turn.WORKING,
) -> Path:
    """Return the export of a result in ``folder``, which ``write`` puts into a folder unless it is kept."""
    folders, key = context.folders(), context.settings().custody_key
    about = f"{name} {__version__} {hash_file(folder / ANALYSIS)[1]}"
    place = (
        folders.reports_of(row.id) / kept_reports.EXPORTS / hashlib.sha256(about.encode()).hexdigest()[:32]
    )
    file = place / ending

    def kept() -> Path | None:
        try:
            is_unaltered = json.loads((place / kept_reports.MACS).read_bytes()) == _macs(key, place)
        except (OSError, ValueError):
            return None
        return file if is_unaltered else None

    def make() -> Path:
        unfinished = place.parent / f".{secrets.token_hex(8)}"
        unfinished.mkdir(mode=0o700, parents=True)
        try:
            write(unfinished)
            shutil.rmtree(place, ignore_errors=True)
            publish_folder(unfinished, place)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        (place / kept_reports.MACS).write_text(json.dumps(_macs(key, place)))
        with context.database().begin() as session:
            if session.get(AnalysisRow, row.id) is None:  # deleted meanwhile; nothing else removes it
                shutil.rmtree(place.parent, ignore_errors=True)
        return file

    return kept() or in_turn.make_in_turn(
        f"the export {name} of analysis {row.id}",
        current().user_id,
        kept_reports.hold_folder_lock(place.parent, in_turn.PATIENCE),
        kept,
        make,
        _being_made,
        working=working,
    )


def _macs(key: Path, place: Path) -> dict[str, str]:
    return kept_reports.file_macs(key, place, 3)


def _being_made() -> NotReady:
    return NotReady(gettext("This export is being made at the moment."))


def make_spreadsheet(
    key: Hashable,
    title: str,
    header: Sequence[str],
    rows: Callable[[], Iterable[Sequence[Cell | datetime]]],
    provenance: Callable[[int], Mapping[str, Cell | datetime]],
    created: datetime,
) -> Path:
    """Write a table of the database as a spreadsheet and return its path, which the caller removes.

    ``key`` says whose table it is and of what: who asks again while it is made gets the same one. ``rows``
    reads them in the thread that writes them, and ``provenance`` is given their number.
    """

    def kept() -> Path | None:
        with _TABLES_LOCK:
            return _TABLES.pop(key, None)

    def make() -> Path:
        folder = context.folders().incoming / secrets.token_hex(16)
        folder.mkdir(mode=0o700)
        path = folder.with_suffix(".xlsx")
        try:
            lines = _lines(title, header, rows(), provenance, created)
            _run("table_process", folder, str(folder), lines=lines)
            (folder / "table.xlsx").replace(path)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        with _TABLES_LOCK:
            _TABLES[key] = path
            for other, kept_path in list(_TABLES.items()):
                if time.time() - kept_path.stat().st_mtime > _UNCOLLECTED_FOR:
                    _TABLES.pop(other).unlink(missing_ok=True)
        return path

    path = kept() or in_turn.make_in_turn(
        f"the spreadsheet {title}",
        current().user_id,
        _TABLE_LOCKS.hold(key, in_turn.PATIENCE),
        kept,
        make,
        _being_made,
    )
    with _TABLES_LOCK:
        _TABLES.pop(key, None)
    return path


def _lines(
    title: str,
    header: Sequence[str],
    rows: Iterable[Sequence[Cell | datetime]],
    provenance: Callable[[int], Mapping[str, Cell | datetime]],
    created: datetime,
) -> Iterable[bytes]:
    """Yield what the process reads: what the table is, its rows, and where they come from."""
    yield encoded({"title": title, "header": list(header), "created": created})
    count = 0
    for row in rows:
        count += 1
        yield encoded(list(row))
    yield encoded(dict(provenance(count)))


def _run(
    module: str,
    out: Path,
    *arguments: str,
    lines: Iterable[bytes] = (),
    limit: float = _TIME_LIMIT,
    remedy: str = "",
) -> None:
    """Run a process that writes into the folder ``out``. Raises :class:`UserError` if it fails."""
    command = [sys.executable, "-m", f"webapp.downloads.{module}", *arguments]
    with subprocess.Popen(command, cwd=ROOT, env=environment_of_child(), stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        ending = threading.Timer(limit, process.kill)
        ending.start()
        try:
            with process.stdin:
                for line in lines:
                    process.stdin.write(line)
        except BrokenPipeError:  # its status says why it ended
            pass
        except BaseException:
            process.kill()
            raise
        finally:
            status = process.wait()
            ending.cancel()
    if status == errno.ENOSPC:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if (out / _PROBLEM).is_file():
        problem = Cause.model_validate_json((out / _PROBLEM).read_bytes())
        raise UserError(
            409,
            cause_text(problem),
            remedy
            or gettext("Choose another export: those of scores and of segments as a table always work."),
        )
    if status:
        raise UserError(
            500,
            gettext("The export could not be made."),
            gettext("The terminal Reelproof runs in may say why. Nothing is lost."),
        )
