"""Create a validation from labelled analyses: the analyses on offer, the table of labels, the process."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import json
import secrets
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from flask import current_app

from detector.files import ROOT, publish_folder
from detector.process.signals import environment_of_child
from detector.schema.causes.cause import Cause, render
from language import translation
from language.translation import gettext, translated
from webapp import context
from webapp.custody import custody_log
from webapp.downloads import quoted_extract
from webapp.errors import UserError
from webapp.exhibits import results
from webapp.installed_models import service as model_service
from webapp.storage.data_folder import Folders
from webapp.storage.tables import AnalysisRow, State

COLUMNS = (
    "file", "label", "generator", "segments", "voice", "voice_generator", "voice_segments", "group",
    "persons", "skin_tone", "sex", "language",
)  # fmt: skip
_TIME_LIMIT = 600  # seconds; a thousand exhibits take a minute
_LOCK_TIMEOUT = 30  # seconds to wait for another validation in progress
_LOCK = threading.Lock()
_MAX_NAME = 120  # characters


def offered_analyses(rows: Sequence[AnalysisRow]) -> list[AnalysisRow]:
    """Return the newest finished analysis of each exhibit, sorted by file name.

    Of an exhibit without one, the newest failed analysis: it must not be left out of the statistics.
    """
    newest: dict[int, AnalysisRow] = {}
    for row in sorted(rows, key=lambda row: (row.state == State.DONE, row.created)):
        if row.state in (State.DONE, State.FAILED):
            newest[row.exhibit_id] = row
    return sorted(newest.values(), key=lambda row: (row.file, row.id))


def empty_table(rows: Sequence[AnalysisRow]) -> str:
    """Return a table of labels, as CSV, to be filled in."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    names = [row.file for row in rows]
    for row in rows:
        name = row.file if names.count(row.file) == 1 else row.exhibit.sha256
        writer.writerow([name] + [""] * (len(COLUMNS) - 1))
    return out.getvalue()


def create_validation(
    rows: Sequence[AnalysisRow],
    table: str,
    title: str,
    laboratory: str,
    sign: Callable[[Path], None],
    language_code: str = translation.DEFAULT,
) -> str:
    """Create a validation from labelled analyses and return its id. Raises :class:`UserError`.

    ``sign`` signs the files in a folder, if there is a key. ``language_code`` is the language of the report.
    """
    settings = context.settings()
    folders, title = Folders.of(settings), " ".join(title.split())[:_MAX_NAME]
    if not title:
        raise UserError(400, gettext("The material needs a name."), gettext("Enter a name."), field="title")
    with context.database().begin() as session:
        model = model_service.default_model(session, folders)
        card = model_service.card_path(folders, model)
    request: dict[str, object] = {
        "title": title,
        "laboratory": " ".join(laboratory.split())[:_MAX_NAME],
        "language": language_code,
        "model": model,
        "card": str(card),
        "table": table,
        "analyses": [_analysis_item(folders, row) for row in rows],
    }
    validation_id = secrets.token_hex(16)
    if not _LOCK.acquire(timeout=_LOCK_TIMEOUT):
        raise UserError(
            503, gettext("Another validation is being created."), gettext("Try again in a minute.")
        )
    try:
        _create_folder(request, validation_id, title, folders, sign)
    finally:
        _LOCK.release()
    return validation_id


def _create_folder(
    request: dict[str, object],
    validation_id: str,
    title: str,
    folders: Folders,
    sign: Callable[[Path], None],
) -> None:
    """Create the folder of a validation, completely or not at all, and record it in the custody log."""
    temporary, path = folders.validations / f".{validation_id}", folders.validation(validation_id)
    try:
        temporary.mkdir(mode=0o700)
        _run_process(request, temporary)
        sign(temporary)
        details: custody_log.EntryDetails = {
            "what": quoted_extract.MADE,
            "validation": validation_id,
            "title": title,
            "validation sha256": hashlib.sha256((temporary / "validation.json").read_bytes()).hexdigest(),
        }
        with context.database().alone() as session:
            custody_log.append(session, "configuration", details)
            publish_folder(temporary, path)  # last, when only the commit is left
    except BaseException:
        with contextlib.suppress(OSError):
            path.rename(temporary)
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _analysis_item(folders: Folders, row: AnalysisRow) -> dict[str, object]:
    """Return an analysis as input of the process; raise an error if its result was altered."""
    item: dict[str, object] = {
        "name": row.file,
        "sha256": row.exhibit.sha256,
        "bytes": row.exhibit.bytes,
    }
    if row.state == State.FAILED:
        cause = {"cause": json.loads(row.failure)} if row.failure else {}
        return item | {"error": row.error or "It could not be analysed."} | cause
    folder = results.result_folder(context.database(), folders, row)
    results.read_analysis_json(folder)
    return item | {"folder": str(folder)}


def _run_process(request: dict[str, object], out: Path) -> None:
    """Run :mod:`webapp.validations.compute`, which writes the files of a validation to ``out``.

    Raises :class:`UserError`: 400 for invalid labels (exit status 2), otherwise 500.
    """
    try:
        process = subprocess.run(
            [sys.executable, "-m", "webapp.validations.compute", str(out)],
            cwd=ROOT,
            env=environment_of_child(),
            input=json.dumps(request).encode(),
            capture_output=True,
            timeout=_TIME_LIMIT,
        )
    except subprocess.TimeoutExpired:
        raise UserError(
            500, gettext("The validation took too long."), gettext("Use fewer exhibits.")
        ) from None
    if process.returncode == 2:
        raise UserError(
            400,
            translated(render(Cause.model_validate_json(process.stderr.splitlines()[-1])))[:500],
            gettext("Correct the labels."),
            field="table",
        )
    if process.returncode:
        current_app.logger.error("a validation failed: %s", process.stderr.decode(errors="replace")[-2000:])
        raise UserError(
            500,
            gettext("The validation could not be created."),
            gettext("The terminal in which Reelproof runs shows the reason."),
        )
